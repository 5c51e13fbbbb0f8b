#!/usr/bin/env python3
"""Counts the instructions of a record's path, and compares them with benches/instructions.json.

Usage: .ci/instructions.py             fails where a section costs more than 5 % above the baseline
       .ci/instructions.py --update    writes the baseline

Runs benches/instructions/main.rs under valgrind's callgrind. The counts belong to a compiler: with another one than the
baseline's nothing fails. What hashes at random makes them vary by less than a thousandth.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

LIMIT = 0.05
ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benches" / "instructions.json"
REPORT = ROOT / "target" / "instructions" / "callgrind.out"

# What a section's instructions are divided by. The functions have the same names behind `counted_`.
SECTIONS = {
    "loyalty_customers": "loyalty_customers",
    "loyalty_actions": "loyalty_actions",
    "console_customers": "console_customers",
    "publisher_customers": "publisher_customers",
    "forwarded": "forwarded",
    "finish": "snapshots",
    "committed": "snapshots",
}

# The events of the loyalty customers in an engine of their own: read by the built-in source, and by a declared one that
# says the same, which may cost this many times as much.
ALONE = ("built_in_alone", "declared_alone")
MAX_RATIO = 1.5

# For the reader only: these functions may be renamed, or vanish into their callers.
STAGES = {
    "judge a value": r"source::judge_payload",
    "decode a state": r"Customer>::decode",
    "join": r"Bounded::join",
    "make a snapshot": r"snapshot::write",
    "encode a state": r"Customer>::encode",
    "forward": r"Engine>::forward",
    "write a dead letter": r"DeadLetterTemplate::write",
}


def build():
    """The benchmark's program. It is built as a test is, because it then shares what was compiled for the tests: in two
    units, as Cargo.toml says."""
    command = ["cargo", "test", "--release", "--locked", "--bench", "instructions", "--no-run"]
    command.append("--message-format=json-render-diagnostics")
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "instructions":
            return message["executable"]
    sys.exit("cargo has not said where the benchmark is")


def compiler():
    said = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    version, *rest = said.stdout.splitlines()
    host = next(line.removeprefix("host: ") for line in rest if line.startswith("host: "))
    return f"{version}, {host}"


def count(program):
    """What the program says of its work, and what callgrind counts."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    command = ["valgrind", "--tool=callgrind", "-q", f"--callgrind-out-file={REPORT}"]
    # nested: what is entered last decides
    command += ["--toggle-collect=counted_*", "--toggle-collect=uncounted_*", program]
    # the allocator would give memory back by the clock
    environment = dict(os.environ, MIMALLOC_PURGE_DELAY="-1")
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(ran.stdout)


def calls():
    """How often each function was called, and the instructions of these calls with all that they called."""
    names, sums, callee = {}, {}, None
    with REPORT.open() as report:
        for line in report:
            if line.startswith(("fn=", "cfn=")):
                number, name = re.match(r"c?fn=(\(\d+\))(?: (.*))?", line).groups()
                # a name is spelt out once
                callee = name = names.setdefault(number, name)
            elif line.startswith("calls="):
                times = int(line[len("calls=") :].split()[0])
                before = sums.get(callee, (0, 0))
                sums[callee] = (before[0] + times, before[1] + int(next(report).split()[-1]))
    return sums


def measure(work, sums):
    """The instructions of one of each section, and of an event on its whole path."""
    found = {name: sums[f"counted_{name}"][1] for name in SECTIONS}
    each = {"event": sum(found.values()) / work["events"]}
    each |= {name: found[name] / work[of] for name, of in SECTIONS.items()}
    each |= {name: sums[f"counted_{name}"][1] / work["alone"] for name in ALONE}
    return {name: round(instructions) for name, instructions in each.items()}


def show_stages(sums):
    print("\nof which, per call, as far as the compiler has left them functions of their own:")
    for stage, pattern in STAGES.items():
        matching = [sum for name, sum in sums.items() if re.search(pattern + "$", name)]
        times = sum(times for times, _ in matching)
        if times:
            print(f"{stage:<22}{sum(cost for _, cost in matching) / times:>10,.0f}  ({times:,} calls)")
    print(f"\nfunction by function: callgrind_annotate {REPORT.relative_to(ROOT)}")


def compare(now, before):
    """Whether no section is above its limit."""
    print(f"\n{'instructions':<22}{'now':>10}{'baseline':>10}")
    above, below = [], []
    for name, instructions in now.items():
        base = before.get(name)
        if not base:
            print(f"{name:<22}{instructions:>10,}{'none':>10}")
            continue
        change = instructions / base - 1
        print(f"{name:<22}{instructions:>10,}{base:>10,}{change:>+9.1%}")
        if change > LIMIT:
            above.append(name)
        elif change < -LIMIT:
            below.append(name)
    update = "run .ci/instructions.py --update and commit benches/instructions.json"
    if below:
        print(f"\ncheaper by more than {LIMIT:.0%}: {', '.join(below)}. So that it stays so, {update}")
    if above:
        print(f"\ndearer by more than {LIMIT:.0%}: {', '.join(above)}. If that is worth it, {update}")
    return not above


def compare_declared(now):
    """Whether a declared source is cheap enough beside the built-in one."""
    built_in, declared = (now[name] for name in ALONE)
    print(f"\na declared source costs {declared / built_in:.2f} times the built-in one, at most {MAX_RATIO}")
    return declared <= MAX_RATIO * built_in


def main():
    if sys.argv[1:] not in ([], ["--update"]):
        sys.exit(__doc__)
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing; on Debian: apt-get install valgrind")
    work = count(build())
    sums = calls()
    result = {"rustc": compiler(), "work": work, "instructions": measure(work, sums)}
    show_stages(sums)
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    passed = compare(result["instructions"], before.get("instructions", {}))
    passed &= compare_declared(result["instructions"])
    if sys.argv[1:]:
        BASELINE.write_text(json.dumps(result, indent=2) + "\n")
        print(f"\nwritten: {BASELINE.relative_to(ROOT)}")
        return
    if not before:
        sys.exit("\nthere is no baseline: run .ci/instructions.py --update")
    if before["work"] != work:
        print(f"\nthe work is not the baseline's: {work}, before: {before['work']}")
    if before["rustc"] != result["rustc"]:
        print(f"\nnot comparable: the baseline is of {before['rustc']}, and this is {result['rustc']}")
    elif not passed:
        sys.exit(1)


main()
