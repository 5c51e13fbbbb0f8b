"""What is asked of the broker: topics, offsets, sizes."""
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec, ResourceType)

from .errors import Failure
from .processes import wait_for

LIMIT = 30
# Connections that close are normal here; errors are raised.
QUIET = {"log_level": 0}
COORDINATOR_BUSY = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR)


class Cluster:
    def __init__(self, servers, data):
        self.servers = servers
        self.data = data
        self.admin = AdminClient({"bootstrap.servers": servers, **QUIET})
        self._groups = {}

    def await_coordinators(self):
        """The broker makes its topics of groups and transactions when they are first used; no run must wait for that."""
        self.committed("bench", [TopicPartition("bench", 0)])
        Producer({"bootstrap.servers": self.servers, "transactional.id": "bench", **QUIET}).init_transactions(LIMIT)

    def create(self, topics, partitions, config=None):
        new = [NewTopic(topic, partitions, 1, config=config or {}) for topic in topics]
        for future in self.admin.create_topics(new).values():
            future.result(LIMIT)
        # the broker knows a new topic a moment before its partitions
        wait_for(lambda: all(len(self.partitions(topic)) == partitions for topic in topics), LIMIT, "new topics", 0.05)

    def configure(self, topic, settings):
        entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(LIMIT)

    def topics(self, prefix=""):
        return sorted(topic for topic in self.admin.list_topics(timeout=LIMIT).topics if topic.startswith(prefix))

    def partitions(self, topic):
        return [TopicPartition(topic, number) for number in self.admin.list_topics(topic, timeout=LIMIT).topics[topic].partitions]

    def delete(self, application):
        """The topics that begin with an application's id, and its group once its members have left."""
        if asking := self._groups.pop(application, None):
            asking.close()
        found = self.topics(application)
        if found:
            for future in self.admin.delete_topics(found).values():
                future.result(LIMIT)
        wait_for(lambda: not self.topics(application), LIMIT, "the deletion of topics", 0.1)
        for future in self.admin.delete_consumer_groups([application]).values():
            try:
                future.result(LIMIT)
            except KafkaException as error:
                # A named or killed instance is a member until its session ends; an idle group is no burden.
                if error.args[0].code() not in (KafkaError.NON_EMPTY_GROUP, KafkaError.GROUP_ID_NOT_FOUND):
                    raise

    def ends(self, topics):
        """The end of each partition."""
        wanted = {place: OffsetSpec.latest() for topic in topics for place in self.partitions(topic)}
        found = self.admin.list_offsets(wanted, request_timeout=LIMIT)
        return {place: future.result(LIMIT).offset for place, future in found.items()}

    def committed(self, group, places):
        """How many records of these partitions, all read from 0, the group has committed.

        Asked by a consumer that is no member, for the admin client crashes while the coordinator is busy
        (librdkafka 2.15.1). It sees offsets when their transaction has ended, and does not wait for open ones.
        """
        if group not in self._groups:
            self._groups[group] = Consumer({"bootstrap.servers": self.servers, "group.id": group, **QUIET,
                                            "isolation.level": "read_uncommitted", "enable.auto.commit": False})
        wanted = [TopicPartition(place.topic, place.partition) for place in places]

        def answer():
            try:
                return self._groups[group].committed(wanted, timeout=LIMIT)
            except KafkaException as error:
                if error.args[0].code() in COORDINATOR_BUSY:
                    return None
                raise

        return sum(max(place.offset, 0) for place in wait_for(answer, LIMIT, "the coordinator of groups"))

    def bytes_of(self, topic):
        """The size of a topic's log on the broker's disk, as compressed as it was sent."""
        folders = [folder for folder in self.data.iterdir() if folder.name.rpartition("-")[0] == topic]
        return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))

    def read(self, topic):
        """Every committed record of a topic, to its end, as (key, value)."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "bench-reader", **QUIET, "isolation.level": "read_committed",
                             "enable.partition.eof": True, "enable.auto.commit": False, "queued.max.messages.kbytes": 65536})
        try:
            places = self.partitions(topic)
            consumer.assign([TopicPartition(topic, place.partition, 0) for place in places])
            left = {place.partition for place in places}
            last = time.monotonic()
            while left:
                batch = consumer.consume(10_000, timeout=0.5)
                if batch:
                    last = time.monotonic()
                elif time.monotonic() - last > LIMIT:
                    raise Failure(f"reading {topic}: nothing comes, and the end is not reached")
                for message in batch:
                    if message.error() is None:
                        yield message.key(), message.value()
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    else:
                        raise Failure(f"reading {topic}: {message.error()}")
        finally:
            consumer.close()

    def close(self):
        for asking in self._groups.values():
            asking.close()
        self._groups.clear()
