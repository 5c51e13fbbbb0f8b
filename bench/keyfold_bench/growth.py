"""What an event costs when there are more customers: further events, spread evenly over all of them."""
import itertools
import random
import time
from dataclasses import dataclass, field

from .measure import between, watch
from .processes import wait_for
from .sides import Keyfold, Settings
from .stats import ratios, spread
from .workload import CUSTOMERS, Endless, produce

# Above so many customers only the disk store is measured: it is made for what does not fit into memory.
MEMORY_LIMIT = 1_000_000
HOUR = 3_600_000


@dataclass
class Size:
    """Inputs with that many customers, and the stores that are measured on them."""
    customers: int
    inputs: tuple
    sides: dict
    events: Endless = field(default_factory=Endless)
    millis: itertools.count = field(default_factory=lambda: itertools.count(int(time.time() * 1000) - 12 * HOUR))


def run(bench):
    sizes = [prepared(bench, int(millions * 1_000_000)) for millions in bench.options.growth]
    runs = {(store, size.customers): [] for size in sizes for store in size.sides}
    for number in range(bench.options.runs):
        # the sizes take turns, so that a slow spell of the machine meets each of them
        for size in sizes:
            further(bench, size)
            for store, side in size.sides.items():
                figures = one(bench, size, side)
                runs[store, size.customers].append(figures)
                bench.say(f"growth, run {number + 1}, {store}, {size.customers:,} customers: "
                          f"{figures['cpu_per_million']:.1f} CPU-s per million, {figures['events_per_second']:,.0f} events/s")
    for size in sizes:
        for side in size.sides.values():
            side.discard(bench.cluster)
        bench.cluster.delete(prefix(size.customers))
    rows = []
    for (store, customers), found in runs.items():
        rows.append({"store": store, "customers": customers, **{name: spread([run[name] for run in found]) for name in found[0]}})
    rows.sort(key=lambda row: (row["store"], row["customers"]))
    return {"events": bench.options.growth_events, "runs": bench.options.runs, "rows": rows, "disk_largest_to_smallest": extremes(runs)}


def extremes(runs):
    on_disk = sorted(customers for store, customers in runs if store == "disk")
    if len(on_disk) < 2:
        return None
    smallest, largest = on_disk[0], on_disk[-1]
    cost = lambda customers: [run["cpu_per_million"] for run in runs["disk", customers]]
    return {"smallest": smallest, "largest": largest, "cpu": ratios(cost(largest), cost(smallest))}


def prefix(customers):
    return f"bench-growth-{customers}-"


def prepared(bench, customers):
    """Loads one event of each customer, and lets each store work them off."""
    bench.say(f"growth: {customers:,} customers")
    inputs = (f"{prefix(customers)}customers", f"{prefix(customers)}actions")
    stores = ["disk"] if customers > MEMORY_LIMIT else ["disk", "memory"]
    settings = Settings(workers=1, interval_ms=100, inputs=inputs)
    size = Size(customers, inputs, {store: bench.side(Keyfold, settings.with_(store=store)) for store in stores})
    bench.cluster.create(inputs, bench.options.partitions)
    load(bench, size, (size.events.customer(f"cust-{number}", next(size.millis), created=True) for number in range(customers)))
    for side in size.sides.values():
        side.prepare(bench.cluster)
        process = side.start()
        watch(process, bench.cluster, side.application, bench.cluster.ends(inputs))
        # this metric is renewed now and then only
        wait_for(lambda: side.metric("keyfold_state_customers") == customers, 10, f"{side.application}: all customers known")
        process.stop()
    return size


def further(bench, size):
    """Events of customers only: with actions, the states of few customers would grow and those of many would not."""
    rng = random.Random()
    load(bench, size, (size.events.customer(f"cust-{rng.randrange(size.customers)}", next(size.millis))
                       for _ in range(bench.options.growth_events)))


def load(bench, size, events):
    """The topics of `events` are the workload's; they go to this size's own."""
    produce(bench.cluster, ((size.inputs[0] if topic == CUSTOMERS else size.inputs[1], key, value) for topic, key, value in events))


def one(bench, size, side):
    """Cost between the first commit and the last: a start that reads the state anew does not count."""
    ends = bench.cluster.ends(size.inputs)
    already = sum(ends.values()) - bench.options.growth_events
    process = side.start()
    first, last = watch(process, bench.cluster, side.application, ends, already)
    events, seconds = between(process, first, last)
    figures = {"cpu_per_million": (last.cpu - first.cpu) * 1e6 / events, "events_per_second": events / seconds,
               "peak_rss_mib": process.memory_mib(), "state_mb": side.metric("keyfold_state_bytes") / 1e6,
               "snapshots_per_event": side.metric("keyfold_snapshots_total") / bench.options.growth_events}
    process.stop()
    return figures
