"""One Apache Kafka for the whole run: one process, KRaft, an empty folder at each start."""
import random
import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .errors import Failure
from .paths import BROKER, LOGS
from .processes import Process, run, wait_for

CLUSTER_ID = "a2V5Zm9sZC1iZW5jaC0wMA"
UP_LIMIT = 60

# As Kafka's own start script has it.
JVM = ["-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
       "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]

# The defaults, but for what a single node needs; topics go at once when they are deleted; and nothing is
# compacted in the midst of a run, for the cleaner would take its time from one run and not from the next.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
log.retention.ms=-1
log.segment.delete.delay.ms=1000
log.cleaner.min.compaction.lag.ms=86400000
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def free_port():
    """Outside the range from which the system takes the ports of outgoing connections."""
    for _ in range(100):
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failure("no free port")


class Broker:
    def __init__(self, libs):
        home = BROKER
        home.mkdir(parents=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        client, controller = free_port(), free_port()
        self.data = home / "data"
        self.servers = f"127.0.0.1:{client}"
        settings = home / "server.properties"
        settings.write_text(SETTINGS + f"""\
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{client}
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={self.data}
""")
        java = ["java", *JVM, "-cp", f"{libs}/*"]
        with open(LOGS / "format.out", "wb") as out:
            run([*java, "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", settings], cwd=home, stdout=out, stderr=out)
        self.process = Process("broker", [*java, "kafka.Kafka", settings], cwd=home)
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        wait_for(lambda: self._answers(admin), UP_LIMIT, "the broker's start", 0.2)

    def _answers(self, admin):
        self.process.check()
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def close(self):
        self.process.stop()
