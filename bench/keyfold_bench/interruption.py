"""How long records wait while one of several unnamed instances is restarted, and while one more joins."""
import csv
import json
import time
from array import array
from statistics import median

from . import check
from .measure import PATIENCE, watch
from .paths import OUT
from .processes import wait_for
from .sides import Keyfold, Settings
from .stats import merged, percentile
from .steady import await_ready, sent, start_producer, start_reader
from .workload import folded

CUSTOMERS = 100_000
INSTANCES = 3
# As many for each of three instances, and of four.
PARTITIONS = 12
# What one of the instances does, as the tables say it.
UNDISTURBED, RESTART, JOIN = "undisturbed", "restart", "join"
SCENARIOS = {UNDISTURBED: "works", RESTART: "is restarted", JOIN: "joins"}
# Between what one interruption has left and the next.
SETTLE = 5
# The producer ends when it is told to.
ENDLESS = 86_400
# A record's time, in ms: none of these events is in the future of its record.
LATER = 1_800_000_000_000
# What the picture shows of a time before, and how finely.
BEFORE, BIN = 5, 0.25


def run(bench):
    options = bench.options
    kinds = [kind for kind in (Keyfold, *bench.peers) if kind.several]
    runs = {kind.label: {scenario: [] for scenario in SCENARIOS} for kind in kinds}
    rows = []
    bench.say("a run that does not count, for the broker: it has moved no partitions yet")
    one(bench, Keyfold, 0)
    for number in range(options.runs):
        for kind in kinds:
            for scenario, figures, points in one(bench, kind, number):
                found = runs[kind.label][scenario]
                found.append(figures)
                rows += [(kind.label, scenario, len(found), *point) for point in points]
                bench.say(f"interruption, run {number + 1}, {kind.label}, one {SCENARIOS[scenario]}: p50 {figures['p50']:.0f} ms, "
                          f"p99 {figures['p99']:.0f} ms, p99.9 {figures['p999']:.0f} ms, max {figures['max']:.0f} ms")
    path = options.results / "interruption.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["program", "scenario", "time", "seconds", "snapshots", "p50_ms", "max_ms"])
        out.writerows(rows)
    return {"rate": options.rate, "seconds": options.interrupted, "warm_up": options.warm_up, "runs": options.runs, "instances": INSTANCES,
            "partitions": PARTITIONS, "scenarios": SCENARIOS, "csv": path.name,
            "figures": {label: {scenario: merged(found) for scenario, found in scenarios.items()} for label, scenarios in runs.items()}}


def one(bench, kind, number):
    """(scenario, figures, points) of each interruption. A peer is restarted once in a run, for it takes a minute."""
    group = Group(bench, kind)
    group.begin()
    spans = [(UNDISTURBED, time.time(), {})]
    group.settle(spans[0][1])
    for turn in range(INSTANCES if kind is Keyfold else 1):
        began = time.time()
        spans.append((RESTART, began, group.restart((number + turn) % INSTANCES)))
        group.settle(began)
    began = time.time()
    spans.append((JOIN, began, group.join()))
    group.settle(began)
    latencies, acknowledged = group.end()
    return [(scenario, {**told, "acknowledged_p99_ms": acknowledged, **judged(latencies, began, bench.options.interrupted)},
             [] if scenario == UNDISTURBED else points(latencies, began, bench.options.interrupted)) for scenario, began, told in spans]


