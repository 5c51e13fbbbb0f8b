"""What the tests want of Python's confluent-kafka with its own serializers. It shares no code with keyfold.

avro_client.py produce SERVERS REGISTRY FILE    produces the records of a file
avro_client.py encode REGISTRY FILE             prints their values as hexadecimal digits, one a line
avro_client.py read SERVERS REGISTRY TOPIC      prints each record of a topic of Avro as a line of JSON

A file holds one JSON object:
{
  "schemas": {NAME: {"type": "AVRO" or "JSON", "text": …, "references": [{"name", "subject", "type", "text"}]}},
  "records": [{"topic", "schema": NAME, "value": null for a null, "key", "timestamp", "headers": {…},
               "logical": whether times are given to Avro as times, not as text}]
}
"""

import json
import sys
from datetime import date, datetime, timezone

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


class Encoder:
    """Frames values as the schema of their record says."""

    def __init__(self, registry, schemas):
        self.registry = SchemaRegistryClient({"url": registry})
        self.schemas = schemas
        self.serializers = {}

    def encode(self, record):
        value = record["value"]
        if value is None:
            return None
        schema = self.schemas[record["schema"]]
        if record.get("logical"):
            value = logical(value, json.loads(schema["text"]))
        serializer = self.serializer(record["schema"], record["topic"])
        return serializer(value, SerializationContext(record["topic"], MessageField.VALUE))

    def serializer(self, name, topic):
        if (name, topic) not in self.serializers:
            schema = self.schemas[name]
            references = [self.reference(one) for one in schema.get("references", [])]
            made = Schema(schema["text"], schema["type"], references)
            if schema["type"] == "AVRO":
                serializer = AvroSerializer(self.registry, made)
            else:
                serializer = JSONSerializer(made, self.registry)
            self.serializers[name, topic] = serializer
        return self.serializers[name, topic]

    def reference(self, reference):
        schema = Schema(reference["text"], reference["type"])
        self.registry.register_schema(reference["subject"], schema)
        version = self.registry.lookup_schema(reference["subject"], schema).version
        return SchemaReference(reference["name"], reference["subject"], version)


def logical(value, schema):
    """The value with its times as Python's, wherever the schema takes one."""
    if isinstance(schema, list):
        for branch in schema:
            kind = branch.get("logicalType") if isinstance(branch, dict) else None
            if isinstance(value, str) and kind:
                return logical(value, branch)
        fitting = {dict: "record", list: "array"}.get(type(value))
        branches = [one for one in schema if isinstance(one, dict) and one["type"] == fitting]
        return logical(value, branches[0]) if branches else value
    if not isinstance(schema, dict):
        return value
    if schema.get("logicalType") == "date":
        return date.fromisoformat(value)
    if schema.get("logicalType", "").startswith("timestamp-"):
        time = datetime.fromisoformat(value)
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    if schema["type"] == "record":
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        return {name: logical(of, fields.get(name)) for name, of in value.items()}
    if schema["type"] == "array":
        return [logical(one, schema["items"]) for one in value]
    return value


def contents(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def produce(servers, registry, path):
    file = contents(path)
    encoder = Encoder(registry, file["schemas"])
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "partitioner": "murmur2_random"})
    failed = []
    for record in file["records"]:
        producer.produce(record["topic"], encoder.encode(record), key=record.get("key"),
                         timestamp=record["timestamp"], headers=record.get("headers") or {},
                         on_delivery=lambda error, _: error and failed.append(str(error)))
        producer.poll(0)
    if producer.flush(30) or failed:
        sys.exit(f"not delivered: {failed}")


def encode(registry, path):
    file = contents(path)
    encoder = Encoder(registry, file["schemas"])
    for record in file["records"]:
        print(encoder.encode(record).hex())


def as_json(value):
    """As the snapshot in JSON shows it: times as text, and no nulls. Attributes stay JSON texts."""
    if isinstance(value, datetime):
        time = value.astimezone(timezone.utc)
        digits = "seconds" if time.microsecond == 0 else "milliseconds" if time.microsecond % 1000 == 0 else "microseconds"
        return time.replace(tzinfo=None).isoformat(timespec=digits) + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: as_json(of) for name, of in value.items() if of is not None}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    return value


def read(servers, registry, topic):
    deserializer = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic + ".reader", "enable.auto.commit": False,
                         "enable.partition.eof": True, "isolation.level": "read_committed"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    left = len(partitions)
    while left:
        message = consumer.poll(30)
        if message is None:
            sys.exit("nothing for 30 s")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(str(message.error()))
            left -= 1
            continue
        value, schema_id = message.value(), None
        if value is not None:
            schema_id = int.from_bytes(value[1:5], "big")
            value = as_json(deserializer(value, SerializationContext(topic, MessageField.VALUE)))
        print(json.dumps({"key": message.key().decode(), "id": schema_id, "value": value}))
    consumer.close()


{"produce": produce, "encode": encode, "read": read}[sys.argv[1]](*sys.argv[2:])
