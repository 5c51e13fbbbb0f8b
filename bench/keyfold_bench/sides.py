"""The programs that are compared are started and asked in the same manner; keyfold itself. The others are in peers.py."""
import http.client
import json
import os
import shutil
from dataclasses import dataclass, field, replace

from . import paths
from .broker import free_port
from .paths import LOGS, STATE
from .processes import Process, run
from .workload import INPUTS

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"

# The key by which batches grow under a backlog. Equal to the commit interval it is off.
GROWTH_KEY = "backlog_commit_interval"


@dataclass(frozen=True)
class Settings:
    """What a row sets on all sides."""
    workers: int = 1
    interval_ms: int = 100
    guarantee: str = EXACTLY_ONCE
    instance: str = ""
    inputs: tuple = INPUTS
    # keyfold's alone
    store: str = "memory"
    # whether a backlog is committed as seldom as it is by default
    grows: bool = False
    extra: dict = field(default_factory=dict)

    def with_(self, **changes):
        return replace(self, **changes)


class Side:
    """An application id with its topics and its state on disk."""
    # whether several instances can share the work
    several = True
    # what it says when it has ended by its own rules, so that the run is repeated
    gives_up = None

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
        if not settings.grows:
            processing[GROWTH_KEY] = processing["commit_interval"]
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

    def prepare(self, _cluster):
        with open(LOGS / f"{self.application}.topics", "wb") as out:
            run([paths.KEYFOLD, "--config", self.config, "topics"], env=self.environment(), stdout=out)

    def start(self, instance=""):
        """One more instance where there are some; what is asked for metrics is the latest."""
        self.port = free_port()
        environment = {**self.environment(), "KEYFOLD__HTTP__LISTEN": f"127.0.0.1:{self.port}"}
        process = Process(self.application + instance, [paths.KEYFOLD, "--config", self.config, "run"], env=environment)
        process.port = self.port
        return process

    def state_topic(self, _cluster):
        return f"{self.application}.state"

    def ready(self, process):
        status, _ = self.get("/readyz", process.port)
        return status == 200

    def metric(self, name, *labels):
        """The sum of a metric over all its series that have these labels; None while nothing answers."""
        status, text = self.get("/metrics")
        if status != 200:
            return None
        lines = (line for line in text.splitlines() if line.startswith((name + " ", name + "{")))
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in labels))

    def get(self, path, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()


def toml(table, keys):
    head = f"\n[{table}]\n" if table else ""
    return head + "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