class Group:
    """Instances under a fixed rate of events, with a reader of all that they publish."""

    def __init__(self, bench, kind):
        self.bench = bench
        self.side = bench.side(kind, Settings(workers=1, interval_ms=100))
        self.inputs = (f"{self.side.application}.customers", f"{self.side.application}.actions")
        self.side.configure(self.side.settings.with_(inputs=self.inputs))
        self.instances = []
        self.started = 0
        self.raw = OUT / "snapshots.times"

    def begin(self):
        bench, options = self.bench, self.bench.options
        bench.cluster.create(self.inputs, PARTITIONS)
        self.side.prepare(bench.cluster)
        self.instances = [self.start() for _ in range(INSTANCES)]
        for process in self.instances:
            await_ready(self.side, process)
        self.producer = start_producer(bench, self.inputs, options.rate, ENDLESS, CUSTOMERS, options.warm_up)
        wait_for(lambda: self.producer.check() or self.producer.lines(), PATIENCE, "the producer's start")
        self.produced_from = json.loads(self.producer.lines()[0])["began"]
        self.await_(self.produced_from + options.warm_up, "the warm-up")
        self.reader = start_reader(bench, self.side, options.interrupted, raw=self.raw)
        time.sleep(BEFORE)

    def start(self):
        self.started += 1
        return self.side.start(f"{self.started}")

    def restart(self, which):
        """SIGTERM, and at once a new process when the old one has ended, as an orchestrator does it."""
        began = time.monotonic()
        self.instances[which].stop()
        stopped = time.monotonic()
        self.instances[which] = self.start()
        await_ready(self.side, self.instances[which])
        return {"seconds_to_stop": stopped - began, "seconds_to_ready": time.monotonic() - stopped}

    def join(self):
        began = time.monotonic()
        self.instances.append(self.start())
        await_ready(self.side, self.instances[-1])
        return {"seconds_to_ready": time.monotonic() - began}

    def settle(self, began):
        """Until all that was produced in the span that counts is over, and nothing is behind."""
        self.await_(began + self.bench.options.interrupted, "the end of a lag")
        time.sleep(SETTLE)

    def await_(self, until, what):
        """Until then, and until what was to be produced a second ago is committed, by the broker and by the group."""
        cluster, rate = self.bench.cluster, self.bench.options.rate

        def met():
            for process in (*self.instances, self.producer):
                process.check()
            now = time.time()
            wanted = rate * (now - self.produced_from - 1)
            return now > until and cluster.committed(self.side.application, cluster.ends(self.inputs)) > wanted

        wait_for(met, max(0, until - time.time()) + PATIENCE, f"{self.side.application}: {what}", 0.2)

    def end(self):
        """Stops all when all is worked off; (produced, latency in ms) of each snapshot, and how long the broker took to take
        an event."""
        cluster = self.bench.cluster
        self.producer.child.terminate()
        told = sent(self.producer)
        ends = cluster.ends(self.inputs)
        if cluster.committed(self.side.application, ends) < sum(ends.values()):
            watch(self.instances[-1], cluster, self.side.application, ends)
        self.reader.stop()
        for process in self.instances:
            process.stop()
        if self.side.label == Keyfold.label:
            _, newest = check.read_newest(cluster, self.side.snapshots)
            check.equal_to_fold(self.side.application, newest, folded(self.side, self.dumped()))
        self.side.discard(cluster)
        times = array("d")
        times.frombytes(self.raw.read_bytes())
        return [(produced, (arrived - produced) * 1000) for arrived, produced in zip(times[::2], times[1::2])], told["acknowledged_p99_ms"]

    def dumped(self):
        """The inputs as kcat prints them. Partition and offset of a record are nothing to the fold."""
        path = OUT / "interruption.kcat"
        with open(path, "w", encoding="utf-8") as out:
            for topic in self.inputs:
                for offset, (key, value) in enumerate(self.bench.cluster.read(topic)):
                    out.write(json.dumps({"topic": topic, "partition": 0, "offset": offset, "tstype": "create", "ts": LATER,
                                          "broker": 0, "headers": [], "key": key.decode(), "payload": value.decode()}, ensure_ascii=False) + "\n")
        return path


def judged(latencies, began, seconds):
    """Of what was produced within these seconds, whenever it arrived."""
    found = sorted(latency for produced, latency in latencies if began <= produced < began + seconds)
    return {"snapshots": len(found), "p50": percentile(found, 0.5), "p99": percentile(found, 0.99), "p999": percentile(found, 0.999),
            "max": found[-1]}


def points(latencies, began, seconds):
    """(seconds from the interruption, snapshots, median, largest) for each bin of the time of production."""
    bins = {}
    for produced, latency in latencies:
        if -BEFORE <= produced - began < seconds:
            bins.setdefault(int((produced - began) // BIN), []).append(latency)
    return [(number * BIN, len(bins[number]), round(median(bins[number]), 1), round(max(bins[number]), 1)) for number in sorted(bins)]
