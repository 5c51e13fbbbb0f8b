"""How long a record takes to a reader of the snapshots, at a rate that all sides master."""
from .measure import PATIENCE
from .processes import wait_for
from .sides import Keyfold, Settings
from .stats import compared, merged
from .steady import sent, start_producer, start_reader, start_ready, windows

CUSTOMERS = 100_000
# The reader starts while the producer sends, and must not outlast it.
SPARE = 10


def run(bench):
    options = bench.options
    runs = {kind.label: [] for kind in (Keyfold, *bench.peers)}
    for number in range(options.runs):
        for kind in (Keyfold, *bench.peers):
            figures = one(bench, kind)
            runs[kind.label].append(figures)
            bench.say(f"latency, run {number + 1}, {kind.label}: p50 {figures['p50']:.0f} ms, p99 {figures['p99']:.0f} ms, "
                      f"max {figures['max']:.0f} ms")
    return {"rate": options.rate, "seconds": options.seconds, "warm_up": options.warm_up, "runs": options.runs,
            "figures": {name: merged(found) for name, found in runs.items()},
            "ratios": {f"keyfold / {peer.label}": compared(runs["keyfold"], runs[peer.label]) for peer in bench.peers}}


def one(bench, kind):
    options, cluster = bench.options, bench.cluster
    side = bench.side(kind, Settings(workers=1, interval_ms=100))
    inputs = (f"{side.application}.customers", f"{side.application}.actions")
    side.configure(side.settings.with_(inputs=inputs))
    cluster.create(inputs, options.partitions)
    side.prepare(cluster)
    process = start_ready(side)
    producer = start_producer(bench, inputs, options.rate, options.warm_up + options.seconds + SPARE, CUSTOMERS,
                              options.warm_up)
    wait_for(lambda: process.check() or cluster.committed(side.application, cluster.ends(inputs)) >= options.rate * options.warm_up,
             options.warm_up + PATIENCE, f"{side.application}: the first commits")
    before = process.cpu_seconds()
    reader = start_reader(bench, side, options.seconds)
    found = wait_for(lambda: process.check() or reader.check() or windows(reader), options.seconds + PATIENCE, "the reader's figures", 0.2)
    cpu = process.cpu_seconds() - before
    told = sent(producer)
    reader.kill()
    process.stop()
    side.discard(cluster)
    window = found[0]
    return {"p50": window["p50"], "p99": window["p99"], "max": window["max"], "snapshots": window["count"], "cpu_seconds": cpu,
            "producer_behind_ms": told["most_behind_seconds"] * 1000, "acknowledged_p99_ms": told["acknowledged_p99_ms"]}
