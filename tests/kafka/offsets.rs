//! Committed offsets that are not in their topic any more.

use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

pub fn events(app: &App, from: usize, to: usize) -> Vec<Record> {
    let event = |n: usize| {
        let value = format!(r#"{{"customerId":"c-{n}","version":1}}"#);
        let record = app.record(Source::ConsoleCustomers);
        record.partition(0).key(format!("c-{n}")).value(value)
    };
    (from..to).map(event).collect()
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
    delete_before(&app, &topic, 0, 15);
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
    let read = sum(&keyfold.settled_metrics(), "keyfold_records_total", &source);
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
    delete_before(&app, &app.input(Source::ConsoleCustomers), 0, 4);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 6);
    assert_eq!(keyfold.terminate(), 0);
}

/// Stalls an instance for a moment, in which what it would read next is deleted. A request of it may be waiting at the
/// broker, which answers that before the deletion: so each record is a batch of its own, and an answer, of 16 KiB, has
/// room for one.
fn delete_under(app: &App, keyfold: &Keyfold) {
    let topic = app.input(Source::ConsoleCustomers);
    keyfold.signal("STOP");
    let filler = "x".repeat(12 * 1024);
    for event in events(app, 1, 20) {
        let customer = String::from_utf8(event.key.clone().expect("a key")).expect("text");
        let value = format!(r#"{{"customerId":"{customer}","version":1,"filler":"{filler}"}}"#);
        app.client.produce(&[event.value(value)]);
    }
    delete_before(app, &topic, 0, 15);
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
