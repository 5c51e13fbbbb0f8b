//! A zombie: an instance that stalls beyond its session under load, and wakes when another has its partitions. It
//! is fenced, writes nothing that readers see, drops its state and joins again.

use std::time::Duration;

use crate::dice::{Dice, pass};
use crate::fleet;
use crate::load::{Load, settle};
use crate::tally::{TALLY, count};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;

fn rebalances(keyfold: &Keyfold) -> f64 {
    let metrics = keyfold.http_get("/metrics");
    metrics.map_or(0.0, |_| {
        sum(&keyfold.metrics(), "keyfold_rebalances_total", &[])
    })
}

fn stall_and_wake(protocol: &str, seed: u64) {
    let mut app = App::new();
    app.set_protocol(protocol);
    app.set_partitions([4; 4]);
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let mut dice = Dice::new(seed);
    let load = Load::start(&app, seed, 400);
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let had = rebalances(&first);
    let mut second = fleet::start(&app);
    first.wait_for(LIMIT, "to share", |first| {
        (rebalances(first) > had).then_some(())
    });
    for _ in 0..2 {
        second.wait_ready(LIMIT);
        pass(dice.millis(100, 1_500));
        let had = rebalances(&first);
        count(&TALLY.stalls);
        second.signal("STOP");
        first.wait_for(LIMIT, "to take over", |first| {
            (rebalances(first) > had).then_some(())
        });
        first.wait_ready(LIMIT);
        pass(dice.millis(0, 2_000));
        let had = rebalances(&first);
        second.signal("CONT");
        first.wait_for(LIMIT, "to share again", |first| {
            (rebalances(first) > had).then_some(())
        });
    }
    second.wait_ready(LIMIT);
    settle(&app, load, &mut second);
    fleet::stop(&mut first);
    fleet::stop(&mut second);
}

#[test]
fn a_zombie_is_fenced_under_load_with_the_classic_protocol() {
    stall_and_wake("classic", 311);
}

#[test]
#[ignore = "of the long form"]
fn a_zombie_is_fenced_under_load_with_the_consumer_protocol() {
    stall_and_wake("consumer", 312);
}

/// The broker aborts a transaction that outlives its time-out, and its producer hears what one hears that a second
/// process of its name has fenced.
#[test]
#[ignore = "of the long form"]
fn a_named_instance_that_stalls_again_and_again_is_not_taken_for_two() {
    let mut app = App::new();
    app.set(&["instance_id"], "one");
    app.set(&["kafka", "properties", "transaction.timeout.ms"], "2000");
    app.set(&["kafka", "properties", "session.timeout.ms"], "30000");
    app.create();
    let load = Load::start(&app, 313, 1_000);
    let mut keyfold = fleet::start(&app);
    for _ in 0..3 {
        keyfold.wait_ready(LIMIT);
        let commits = committed(&keyfold);
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            (committed(keyfold) > commits).then_some(())
        });
        count(&TALLY.stalls);
        keyfold.signal("STOP");
        // longer than the broker needs to notice
        pass(Duration::from_secs(13));
        keyfold.signal("CONT");
    }
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

fn committed(keyfold: &Keyfold) -> f64 {
    let of = [("result", "committed")];
    sum(&keyfold.metrics(), "keyfold_transactions_total", &of)
}
