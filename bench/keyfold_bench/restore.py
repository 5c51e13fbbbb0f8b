"""How long a killed instance is away. franz-go is no named member: after a kill the group waits for its session's end."""
import time

from . import check
from .errors import Failure
from .measure import drain, watch
from .peers import KafkaStreams
from .sides import Keyfold, Settings
from .stats import merged, ratios, spread

NAMED = Settings(workers=1, interval_ms=100, instance="one")
READY_LIMIT = 600
EVERY = 0.01
# No new process commits so early; what is committed until then was under way when the old one was killed.
NOT_YET = 0.1
KILLED_AT = 0.3


def run(bench):
    found = {"events": bench.workload.events, "runs": bench.options.runs}
    found["restarts"], found["ratios"] = restarts(bench)
    found["back_at_work"] = back_at_work(bench)
    return found


def restarts(bench):
    """All have worked everything off and are killed; then each is started again, and killed when it is ready."""
    keyfold = bench.side(Keyfold, NAMED)
    cases = [("keyfold, memory", keyfold, "memory", False), ("keyfold, disk, emptied", keyfold, "disk", True),
             ("keyfold, disk, kept", keyfold, "disk", False)]
    peer = KafkaStreams.label
    if KafkaStreams in bench.peers:
        cases.append((peer, bench.side(KafkaStreams, NAMED), None, False))
    sides = list(dict.fromkeys(side for _, side, _, _ in cases))
    ends = bench.ends()
    for side in sides:
        side.prepare(bench.cluster)
        process = side.start()
        drain(process, bench.cluster, side.application, ends, rough=bench.options.quick)
        process.kill()
    sizes = {side: bench.cluster.bytes_of(side.state_topic(bench.cluster)) for side in sides}
    runs = {name: [] for name, *_ in cases}
    for number in range(bench.options.runs):
        for name, side, store, empty in cases:
            if store:
                side.configure(NAMED.with_(store=store))
            if empty:
                side.empty_directory()
            figures = restart(side)
            rate = figures["records_per_second"]
            whole = rate and name != "keyfold, disk, kept"
            figures["mb_per_second"] = sizes[side] / 1e6 * rate / figures["records"] if whole else None
            runs[name].append(figures)
            bench.say(f"restart {number + 1}, {name}: {figures['records']:,.0f} records, ready after {figures['seconds_to_ready']:.2f} s")
    for side in sides:
        side.discard(bench.cluster)
    rates = {name: [figures["records_per_second"] for figures in found] for name, found in runs.items()}
    pairs = [(name, peer) for name in rates if peer in rates and name != peer]
    return ({name: merged(found) for name, found in runs.items()},
            {f"{ours} / {theirs}": ratios(rates[ours], rates[theirs]) for ours, theirs in pairs})


def restart(side):
    process = side.start()
    figures = of_keyfold(side, process) if side.label == Keyfold.label else of_kafka_streams(side, process)
    process.kill()
    return figures


def of_keyfold(side, process):
    """From its metrics: the records read, from the last look at which there were none to the first at which there were all."""
    records, began, ended = 0, None, None
    deadline = time.monotonic() + READY_LIMIT
    while True:
        process.check()
        seen = side.metric("keyfold_restore_records_total")
        now = time.monotonic()
        if seen == 0:
            began = now
        elif seen is not None and seen > records:
            records, ended = seen, now
        if side.ready(process):
            break
        if now > deadline:
            raise Failure(f"{side.application} is not ready after {READY_LIMIT} s:\n{process.tail()}")
        time.sleep(EVERY)
    rate = records / (ended - began) if began is not None and ended is not None else None
    return {"records": records, "records_per_second": rate, "seconds_to_ready": time.monotonic() - process.started}


def of_kafka_streams(side, process):
    """From the line that it prints when its state is restored; the time to be ready is taken from outside."""
    deadline = time.monotonic() + READY_LIMIT
    while (line := side.restored(process)) is None:
        process.check()
        if time.monotonic() > deadline:
            raise Failure(f"{side.application} is not ready after {READY_LIMIT} s:\n{process.tail()}")
        time.sleep(EVERY)
    seconds = time.monotonic() - process.started
    records = line["restoredRecords"]
    if records == 0:
        raise Failure("Kafka Streams restored nothing: it was to wipe its state after a crash")
    return {"records": records, "records_per_second": records / line["restoreSeconds"], "seconds_to_ready": seconds}


def back_at_work(bench):
    cases = [("keyfold, memory", Keyfold, NAMED), ("keyfold, disk", Keyfold, NAMED.with_(store="disk"))]
    if KafkaStreams in bench.peers:
        cases.append((KafkaStreams.label, KafkaStreams, NAMED))
    runs = {name: [] for name, _, _ in cases}
    for number in range(bench.options.runs):
        for name, kind, settings in cases:
            seconds = killed_at_work(bench, bench.side(kind, settings))
            runs[name].append(seconds)
            bench.say(f"killed at work {number + 1}, {name}: its first new commit after {seconds:.2f} s")
    return {name: spread(found) for name, found in runs.items()}


def killed_at_work(bench, side):
    """Seconds from the start after a kill to the first commit that the new process made, with input waiting."""
    ends = bench.ends()
    total = sum(ends.values())
    side.prepare(bench.cluster)
    process = side.start()
    committed = lambda: bench.cluster.committed(side.application, ends)
    deadline = time.monotonic() + READY_LIMIT
    while committed() < total * KILLED_AT:
        process.check()
        if time.monotonic() > deadline:
            raise Failure(f"{side.application} does not get on:\n{process.tail()}")
        time.sleep(EVERY)
    process.kill()
    process = side.start()
    before = 0
    while True:
        process.check()
        now = committed()
        seconds = time.monotonic() - process.started
        if seconds < NOT_YET or not before:
            before = now
        elif now > before:
            break
        if before == total:
            raise Failure("all was done before it could be killed; take more events")
        if seconds > READY_LIMIT:
            raise Failure(f"{side.application} does not come back:\n{process.tail()}")
        time.sleep(EVERY)
    watch(process, bench.cluster, side.application, ends)
    process.stop()
    if side.label == "keyfold":
        _, newest = check.read_newest(bench.cluster, side.snapshots)
        check.equal_to_fold(side.application, newest, bench.expected(side))
    side.discard(bench.cluster)
    return seconds
