"""Writes latest.json, latest.md and the pictures. Parts that were not run keep what an earlier run found."""
import json

from . import documents, goals, pictures, tables
from .paths import BENCH
from .summary import summary

INTRODUCTION = """\
# keyfold beside franz-go and Kafka Streams

Written by `bench/run`; [README.md](../README.md) says what each figure means and how to repeat it. Figures are medians
of the runs, with the range in brackets. A ratio is that of two runs of the same round, and then the median of those.
"""


def write(folder, part, found):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "latest.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results[part] = rounded(found)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    show(folder, results)
    return path


def show(folder, results):
    """Tables and pictures of the results; those of bench/results are in the documents too."""
    drawn = pictures.draw(folder, results)
    (folder / "latest.md").write_text(markdown(results, drawn))
    if folder.resolve() == BENCH / "results":
        documents.show(drawn, {"summary": summary(results)})
    return drawn


def rounded(value):
    """Five digits are more than any of these figures are worth."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return value


def markdown(results, drawn):
    sections = [INTRODUCTION, goal_table(results)]
    for part, section in tables.SECTIONS.items():
        if part in results:
            picture = documents.picture(part, drawn[part], pictures.FOLDER)
            sections.append(section(results[part]) + "\n" + picture + "\n" + place(results[part]["machine"]))
    return "\n".join(sections)


def goal_table(results):
    head = "## Goals\n\n| what | measured | goal | reached |\n|---|---|---|---|\n"
    lines = [f"| {what} | {measured} | {goal} | {'yes' if reached else '**no**'} |"
             for what, measured, goal, reached in goals.judged(results)]
    return head + "\n".join(lines) + "\n"


def place(machine):
    return (f"*{machine['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
            f"{machine['keyfold']}, {machine['rust']}; Kafka {machine['kafka']}, {machine['java']}"
            + (f"; {machine['go']}" if machine.get("go") else "") + ".*\n")
