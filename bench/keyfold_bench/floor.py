"""What the transport costs by itself: keyfold beside a program that carries as many records, made before, and does nothing."""
import struct

from . import build, check, throughput
from .measure import drain, watch
from .paths import STATE
from .processes import Process
from .sides import Keyfold
from .stats import merged, ratios

# Enough of them that they fit into no cache.
SAMPLES = 20_000


FIGURES = ("cpu_per_million", "broker_cpu_per_million", "seconds_from_start", "snapshots_per_event")


class Carrier(Keyfold):
    """Reads keyfold's configuration, and writes to topics that keyfold makes."""
    label = "transport alone"
    program = samples = share = None

    def start(self):
        return Process(self.application, [self.program, self.config, self.samples, str(self.share)], env=self.environment())


def run(bench):
    program, samples = build.floor(), STATE / "samples"
    made(bench, samples)
    rows = []
    for title, settings in throughput.ROWS:
        if settings.workers > 1:
            continue
        runs = {"keyfold": [], Carrier.label: []}
        for number in range(bench.options.runs):
            found = throughput.one(bench, bench.side(Keyfold, settings))
            carrier = bench.side(Carrier, settings)
            carrier.program, carrier.samples, carrier.share = program, samples, found["snapshots_per_event"]
            for name, figures in (("keyfold", {name: found[name] for name in FIGURES}), (Carrier.label, carried(bench, carrier))):
                runs[name].append(figures)
                bench.say(f"floor, {title}, run {number + 1}, {name}: {figures['cpu_per_million']:.1f} CPU-s per million, "
                          f"{figures['seconds_from_start']:.1f} s, {figures['snapshots_per_event']:.2f} snapshots an event")
        shares = ratios(*([figures["cpu_per_million"] for figures in runs[name]] for name in (Carrier.label, "keyfold")))
        rows.append({"title": title, "figures": {name: merged(found) for name, found in runs.items()}, "cpu_share": shares})
    return {"events": bench.workload.events, "runs": bench.options.runs, "rows": rows}


def carried(bench, carrier):
    """One run. It may be through within two commits, so that there is no rate between the first and the last."""
    ends = bench.ends()
    carrier.prepare(bench.cluster)
    broker = bench.broker.process
    before = broker.cpu_seconds()
    process = carrier.start()
    _, last = watch(process, bench.cluster, carrier.application, ends)
    brokers = broker.cpu_seconds() - before
    process.kill()
    published = check.count(bench.cluster, carrier.snapshots)
    carrier.discard(bench.cluster)
    return dict(zip(FIGURES, (last.cpu * 1e6 / last.committed, brokers * 1e6 / last.committed, last.time - process.started,
                              published / last.committed)))


def made(bench, path):
    """Snapshots and states of customers, as keyfold has left them at the end of the workload."""
    side = bench.side(Keyfold, throughput.ROWS[0][1])
    side.prepare(bench.cluster)
    process = side.start()
    drain(process, bench.cluster, side.application, bench.ends(), rough=bench.options.quick)
    process.stop()
    _, snapshots = check.read_newest(bench.cluster, side.snapshots)
    _, states = check.read_newest(bench.cluster, side.state_topic(bench.cluster))
    keys = sorted(key for key in snapshots if snapshots[key] and states.get(key))
    # evenly over all customers: those with many events have large snapshots
    keys = keys[::max(1, len(keys) // SAMPLES)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as out:
        for key in keys:
            for text in (key, snapshots[key], states[key]):
                out.write(struct.pack("<I", len(text)) + text)
    side.discard(bench.cluster)
