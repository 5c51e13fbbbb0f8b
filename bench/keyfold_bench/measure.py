"""Figures of a process that works off what lies in its inputs, taken from outside."""
import time
from dataclasses import dataclass

from .errors import Failure

EVERY = 0.025
# Without any new commit for so long, something is broken.
PATIENCE = 120


@dataclass
class Mark:
    """What had been committed at a moment, and the CPU seconds of the process until then."""
    time: float
    committed: int
    cpu: float


@dataclass
class Drained:
    events: int
    seconds: float
    events_per_second: float
    seconds_from_start: float
    cpu_per_million: float
    peak_rss_mib: float


def watch(process, cluster, group, places, already=0):
    """Waits until the group has committed all of `places` (partition to end); the first commit and the last."""
    total = sum(places.values())
    first, last, moved = None, already, time.monotonic()
    while True:
        process.check()
        before = time.monotonic()
        committed = cluster.committed(group, places)
        now = (before + time.monotonic()) / 2
        if committed > total:
            raise Failure(f"{process.name}: committed {committed} of {total}")
        if committed > last:
            last, moved = committed, now
            first = first or Mark(now, committed, process.cpu_seconds())
        if committed == total:
            return first, Mark(now, committed, process.cpu_seconds())
        if now - moved > PATIENCE:
            raise Failure(f"{process.name}: no commit for {PATIENCE} s, at {committed} of {total}:\n{process.tail()}")
        time.sleep(EVERY)


def between(process, first, last):
    """What was committed after the first commit that was seen, and the time from it to the last one."""
    if first is None or first.committed == last.committed:
        raise Failure(f"{process.name}: all was done before it could be measured; take more events")
    return last.committed - first.committed, last.time - first.time


def drain(process, cluster, group, places, rough=False):
    """Works off all. The first record can't be seen from outside, the commits can: the rate is that between the first
    commit and the last. CPU and memory are those of the whole process since its start. `rough`, where nothing is measured:
    one commit is enough, and then the rate is that since the start."""
    first, last = watch(process, cluster, group, places)
    rss = process.memory_mib()
    if rough and first.committed == last.committed:
        first = Mark(process.started, 0, 0)
    events, seconds = between(process, first, last)
    return Drained(last.committed, seconds, events / seconds, last.time - process.started,
                   last.cpu * 1e6 / last.committed, rss)
