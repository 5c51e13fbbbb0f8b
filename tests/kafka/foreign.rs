//! Others in keyfold's group: offsets that they commit, and members that are not keyfold.

use std::time::Duration;

use keyfold::model::record::Source;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::offsets::events;
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::{commit, join_as_somebody};
use keyfold_harness::metrics::sum;

fn metadata_of(app: &App, topic: &str) -> String {
    let mut config = app.client.config();
    config.set("group.id", &app.id);
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let told = consumer.committed_offsets(list, Duration::from_secs(30));
    let told = told.expect("committed offsets");
    let element = told.find_partition(topic, 0).expect("the partition");
    element.metadata().to_owned()
}

/// Stopped, with ten records processed and ten more that are not.
fn stopped() -> (App, String) {
    let app = App::new();
    app.create();
    let topic = app.input(Source::ConsoleCustomers);
    app.client.produce(&events(&app, 0, 10));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.client.produce(&events(&app, 10, 20));
    (app, topic)
}

#[test]
fn an_offset_that_somebody_else_committed_stops_keyfold() {
    let (mut app, topic) = stopped();
    let own = metadata_of(&app, &topic);
    for metadata in ["", "kcat", &own] {
        commit(&app, &topic, 15, metadata);
        let said = app.run_refused();
        let place = format!("offset 15 of {topic}[0]");
        for word in [place.as_str(), "on_foreign_offset", "somebody else"] {
            assert!(said.contains(word), "{word} in: {said}");
        }
    }
    app.set(&["kafka", "on_foreign_offset"], "accept");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 15);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    // from then on it is keyfold's own
    app.set(&["kafka", "on_foreign_offset"], "fail");
    let mut keyfold = app.run_ready();
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn the_first_offset_may_be_set_by_anybody() {
    let (app, topic) = stopped();
    commit(&app, &topic, 0, "");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 20);
    assert_eq!(
        sum(
            &keyfold.settled_metrics(),
            "keyfold_records_total",
            &[("source", "console-customers")]
        ),
        20.0
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// The end of the log was accepted, and no record came: the offset is keyfold's own all the same.
#[test]
fn an_accepted_offset_becomes_keyfolds_own_without_a_record() {
    let (mut app, topic) = stopped();
    commit(&app, &topic, 20, "");
    app.set(&["kafka", "on_foreign_offset"], "accept");
    let mut keyfold = app.run_ready();
    keyfold.wait_for(LIMIT, "to commit it as its own", |_| {
        metadata_of(&app, &topic)
            .starts_with("keyfold/1")
            .then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.set(&["kafka", "on_foreign_offset"], "fail");
    let mut keyfold = app.run_ready();
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// A member that is not keyfold is named while it is there; what it committed stops keyfold.
#[test]
fn a_member_that_is_not_keyfold_is_named_and_its_commits_are_noticed() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.create();
    let topic = app.input(Source::ConsoleCustomers);
    let mut keyfold = app.run_ready();

    let foreign = join_as_somebody(&app, &topic);
    let everywhere: Vec<_> = (0..4)
        .flat_map(|partition| {
            let all = events(&app, 0, 10).into_iter();
            all.map(move |record| record.partition(partition))
        })
        .collect();
    keyfold.wait_for(LIMIT, "to name it", |keyfold| {
        foreign.poll(Duration::from_millis(50));
        let (status, reason) = keyfold.http_get("/readyz")?;
        (status == 503 && reason.contains("somebody")).then_some(())
    });
    let members = |keyfold: &keyfold_harness::program::Keyfold| {
        sum(&keyfold.metrics(), "keyfold_group_foreign_members", &[])
    };
    assert_eq!(members(&keyfold), 1.0);
    assert!(keyfold.log().contains("somebody"), "{}", keyfold.log());
    app.client.produce(&everywhere);
    let mut taken = 0;
    keyfold.wait_for(LIMIT, "the other to take records", |_| {
        if let Some(Ok(_)) = foreign.poll(Duration::from_millis(50)) {
            taken += 1;
        }
        (taken >= 10).then_some(())
    });
    foreign
        .commit_consumer_state(CommitMode::Sync)
        .expect("committed");
    drop(foreign);
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("on_foreign_offset"), "{said}");
    assert!(said.contains(&topic), "{said}");
}
