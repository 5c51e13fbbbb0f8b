"""What the transport costs by itself."""
from .style import MARGIN, SMALL, WIDTH, Picture


def draw(theme, results, _folder):
    found = results["floor"]
    rows = found["rows"]
    picture = Picture(theme, 0.95 + 0.5 * len(rows), "What carrying the records costs by itself",
                      f"CPU-seconds for a million events; medians of {found['runs']} runs. The transport alone: the same records through the same "
                      "client, with no work done")
    most = max(row["figures"]["keyfold"]["cpu_per_million"]["median"] for row in rows)
    for number, row in enumerate(rows):
        y = 0.85 + 0.5 * number
        carried, all_of_it = costs(row)
        picture.text(2.33, y + 0.245, row["title"], size=SMALL, ha="right")
        axes = picture.axes(2.45, y, WIDTH - MARGIN - 2.45 - 0.6, 0.4)
        axes.set_xlim(0, most)
        axes.set_ylim(0, 1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.barh(0.5, carried, height=0.8, color=picture.theme["transport alone"])
        axes.barh(0.5, all_of_it - carried, left=carried, height=0.8, color=picture.theme["keyfold"])
        label(picture, axes, carried / 2, f"transport alone {carried:.1f}", picture.theme["text"])
        label(picture, axes, (carried + all_of_it) / 2, f"keyfold's own {all_of_it - carried:.1f}", picture.theme["on keyfold"])
        axes.annotate(f"{all_of_it:.1f}", (all_of_it, 0.5), xytext=(5, -3), textcoords="offset points", fontsize=SMALL, weight="bold",
                      color=picture.theme["text"], annotation_clip=False)
    return picture


def label(picture, axes, x, words, colour):
    axes.annotate(words, (x, 0.5), xytext=(0, -3), textcoords="offset points", ha="center", fontsize=SMALL, color=colour)


def costs(row):
    return (row["figures"]["transport alone"]["cpu_per_million"]["median"], row["figures"]["keyfold"]["cpu_per_million"]["median"])


def said(results):
    lines = []
    for row in results["floor"]["rows"]:
        carried, all_of_it = costs(row)
        lines.append(f"{row['title']}, {carried:.1f} of keyfold's {all_of_it:.1f}")
    return f"CPU-seconds for a million events that carrying the records costs by itself: {'; '.join(lines)}."
