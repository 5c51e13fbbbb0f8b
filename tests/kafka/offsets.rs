//! Committed offsets that are not in their topic any more, or that are not keyfold's own.

use std::time::Duration;

use keyfold::record::Source;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::app::{App, LIMIT};
use crate::client::{Record, wait_until};
use crate::process::{Keyfold, sum};

fn events(app: &App, from: usize, to: usize) -> Vec<Record> {
    let event = |n: usize| {
        let value = format!(r#"{{"customerId":"c-{n}","version":1}}"#);
        let record = app.record(Source::ConsoleCustomers);
        record.partition(0).key(format!("c-{n}")).value(value)
    };
    (from..to).map(event).collect()
}

/// Deletes the records of partition 0 before an offset, as retention does.
fn delete_before(app: &App, topic: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> =
        app.client.config().create().expect("an admin client");
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset");
    let options = AdminOptions::new();
    let deleted = admin.delete_records(&before, &options);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let deleted = runtime.expect("a runtime").block_on(deleted);
    let deleted = deleted.expect("records can be deleted");
    for element in deleted.elements() {
        element.error().expect("deleted");
    }
}

#[test]
fn records_that_were_deleted_before_they_were_read_stop_keyfold() {
    let mut app = App::new();
    app.create();
    let topic = app.input(Source::ConsoleCustomers);
    app.client.produce(&events(&app, 0, 10));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);

    app.client.produce(&events(&app, 10, 20));
    delete_before(&app, &topic, 15);
    let said = app.run_refused();
    for word in [topic.as_str(), "on_lost_offset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let committed = app.client.committed_offsets(&app.id, &[&topic]);
    assert_eq!(committed[&(topic.clone(), 0)], 10, "nothing was committed");

    app.set(&["kafka", "on_lost_offset"], "earliest");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let source = [("source", "console-customers")];
    let read = sum(&keyfold.metrics(), "keyfold_records_total", &source);
    assert_eq!(read, 5.0);
    assert_eq!(app.newest_snapshots().len(), 15);
    assert_eq!(keyfold.terminate(), 0);
}

/// A group that never committed starts at the earliest record there is.
#[test]
fn a_new_group_starts_at_the_earliest_record() {
    let app = App::new();
    app.create();
    app.client.produce(&events(&app, 0, 10));
    delete_before(&app, &app.input(Source::ConsoleCustomers), 4);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 6);
    assert_eq!(keyfold.terminate(), 0);
}

/// Stalls an instance for a moment, in which what it would read next is deleted.
fn delete_under(app: &App, keyfold: &Keyfold) {
    let topic = app.input(Source::ConsoleCustomers);
    keyfold.signal("STOP");
    app.client.produce(&events(app, 1, 20));
    delete_before(app, &topic, 15);
    keyfold.signal("CONT");
}

#[test]
fn records_deleted_under_a_running_instance_stop_it() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    app.client.produce(&events(&app, 0, 1));
    app.wait_drained(&mut keyfold);
    delete_under(&app, &keyfold);
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("on_lost_offset"), "{said}");
}

#[test]
fn an_instance_goes_on_behind_deleted_records_where_it_may() {
    let mut app = App::new();
    app.set(&["kafka", "on_lost_offset"], "earliest");
    app.create();
    let mut keyfold = app.run_ready();
    app.client.produce(&events(&app, 0, 1));
    app.wait_drained(&mut keyfold);
    delete_under(&app, &keyfold);
    app.wait_drained(&mut keyfold);
    let newest = app.newest_snapshots();
    assert!(newest.contains_key(b"c-19".as_slice()));
    assert!(!newest.contains_key(b"c-12".as_slice()));
    assert_eq!(keyfold.terminate(), 0);
}

/// Another client that uses keyfold's group.
fn stranger(app: &App) -> BaseConsumer {
    let mut config = app.client.config();
    config
        .set("group.id", &app.id)
        .set("client.id", "stranger")
        .set("session.timeout.ms", "6000")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false");
    config.create().expect("a consumer")
}

/// Commits an offset of partition 0 for the group, which must have no members.
fn commit_as_a_stranger(app: &App, topic: &str, offset: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset");
    // a member that has just left may still be known
    wait_until(LIMIT, "the group to take the offset", || {
        stranger(app).commit(&offsets, CommitMode::Sync).ok()
    });
}

#[test]
fn an_offset_that_somebody_else_committed_stops_keyfold() {
    let mut app = App::new();
    app.create();
    let topic = app.input(Source::ConsoleCustomers);
    app.client.produce(&events(&app, 0, 10));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);

    app.client.produce(&events(&app, 10, 20));
    commit_as_a_stranger(&app, &topic, 15);
    let said = app.run_refused();
    for word in [format!("15 of {topic}[0]").as_str(), "on_foreign_offset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let committed = app.client.committed_offsets(&app.id, &[&topic]);
    assert_eq!(committed[&(topic.clone(), 0)], 15, "nothing was committed");

    app.set(&["kafka", "on_foreign_offset"], "accept");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 15);
    assert_eq!(keyfold.terminate(), 0);

    // all of it anew passes over nothing
    app.set(&["kafka", "on_foreign_offset"], "fail");
    commit_as_a_stranger(&app, &topic, 0);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 20);
    assert_eq!(keyfold.terminate(), 0);
}

/// Joins keyfold's group as another application would, and takes what it gets.
fn join_as_a_stranger(app: &App, keyfold: &mut Keyfold) -> BaseConsumer {
    let stranger = stranger(app);
    let topic = app.input(Source::ConsoleCustomers);
    stranger.subscribe(&[&topic]).expect("subscribed");
    keyfold.wait_for(LIMIT, "to share its group", |_| {
        let _ = stranger.poll(Duration::from_millis(100));
        let owned = stranger.assignment().expect("an assignment");
        (owned.count() > 0).then_some(())
    });
    stranger
}

#[test]
fn a_member_that_is_not_keyfold_is_named() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    let foreign = |keyfold: &Keyfold| sum(&keyfold.metrics(), "keyfold_group_foreign_members", &[]);
    assert_eq!(foreign(&keyfold), 0.0);
    let stranger = join_as_a_stranger(&app, &mut keyfold);
    keyfold.wait_for(LIMIT, "to name the stranger", |keyfold| {
        let _ = stranger.poll(Duration::ZERO);
        let (status, body) = keyfold.http_get("/readyz")?;
        (status == 503 && body.contains("stranger at /")).then_some(())
    });
    assert_eq!(foreign(&keyfold), 1.0);
    drop(stranger);
    keyfold.wait_for(LIMIT, "to be alone", |keyfold| {
        (foreign(keyfold) == 0.0).then_some(())
    });
    keyfold.wait_ready(LIMIT);
    let log = keyfold.log();
    assert_eq!(log.matches("is not keyfold: records").count(), 1, "{log}");
    assert_eq!(log.matches("was not keyfold is gone").count(), 1, "{log}");
    assert_eq!(keyfold.terminate(), 0);
}
