#!/usr/bin/env python3
"""Proves that generators make good types of schemas/customer-snapshot.schema.json.

Usage: .ci/snapshot_types.py             the schema of this tree
       .ci/snapshot_types.py FILE        another schema

Generates TypeScript's types and pydantic's models, by the commands that schemas/README.md gives to readers. Both must
have a type for each title of the schema, take each snapshot of the golden files, and refuse it with any one field
misspelt. The generators are installed once, in the user's cache; it needs npm and Python's venv.
"""

import concurrent.futures
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# no folder of compiled modules in the tree
sys.dont_write_bytecode = True
from tools import installed, python_packages, run

NPM = ["json-schema-to-typescript@16.0.0", "typescript@5.9.3"]
PIP = ["datamodel-code-generator==0.89.0", "pydantic==2.14.4"]

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What tsc says of a field that a type does not have: where one is written, and where one is read.
WRITTEN = {"TS2353", "TS2561"}
READ = {"TS2339", "TS2551"}

# Run by the Python that has pydantic: which of the cases the model takes, and why not.
PYDANTIC = """
import importlib.util, json, sys
import pydantic
spec = importlib.util.spec_from_file_location("snapshot", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["snapshot"] = module
spec.loader.exec_module(module)
kinds = []
for case in json.load(open(sys.argv[2])):
    try:
        module.CustomerSnapshot.model_validate_json(json.dumps(case))
        kinds.append(None)
    except pydantic.ValidationError as error:
        kinds.append([[one["type"], *one["loc"]] for one in error.errors()])
json.dump(kinds, sys.stdout)
"""


def install_npm(folder):
    run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", *NPM)


def objects(value, path=()):
    """The paths of all objects in a snapshot, but for what is within `attributes`."""
    if isinstance(value, dict):
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if key != "attributes":
            yield from objects(child, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def misspelt(snapshot):
    """Each way to misspell one field: its path, and the snapshot that has it under the wrong name too."""
    for path in objects(snapshot):
        # any name is a type of actions, and any declared source stands in `sources`
        if path in (("actions", "byType"), ("sources",)):
            continue
        for name in at(snapshot, path):
            wrong = copy.deepcopy(snapshot)
            at(wrong, path)[name + "s"] = at(snapshot, path)[name]
            yield (*path, name + "s"), wrong


def same_names(language, found, titles):
    if sorted(found) != sorted(titles):
        sys.exit(f"{language}: types {sorted(found)}, but titles {sorted(titles)}")


def typescript(schema, titles, snapshots, cases, work):
    tools = installed("npm", NPM, install_npm) / "node_modules" / ".bin"
    run(tools / "json2ts", "--input", schema, "--output", work / "snapshot.ts")
    names = re.findall(r"^export (?:interface|type) (\w+)", (work / "snapshot.ts").read_text(), re.MULTILINE)
    same_names("TypeScript", names, titles)

    # one statement a line, and beside it what tsc must say
    lines = [('import type { CustomerSnapshot } from "./snapshot";', None)]
    for number, snapshot in enumerate(snapshots):
        lines.append((f"export const s{number}: CustomerSnapshot = {json.dumps(snapshot)};", None))
    for number, path, wrong in cases:
        lines.append((f"export const w{len(lines)}: CustomerSnapshot = {json.dumps(wrong)};", WRITTEN))
        read = "".join(f"[{key}]!" if isinstance(key, int) else f".{key}!" for key in path)
        lines.append((f"export const r{len(lines)} = s{number}{read};", READ))
    (work / "check.ts").write_text("".join(line + "\n" for line, _ in lines))
    command = [tools / "tsc", "--strict", "--noEmit", "--pretty", "false", "check.ts"]
    said = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, text=True, check=False).stdout
    errors = {}
    for line in re.findall(r"^\S.*", said, re.MULTILINE):
        place = re.match(r"check\.ts\((\d+),\d+\): error (TS\d+):", line)
        if not place:
            sys.exit(f"tsc: {line}")
        errors.setdefault(int(place[1]), set()).add(place[2])
    for number, (line, expected) in enumerate(lines, 1):
        found = errors.get(number, set())
        if bool(found) != bool(expected) or not found <= (expected or set()):
            sys.exit(f"TypeScript: {sorted(found) or 'no error'} in {line}")
    return f"TypeScript: {len(names)} types, {len(snapshots)} snapshots taken, {len(cases)} misspelt fields refused"


def pydantic(schema, titles, snapshots, cases, work):
    tools = python_packages(PIP)
    command = [tools / "datamodel-codegen", "--input", schema, "--input-file-type", "jsonschema"]
    command += ["--output-model-type", "pydantic_v2.BaseModel", "--output", work / "snapshot.py"]
    run(*command)
    names = re.findall(r"^class (\w+)", (work / "snapshot.py").read_text(), re.MULTILINE)
    same_names("pydantic", names, titles)

    values = snapshots + [wrong for _, _, wrong in cases]
    (work / "cases.json").write_text(json.dumps(values))
    kinds = json.loads(run(tools / "python", "-c", PYDANTIC, work / "snapshot.py", work / "cases.json"))
    expected = [None] * len(snapshots) + [[["extra_forbidden", *path]] for _, path, _ in cases]
    for value, found, right in zip(values, kinds, expected, strict=True):
        if found != right:
            sys.exit(f"pydantic: {found or 'no error'}, and not {right or 'no error'}, in {json.dumps(value)}")
    return f"pydantic: {len(names)} types, {len(snapshots)} snapshots taken, {len(cases)} misspelt fields refused"


def main():
    default = ROOT / "schemas" / "customer-snapshot.schema.json"
    schema = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default
    text = json.loads(schema.read_text())
    titles = [text["title"], *(one["title"] for one in text.get("definitions", {}).values())]
    snapshots = []
    for file in sorted((ROOT / "schemas" / "examples" / "golden").glob("*.ndjson")):
        if not file.name.endswith(".records.ndjson"):
            snapshots += [json.loads(line)["value"] for line in file.read_text().splitlines()]
    snapshots = [snapshot for snapshot in snapshots if snapshot is not None]
    cases = [(number, *case) for number, snapshot in enumerate(snapshots) for case in misspelt(snapshot)]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor() as pool:
        given = (schema, titles, snapshots, cases, pathlib.Path(work))
        checks = [pool.submit(check, *given) for check in (typescript, pydantic)]
        results = [check.exception() or check.result() for check in checks]
    for result in results:
        print(result)
    if not cases or any(isinstance(result, BaseException) for result in results):
        sys.exit(1)


main()
