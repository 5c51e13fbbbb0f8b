"""A side under a fixed rate of events, with a reader of its snapshots."""
import json
import os

from .errors import Failure
from .paths import BENCH
from .processes import Process, wait_for
from .venv import PYTHON

READY_LIMIT = 120


def module(name, label, options):
    words = [str(word) for option, value in options.items() for word in (f"--{option}", *(value if isinstance(value, tuple) else (value,)))]
    return Process(label, [PYTHON, "-B", "-m", f"keyfold_bench.{name}", *words], env={**os.environ, "PYTHONPATH": str(BENCH)})


def start_reader(bench, side, window, **options):
    """Reads what is published from now on; waits until it does."""
    reader = module("reader", f"{side.application}reader",
                    {"servers": bench.servers, "topic": side.snapshots, "window": window, **options})
    wait_for(lambda: reader.check() or "ready" in reader.lines(), READY_LIMIT, "the reader's start")
    return reader


def windows(reader):
    return [json.loads(line) for line in reader.lines()[1:]]


def start_producer(bench, inputs, rate, seconds, customers, warm_up=0):
    return module("producer", f"producer-{inputs[0].partition('.')[0]}", {
        "servers": bench.servers, "inputs": inputs, "rate": rate, "seconds": seconds, "customers": customers,
        "warm-up": warm_up})


def sent(producer):
    """What the producer says when it has ended; fails if it could not keep its rate."""
    producer.finish(120)
    said = json.loads(producer.lines()[-1])
    if said["most_behind_seconds"] > 5:
        raise Failure(f"the producer was {said['most_behind_seconds']:.1f} s behind its rate: the machine is too busy")
    return said


def start_ready(side):
    return await_ready(side, side.start())


def await_ready(side, process):
    wait_for(lambda: process.check() or side.ready(process), READY_LIMIT, f"{process.name}: ready")
    return process
