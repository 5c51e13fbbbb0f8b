"""The table of docs/performance.md: the figures that a reader compares, a column for each program."""
from .pictures.compared import contenders, heading, hundredths, tenths, thousands, whole
from .pictures.style import PROGRAMS
from .text import table

INTERRUPTED = {"restart": "while one of three instances is restarted", "join": "while a fourth instance joins"}


def summary(results):
    rows = [row for part, rows_of in ROWS.items() if part in results for row in rows_of(results[part])]
    named = [name for name in PROGRAMS if any(name in figures for _, figures in rows)]
    return table(["", *named], [[what, *(figures.get(name, "") for name in named)] for what, figures in rows])


def throughput(found):
    lines = []
    for row in found["rows"]:
        programs = contenders(row)
        for figure, title, text in (("events_per_second", "events/s", thousands),
                                    ("cpu_per_million", "CPU-seconds for a million events", tenths), ("peak_rss_mib", "peak memory, MiB", whole)):
            what = f"{heading(row)}: {title}" if figure == "events_per_second" else title
            lines.append((what, {one.label: text(one.figures[figure]["median"]) for one in programs}))
    return lines


def latency(found):
    return [(f"latency at {found['rate']:,} events/s, p50 and p99, ms",
             {name: f"{whole(figures['p50']['median'])} and {whole(figures['p99']['median'])}" for name, figures in found["figures"].items()})]


def interruption(found):
    return [(f"p99.9 {words}, ms", {name: whole(figures[scenario]["p999"]["median"]) for name, figures in found["figures"].items()
                                    if scenario in figures}) for scenario, words in INTERRUPTED.items()]


def restore(found):
    """The peer has its state on disk, so it stands beside that store."""
    restarts, back = found["restarts"], found["back_at_work"]
    rate = lambda name: thousands(restarts[name]["records_per_second"]["median"])
    ready = lambda name: hundredths(restarts[name]["seconds_to_ready"]["median"])
    rows = [("restore into memory, records/s", {"keyfold": rate("keyfold, memory")}),
            ("restore onto disk, records/s", {"keyfold": rate("keyfold, disk, emptied")}),
            ("from a start after `kill -9` to ready, s",
             {"keyfold": f"{ready('keyfold, memory')}, with a kept disk store {ready('keyfold, disk, kept')}"}),
            ("killed in the midst of a backlog: from the start to the first new commit, s",
             {"keyfold": f"{hundredths(back['keyfold, memory']['median'])}, on disk {hundredths(back['keyfold, disk']['median'])}"})]
    if (peer := "Kafka Streams") in restarts:
        for row, text in zip(rows[1:], (rate(peer), ready(peer), hundredths(back[peer]["median"]))):
            row[1][peer] = text
    return rows


ROWS = {"throughput": throughput, "latency": latency, "interruption": interruption, "restore": restore}
