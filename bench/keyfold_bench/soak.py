"""One instance at a fixed rate for long: memory, processor, lag and latency must not grow."""
import csv
import time
from statistics import linear_regression, median

from .errors import Failure
from .measure import PATIENCE, watch
from .processes import wait_for
from .sides import Keyfold, Settings
from .steady import sent, start_producer, start_reader, start_ready, windows
from .workload import CUSTOMERS, Endless, produce

EVERY = 10
# The reader and the samples start while the producer sends, and must not outlast it.
SPARE = 20
# So that states are as large as they get before the first sample: what grows afterwards is no state.
MAX_ACTIONS = 20
EVENTS_BEFORE = 60
DAY = 86_400_000
# An hour writes more than it needs to keep.
INPUTS_KEEP = {"retention.bytes": str(256 << 20), "segment.bytes": str(64 << 20)}
COMPACTED_KEEP = {"segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.3", "min.compaction.lag.ms": "0",
                  "delete.retention.ms": "60000"}

# column: (title, digits, by what share and by how much the last quarter may lie above the first)
JUDGED = {
    "rss_mib": ("RSS, MiB", 0, 0.05, 5),
    "cpu_cores": ("CPU, cores", 2, 0.10, 0.02),
    "lag_records": ("lag, records", 0, 0.25, 200),
    "p50_ms": ("latency p50, ms", 1, 0.25, 5),
    "p99_ms": ("latency p99, ms", 1, 0.25, 20),
}


def run(bench):
    options, cluster = bench.options, bench.cluster
    side = bench.side(Keyfold, Settings(workers=1, interval_ms=100, extra={"merge": {"max_actions": MAX_ACTIONS}}))
    inputs = (f"{side.application}.customers", f"{side.application}.actions")
    side.configure(side.settings.with_(inputs=inputs))
    cluster.create(inputs, options.partitions, INPUTS_KEEP)
    side.prepare(cluster)
    for topic in (side.snapshots, side.state_topic(cluster)):
        cluster.configure(topic, COMPACTED_KEEP)
    process = start_ready(side)
    bench.say(f"soak: states of {options.soak_customers:,} customers")
    before = fill(bench, inputs)
    watch(process, cluster, side.application, cluster.ends(inputs))
    samples = EVERY * max(1, int(options.minutes * 60 / EVERY))
    producer = start_producer(bench, inputs, options.rate, samples + SPARE, options.soak_customers)
    reader = start_reader(bench, side, EVERY)
    path = options.results / "soak.csv"
    rows = sample(bench, side, process, reader, inputs, samples // EVERY, path)
    told = sent(producer)
    watch(process, cluster, side.application, cluster.ends(inputs))
    reader.kill()
    counted_once(side, before + told["sent"])
    process.stop()
    side.discard(cluster)
    return {"minutes": samples / 60, "rate": options.rate, "customers": options.soak_customers, "every": EVERY, "csv": path.name,
            "events": told["sent"], "figures": judged(rows)}


def fill(bench, inputs):
    """Events enough for every customer to have as many actions as are kept; how many."""
    events, customers = Endless(), bench.options.soak_customers
    millis = int(time.time() * 1000) - DAY // 2
    count = EVENTS_BEFORE * customers
    made = (events.any(f"cust-{number % customers}", millis + number // 1000) for number in range(count))
    produce(bench.cluster, ((inputs[0] if topic == CUSTOMERS else inputs[1], key, value) for topic, key, value in made))
    return count


def sample(bench, side, process, reader, inputs, count, path):
    """A row for each window of the reader."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, began = [], time.monotonic()
    then, spent = began, process.cpu_seconds()
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, ["seconds", "rss_mib", "cpu_cores", "lag_records", "snapshots", "p50_ms", "p99_ms", "max_ms"])
        out.writeheader()
        while len(rows) < count:
            new = wait_for(lambda: process.check() or reader.check() or windows(reader)[len(rows):], EVERY + PATIENCE,
                           f"{side.application}: snapshots", 0.2)
            now, cpu = time.monotonic(), process.cpu_seconds()
            lag = sum(bench.cluster.ends(inputs).values()) - bench.cluster.committed(side.application, bench.cluster.ends(inputs))
            window = new[0]
            row = {"seconds": round(now - began, 1), "rss_mib": round(process.memory_mib("VmRSS"), 1),
                   "cpu_cores": round((cpu - spent) / (now - then), 3), "lag_records": max(lag, 0), "snapshots": window["count"],
                   **{f"{name}_ms": round(window[name], 1) if name in window else "" for name in ("p50", "p99", "max")}}
            then, spent = now, cpu
            rows.append(row)
            out.writerow(row)
            file.flush()
            if len(rows) % 30 == 1:
                bench.say(f"soak: {row}")
    return rows


def counted_once(side, events):
    """Every event ends in exactly one outcome."""
    counted = wait_for(lambda: side.metric("keyfold_records_total"), 10, "the counters")
    if counted != events:
        raise Failure(f"WRONG RESULT: of {events:,} events {counted:,.0f} were counted")


def judged(rows):
    figures = {}
    for column, (title, digits, share, more) in JUDGED.items():
        points = [(row["seconds"] / 3600, row[column]) for row in rows if row[column] != ""]
        values = [value for _, value in points]
        quarter = max(1, len(values) // 4)
        first, last = median(values[:quarter]), median(values[-quarter:])
        slope = linear_regression(*zip(*points)).slope if len(points) > 1 else 0.0
        figures[title] = {"first_quarter": first, "last_quarter": last, "slope_per_hour": slope, "digits": digits,
                          "flat": last <= first * (1 + share) + more, "min": min(values), "max": max(values)}
    return figures
