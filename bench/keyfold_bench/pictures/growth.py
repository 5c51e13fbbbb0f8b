"""What an event costs when there are more customers."""
from collections import defaultdict

from matplotlib.ticker import NullFormatter

from .style import NORMAL, SMALL, Picture

GROWTH = [("cpu_per_million", "CPU-s per million events", "{:.1f}"), ("peak_rss_mib", "peak memory, MiB", "{:,.0f}")]


def draw(theme, results, _folder):
    found = results["growth"]
    picture = Picture(theme, 3.6, "As the state grows", f"{found['events']:,} events, evenly over all customers, 1 worker, a commit each 100 ms; medians "
                                                        f"and ranges of {found['runs']} runs")
    colour = picture.theme["keyfold"]
    for number, (figure, title, text) in enumerate(GROWTH):
        axes, _ = picture.column(number, len(GROWTH), title, 1.95)
        for store, rows in stores(found).items():
            sizes, middles = [row["customers"] for row in rows], [row[figure]["median"] for row in rows]
            axes.vlines(sizes, [row[figure]["min"] for row in rows], [row[figure]["max"] for row in rows], color=colour, alpha=0.5)
            axes.plot(sizes, middles, color=colour, marker="o", markersize=4, linestyle="-" if store == "disk" else "--")
            for size, middle, row in zip(sizes, middles, rows):
                below = any(other[figure]["median"] > middle for other in found["rows"] if other["customers"] == size)
                end, away = ("min", -13) if below else ("max", 5)
                axes.annotate(text.format(middle), (size, row[figure][end]), xytext=(0, away), textcoords="offset points", ha="center",
                              fontsize=SMALL, color=picture.theme["text"])
            axes.annotate(store, (sizes[-1], middles[-1]), xytext=(12, -3), textcoords="offset points", fontsize=NORMAL,
                          color=picture.theme["text"])
        axes.set_xscale("log")
        sizes = sorted({row["customers"] for row in found["rows"]})
        axes.set_xlim(sizes[0] * 0.7, sizes[-1] * 1.3)
        axes.set_xticks(sizes, [millions(size) for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", pad=8)
        axes.set_xlabel("customers", color=picture.theme["muted"], fontsize=SMALL)
        axes.set_ylim(0, max(row[figure]["max"] for row in found["rows"]) * 1.2)
        picture.grid(axes)
    return picture


def stores(found):
    by_store = defaultdict(list)
    for row in sorted(found["rows"], key=lambda row: row["customers"]):
        by_store[row["store"]].append(row)
    return by_store


def millions(customers):
    return f"{customers / 1e6:g} million"


def said(results):
    lines = []
    for store, rows in stores(results["growth"]).items():
        lines.append(f"{store}: " + ", ".join(f"{row['cpu_per_million']['median']:.1f} CPU-seconds and {row['peak_rss_mib']['median']:,.0f} MiB with "
                                              f"{millions(row['customers'])} customers" for row in rows))
    return f"A million events as the state grows, {'; '.join(lines)}."
