"""Figures of several programs as bars, a column for each figure."""
from dataclasses import dataclass

from .style import MARGIN, SMALL, WIDTH, Picture

ROW, GAP, HEAD = 0.27, 0.42, 0.95
LABELS = 2.45
# The share of a column that the longest bar takes; its figure stands behind it.
LONGEST = 0.62
# A range that is narrower than this share of it cannot be seen.
NARROW = 0.015


@dataclass
class Column:
    figure: str
    title: str
    better: str
    text: object


@dataclass
class Row:
    """`figures` by name: what `stats.spread` makes of runs, or None where there is nothing."""
    label: str
    colour: str
    figures: dict


def draw(theme, title, subtitle, columns, groups, note=""):
    """`groups` are (heading, rows); a note stands below."""
    headings = sum(1 for heading, _ in groups if heading)
    rows = sum(len(found) for _, found in groups)
    height = HEAD + 0.35 + headings * 0.24 + rows * ROW + (len(groups) - 1) * (GAP - 0.24) + 0.2 + (0.25 if note else 0)
    picture = Picture(theme, height, title, subtitle)
    width = (WIDTH - MARGIN - LABELS) / len(columns)
    places = [LABELS + width * number for number in range(len(columns))]
    for x, column in zip(places, columns):
        picture.text(x, HEAD, column.title, size=10, weight="bold")
        picture.text(x, HEAD + 0.19, column.better, colour="muted", size=SMALL)
    largest = {column.figure: max((row.figures[column.figure]["max"] for _, found in groups for row in found
                                   if row.figures.get(column.figure)), default=1) for column in columns}
    y = HEAD + 0.35
    for number, (heading, found) in enumerate(groups):
        if number:
            y += GAP - 0.24
        if heading:
            picture.text(MARGIN, y + 0.16, heading, weight="bold")
            y += 0.24
        for place, row in enumerate(found):
            picture.text(LABELS - 0.12, y + ROW * (place + 0.63), row.label, size=SMALL, ha="right")
        for x, column in zip(places, columns):
            axes = picture.axes(x, y, width, len(found) * ROW)
            bars(picture, axes, found, column, largest[column.figure])
        y += len(found) * ROW
    if note:
        picture.text(MARGIN, height - 0.2, note, colour="muted", size=SMALL)
    return picture


def bars(picture, axes, rows, column, largest):
    axes.set_xlim(0, largest / LONGEST)
    axes.set_ylim(len(rows), 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.axvline(0, color=picture.theme["line"], linewidth=1.5)
    for number, row in enumerate(rows):
        found, middle = row.figures.get(column.figure), number + 0.5
        if not found:
            continue
        axes.barh(middle, found["median"], height=0.66, color=picture.theme[row.colour])
        if found["max"] - found["min"] > NARROW * largest:
            axes.plot([found["min"], found["max"]], [middle, middle], color=picture.theme["text"], linewidth=0.9, alpha=0.55)
        axes.annotate(column.text(found["median"]), (max(found["max"], found["median"]), middle), xytext=(4, -3), textcoords="offset points",
                      color=picture.theme["text"], fontsize=SMALL)
