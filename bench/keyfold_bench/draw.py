"""The command line of bench/draw."""
import argparse
import json
from pathlib import Path

from . import pictures, report
from .paths import BENCH


def main():
    cli = argparse.ArgumentParser(prog="bench/draw", description="Draws what bench/run has measured; see bench/README.md.")
    cli.add_argument("--results", type=Path, default=BENCH / "results", help="folder with latest.json (default: bench/results)")
    folder = cli.parse_args().results
    drawn = report.show(folder, json.loads((folder / "latest.json").read_text()))
    print(f"{len(drawn)} pictures, light and dark, in {folder / pictures.FOLDER}")
    return 0
