//! Stops in good order, and restarts that continue.

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;

/// Three times in the midst of the stream.
fn stop_and_continue(guarantee: &str, instance_id: &str) {
    let mut app = App::new();
    app.set(&["processing", "guarantee"], guarantee);
    app.set(&["instance_id"], instance_id);
    app.set(&["processing", "max_batch_records"], 100);
    app.create();
    let mut stream = app.stream(faulty(31, 300));
    for signal in ["TERM", "INT", "TERM"] {
        let some: Vec<Record> = stream.by_ref().take(3_000).collect();
        app.client.produce(&some);
        let mut keyfold = app.run();
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            let (_, metrics) = keyfold.http_get("/metrics")?;
            metrics.contains("outcome=\"merged\"").then_some(())
        });
        keyfold.signal(signal);
        assert_eq!(keyfold.wait_exit(LIMIT), 0, "{}", keyfold.log());
    }
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let [customers] = keyfold.steady(["keyfold_state_customers"]);
    assert!(customers >= app.newest_snapshots().len() as f64);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_restart_continues_where_the_last_run_stopped() {
    stop_and_continue("exactly_once", "");
}

/// A static member does not leave the group when it stops.
#[test]
fn a_restart_of_a_named_instance_continues() {
    stop_and_continue("exactly_once", "one");
}

#[test]
fn a_restart_at_least_once_repeats_nothing_after_a_clean_stop() {
    stop_and_continue("at_least_once", "");
}
