//! How far the group is behind: in records and in time, also where nobody works.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyfold::model::record::Source;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::unique;
use keyfold_harness::metrics::{Metrics, sum};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

const HOUR: i64 = 3_600_000;

/// Records of an hour ago, so many in each partition of a source.
fn old_records(app: &App, source: Source, partitions: i32, each: i32) -> Vec<Record> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let hour_ago = now.as_millis() as i64 - HOUR;
    (0..partitions)
        .flat_map(|partition| (0..each).map(move |_| partition))
        .map(|partition| {
            app.record(source)
                .partition(partition)
                .key("k")
                .value("no json")
                .at(hour_ago)
        })
        .collect()
}

fn of(metrics: &Metrics, name: &str, topic: &str) -> f64 {
    sum(metrics, name, &[("topic", topic)])
}

/// The greatest age of a topic's oldest unread record.
fn oldest(metrics: &Metrics, topic: &str) -> f64 {
    let name = "keyfold_consumer_lag_seconds{";
    let label = format!("topic=\"{topic}\"");
    let of_topic = metrics
        .iter()
        .filter(|(series, _)| series.starts_with(name));
    of_topic
        .filter(|(series, _)| series.contains(&label))
        .map(|(_, value)| *value)
        .fold(0.0, f64::max)
}

/// A producer with an open transaction that may change an offset of the group, as each instance has at most times that
/// commits under load.
fn with_an_open_offset(app: &App, topic: &str) -> BaseProducer {
    let limit = Duration::from_secs(30);
    let mut config = app.client.producer_config();
    config.set("transactional.id", unique("committing"));
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(limit).expect("initialised");
    producer.begin_transaction().expect("a transaction");
    let mut config = app.client.config();
    config.set("group.id", &app.id);
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let metadata = consumer.group_metadata().expect("the group's metadata");
    let mut offsets = TopicPartitionList::new();
    let added = offsets.add_partition_offset(topic, 0, Offset::Offset(0));
    added.expect("an offset");
    producer
        .send_offsets_to_transaction(&offsets, &metadata, limit)
        .expect("offsets in the transaction");
    producer
}

/// One of two instances that share the work is killed, which the group learns when its session ends.
#[test]
fn the_lag_of_partitions_that_a_dead_instance_had_is_told() {
    let mut app = App::new();
    app.set(&["kafka", "properties", "session.timeout.ms"], "20000");
    app.set_partitions([4, 1, 1, 1]);
    app.create();
    let mut dead = app.run_ready();
    let mut living = app.run_ready();
    let topic = app.input(Source::LoyaltyCustomers);
    let owns = |keyfold: &Keyfold| {
        let metrics = keyfold.metrics();
        let label = format!("topic=\"{topic}\"");
        let series = metrics.keys().filter(|series| {
            series.starts_with("keyfold_consumer_lag_records{") && series.contains(&label)
        });
        series.count()
    };
    living.wait_for(LIMIT, "to own a half", |living| {
        (owns(living) == 2 && owns(&dead) == 2).then_some(())
    });
    let committing = with_an_open_offset(&app, &app.input(Source::ConsoleCustomers));
    dead.kill9();
    app.client
        .produce(&old_records(&app, Source::LoyaltyCustomers, 4, 5));
    living.wait_for(LIMIT, "to tell of what nobody works at", |living| {
        let metrics = living.metrics();
        let unowned = of(&metrics, "keyfold_partitions_unowned", &topic);
        let lag = of(&metrics, "keyfold_consumer_lag_records", &topic);
        let old = oldest(&metrics, &topic);
        // five records in each of two partitions; what is in its own is rejected
        (unowned == 2.0 && lag == 10.0 && (3_600.0..3_700.0).contains(&old)).then_some(())
    });
    // from here on the session is waited for
    app.give_up_slot();
    let aborted = committing.abort_transaction(Duration::from_secs(30));
    aborted.expect("the transaction can be aborted");
    living.wait_for(LIMIT, "to take over", |living| {
        let metrics = living.metrics();
        let lag = of(&metrics, "keyfold_consumer_lag_records", &topic);
        let unowned = of(&metrics, "keyfold_partitions_unowned", &topic);
        (lag == 0.0 && unowned == 0.0 && oldest(&metrics, &topic) == 0.0).then_some(())
    });
    assert_eq!(living.terminate(), 0);
}
