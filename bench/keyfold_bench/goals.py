"""What keyfold must reach, and whether it does."""
from .text import fraction, percent, spread, times


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


def throughput(found):
    lines = []
    for row in found["rows"]:
        title, pair = row["title"], row["ratios"]["keyfold / peer"]
        lines.append(at_least(f"events/s, {title}", pair["events_per_second"], 4, times, "at least 4 times the peer"))
        if title.startswith("1 worker"):
            lines.append(at_most(f"CPU an event, {title}", pair["cpu_per_million"], 1 / 6, fraction, "at most 1/6 of the peer"))
            lines.append(at_most(f"peak RSS, {title}", pair["peak_rss_mib"], 1 / 5, fraction, "at most 1/5 of the peer"))
        if eos := row["ratios"].get("at least once / keyfold"):
            lines.append(inverse("CPU, exactly-once against at-least-once", eos["cpu_per_million"], lambda r: r <= 1.05, "within 5 %"))
            lines.append(inverse("events/s, exactly-once against at-least-once", eos["events_per_second"], lambda r: r >= 0.95,
                                 "within 5 %"))
    return lines


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
        at_least("restore into memory, records/s", pairs.get("keyfold, memory / peer"), 4, times, "at least 4 times the peer"),
        at_least("restore onto disk, records/s", pairs.get("keyfold, disk, emptied / peer"), 2, times, "at least 2 times the peer"),
        at_most("start to ready with a kept disk store", restarts["keyfold, disk, kept"]["seconds_to_ready"], 1, seconds, "under 1 s"),
        at_most("a killed instance back at work, memory", back["keyfold, memory"], 2, seconds, "within 2 s"),
        at_most("a killed instance back at work, disk", back["keyfold, disk"], 2, seconds, "within 2 s"),
    ]


def latency(found):
    pair = found["ratios"]
    return [at_most("latency, p50", pair["p50"], 1 / 5, fraction, "at most 1/5 of the peer"),
            at_most("latency, p99", pair["p99"], 1 / 3, fraction, "at most 1/3 of the peer")]


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


JUDGES = {"throughput": throughput, "restore": restore, "latency": latency, "growth": growth, "soak": soak}
