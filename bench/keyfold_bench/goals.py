"""What keyfold must reach, and whether it does."""
from .text import fraction, percent, share, spread, times


def judged(results):
    """Lines of (what, measured, goal, reached), of the parts that there are."""
    lines = []
    for part, judge in JUDGES.items():
        if part in results:
            lines += judge(results[part])
    return [line for line in lines if line]


def at_most(what, found, limit, text, goal):
    return found and (what, text(found), goal, found["median"] <= limit)


def at_least(what, found, limit, text, goal):
    return found and (what, text(found), goal, found["median"] >= limit)


AGAINST_FRANZ_GO = "keyfold / franz-go"
AGAINST_STREAMS = "keyfold / Kafka Streams"
DEFAULTS_FRANZ_GO = "default configuration / franz-go"
DEFAULTS_STREAMS = "default configuration / Kafka Streams"
# how the titles of the rows begin
ANY, ONE = "", "1 worker"
# (the pair, its rows, the figure, the limit, the limit as text)
THROUGHPUT = [
    (AGAINST_FRANZ_GO, ANY, "cpu_per_million", 0.85, "at most 0.85 of franz-go's"),
    (AGAINST_FRANZ_GO, ANY, "events_per_second", 1.1, "at least 1.1 times franz-go's"),
    (AGAINST_FRANZ_GO, ANY, "peak_rss_mib", 0.45, "at most 0.45 of franz-go's"),
    (DEFAULTS_FRANZ_GO, ANY, "cpu_per_million", 0.6, "at most 0.6 of franz-go's"),
    (DEFAULTS_FRANZ_GO, ANY, "events_per_second", 1.6, "at least 1.6 times franz-go's"),
    (AGAINST_STREAMS, ONE, "cpu_per_million", 1 / 4, "at most 1/4 of Kafka Streams'"),
    (AGAINST_STREAMS, ONE, "events_per_second", 3, "at least 3 times Kafka Streams'"),
    (AGAINST_STREAMS, ONE, "peak_rss_mib", 1 / 5, "at most 1/5 of Kafka Streams'"),
    (DEFAULTS_STREAMS, ONE, "cpu_per_million", 1 / 6, "at most 1/6 of Kafka Streams'"),
    (DEFAULTS_STREAMS, ONE, "events_per_second", 4, "at least 4 times Kafka Streams'"),
]
FIGURES = {"cpu_per_million": "CPU an event", "events_per_second": "events/s", "peak_rss_mib": "peak RSS"}


def throughput(found):
    lines = []
    for pair, rows, figure, limit, goal in THROUGHPUT:
        for row in found["rows"]:
            if row["title"].startswith(rows) and (ratio := row["ratios"].get(pair)):
                ours = "" if pair.startswith("keyfold") else f", {pair.partition(' /')[0]}"
                lines.append(ratio_line(f"{FIGURES[figure]}, {row['title']}{ours}", ratio[figure], figure, limit, goal))
    for row in found["rows"]:
        if eos := row["ratios"].get("at least once / keyfold"):
            lines.append(inverse("CPU, exactly-once against at-least-once", eos["cpu_per_million"], lambda r: r <= 1.05, "within 5 %"))
            lines.append(inverse("events/s, exactly-once against at-least-once", eos["events_per_second"], lambda r: r >= 0.95,
                                 "within 5 %"))
    return lines


def ratio_line(what, ratio, figure, limit, goal):
    """Of events a second more is better, of all else less."""
    if figure == "events_per_second":
        return at_least(what, ratio, limit, times, goal)
    return at_most(what, ratio, limit, fraction if limit < 0.4 else share, goal)


def inverse(what, found, holds, goal):
    """The runs compare at-least-once with exactly-once; the goal speaks of the other way round."""
    if not found:
        return None
    turned = {"median": 1 / found["median"], "min": 1 / found["max"], "max": 1 / found["min"], "runs": found["runs"]}
    return what, percent(turned), goal, holds(turned["median"])


def restore(found):
    restarts, pairs, back = found["restarts"], found["ratios"], found["back_at_work"]
    seconds = lambda figures: f"{spread(figures, 2)} s"
    return [
        at_least("restore into memory, records/s", pairs.get("keyfold, memory / Kafka Streams"), 4, times, "at least 4 times Kafka Streams'"),
        at_least("restore onto disk, records/s", pairs.get("keyfold, disk, emptied / Kafka Streams"), 2, times,
                 "at least 2 times Kafka Streams'"),
        at_most("start to ready with a kept disk store", restarts["keyfold, disk, kept"]["seconds_to_ready"], 1, seconds, "under 1 s"),
        at_most("a killed instance back at work, memory", back["keyfold, memory"], 2, seconds, "within 2 s"),
        at_most("a killed instance back at work, disk", back["keyfold, disk"], 2, seconds, "within 2 s"),
    ]


def latency(found):
    pair = found["ratios"].get(AGAINST_STREAMS)
    return pair and [at_most("latency, p50", pair["p50"], 1 / 5, fraction, "at most 1/5 of Kafka Streams'"),
                     at_most("latency, p99", pair["p99"], 1 / 3, fraction, "at most 1/3 of Kafka Streams'")] or []


def interruption(found):
    """Each single one must keep the limit, and not their median."""
    lines = []
    for scenario, limit in (("restart", 1000), ("join", 500)):
        if figures := found["figures"].get("keyfold", {}).get(scenario):
            p999 = figures["p999"]
            lines.append((f"p99.9 latency while one of three instances {found['scenarios'][scenario]}", f"{spread(p999)} ms",
                          f"at most {limit:,} ms, each", p999["max"] <= limit))
    return lines


def growth(found):
    compared = found["disk_largest_to_smallest"]
    if compared is None:
        return []
    ratio = compared["cpu"]
    return [at_most(f"CPU an event on disk, {compared['largest']:,} customers to {compared['smallest']:,}", ratio, 1.5, times,
                    "at most 1.5 times")]


def soak(found):
    parts = found["figures"]
    return [(f"flat over {found['minutes']:g} minutes", ", ".join(name for name, part in parts.items() if part["flat"]) or "nothing",
             "all", all(part["flat"] for part in parts.values()))]


JUDGES = {"throughput": throughput, "restore": restore, "latency": latency, "interruption": interruption, "growth": growth, "soak": soak}
