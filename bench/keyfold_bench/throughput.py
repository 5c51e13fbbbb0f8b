"""How fast, and at what cost, a backlog is worked off."""
from dataclasses import asdict

from . import check
from .measure import drain
from .sides import AT_LEAST_ONCE, EXACTLY_ONCE, Keyfold, Peer, Settings
from .stats import ratios, spread

ROWS = [
    ("1 worker, 100 ms", Settings(workers=1, interval_ms=100)),
    ("1 worker, 1000 ms", Settings(workers=1, interval_ms=1000)),
    ("2 workers, 100 ms", Settings(workers=2, interval_ms=100)),
    ("2 workers, 1000 ms", Settings(workers=2, interval_ms=1000)),
]
# Variants of keyfold that run in the rounds of the first row: (name, what is changed, what they are compared with).
VARIANTS = [("at least once", {"guarantee": AT_LEAST_ONCE}, "keyfold"), ("growing batches", {"grows": True}, "peer")]


def warm_up(bench):
    """Runs that do not count: the first ones meet a broker whose code is not compiled yet, which costs it up to twice the
    CPU, on the cores that both sides use. Each guarantee has ways of its own through it."""
    bench.say("first runs, for the broker to warm up")
    for guarantee in (EXACTLY_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE):
        one(bench, bench.side(Keyfold, ROWS[0][1].with_(guarantee=guarantee)))


def run(bench):
    rows = []
    for title, settings in ROWS:
        rows.append(row(bench, title, settings, VARIANTS if title == ROWS[0][0] else []))
    return {"events": bench.workload.events, "customers": bench.options.customers, "partitions": bench.options.partitions,
            "runs": bench.options.runs, "rows": rows}


def row(bench, title, settings, variants):
    """All contenders of a row take turns, so that a slow spell of the machine meets each of them."""
    # each next to the one that it is compared with
    changed = [(base, (name, Keyfold, settings.with_(**changes))) for name, changes, base in variants]
    contenders = [contender for base, contender in changed if base == "keyfold"]
    contenders += [("keyfold", Keyfold, settings), ("peer", Peer, settings)]
    contenders += [contender for base, contender in changed if base == "peer"]
    runs = {name: [] for name, _, _ in contenders}
    for number in range(bench.options.runs):
        for name, kind, own in contenders:
            figures = one(bench, bench.side(kind, own))
            runs[name].append(figures)
            bench.say(f"{title}, run {number + 1}, {name}: {figures['events_per_second']:,.0f} events/s, "
                      f"{figures['cpu_per_million']:.1f} CPU-s per million, the broker {figures['broker_cpu_per_million']:.1f}, "
                      f"{figures['peak_rss_mib']:,.0f} MiB, "
                      f"{figures['snapshots_per_event']:.2f} snapshots an event")
    pairs = [("keyfold", "peer"), *((name, base) for name, _, base in variants)]
    return {"title": title, "figures": {name: merged(found) for name, found in runs.items()},
            "ratios": {f"{ours} / {theirs}": compared(runs[ours], runs[theirs]) for ours, theirs in pairs}}


def one(bench, side):
    """One run of one side, with fresh processes, topics and state."""
    ends = bench.ends()
    side.prepare()
    broker = bench.broker.process
    before = broker.cpu_seconds()
    process = side.start()
    drained = drain(process, bench.cluster, side.application, ends)
    brokers = (broker.cpu_seconds() - before) * 1e6 / drained.events
    process.stop()
    published, newest = check.read_newest(bench.cluster, side.snapshots)
    if side.label == "keyfold":
        check.equal_to_fold(side.application, newest, bench.expected(side))
    figures = {**asdict(drained), "broker_cpu_per_million": brokers, "snapshots_per_event": published / drained.events, "customers": len(newest),
               "dead_letters": check.count(bench.cluster, side.dead_letters)}
    side.discard(bench.cluster)
    return figures


def merged(runs):
    return {name: spread([run[name] for run in runs]) for name in runs[0]}


def compared(ours, theirs):
    return {name: ratios([run[name] for run in ours], [run[name] for run in theirs]) for name in ours[0]}
