//! A zombie: an instance that stalls beyond its session under load, and wakes when another has its partitions. It
//! is fenced, writes nothing that readers see, drops its state and joins again.

use crate::app::{App, LIMIT};
use crate::dice::{Dice, pass};
use crate::fleet;
use crate::load::{Load, settle};
use crate::process::{Keyfold, sum};
use crate::tally::{TALLY, count};

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
fn a_zombie_is_fenced_under_load_with_the_consumer_protocol() {
    stall_and_wake("consumer", 312);
}
