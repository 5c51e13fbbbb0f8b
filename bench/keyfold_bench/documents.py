"""What README.md and docs/performance.md show of the results: pictures, light and dark, with what they say in words, and a table."""
import os
import re
from html import escape

from .errors import Failure
from .paths import BENCH, ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "performance.md"]
# Its two lines are written by hand where it is to be; what stands between them is written from the results.
PLACE = re.compile(r"(<!-- bench/draw writes (\w+) -->\n)(.*?)(<!-- until here -->)", re.DOTALL)


def picture(name, said, folder):
    return (f'<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="{folder}/{name}-dark.svg">\n'
            f'  <img src="{folder}/{name}-light.svg" width="864" alt="{escape(said)}">\n</picture>\n')


def show(drawn, texts):
    """Puts pictures and texts, by name, into the documents. One of which there are no results leaves no trace but its place."""
    for document in DOCUMENTS:
        folder = os.path.relpath(BENCH / "results" / "pictures", document.parent)

        def written(match):
            name = match[2]
            between = picture(name, drawn[name], folder) if name in drawn else texts.get(name, "")
            return f"{match[1]}\n{between}\n{match[4]}" if between else match[1] + match[4]

        text, places = PLACE.subn(written, document.read_text(encoding="utf-8"))
        if not places:
            raise Failure(f"{document} has no place for a picture")
        document.write_text(text, encoding="utf-8")
