"""Latency around a restart and a join."""
import csv
from collections import defaultdict

from matplotlib.ticker import FuncFormatter, NullFormatter

from .style import PROGRAMS, SMALL, Picture

INTERRUPTIONS = {"restart": "one of {} is restarted at 0 s", "join": "one more joins {} at 0 s"}


def draw(theme, results, folder):
    found = results["interruption"]
    picture = Picture(theme, 4.35 + 0.2 * len(found["figures"]), f"Latency around an interruption, at {found['rate']:,} events/s",
                      f"{found['instances']} unnamed instances; the longest latency of what was produced in each quarter of a second; a line for each "
                      "interruption; log scale")
    lines = series(folder / found["csv"])
    for number, (scenario, title) in enumerate(INTERRUPTIONS.items()):
        axes, begin = picture.column(number, len(INTERRUPTIONS), title.format(found["instances"]), 2.55, left=0.7)
        for program in reversed(PROGRAMS):
            for (name, of, _), points in lines.items():
                if name == program and of == scenario:
                    axes.plot([point[0] for point in points], [point[1] for point in points], color=picture.theme[program], linewidth=1.2, alpha=0.75)
        axes.set_yscale("log")
        axes.set_ylim(*limits(lines))
        axes.yaxis.set_major_formatter(FuncFormatter(milliseconds))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.axvline(0, color=picture.theme["muted"], linewidth=0.8)
        axes.set_xlim(-5, found["seconds"])
        axes.set_xlabel("seconds", color=picture.theme["muted"], fontsize=SMALL)
        picture.grid(axes)
        told = [(program, found["figures"][program][scenario]["p999"]) for program in PROGRAMS if scenario in found["figures"].get(program, {})]
        for place_of, (program, figures) in enumerate(told):
            y = 4.4 + 0.2 * place_of
            picture.text(begin, y, "●", colour=program, size=SMALL)
            picture.text(begin + 0.17, y, f"{program}: p99.9 {spoken(figures)}", size=SMALL)
    return picture


def series(path):
    """(program, scenario, time) to its (second, longest latency in ms)."""
    lines = defaultdict(list)
    for row in csv.DictReader(open(path, newline="")):
        lines[row["program"], row["scenario"], row["time"]].append((float(row["seconds"]), float(row["max_ms"])))
    return lines


def limits(lines):
    values = [value for points in lines.values() for _, value in points]
    return max(1, min(values) * 0.7), max(values) * 1.5


def milliseconds(value, _position=None):
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.0f} s"


def spoken(figures):
    """In seconds where they are many."""
    one = (lambda value: f"{value / 1000:,.0f}") if figures["median"] >= 10_000 else (lambda value: f"{value:,.0f}")
    text = f"{one(figures['median'])} {'s' if figures['median'] >= 10_000 else 'ms'}"
    if len(figures["runs"]) > 1:
        text += f" ({one(figures['min'])} to {one(figures['max'])})"
    return text


def said(results):
    found = results["interruption"]
    lines = [f"{program} p99.9 {spoken(figures[scenario]['p999'])}, longest {figures[scenario]['max']['median']:,.0f} ms while "
             f"{title.format(found['instances']).removesuffix(' at 0 s')}"
             for scenario, title in INTERRUPTIONS.items() for program, figures in found["figures"].items() if scenario in figures]
    return f"Latency around an interruption at {found['rate']:,} events/s: {'; '.join(lines)}."
