"""Pictures in which programs stand beside each other."""
from . import bars
from .bars import Column, Row
from .style import PROGRAMS, program

whole = lambda value: f"{value:,.0f}"
thousands = lambda value: f"{round(value, -3):,.0f}" if value >= 10_000 else whole(value)
tenths = lambda value: f"{value:,.1f}"
hundredths = lambda value: f"{value:,.2f}"

MORE, LESS = "more is better", "less is better"
THROUGHPUT = [Column("events_per_second", "events/s", MORE, thousands),
              Column("cpu_per_million", "CPU-s per million events", LESS, tenths),
              Column("peak_rss_mib", "peak memory, MiB", LESS, whole)]


def conditions(found):
    return (f"{found['events']:,} events, exactly once, in turns on one broker, {found['machine']['cores']} cores shared with it; medians and ranges "
            f"of {found['runs']} runs")


NOTE = "By default keyfold commits a backlog each second, which makes fewer snapshots. All others commit at the interval that is named."


def contenders(row):
    """The programs of a row, in the order of all pictures. At least once is no other program."""
    named = {"keyfold, default configuration" if name == "default configuration" else name: figures for name, figures in row["figures"].items()}
    return [Row(name, name, named[name]) for name in PROGRAMS if name in named]


def heading(row):
    return f"{row['workers']} worker{'s' if row['workers'] > 1 else ''}, a commit each {row['interval_ms']} ms"


def overview(theme, results, _folder):
    """The first row alone: what a reader wants to know first."""
    found = results["throughput"]
    return bars.draw(theme, "Working off a backlog, " + heading(found["rows"][0]), conditions(found), THROUGHPUT,
                     [("", contenders(found["rows"][0]))], NOTE)


def overview_said(results):
    return said_rows(results["throughput"]["rows"][:1])


def throughput(theme, results, _folder):
    found = results["throughput"]
    return bars.draw(theme, "Working off a backlog", conditions(found), THROUGHPUT,
                     [(heading(row), contenders(row)) for row in found["rows"]], NOTE)


def throughput_said(results):
    return said_rows(results["throughput"]["rows"])


def said_rows(rows):
    parts = []
    for row in rows:
        lines = [f"{one.label} {thousands(one.figures['events_per_second']['median'])} events/s, "
                 f"{tenths(one.figures['cpu_per_million']['median'])} CPU-seconds for a million events, "
                 f"{whole(one.figures['peak_rss_mib']['median'])} MiB" for one in contenders(row)]
        parts.append(f"{heading(row)}: {'; '.join(lines)}.")
    return "Working off a backlog. " + " ".join(capital(part) for part in parts)


def capital(text):
    return text[0].upper() + text[1:]


LATENCY = [Column("p50", "p50, ms", LESS, tenths), Column("p99", "p99, ms", LESS, tenths), Column("max", "longest, ms", LESS, tenths)]


def latency(theme, results, _folder):
    found = results["latency"]
    return bars.draw(theme, f"Latency at {found['rate']:,} events/s",
                     f"from the timestamp of a record to a read_committed reader of its snapshot; medians and ranges of {found['runs']} runs of "
                     f"{found['seconds']} s", LATENCY, [("", latencies(found))])


def latencies(found):
    return [Row(name, name, found["figures"][name]) for name in PROGRAMS if name in found["figures"]]


def latency_said(results):
    found = results["latency"]
    lines = [f"{row.label} p50 {tenths(row.figures['p50']['median'])}, p99 {tenths(row.figures['p99']['median'])}, "
             f"longest {tenths(row.figures['max']['median'])} ms" for row in latencies(found)]
    return f"Latency at {found['rate']:,} events/s: {'; '.join(lines)}."


RESTORE = [Column("records_per_second", "records/s", MORE, thousands), Column("seconds_to_ready", "start to ready, s", LESS, hundredths),
           Column("back_at_work", "start to first commit, s", LESS, hundredths)]


def restore(theme, results, _folder):
    found = results["restore"]
    return bars.draw(theme, "Started again after kill -9",
                     f"with the state of {found['events']:,} events; the first commit: killed in the midst of a backlog; medians and ranges of "
                     f"{found['runs']} runs", RESTORE, [("", restored(found))])


def restored(found):
    rows = []
    for name, figures in found["restarts"].items():
        # a store that was kept reads nothing again, and after a kill at work it is what a disk store has
        killed = found["back_at_work"].get("keyfold, disk" if name == "keyfold, disk, kept" else name)
        rows.append(Row(name, program(name), {**figures, "back_at_work": killed}))
    return rows


def restore_said(results):
    lines = []
    for row in restored(results["restore"]):
        said = [f"{column.text(row.figures[column.figure]['median'])} {words}"
                for column, words in zip(RESTORE, ("records/s", "s from start to ready", "s from start to the first new commit"))
                if row.figures.get(column.figure)]
        lines.append(f"{row.label} {', '.join(said)}")
    return f"Restore after kill -9: {'; '.join(lines)}."
