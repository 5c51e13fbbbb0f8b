//! What others do to keyfold's topics and to its group.

use std::time::Duration;

use keyfold::model::record::Source;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::app::{App, LIMIT};
use crate::client::{unique, wait_delivered};
use crate::record::{Record, base_record};
use crate::wait::wait_until;

const REQUEST: Duration = Duration::from_secs(30);

/// Produces records in one transaction, which is committed or aborted.
pub fn produce_in_transaction(app: &App, records: &[Record], commit: bool) {
    let producer = open_transaction(app, records);
    let ended = match commit {
        true => producer.commit_transaction(REQUEST),
        false => producer.abort_transaction(REQUEST),
    };
    ended.expect("the transaction ends");
}

/// Produces records in a transaction that stays open, until the producer ends it.
pub fn open_transaction(app: &App, records: &[Record]) -> BaseProducer {
    let mut config = app.client.producer_config();
    config.set("transactional.id", unique("producer"));
    let producer: BaseProducer = config.create().expect("a producer");
    producer
        .init_transactions(REQUEST)
        .expect("a transactional id");
    producer.begin_transaction().expect("a transaction");
    for record in records {
        let sent = producer.send(base_record(record));
        sent.map_err(|(error, _)| error).expect("a record");
    }
    wait_delivered(&producer);
    producer
}

/// Deletes the records of a partition before an offset, as retention does.
pub fn delete_before(app: &App, topic: &str, partition: i32, offset: i64) {
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(topic, partition, Offset::Offset(offset))
        .expect("an offset");
    let client = &app.client;
    let deleted = client.administer(|admin, options| admin.delete_records(&before, options));
    let deleted = deleted.expect("records can be deleted");
    for element in deleted.elements() {
        element.error().expect("deleted");
    }
}

/// Deletes the console's topic and creates it again.
pub fn recreate_input(app: &App) {
    let topic = app.input(Source::ConsoleCustomers);
    app.client.delete_topics(&[&topic]);
    wait_until(LIMIT, "the topic to be gone", || {
        app.client.partitions(&topic).is_none().then_some(())
    });
    app.create_input(Source::ConsoleCustomers);
}

/// Commits an offset for the group as a tool does while nobody is in it.
pub fn commit(app: &App, topic: &str, offset: i64, metadata: &str) {
    let mut config = app.client.config();
    config.set("group.id", &app.id);
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset");
    let mut element = list.find_partition(topic, 0).expect("the partition");
    element.set_metadata(metadata);
    consumer.commit(&list, CommitMode::Sync).expect("committed");
}

/// Joins keyfold's group as another application does, with the `client.id` "somebody".
pub fn join_as_somebody(app: &App, topic: &str) -> BaseConsumer {
    let mut config = app.client.config();
    config.set("group.id", &app.id);
    config.set("client.id", "somebody");
    config.set("partition.assignment.strategy", "range");
    config.set("session.timeout.ms", "6000");
    config.set("auto.offset.reset", "earliest");
    config.set("enable.auto.commit", "false");
    let foreign: BaseConsumer = config.create().expect("a consumer");
    foreign.subscribe(&[topic]).expect("subscribed");
    foreign
}
