"""The command line: what to measure, in what size, and where the results go."""
import argparse
import fcntl
import shutil
import signal
import sys
from pathlib import Path

from . import build, floor, growth, interruption, latency, machine, paths, report, restore, soak, throughput
from .context import Bench
from .errors import Failure
from .paths import BENCH, BROKER, LOGS, OUT, STATE
from .peers import PEERS
from .processes import kill_all

PARTS = {"throughput": throughput, "restore": restore, "latency": latency, "interruption": interruption, "growth": growth,
         "floor": floor, "soak": soak}
USUAL = ",".join(part for part in PARTS if part != "soak")
# as they are named here, and everywhere else
PEER_NAMES = {peer.label.lower().replace(" ", "-"): peer.label for peer in PEERS}
ALL_PEERS = ",".join(PEER_NAMES)
# Proves within minutes that every part works; its figures mean nothing.
QUICK = {"runs": 1, "events": 100_000, "customers": 10_000, "seconds": 10, "interrupted": 10, "warm_up": 5, "growth": [0.01, 0.02],
         "growth_events": 50_000, "minutes": 1.0, "soak_customers": 1_000}


def arguments():
    cli = argparse.ArgumentParser(prog="bench/run", description="Measures keyfold beside franz-go and Kafka Streams; see bench/README.md.")
    add = cli.add_argument
    add("--only", default=USUAL, help=f"parts, separated by commas: {', '.join(PARTS)} (default: {USUAL})")
    add("--peers", default=ALL_PEERS, help=f"the programs beside it, separated by commas (default: {ALL_PEERS})")
    add("--runs", type=int, default=3, help="runs of each side in each part (default: 3)")
    add("--events", type=int, default=1_000_000, help="events of the workload, before repeats (default: 1000000)")
    add("--customers", type=int, default=100_000, help="customers of the workload (default: 100000)")
    add("--partitions", type=int, default=2, help="partitions of every topic (default: 2)")
    add("--rate", type=int, default=2_000, help="events a second, for latency, interruption and soak (default: 2000)")
    add("--seconds", type=int, default=60, help="length of a run of latency (default: 60)")
    add("--warm-up", type=int, default=20, help="seconds at that rate that don't count yet (default: 20)")
    add("--interrupted", type=int, default=20, help="seconds after an interruption in which what is produced counts (default: 20)")
    add("--growth", type=sizes, default=[0.1, 1, 5], help="customers in millions, separated by commas (default: 0.1,1,5)")
    add("--growth-events", type=int, default=1_000_000, help="events at each size (default: 1000000)")
    add("--minutes", type=float, default=60, help="length of the soak (default: 60)")
    add("--soak-customers", type=int, default=20_000, help="customers of the soak (default: 20000)")
    add("--quick", action="store_true", help="small sizes and one run: shows that all works, measures nothing")
    add("--keyfold", type=Path, help="a program that is built already, instead of building this folder's")
    add("--results", type=Path, help="folder for what is written (default: bench/results; below the build directory with --quick, "
                                     "--keyfold or fewer --peers)")
    options = cli.parse_args()
    options.parts = options.only.split(",")
    if unknown := [part for part in options.parts if part not in PARTS]:
        cli.error(f"no such part: {', '.join(unknown)}")
    options.peers = [peer for peer in options.peers.split(",") if peer]
    if unknown := [peer for peer in options.peers if peer not in PEER_NAMES]:
        cli.error(f"no such peer: {', '.join(unknown)}")
    options.peers = [PEER_NAMES[peer] for peer in options.peers]
    if options.runs < 1:
        cli.error("--runs must be at least 1")
    if options.quick:
        vars(options).update({name: value for name, value in QUICK.items() if getattr(options, name) == cli.get_default(name)})
    # what is no whole measurement of this folder's program does not take the place of one
    partly = options.quick or options.keyfold or len(options.peers) < len(PEERS)
    options.results = options.results or (OUT / "tried" if partly else BENCH / "results")
    return options


def sizes(text):
    return [float(part) for part in text.split(",")]


def main():
    options = arguments()
    OUT.mkdir(parents=True, exist_ok=True)
    # A second run would take the first one's cores, and its folders.
    lock = open(OUT / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another run is under way", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        measure(options)
        return 0
    except Failure as failure:
        print(f"\nbench/run: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        kill_all()
        tidy()


def tidy():
    """What may be large and is of no use later."""
    for folder in (BROKER, STATE):
        shutil.rmtree(folder, ignore_errors=True)


def measure(options):
    tidy()
    shutil.rmtree(LOGS, ignore_errors=True)
    if options.keyfold:
        paths.KEYFOLD = options.keyfold.resolve()
    else:
        build.keyfold()
    for peer in options.peers:
        build.PEERS[peer]()
    bench = Bench(options)
    if options.parts != ["soak"]:
        throughput.warm_up(bench)
    for part in options.parts:
        bench.say(f"== {part}")
        found = PARTS[part].run(bench)
        # written after each part: what is measured stays, should the next one fail
        written = report.write(options.results, part, {"machine": machine.describe(), **found})
        bench.say(f"{part}: written to {written}")
    bench.close()
    print((options.results / "latest.md").read_text())
