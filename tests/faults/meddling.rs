//! What others do to keyfold's inputs and to its group, while instances are killed and load comes in.

use std::time::Duration;

use keyfold::model::record::Source;
use rdkafka::consumer::{CommitMode, Consumer};

use crate::fleet;
use crate::load::{Load, judge};
use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::foreign_clients::{
    delete_before, join_as_somebody, produce_in_transaction, recreate_input,
};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

fn app_of(broker: &Broker, slot: Slot) -> App {
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app
}

/// So many records of all sources.
fn records(app: &App, seed: u64, count: usize) -> Vec<Record> {
    app.stream(faulty(seed, 300)).take(count).collect()
}

/// All of the inputs is committed, what others' transactions left at their ends included; then retention takes all of it.
#[track_caller]
fn retention_takes_all(app: &App) {
    for topic in app.inputs() {
        let ends = app.client.watermarks(&topic).into_iter().enumerate();
        for (partition, (first, end)) in ends {
            if first < end {
                delete_before(app, &topic, partition as i32, end);
            }
        }
    }
}

/// Transactions of others, of which every second is aborted, end every log while instances are killed.
#[test]
fn retention_behind_markers_and_aborted_records_stops_no_instance() {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions::default());
    let app = app_of(&broker, slot);
    app.create();
    let load = Load::start(&app, 411, 300);
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let mut second = fleet::start(&app);
    second.wait_ready(LIMIT);
    for turn in 0..6 {
        produce_in_transaction(&app, &records(&app, 420 + turn, 100), turn % 2 == 0);
        if turn == 2 {
            fleet::kill(&mut second);
        }
    }
    load.stop();
    // aborted and committed ones are the last in every log
    produce_in_transaction(&app, &records(&app, 430, 200), true);
    produce_in_transaction(&app, &records(&app, 431, 200), false);
    judge(&app, &mut first, Repeats::Forbidden);
    let published = app.newest_snapshots();

    retention_takes_all(&app);
    let mut third = fleet::start(&app);
    third.wait_ready(LIMIT);
    fleet::kill(&mut first);
    let mut fourth = fleet::start(&app);
    fourth.wait_ready(LIMIT);
    third.wait_ready(LIMIT);
    app.client.produce(&records(&app, 432, 200));
    app.wait_drained(&mut third);
    let after = app.newest_snapshots();
    assert!(
        published
            .keys()
            .all(|customer| after.contains_key(customer))
    );
    fleet::stop(&mut third);
    fleet::stop(&mut fourth);
}

/// Both instances that share the input end, whichever of its partitions they own; nothing of the new one is skipped.
#[test]
fn an_input_recreated_under_two_instances_stops_both() {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions::default());
    let mut app = app_of(&broker, slot);
    app.create();
    app.client.produce(&records(&app, 441, 1_000));
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let mut second = fleet::start(&app);
    second.wait_ready(LIMIT);
    app.wait_drained(&mut first);
    recreate_input(&app);
    let topic = app.input(Source::ConsoleCustomers);
    // more than before, so that no committed offset is outside its log
    let new = records(&app, 442, 20_000).into_iter();
    let new: Vec<Record> = new.filter(|record| record.topic == topic).collect();
    app.client.produce(&new);
    for instance in [&mut first, &mut second] {
        let code = instance.wait_exit(LIMIT);
        assert_eq!(code, 3, "{}", instance.log());
        assert_names(instance, &[&topic, "deleted and recreated"]);
    }

    app.set(&["kafka", "on_lost_offset"], "earliest");
    let mut third = fleet::start(&app);
    third.wait_for(LIMIT, "to begin", |third| {
        let metrics = third.metrics_soon(Duration::from_secs(1))?;
        let read = keyfold_harness::metrics::sum(&metrics, "keyfold_records_total", &[]);
        (read > 0.0).then_some(())
    });
    fleet::kill(&mut third);
    let mut fourth = fleet::start(&app);
    app.wait_drained(&mut fourth);
    let letters = app.read_dead_letters().len();
    assert!(letters > 0);
    let new_ones: usize = new.len();
    let read: i64 = (app.client.watermarks(&topic).into_iter())
        .map(|(low, high)| high - low)
        .sum();
    assert_eq!(read as usize, new_ones);
    fleet::stop(&mut fourth);
    // the offsets are keyfold's own again
    app.set(&["kafka", "on_lost_offset"], "fail");
    let mut fifth = fleet::start(&app);
    fifth.wait_ready(LIMIT);
    fleet::stop(&mut fifth);
}

#[track_caller]
fn assert_names(keyfold: &Keyfold, words: &[&str]) {
    let log = keyfold.log();
    for word in words {
        assert!(log.contains(word), "{word} in: {log}");
    }
}

/// Takes what the group gives it, reads, commits, and leaves, as `kcat -G` does.
fn read_as_a_member(app: &App, keyfold: &mut Keyfold) {
    let topic = app.input(Source::ConsoleCustomers);
    let foreign = join_as_somebody(app, &topic);
    let mut taken = 0;
    keyfold.wait_for(LIMIT, "to share with somebody else", |_| {
        if let Some(Ok(_)) = foreign.poll(Duration::from_millis(50)) {
            taken += 1;
        }
        (taken >= 20).then_some(())
    });
    keyfold.wait_for(LIMIT, "to name it", |keyfold| {
        foreign.poll(Duration::from_millis(50));
        let (status, reason) = keyfold.http_get("/readyz")?;
        (status == 503 && reason.contains("somebody")).then_some(())
    });
    foreign
        .commit_consumer_state(CommitMode::Sync)
        .expect("committed");
}

/// Whoever gets its partitions back ends, and nothing that it took is lost.
#[test]
fn records_that_a_foreign_member_took_are_not_lost() {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions::default());
    let mut app = app_of(&broker, slot);
    // fewer members than partitions: it gets one
    app.set(&["processing", "workers"], 1);
    app.create();
    let load = Load::start(&app, 451, 400);
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let mut second = fleet::start(&app);
    second.wait_ready(LIMIT);
    read_as_a_member(&app, &mut first);
    // one ends, which gives its partitions to the other, and that ends too
    for instance in [&mut first, &mut second] {
        let code = instance.wait_exit(LIMIT);
        assert_eq!(code, 3, "{}", instance.log());
        assert_names(instance, &["on_foreign_offset"]);
    }
    broker.tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        &[
            "--bootstrap-server",
            broker.bootstrap(),
            "--group",
            &app.id,
            "--reset-offsets",
            "--to-earliest",
            "--topic",
            &app.input(Source::ConsoleCustomers),
            "--execute",
        ],
    );
    let mut third = fleet::start(&app);
    load.stop();
    judge(&app, &mut third, Repeats::Allowed);
    fleet::stop(&mut third);
}
