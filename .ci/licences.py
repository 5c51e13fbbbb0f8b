"""Checks the licences of all dependencies against the list in deny.toml.

Usage: cargo metadata --format-version 1 | licences.py deny.toml

What `cargo deny check licenses` does, for machines without it. Every package must offer a choice
of which each part is allowed. Packages from anywhere but a registry or this directory are refused.
"""

import json
import re
import sys
import tomllib


def allowed(expression, allow):
    """Whether an SPDX expression (with Cargo's old `/` for OR) can be met from `allow`."""
    tokens = re.findall(r"[()]|[^\s()/]+", expression.replace("/", " OR "))

    def either():
        met = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one():
        token = tokens.pop(0)
        if token == "(":
            met = either()
            tokens.pop(0)
            return met
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allow

    return either()


def main():
    with open(sys.argv[1], "rb") as file:
        allow = set(tomllib.load(file)["licenses"]["allow"])
    packages = json.load(sys.stdin)["packages"]
    refused = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not allowed(package["license"] or "none", allow):
            refused.append(f"{name}: licence {package['license']}")
        source = package["source"]
        if source is not None and not source.startswith(("registry+", "sparse+")):
            refused.append(f"{name}: source {source}")
    for line in refused:
        print(line, file=sys.stderr)
    if refused:
        sys.exit(1)
    print(f"{len(packages)} packages, all allowed")


main()
