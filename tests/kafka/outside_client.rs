//! A client that shares no code with keyfold produces the sources' examples and reads what comes of them.

use std::collections::BTreeMap;
use std::fs;

use keyfold::model::record::Source;
use serde_json::Value;

use keyfold_harness::app::{App, EXAMPLE_TIME, text_of};
use keyfold_harness::broker;
use keyfold_harness::python_client::run_python;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/examples");

/// Produces each file to its topic, without a key.
const PRODUCE: &str = r#"
import sys
from confluent_kafka import Producer

servers, timestamp, *pairs = sys.argv[1:]
producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
failed = []
for topic, path in zip(pairs[::2], pairs[1::2]):
    with open(path, "rb") as file:
        producer.produce(topic, file.read(), timestamp=int(timestamp), headers=[("from", b"outside")],
                         on_delivery=lambda error, _: error and failed.append(error))
sys.exit(1 if producer.flush(30) or failed else 0)
"#;

/// Prints every record of a topic as a line of JSON, in the order of offsets.
const READ: &str = r#"
import json, sys
from confluent_kafka import Consumer, TopicPartition, OFFSET_BEGINNING, KafkaError

servers, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": servers, "group.id": topic + ".reader", "enable.auto.commit": False,
                     "enable.partition.eof": True})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
text = lambda value: None if value is None else value.decode()
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
    print(json.dumps({"key": text(message.key()), "value": text(message.value()),
                      "headers": [[name, text(value)] for name, value in message.headers() or []]}))
consumer.close()
"#;

#[track_caller]
fn python(script: &str, args: &[&str]) -> String {
    let output = run_python(script, args);
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn read(topic: &str) -> Vec<Value> {
    let text = python(READ, &[broker::bootstrap(), topic]);
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[test]
fn the_sources_examples_become_the_golden_snapshots() {
    let app = App::new();
    app.create();
    let timestamp = EXAMPLE_TIME.to_string();
    let mut args = vec![broker::bootstrap().to_owned(), timestamp];
    for source in Source::BUILT_IN {
        let name = match source {
            Source::ConsoleCustomers => "source-template",
            _ => "source-example",
        };
        args.push(app.input(source));
        args.push(format!("{EXAMPLES}/valid/{}/{name}.json", source.name()));
    }
    // and one that is rejected
    args.push(app.input(Source::LoyaltyActions));
    args.push(format!("{EXAMPLES}/invalid/loyalty-actions/utm-null.json"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    python(PRODUCE, &args);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let mut newest = BTreeMap::new();
    for record in read(&app.snapshots()) {
        let text = |field: &str| record[field].as_str().expect("text").to_owned();
        newest.insert(text("key"), text("value"));
    }
    let lines = newest.iter().map(|(key, value)| {
        let key = Value::from(key.as_str());
        format!("{{\"key\":{key},\"value\":{value}}}\n")
    });
    let golden = fs::read_to_string(format!("{EXAMPLES}/golden/source-examples.ndjson"));
    let golden = golden.expect("the golden file");
    assert_eq!(lines.collect::<String>(), golden);

    assert_one_rejection(&app);
    assert_eq!(keyfold.terminate(), 0);
}

/// The one dead letter, as the outside client reads it, says where the record was and why it was rejected.
#[track_caller]
fn assert_one_rejection(app: &App) {
    let letters = read(&app.dead_letters());
    let [letter] = &letters[..] else {
        panic!("one dead letter, not {letters:?}");
    };
    let headers = letter["headers"].as_array().expect("an array");
    let header = |name: &str| {
        let mut own = headers.iter().filter(|header| header[0] == name);
        let value = own.next().expect("the header")[1].as_str().expect("text");
        assert_eq!(own.next(), None, "{name} once");
        value.to_owned()
    };
    assert_eq!(header("from"), "outside");
    let topic = app.input(Source::LoyaltyActions);
    for (name, expected) in [
        ("topic", topic.as_str()),
        ("timestamp", "1800000000000"),
        ("source", "loyalty-actions"),
        ("stage", "schema"),
        ("code", "schema_violation"),
        ("application", &app.id),
        ("version", env!("CARGO_PKG_VERSION")),
        ("attempts", "1"),
    ] {
        assert_eq!(header(&format!("__keyfold.errors.{name}")), expected);
    }
    for name in ["partition", "offset"] {
        let number = header(&format!("__keyfold.errors.{name}"));
        number.parse::<u64>().expect("a number");
    }
    assert!(!header("__keyfold.errors.message").is_empty());
    let violations: Value =
        serde_json::from_str(&header("__keyfold.errors.violations")).expect("JSON");
    assert!(violations[0]["pointer"].is_string());
    assert!(violations[0]["keyword"].is_string());
    assert!(violations[0]["message"].is_string());
}
