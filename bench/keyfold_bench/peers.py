"""The programs that keyfold is compared with: the same job, written by hand."""
import json
import os

from .errors import Failure
from .paths import FRANZ_GO, PEER_JAR
from .processes import Process
from .sides import EXACTLY_ONCE, Side


class KafkaStreams(Side):
    label = "Kafka Streams"
    # As its README says.
    JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-XX:+UseTransparentHugePages", "-XX:+AlwaysPreTouch"]

    def prepare(self, _cluster):
        """It makes its topics itself."""

    def start(self, instance=""):
        settings = exactly_once(self)
        properties = {
            "bootstrap.servers": self.servers,
            "application.id": self.application,
            "state.dir": self.directory / instance,
            "threads": settings.workers,
            "commit.interval.ms": settings.interval_ms,
            "group.instance.id": settings.instance,
            "customers.topic": settings.inputs[0],
            "actions.topic": settings.inputs[1],
            "snapshots.topic": self.snapshots,
            "dead.letters.topic": self.dead_letters,
        }
        command = ["java", *self.JVM, *(f"-D{name}={value}" for name, value in properties.items()), "-jar", PEER_JAR]
        return Process(self.application + instance, command, env={**os.environ, "MALLOC_ARENA_MAX": "2"})

    def state_topic(self, cluster):
        found = [topic for topic in cluster.topics(self.application) if topic.endswith("-changelog")]
        if len(found) != 1:
            raise Failure(f"{self.label} has {len(found)} changelogs")
        return found[0]

    def ready(self, process):
        return self.restored(process) is not None

    def restored(self, process):
        """What it prints when its state is restored."""
        for line in process.lines():
            if '"RUNNING"' in line:
                return json.loads(line)
        return None


class FranzGo(Side):
    label = "franz-go"
    # It names its transactions after the application and the worker: a second instance would fence the first.
    several = False
    # When a worker joins while another is in the midst of its first transaction: it is to be started anew.
    gives_up = "the transaction was aborted"

    def prepare(self, cluster):
        partitions = len(cluster.partitions(self.settings.inputs[0]))
        cluster.create([self.snapshots, self.state_topic(cluster)], partitions, {"cleanup.policy": "compact"})
        cluster.create([self.dead_letters], partitions)

    def start(self, instance=""):
        settings = exactly_once(self)
        options = {
            "bootstrap": self.servers,
            "application": self.application,
            "customers": settings.inputs[0],
            "actions": settings.inputs[1],
            "snapshots": self.snapshots,
            "dead-letters": self.dead_letters,
            "state": f"{self.application}.state",
            "workers": settings.workers,
            "interval": f"{settings.interval_ms}ms",
        }
        words = [word for name, value in options.items() for word in (f"-{name}", value)]
        return Process(self.application + instance, [FRANZ_GO, *words])

    def state_topic(self, _cluster):
        return f"{self.application}.state"

    def ready(self, _process):
        """It does not say. Whoever measures then waits for its first commits."""
        return True


def exactly_once(side):
    """The settings, where they ask for what the peers are written for."""
    if side.settings.guarantee != EXACTLY_ONCE:
        raise Failure(f"{side.label} is measured exactly-once only")
    return side.settings


# In the order of all tables and pictures.
PEERS = (FranzGo, KafkaStreams)
