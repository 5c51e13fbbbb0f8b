//! Positions behind transaction markers and aborted records: they are committed, so that retention may take all of a log.

use std::time::Duration;

use keyfold::model::record::Source;

use crate::offsets::events;
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::{delete_before, produce_in_transaction};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

fn committed(app: &App) -> Option<i64> {
    let topic = app.input(Source::ConsoleCustomers);
    let all = app.client.committed_offsets(&app.id, &[&topic]);
    all.get(&(topic, 0)).copied()
}

fn lag(keyfold: &Keyfold, topic: &str) -> f64 {
    let labels = [("topic", topic)];
    sum(&keyfold.metrics(), "keyfold_consumer_lag_records", &labels)
}

/// Waits until the group has committed the end of the input, and the lag is none.
#[track_caller]
fn wait_end(app: &App, keyfold: &mut Keyfold, end: i64) {
    let topic = app.input(Source::ConsoleCustomers);
    // the coordinator answers before the marker is in the log
    keyfold.wait_for(LIMIT, "the end of the log", |_| {
        (app.client.watermarks(&topic)[0].1 == end).then_some(())
    });
    keyfold.wait_for(LIMIT, "to commit the end of the log", |_| {
        (committed(app) == Some(end)).then_some(())
    });
    keyfold.wait_for(LIMIT, "to show no lag", |keyfold| {
        (lag(keyfold, &topic) == 0.0).then_some(())
    });
}

/// Retention empties the log; a second instance joins, and then the first is started anew.
fn retention_is_survived(app: &App, mut keyfold: Keyfold, end: i64) {
    let topic = app.input(Source::ConsoleCustomers);
    delete_before(app, &topic, 0, end);
    let mut second = app.run_ready();
    keyfold.wait_ready(LIMIT);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let mut first = app.run_ready();
    second.wait_ready(LIMIT);
    app.client.produce(&events(app, 500, 510));
    app.wait_drained(&mut first);
    let snapshots = app.newest_snapshots();
    assert!(snapshots.contains_key(b"c-509".as_slice()));
    assert_eq!(first.terminate(), 0, "{}", first.log());
    assert_eq!(second.terminate(), 0, "{}", second.log());
}

fn app(guarantee: &str) -> App {
    let mut app = App::new();
    app.set(&["processing", "guarantee"], guarantee);
    app.create();
    app
}

fn behind_a_marker(guarantee: &str) {
    let app = app(guarantee);
    let mut keyfold = app.run_ready();
    produce_in_transaction(&app, &events(&app, 0, 1), true);
    wait_end(&app, &mut keyfold, 2);
    retention_is_survived(&app, keyfold, 2);
}

#[test]
fn the_position_behind_a_marker_is_committed_exactly_once() {
    behind_a_marker("exactly_once");
}

#[test]
fn the_position_behind_a_marker_is_committed_at_least_once() {
    behind_a_marker("at_least_once");
}

fn behind_aborted_records(guarantee: &str) {
    let app = app(guarantee);
    let mut keyfold = app.run_ready();
    produce_in_transaction(&app, &events(&app, 0, 100), false);
    wait_end(&app, &mut keyfold, 101);
    let metrics = keyfold.metrics();
    let records = sum(&metrics, "keyfold_records_total", &[]);
    assert_eq!(records, 0.0, "{metrics:?}\n{}", keyfold.log());
    retention_is_survived(&app, keyfold, 101);
}

#[test]
fn the_position_behind_aborted_records_is_committed_exactly_once() {
    behind_aborted_records("exactly_once");
}

#[test]
fn the_position_behind_aborted_records_is_committed_at_least_once() {
    behind_aborted_records("at_least_once");
}

/// Also where keyfold is stopped at once behind the record.
#[test]
fn a_clean_stop_commits_the_position_behind_a_marker() {
    let app = app("exactly_once");
    let mut keyfold = app.run_ready();
    produce_in_transaction(&app, &events(&app, 0, 1), true);
    let topic = app.input(Source::ConsoleCustomers);
    keyfold.wait_for(LIMIT, "the marker to be in the log", |_| {
        (app.client.watermarks(&topic)[0].1 == 2).then_some(())
    });
    keyfold.wait_for(LIMIT, "to take the record", |keyfold| {
        (sum(&keyfold.metrics(), "keyfold_records_total", &[]) == 1.0).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    assert_eq!(committed(&app), Some(2));
    delete_before(&app, &app.input(Source::ConsoleCustomers), 0, 2);
    let mut keyfold = app.run_ready();
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// keyfold's own transactions leave markers in the forwarded topic: passing them must come to an end.
#[test]
fn passing_markers_comes_to_an_end() {
    let app = app("exactly_once");
    let mut keyfold = app.run_ready();
    let forwarded: Vec<Record> = events(&app, 0, 30);
    // all on one partition: what belongs elsewhere is forwarded
    app.client.produce(&forwarded);
    app.wait_drained(&mut keyfold);
    let topic = app.forwarded();
    keyfold.wait_for(LIMIT, "to pass the markers", |keyfold| {
        let committed = app.client.committed_offsets(&app.id, &[&topic]);
        let ends = app.client.watermarks(&topic);
        let done = ends.iter().enumerate().all(|(partition, (_, end))| {
            let at = committed.get(&(topic.clone(), partition as i32));
            *end == 0 || at == Some(end)
        });
        (done && lag(keyfold, &topic) == 0.0).then_some(())
    });
    let count = |keyfold: &Keyfold| sum(&keyfold.metrics(), "keyfold_transactions_total", &[]);
    let had = count(&keyfold);
    // three rounds of an endless commit would have come by then
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(count(&keyfold), had);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
