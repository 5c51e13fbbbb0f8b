"""The events: those of workload/generate.py, and endless ones cut from the same cloth."""
import hashlib
import importlib.util
import random
import sys
from datetime import datetime, timedelta, timezone

from confluent_kafka import Producer

from .cluster import QUIET
from .errors import Failure
from . import paths
from .paths import GENERATE, OUT
from .processes import run

CUSTOMERS, ACTIONS = "loyalty.customers", "loyalty.customer-actions"
INPUTS = (CUSTOMERS, ACTIONS)
# Like a producer that is tuned for throughput. Both sides read the same batches.
PRODUCER = {"linger.ms": 20, "compression.type": "lz4", "batch.size": 500_000, "queue.buffering.max.messages": 500_000,
            "partitioner": "murmur2_random"}


class Workload:
    """The events of one call of generate.py, written once and kept below the build directory."""

    def __init__(self, customers, events):
        self.customers, self.asked = customers, events
        version = hashlib.sha256(GENERATE.read_bytes()).hexdigest()[:8]
        name = f"workload-{customers}-{events}-{version}"
        self.tsv = self._made(OUT / f"{name}.tsv", [])
        self.kcat = self._made(OUT / f"{name}.kcat", ["--kcat"])
        with open(self.tsv, "rb") as file:
            self.events = sum(1 for _ in file)

    def _made(self, path, options):
        if not path.exists():
            part = path.with_suffix(path.suffix + ".part")
            with open(part, "wb") as out:
                run([sys.executable, GENERATE, "--customers", self.customers, "--events", self.asked, *options], stdout=out)
            part.rename(path)
        return path

    def load(self, cluster, partitions):
        cluster.create(INPUTS, partitions)
        with open(self.tsv, encoding="utf-8") as file:
            produce(cluster, (line.rstrip("\n").split("\t", 2) for line in file))
        loaded = sum(cluster.ends(INPUTS).values())
        if loaded != self.events:
            raise Failure(f"{loaded} of {self.events} events were loaded")

    def expected(self, side):
        return folded(side, self.kcat)


def folded(side, kcat):
    """What the offline fold makes of events, lines as kcat prints them: key to value, None where nothing is left to show."""
    path = OUT / "expected.jsonl"
    with open(path, "wb") as out:
        run([paths.KEYFOLD, "--config", side.config, "fold", kcat], env=side.environment(), stdout=out)
    expected = {}
    with open(path, "rb") as file:
        for line in file:
            # {"key":"…","value":{…}}; the ids of these events need no escapes
            key, _, value = line.rstrip(b"\n")[len(b'{"key":"'):-1].partition(b'","value":')
            expected[key] = None if value == b"null" else value
    return expected


def produce(cluster, events):
    """Sends (topic, key, value) as fast as it can."""
    producer = Producer({"bootstrap.servers": cluster.servers, **QUIET, **PRODUCER})
    for n, (topic, key, value) in enumerate(events):
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        if n % 10_000 == 0:
            producer.poll(0)
    if left := producer.flush(60):
        raise Failure(f"{left} events could not be produced")


class Endless:
    """Events of the workload's shape, made fast: texts of generate.py in which id and times are put in."""

    POOL = 1_000

    def __init__(self, seed=1):
        spec = importlib.util.spec_from_file_location("generate", GENERATE)
        generate = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(generate)
        dumps = lambda event: generate.json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        rng = random.Random(seed)
        self.created = [dumps(generate.customer_event(rng, "@ID@", 0, "@AT@", "@AT@")) for _ in range(self.POOL)]
        self.updated = [dumps(generate.customer_event(rng, "@ID@", 1, "@AT@", "@AT@")) for _ in range(self.POOL)]
        self.actions = [dumps(generate.action_event(rng, "@ID@", "@N@", "@AT@", "@AT@")) for _ in range(self.POOL)]
        self.serial = 0
        self.stamp = Stamp()

    def customer(self, customer, millis, created=False):
        self.serial += 1
        pool = self.created if created else self.updated
        text = pool[self.serial % self.POOL].replace("@ID@", customer).replace("@AT@", self.stamp.text(millis))
        return CUSTOMERS, customer, text

    def action(self, customer, millis):
        self.serial += 1
        text = self.actions[self.serial % self.POOL].replace("@ID@", customer).replace("@N@", str(self.serial))
        return ACTIONS, customer, text.replace("@AT@", self.stamp.text(millis))

    def any(self, customer, millis):
        """Customers and actions by turns of chance, half and half as in the workload."""
        return self.action(customer, millis) if random.random() < 0.5 else self.customer(customer, millis)


class Stamp:
    """Milliseconds since 1970 as text; the part before the milliseconds is made once a second."""

    EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

    def __init__(self):
        self.second, self.prefix = None, ""

    def text(self, millis):
        second, rest = divmod(millis, 1000)
        if second != self.second:
            self.second = second
            self.prefix = (self.EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self.prefix}{rest:03}Z"
