"""An hour at a fixed rate."""
import csv
from statistics import median

from .style import MARGIN, SMALL, WIDTH, Picture

# (title, (column of soak.csv, its figure in latest.json, the line's name) of each line)
SOAK = [("memory, MiB", [("rss_mib", "RSS, MiB", "")]), ("CPU, cores", [("cpu_cores", "CPU, cores", "")]),
        ("lag, records", [("lag_records", "lag, records", "")]),
        ("latency, ms", [("p50_ms", "latency p50, ms", "p50"), ("p99_ms", "latency p99, ms", "p99")])]
EACH, SOAK_TOP = 0.95, 0.95
# A picture is some hundred points wide: so many samples become a median.
TOGETHER = 3


def draw(theme, results, folder):
    found = results["soak"]
    rows = list(csv.DictReader(open(folder / found["csv"], newline="")))
    picture = Picture(theme, SOAK_TOP + EACH * len(SOAK) + 0.4, f"{found['minutes']:g} minutes at {found['rate']:,} events/s",
                      f"keyfold, 1 worker, {found['customers']:,} customers; a sample every {found['every']} s, each point the median of {TOGETHER}; "
                      "at the right first quarter → last quarter")
    for number, (title, lines) in enumerate(SOAK):
        axes = picture.axes(1.95, SOAK_TOP + EACH * number, WIDTH - 1.95 - 1.75, EACH - 0.2)
        picture.text(MARGIN, SOAK_TOP + EACH * number + 0.42, title, weight="bold")
        top = max(samples(picture, axes, rows, column, found["figures"][figure], name) for column, figure, name in lines)
        axes.set_ylim(0, top * 1.25)
        axes.set_xlim(0, found["minutes"])
        axes.locator_params(axis="y", nbins=3)
        picture.grid(axes)
        if number < len(SOAK) - 1:
            axes.set_xticklabels([])
        else:
            axes.set_xlabel("minutes", color=picture.theme["muted"], fontsize=SMALL)
    return picture


def samples(picture, axes, rows, column, figure, name):
    """A line with its quarters; its largest value."""
    found = [(float(row["seconds"]) / 60, float(row[column])) for row in rows if row[column] != ""]
    parts = [found[at:at + TOGETHER] for at in range(0, len(found), TOGETHER)]
    values = [median(value for _, value in part) for part in parts]
    axes.plot([part[len(part) // 2][0] for part in parts], values, color=picture.theme["keyfold"], linewidth=1.2)
    quarters = " → ".join(f"{figure[quarter]:,.{figure['digits']}f}" for quarter in ("first_quarter", "last_quarter"))
    axes.annotate(f"{name} {quarters}".strip(), (1, figure["last_quarter"]), xycoords=("axes fraction", "data"), xytext=(8, -3),
                  textcoords="offset points", fontsize=SMALL, color=picture.theme["text"], annotation_clip=False)
    # the start, in which a process warms up, may go over the edge
    return max(values[len(values) // 20:])


def said(results):
    found = results["soak"]
    lines = [f"{title} {part['first_quarter']:,.{part['digits']}f} and {part['last_quarter']:,.{part['digits']}f}"
             for title, part in found["figures"].items()]
    return (f"{found['minutes']:g} minutes at {found['rate']:,} events/s, medians of the first and of the last quarter: {'; '.join(lines)}.")
