"""How fast, and at what cost, a backlog is worked off."""
from dataclasses import asdict

from . import check
from .errors import Failure
from .measure import drain
from .sides import AT_LEAST_ONCE, EXACTLY_ONCE, Keyfold, Settings
from .stats import compared, merged

ROWS = [
    ("1 worker, 100 ms", Settings(workers=1, interval_ms=100)),
    ("1 worker, 1000 ms", Settings(workers=1, interval_ms=1000)),
    ("2 workers, 100 ms", Settings(workers=2, interval_ms=100)),
    ("2 workers, 1000 ms", Settings(workers=2, interval_ms=1000)),
]
ATTEMPTS = 5
AT_LEAST_ONCE_RUN, DEFAULTS = "at least once", "default configuration"


def warm_up(bench):
    """Runs that do not count: the first ones meet a broker whose code is not compiled yet, which costs it up to twice the
    CPU, on the cores that both sides use. Each guarantee has ways of its own through it."""
    bench.say("first runs, for the broker to warm up")
    for guarantee in (EXACTLY_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE):
        one(bench, bench.side(Keyfold, ROWS[0][1].with_(guarantee=guarantee)))


def run(bench):
    rows = [row(bench, title, settings) for title, settings in ROWS]
    return {"events": bench.workload.events, "customers": bench.options.customers, "partitions": bench.options.partitions,
            "runs": bench.options.runs, "rows": rows}


def contenders(title, settings, peers):
    """(name, kind, settings) in the order of their turns: each as near as it can be to those that it is compared with.
    And the pairs that are compared."""
    like = [("keyfold", Keyfold, settings), *((peer.label, peer, settings) for peer in peers)]
    pairs = [("keyfold", peer.label) for peer in peers]
    if settings.interval_ms == ROWS[0][1].interval_ms:
        # behind the first peer
        like.insert(2, (DEFAULTS, Keyfold, settings.with_(grows=True)))
        pairs += [(DEFAULTS, peer.label) for peer in peers]
    if title == ROWS[0][0]:
        like.insert(0, (AT_LEAST_ONCE_RUN, Keyfold, settings.with_(guarantee=AT_LEAST_ONCE)))
        pairs.append((AT_LEAST_ONCE_RUN, "keyfold"))
    return like, pairs


def row(bench, title, settings):
    """All contenders of a row take turns, so that a slow spell of the machine meets each of them."""
    like, pairs = contenders(title, settings, bench.peers)
    runs = {name: [] for name, _, _ in like}
    for number in range(bench.options.runs):
        for name, kind, own in like:
            figures = repeated(bench, kind, own)
            runs[name].append(figures)
            bench.say(f"{title}, run {number + 1}, {name}: {figures['events_per_second']:,.0f} events/s, "
                      f"{figures['cpu_per_million']:.1f} CPU-s per million, the broker {figures['broker_cpu_per_million']:.1f}, "
                      f"{figures['peak_rss_mib']:,.0f} MiB, "
                      f"{figures['snapshots_per_event']:.2f} snapshots an event")
    return {"title": title, "workers": settings.workers, "interval_ms": settings.interval_ms,
            "figures": {name: merged(found) for name, found in runs.items()},
            "ratios": {f"{ours} / {theirs}": compared(runs[ours], runs[theirs]) for ours, theirs in pairs}}


def repeated(bench, kind, settings):
    """A run; again where a side has given up by its own rules."""
    for _ in range(ATTEMPTS - 1):
        side = bench.side(kind, settings)
        try:
            return one(bench, side)
        except Failure as failure:
            if not kind.gives_up or kind.gives_up not in str(failure):
                raise
            bench.say(f"{side.application} gave up, and the run is repeated: {kind.gives_up}")
            side.discard(bench.cluster)
    return one(bench, bench.side(kind, settings))


def one(bench, side):
    """One run of one side, with fresh processes, topics and state."""
    ends = bench.ends()
    side.prepare(bench.cluster)
    broker = bench.broker.process
    before = broker.cpu_seconds()
    process = side.start()
    drained = drain(process, bench.cluster, side.application, ends, rough=bench.options.quick)
    brokers = (broker.cpu_seconds() - before) * 1e6 / drained.events
    process.stop()
    published, newest = check.read_newest(bench.cluster, side.snapshots)
    if side.label == "keyfold":
        check.equal_to_fold(side.application, newest, bench.expected(side))
    else:
        bench.agreement.hold(side.application, newest)
    figures = {**asdict(drained), "broker_cpu_per_million": brokers, "snapshots_per_event": published / drained.events, "customers": len(newest),
               "dead_letters": check.count(bench.cluster, side.dead_letters)}
    side.discard(bench.cluster)
    return figures
