"""What all pictures have in common: colours, sizes, and how one is written.

All is placed in inches from the upper left corner, and texts by their anchor: no place depends on how wide a font is, for
the reader's differs from the one at hand.
"""
import io
import re
from html import escape

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "keyfold", "font.family": "DejaVu Sans", "path.simplify_threshold": 0.5})

from matplotlib.figure import Figure

WIDTH = 9.0
MARGIN = 0.25
FONTS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"

# Points.
TITLE, NORMAL, SMALL = 13, 10, 9

# Blue, orange and grey differ for all kinds of colour blindness, and in brightness. The ground is that of GitHub's pages.
THEMES = {
    "light": {"ground": "#ffffff", "text": "#1f2328", "muted": "#59636e", "line": "#d1d9e0",
              "keyfold, default configuration": "#0a3d73", "keyfold": "#1f6fd0", "franz-go": "#d97b00", "Kafka Streams": "#8b949e",
              "transport alone": "#b5d0f0", "on keyfold": "#ffffff"},
    "dark": {"ground": "#0d1117", "text": "#f0f6fc", "muted": "#9198a1", "line": "#3d444d",
             "keyfold, default configuration": "#a5d0ff", "keyfold": "#3f8df0", "franz-go": "#f0a030", "Kafka Streams": "#7d8590",
             "transport alone": "#24476f", "on keyfold": "#0d1117"},
}
# The same order everywhere.
PROGRAMS = ("keyfold, default configuration", "keyfold", "franz-go", "Kafka Streams")


def program(name):
    """The program that a row of the results is of."""
    return next((known for known in ("Kafka Streams", "franz-go") if name.startswith(known)), "keyfold")


class Picture:
    """A figure with a title. `theme` has its colours."""

    def __init__(self, theme, height, title, subtitle):
        self.theme = THEMES[theme]
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height), facecolor=self.theme["ground"])
        self.title, self.subtitle = title, subtitle
        self.text(MARGIN, 0.36, title, size=TITLE, weight="bold")
        self.text(MARGIN, 0.60, subtitle, colour="muted", size=SMALL)

    def text(self, x, y, words, colour="text", size=NORMAL, **more):
        """With its base line there; y grows downwards."""
        self.figure.text(x / WIDTH, 1 - y / self.height, words, color=self.theme.get(colour, colour), fontsize=size, **more)

    def axes(self, x, y, width, height):
        """An empty place to draw in, with its upper left corner there."""
        axes = self.figure.add_axes((x / WIDTH, 1 - (y + height) / self.height, width / WIDTH, height / self.height))
        axes.set_facecolor("none")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(which="both", length=0)
        axes.tick_params(labelsize=SMALL, labelcolor=self.theme["muted"], colors=self.theme["muted"])
        return axes

    def column(self, number, columns, title, height, left=0.55):
        """The axes of one of several columns, under its heading, and where it begins."""
        width = (WIDTH - 2 * MARGIN) / columns
        begin = MARGIN + number * width
        self.text(begin + 0.1, 0.97, title, weight="bold")
        return self.axes(begin + left, 1.15, width - left - 0.85, height), begin + left

    def grid(self, axes, axis="y"):
        axes.grid(axis=axis, color=self.theme["line"], linewidth=0.6)
        axes.set_axisbelow(True)

    def svg(self, description):
        """The file's text. It has no date, so that the same results give the same file."""
        out = io.StringIO()
        self.figure.savefig(out, format="svg", facecolor=self.theme["ground"], metadata={"Date": None})
        text = out.getvalue()
        text = text[text.index("<svg"):]
        text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
        text = text.replace("font-family: 'DejaVu Sans'; ", "").replace("</style>", f" text{{font-family: {FONTS}}}</style>")
        text = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", text)
        head, rest = text.split(">", 1)
        said = f"\n <title>{escape(self.title, quote=False)}</title>\n <desc>{escape(description, quote=False)}</desc>"
        return f'{head} role="img">{said}{rest}'
