"""A process of its own: sends events at a fixed rate. `python -m keyfold_bench.producer`

Each event's `updatedAt` is its record's timestamp, so that a snapshot's `updatedAt` is the timestamp of the latest
record that it holds. Ends after its time, or at SIGTERM. Prints a JSON line when it
begins, and one at the end, with how long the broker took to acknowledge: that is a part of the latency which no processor can help.
"""
import argparse
import json
import random
import signal
import time
from array import array

from confluent_kafka import Producer

from .cluster import QUIET
from .stats import percentile
from .workload import ACTIONS, CUSTOMERS, Endless


def main():
    cli = argparse.ArgumentParser()
    cli.add_argument("--servers", required=True)
    cli.add_argument("--inputs", nargs=2, required=True)
    cli.add_argument("--rate", type=float, required=True)
    cli.add_argument("--seconds", type=float, required=True)
    cli.add_argument("--customers", type=int, required=True)
    cli.add_argument("--warm-up", type=float, default=0, help="seconds whose acknowledgements don't count")
    args = cli.parse_args()
    # no linger: what the producer holds back would count as the processor's latency
    producer = Producer({"bootstrap.servers": args.servers, "linger.ms": 0, "partitioner": "murmur2_random", **QUIET})
    acknowledged, taken, uncounted = array("f"), 0, int(args.rate * args.warm_up)

    def delivered(error, message):
        nonlocal taken
        if error is None:
            taken += 1
            if taken > uncounted:
                acknowledged.append(message.latency() * 1000)

    topics = dict(zip((CUSTOMERS, ACTIONS), args.inputs))
    events = Endless()
    began = time.time()
    print(json.dumps({"began": began}), flush=True)
    sent, total, latest, ended = 0, int(args.rate * args.seconds), 0.0, []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    while sent < total and not ended:
        wait = began + sent / args.rate - time.time()
        if wait > 0:
            producer.poll(0)
            time.sleep(wait)
        latest = max(latest, -wait)
        millis = int(time.time() * 1000)
        topic, key, value = events.any(f"cust-{random.randrange(args.customers)}", millis)
        producer.produce(topics[topic], value, key, timestamp=millis, on_delivery=delivered)
        sent += 1
    left = producer.flush(60)
    if left or taken != sent:
        raise SystemExit(f"{sent - taken} of {sent} events were not taken")
    print(json.dumps({"sent": sent, "seconds": time.time() - began, "most_behind_seconds": latest,
                      "acknowledged_p99_ms": percentile(sorted(acknowledged), 0.99), "acknowledged_max_ms": max(acknowledged)}), flush=True)


if __name__ == "__main__":
    main()
