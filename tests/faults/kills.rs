//! `kill -9` at every step of a batch, as the broker sees the steps: the proxy holds back the message that a step
//! begins or ends with, and then the process dies.

use std::sync::mpsc;
use std::time::Duration;

use crate::dice::{Dice, pass};
use crate::fleet::{self, Fleet, Naming, Store};
use crate::load::{Load, settle, settle_with};
use crate::proxy::{ADD_OFFSETS_TO_TXN, END_TXN, Fate, PRODUCE, Proxy, TXN_OFFSET_COMMIT, Way};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::broker::BrokerOptions;
use keyfold_harness::client::Client;
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::slots::Slot;

pub type Step = (i16, Way);

/// In the order of a batch. What is lost as a request was never done; what is lost as an answer was done, and the
/// process that dies did not learn of it.
const STEPS: [Step; 6] = [
    (PRODUCE, Way::Request),
    (PRODUCE, Way::Answer),
    (ADD_OFFSETS_TO_TXN, Way::Request),
    (TXN_OFFSET_COMMIT, Way::Answer),
    (END_TXN, Way::Request),
    // committed, and neither the store nor the metrics know
    (END_TXN, Way::Answer),
];

/// Kills an instance that reaches the broker through the proxy, at a step of one of its next batches.
#[track_caller]
pub fn kill_at(step: Step, skipped: usize, proxy: &Proxy, keyfold: &mut Keyfold) {
    let (sender, reached) = mpsc::channel();
    let mut left = skipped;
    proxy.rule(move |kind, way| {
        if (kind, way) != step {
            return Fate::Pass;
        }
        if left > 0 {
            left -= 1;
            return Fate::Pass;
        }
        let _ = sender.send(());
        Fate::Lose
    });
    if reached.recv_timeout(LIMIT).is_err() {
        panic!("{step:?} was not reached:\n{}", keyfold.log());
    }
    fleet::kill(keyfold);
    proxy.heal();
}

/// Kills an instance while it restores, which takes long for this once.
#[track_caller]
fn kill_while_restoring(app: &mut App, proxy: &Proxy) {
    let property = ["kafka", "properties", "max.partition.fetch.bytes"];
    app.set(&property, 2_000);
    proxy.delay(Duration::from_millis(5));
    let mut keyfold = fleet::start(app);
    keyfold.wait_for(LIMIT, "to restore", |keyfold| {
        let metrics = keyfold.metrics_soon(Duration::from_secs(5))?;
        let restored = sum(&metrics, "keyfold_restore_records_total", &[]);
        let left = sum(&metrics, "keyfold_restore_remaining_records", &[]);
        (restored > 0.0 && left > 0.0).then_some(())
    });
    fleet::kill(&mut keyfold);
    proxy.heal();
    app.unset(&property);
}

fn app(proxy: &Proxy, client: Client) -> App {
    let mut app = App::on(&proxy.bootstrap(), client, Slot::take());
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    app
}

/// A named instance has its predecessor's transactional id, and so decides at once what that left open.
#[test]
fn an_instance_is_killed_at_every_step_of_a_batch_and_comes_back() {
    let (broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let mut app = app(&proxy, broker.client());
    app.set(&["instance_id"], "one");
    let mut dice = Dice::new(301);
    let load = Load::start(&app, 301, 400);
    for step in STEPS {
        let mut keyfold = fleet::start(&app);
        keyfold.wait_ready(LIMIT);
        kill_at(step, dice.below(12), &proxy, &mut keyfold);
    }
    kill_while_restoring(&mut app, &proxy);
    let mut keyfold = fleet::start(&app);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// A nameless instance leaves a transaction that only its time-out ends, and another takes over behind it.
#[test]
#[ignore = "of the long form"]
fn another_instance_takes_over_from_one_killed_in_the_midst_of_a_commit() {
    let (broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let mut app = app(&proxy, broker.client());
    let load = Load::start(&app, 302, 300);
    // the survivor's way is the direct one
    app.set(&["kafka", "bootstrap_servers"], broker.bootstrap());
    let mut survivor = fleet::start(&app);
    survivor.wait_ready(LIMIT);
    app.set(&["kafka", "bootstrap_servers"], proxy.bootstrap());
    for step in [(TXN_OFFSET_COMMIT, Way::Answer), (END_TXN, Way::Answer)] {
        let mut victim = fleet::start(&app);
        kill_at(step, 3, &proxy, &mut victim);
    }
    settle(&app, load, &mut survivor);
    fleet::stop(&mut survivor);
}

/// Nothing is lost without transactions, and repeats do no harm.
#[test]
#[ignore = "of the long form"]
fn at_least_once_survives_kills_at_any_time() {
    let mut app = App::new();
    app.set(&["processing", "guarantee"], "at_least_once");
    app.set(&["processing", "max_batch_records"], 50);
    app.set(&["instance_id"], "one");
    app.create();
    let mut dice = Dice::new(303);
    let load = Load::start(&app, 303, 400);
    for _ in 0..6 {
        let mut keyfold = fleet::start(&app);
        keyfold.wait_ready(LIMIT);
        pass(dice.millis(10, 800));
        fleet::kill(&mut keyfold);
    }
    let mut keyfold = fleet::start(&app);
    settle_with(&app, load, &mut keyfold, Repeats::Allowed);
    fleet::stop(&mut keyfold);
}

/// Two of three are killed again and again, at no step in particular.
#[test]
#[ignore = "of the long form"]
fn instances_are_killed_at_any_time() {
    let mut app = App::new();
    app.set(&["processing", "max_batch_records"], 50);
    app.set_partitions([4; 4]);
    app.create();
    let mut dice = Dice::new(304);
    let load = Load::start(&app, 304, 400);
    let mut fleet = Fleet::new(&app, Naming::Named, Store::of_environment(), 3);
    for _ in 0..12 {
        while !fleet.is_full() {
            fleet.start();
        }
        pass(dice.millis(100, 2_500));
        fleet.kill(&mut dice);
        fleet.assert_running();
    }
    let mut keyfold = fleet.last();
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}
