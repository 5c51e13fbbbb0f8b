"""A process of its own: reads snapshots as they are committed. `python -m keyfold_bench.reader`

Prints `ready`, and then a JSON line for each window of time with the latencies of the snapshots that arrived in it:
the time of arrival less the snapshot's `updatedAt`, which is the timestamp of the latest record that it holds.
With `--raw` these two times of every snapshot go to a file, as pairs of doubles. At SIGTERM it ends when nothing more comes.
"""
import argparse
import json
import signal
import time
from array import array
from datetime import datetime, timezone

from confluent_kafka import Consumer, KafkaException, TopicPartition

from .cluster import QUIET
from .stats import percentile

NAME = b'"updatedAt":"'


class Instants:
    """Text to seconds since 1970; the part before the fraction is read once a second."""

    def __init__(self):
        self.prefix, self.second = b"", 0.0

    def seconds(self, text):
        prefix, _, fraction = text[:-1].partition(b".")
        if prefix != self.prefix:
            parsed = datetime.strptime(prefix.decode(), "%Y-%m-%dT%H:%M:%S")
            self.prefix, self.second = prefix, parsed.replace(tzinfo=timezone.utc).timestamp()
        return self.second + (float(b"0." + fraction) if fraction else 0.0)


def main():
    cli = argparse.ArgumentParser()
    cli.add_argument("--servers", required=True)
    cli.add_argument("--topic", required=True)
    cli.add_argument("--window", type=float, required=True)
    cli.add_argument("--raw", help="a file for the times of every snapshot")
    args = cli.parse_args()
    consumer = Consumer({"bootstrap.servers": args.servers, "group.id": "bench-latency", "isolation.level": "read_committed",
                         "enable.auto.commit": False, "fetch.queue.backoff.ms": 1, **QUIET})
    places = consumer.list_topics(args.topic, timeout=30).topics[args.topic].partitions
    assigned = []
    for number in places:
        place = TopicPartition(args.topic, number)
        place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        assigned.append(place)
    consumer.assign(assigned)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    instants, latencies, pairs = Instants(), [], array("d")
    until = None
    while True:
        message = consumer.poll(1 if ended else 0.1)
        now = time.time()
        if until and now >= until:
            show(until - args.window, latencies)
            until += args.window
        if message is None:
            if ended:
                break
            continue
        if message.error():
            raise KafkaException(message.error())
        value = message.value()
        if value is None:
            continue
        if until is None:
            until = now + args.window
        # the snapshot's own is the last field of both sides' snapshots
        at = value.rindex(NAME) + len(NAME)
        produced = instants.seconds(value[at:value.index(b'"', at)])
        latencies.append(now - produced)
        if args.raw:
            pairs.extend((now, produced))
    if args.raw:
        with open(args.raw, "wb") as out:
            pairs.tofile(out)


def show(since, latencies):
    latencies.sort()
    line = {"since": since, "count": len(latencies)}
    if latencies:
        line.update({name: percentile(latencies, share) * 1000 for name, share in (("p50", 0.5), ("p99", 0.99))})
        line["max"] = latencies[-1] * 1000
    print(json.dumps(line), flush=True)
    latencies.clear()


if __name__ == "__main__":
    main()
