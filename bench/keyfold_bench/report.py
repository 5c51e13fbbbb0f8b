"""Writes latest.json and latest.md. Parts that were not run keep what an earlier run found."""
import json

from . import goals, tables

INTRODUCTION = """\
# keyfold beside Kafka Streams

Written by `bench/run`; [README.md](../README.md) says what each figure means and how to repeat it. Figures are medians
of the runs, with the range in brackets. A ratio is that of the two runs that followed each other, and then the median of
those.
"""


def write(folder, part, found):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "latest.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results[part] = rounded(found)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(markdown(results))
    return path


def rounded(value):
    """Five digits are more than any of these figures are worth."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return value


def markdown(results):
    sections = [INTRODUCTION, goal_table(results)]
    for part, section in tables.SECTIONS.items():
        if part in results:
            sections.append(section(results[part]) + "\n" + place(results[part]["machine"]))
    return "\n".join(sections)


def goal_table(results):
    head = "## Goals\n\n| what | measured | goal | reached |\n|---|---|---|---|\n"
    lines = [f"| {what} | {measured} | {goal} | {'yes' if reached else '**no**'} |"
             for what, measured, goal, reached in goals.judged(results)]
    return head + "\n".join(lines) + "\n"


def place(machine):
    return (f"*{machine['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
            f"{machine['keyfold']}, {machine['rust']}; Kafka {machine['kafka']}, {machine['java']}.*\n")
