"""The two programs that are compared, started and asked in the same manner."""
import http.client
import json
import os
import shutil
from dataclasses import dataclass, field, replace

from .broker import free_port
from .errors import Failure
from .paths import KEYFOLD, LOGS, PEER_JAR, STATE
from .processes import Process, run
from .workload import INPUTS

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"

# The key by which batches grow under a backlog, and what a row of its own sets it to. Equal to the commit interval
# it is off.
GROWTH_KEY = "backlog_commit_interval"
GROWN = "1s"


@dataclass(frozen=True)
class Settings:
    """What a row sets on both sides."""
    workers: int = 1
    interval_ms: int = 100
    guarantee: str = EXACTLY_ONCE
    instance: str = ""
    inputs: tuple = INPUTS
    # keyfold's alone
    store: str = "memory"
    grows: bool = False
    extra: dict = field(default_factory=dict)

    def with_(self, **changes):
        return replace(self, **changes)


class Side:
    """An application id with its topics and its state on disk."""

    def __init__(self, servers, application, settings):
        self.servers = servers
        self.application = application
        self.settings = settings
        self.snapshots = f"{application}.snapshots"
        self.dead_letters = f"{application}.dead-letters"
        self.directory = STATE / application

    def configure(self, settings):
        """Also between two starts."""
        self.settings = settings

    def discard(self, cluster):
        """Removes all that it left."""
        cluster.delete(self.application)
        self.empty_directory()

    def empty_directory(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Keyfold(Side):
    label = "keyfold"

    def __init__(self, servers, application, settings):
        super().__init__(servers, application, settings)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.config = LOGS / f"{application}.toml"
        self.port = 0
        self.configure(settings)

    def configure(self, settings):
        super().configure(settings)
        processing = {"guarantee": settings.guarantee, "commit_interval": f"{settings.interval_ms}ms", "workers": settings.workers}
        processing[GROWTH_KEY] = GROWN if settings.grows else processing["commit_interval"]
        tables = {
            "": {"application_id": self.application, "instance_id": settings.instance},
            "kafka": {"bootstrap_servers": self.servers},
            "sources.loyalty-customers": {"topics": [settings.inputs[0]]},
            "sources.loyalty-actions": {"topics": [settings.inputs[1]]},
            "snapshot": {"topic": self.snapshots},
            "dead_letters": {"topic": self.dead_letters},
            "processing": processing,
            "state": {"store": settings.store, "directory": str(self.directory)},
        }
        for table, keys in settings.extra.items():
            tables.setdefault(table, {}).update(keys)
        self.config.write_text("".join(toml(name, keys) for name, keys in tables.items()))

    def environment(self):
        """Without what would go over the configuration file."""
        return {name: value for name, value in os.environ.items() if not name.startswith("KEYFOLD__")}

    def prepare(self):
        with open(LOGS / f"{self.application}.topics", "wb") as out:
            run([KEYFOLD, "--config", self.config, "topics"], env=self.environment(), stdout=out)

    def start(self):
        self.port = free_port()
        environment = {**self.environment(), "KEYFOLD__HTTP__LISTEN": f"127.0.0.1:{self.port}"}
        return Process(self.application, [KEYFOLD, "--config", self.config, "run"], env=environment)

    def state_topic(self, _cluster):
        return f"{self.application}.state"

    def ready(self, _process):
        status, _ = self.get("/readyz")
        return status == 200

    def metric(self, name, *labels):
        """The sum of a metric over all its series that have these labels; None while nothing answers."""
        status, text = self.get("/metrics")
        if status != 200:
            return None
        lines = (line for line in text.splitlines() if line.startswith((name + " ", name + "{")))
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in labels))

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()


class Peer(Side):
    label = "peer"
    # As its README says.
    JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-XX:+UseTransparentHugePages", "-XX:+AlwaysPreTouch"]

    def prepare(self):
        """It makes its topics itself."""

    def start(self):
        settings = self.settings
        if settings.guarantee != EXACTLY_ONCE:
            raise Failure("the peer is measured exactly-once only")
        properties = {
            "bootstrap.servers": self.servers,
            "application.id": self.application,
            "state.dir": self.directory,
            "threads": settings.workers,
            "commit.interval.ms": settings.interval_ms,
            "group.instance.id": settings.instance,
            "customers.topic": settings.inputs[0],
            "actions.topic": settings.inputs[1],
            "snapshots.topic": self.snapshots,
            "dead.letters.topic": self.dead_letters,
        }
        command = ["java", *self.JVM, *(f"-D{name}={value}" for name, value in properties.items()), "-jar", PEER_JAR]
        return Process(self.application, command, env={**os.environ, "MALLOC_ARENA_MAX": "2"})

    def state_topic(self, cluster):
        found = [topic for topic in cluster.topics(self.application) if topic.endswith("-changelog")]
        if len(found) != 1:
            raise Failure(f"the peer has {len(found)} changelogs")
        return found[0]

    def ready(self, process):
        return self.restored(process) is not None

    def restored(self, process):
        """What it prints when its state is restored."""
        for line in process.lines():
            if '"RUNNING"' in line:
                return json.loads(line)
        return None


def toml(table, keys):
    head = f"\n[{table}]\n" if table else ""
    return head + "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
