"""A section of latest.md for each part."""
from .text import fraction, number, percent, percent_of, share, spread, table, times


def throughput(found):
    rows = []
    for row in found["rows"]:
        for name, figures in row["figures"].items():
            rows.append([row["title"], name, spread(figures["events_per_second"]), spread(figures["cpu_per_million"], 1),
                         spread(figures["broker_cpu_per_million"], 1), spread(figures["peak_rss_mib"]), spread(figures["snapshots_per_event"], 2),
                         spread(figures["seconds_from_start"], 1)])
    ratios = [[row["title"], name, *(ratio(name, figure, pair[figure]) for figure in ("events_per_second", "cpu_per_million", "peak_rss_mib"))]
              for row in found["rows"] for name, pair in row["ratios"].items()]
    return (f"## Throughput\n\n{found['events']:,} events of {found['customers']:,} customers, {found['partitions']} partitions a "
            f"topic, {found['runs']} runs in turns. keyfold's snapshots equal the offline fold after every run.\n\n"
            + table(["", "", "events/s", "CPU-s per million", "the broker's", "peak RSS, MiB", "snapshots an event",
                    "start to end, s"], rows)
            + "\n" + table(["ratio", "", "events/s", "CPU", "peak RSS"], ratios))


def ratio(pair, figure, found):
    """Programs that are near to each other need other words than those that are far apart."""
    if pair.startswith("at least once"):
        return percent(found)
    if figure == "events_per_second":
        return times(found)
    return share(found) if pair.endswith("franz-go") else fraction(found)


def restore(found):
    head = ["", "records", "records/s", "MB/s", "start to ready, s"]
    rows = [[name, spread(figures["records"]), spread(figures["records_per_second"]), spread(figures["mb_per_second"], 1),
             spread(figures["seconds_to_ready"], 2)] for name, figures in found["restarts"].items()]
    back = [[name, spread(seconds, 2)] for name, seconds in found["back_at_work"].items()]
    return (f"## Restore\n\nAfter `kill -9`, started again under the same name, with the state of {found['events']:,} events.\n\n"
            + table(head, rows) + "\nKilled in the midst of a backlog, and started again at once:\n\n"
            + table(["", "start to the first new commit, s"], back))


def latency(found):
    rows = [[name, *(spread(figures[part], 1) for part in ("p50", "p99", "max")), spread(figures["snapshots"]),
             spread(figures["cpu_seconds"], 1), spread(figures["acknowledged_p99_ms"], 1)] for name, figures in found["figures"].items()]
    return (f"## Latency\n\n{found['rate']:,} events/s for {found['seconds']} s, 100 ms between commits at the most: from a "
            "record's timestamp to a read_committed reader, in ms.\n\n"
            + table(["", "p50", "p99", "max", "snapshots", "CPU-s", "input acknowledged, p99"], rows))


def interruption(found):
    rows = []
    for program, scenarios in found["figures"].items():
        for scenario, figures in scenarios.items():
            rows.append([program, found["scenarios"][scenario], str(len(figures["p999"]["runs"])),
                         *(spread(figures[part]) for part in ("p50", "p99", "p999", "max")),
                         *(spread(figures.get(part), 1) for part in ("seconds_to_stop", "seconds_to_ready", "acknowledged_p99_ms"))])
    return (f"## Interruption\n\n{found['instances']} unnamed instances with a worker each, {found['partitions']} partitions a topic, "
            f"{found['rate']:,} events/s: the latency of what was produced within {found['seconds']} s of a SIGTERM or of a start, in ms "
            f"(`{found['csv']}`).\n\n"
            + table(["", "one instance", "times", "p50", "p99", "p99.9", "max", "SIGTERM to end, s", "start to ready, s",
                     "input acknowledged, p99"], rows))


def growth(found):
    rows = [[row["store"], f"{row['customers']:,}", spread(row["cpu_per_million"], 1), spread(row["events_per_second"]),
             spread(row["peak_rss_mib"]), spread(row["snapshots_per_event"], 2),
             spread(row["state_mb"])] for row in found["rows"]]
    return (f"## As state grows\n\n{found['events']:,} events, evenly over all customers, 1 worker, 100 ms.\n\n"
            + table(["store", "customers", "CPU-s per million", "events/s", "peak RSS, MiB", "snapshots an event", "states, MB"], rows))


def floor(found):
    rows = []
    for row in found["rows"]:
        for name, figures in row["figures"].items():
            share = "" if name == "keyfold" else percent_of(row["cpu_share"])
            rows.append([row["title"], name, spread(figures["cpu_per_million"], 1), share, spread(figures["broker_cpu_per_million"], 1),
                         spread(figures["snapshots_per_event"], 2), spread(figures["seconds_from_start"], 1)])
    return (f"## Floor\n\n{found['events']:,} events, {found['runs']} runs in turns. *transport alone* reads the same records, and writes "
            "as many snapshots and states, made before, in transactions of the same interval, with the same client; it does nothing else.\n\n"
            + table(["", "", "CPU-s per million", "of keyfold's", "the broker's", "snapshots an event", "start to end, s"], rows))


def soak(found):
    rows = [[name, number(part["first_quarter"], part["digits"]), number(part["last_quarter"], part["digits"]),
             f"{part['slope_per_hour']:+,.{part['digits']}f}", "yes" if part["flat"] else "**no**"]
            for name, part in found["figures"].items()]
    return (f"## Soak\n\n{found['minutes']:g} minutes at {found['rate']:,} events/s, {found['customers']:,} customers, a sample every "
            f"{found['every']} s (`{found['csv']}`). Medians of the first and of the last quarter.\n\n"
            + table(["", "first quarter", "last quarter", "slope an hour", "flat"], rows))


SECTIONS = {"throughput": throughput, "restore": restore, "latency": latency, "interruption": interruption, "growth": growth,
            "floor": floor, "soak": soak}
