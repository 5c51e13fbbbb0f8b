//! The network between keyfold and the broker: connections cut, slow and half open, and the lost answer to EndTxn,
//! after which the client does not know whether its transaction is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::dice::{Dice, pass};
use crate::fleet;
use crate::load::{Load, settle};
use crate::proxy::{
    DESCRIBE_CONFIGS, END_TXN, Fate, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, Proxy,
    TXN_OFFSET_COMMIT, Way,
};
use crate::tally::{TALLY, count};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::slots::Slot;

fn start() -> (Broker, Proxy, App) {
    let (broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let mut app = App::on(&proxy.bootstrap(), broker.client(), Slot::take());
    app.set(&["processing", "max_batch_records"], 50);
    // a request on a half-open connection is given up after this time
    app.set(&["kafka", "properties", "socket.timeout.ms"], 6_000);
    app.create();
    (broker, proxy, app)
}

fn transactions(keyfold: &Keyfold, result: &str) -> f64 {
    let labels = [("result", result)];
    sum(&keyfold.metrics(), "keyfold_transactions_total", &labels)
}

/// Waits until it commits anew.
#[track_caller]
fn works(keyfold: &mut Keyfold) {
    let had = transactions(keyfold, "committed");
    keyfold.wait_for(LIMIT, "to commit", |keyfold| {
        (transactions(keyfold, "committed") > had + 2.0).then_some(())
    });
}

#[test]
fn connections_are_cut_slow_and_half_open() {
    let (_broker, proxy, app) = start();
    let mut dice = Dice::new(341);
    let load = Load::start(&app, 341, 400);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    for _ in 0..15 {
        pass(dice.millis(20, 600));
        proxy.cut();
    }
    works(&mut keyfold);
    proxy.delay(Duration::from_millis(100));
    works(&mut keyfold);
    proxy.delay(Duration::ZERO);
    proxy.refuse(true);
    pass(dice.millis(1_000, 3_000));
    proxy.refuse(false);
    works(&mut keyfold);
    proxy.half_open();
    works(&mut keyfold);
    proxy.heal();
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// Loses one way of a kind of request, with its connection, while `lossy`.
fn lose(proxy: &Proxy, (lost, of): (Way, i16), lossy: &Arc<AtomicBool>) {
    let lossy = Arc::clone(lossy);
    proxy.rule(move |kind, way| {
        if kind != of || way != lost || !lossy.load(Ordering::Relaxed) {
            return Fate::Pass;
        }
        if kind == END_TXN {
            count(match way {
                Way::Request => &TALLY.lost_requests,
                Way::Answer => &TALLY.lost_answers,
            });
        }
        Fate::Cut
    });
}

/// One is lost now and then: the client asks again, and learns how it ended.
#[test]
fn an_answer_to_end_txn_is_lost_now_and_then() {
    let (_broker, proxy, app) = start();
    let load = Load::start(&app, 342, 400);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    let mut dice = Dice::new(342);
    proxy.rule(move |kind, way| {
        if kind != END_TXN || !dice.one_in(4) {
            return Fate::Pass;
        }
        count(match way {
            Way::Request => &TALLY.lost_requests,
            Way::Answer => &TALLY.lost_answers,
        });
        Fate::Cut
    });
    for _ in 0..8 {
        works(&mut keyfold);
    }
    proxy.heal();
    settle(&app, load, &mut keyfold);
    assert_eq!(
        transactions(&keyfold, "unknown"),
        0.0,
        "the client was told at last: {}",
        keyfold.log()
    );
    fleet::stop(&mut keyfold);
}

/// All are lost, for longer than keyfold waits: whether the batch is committed is not known, and not guessed.
fn unknown(lost: (Way, i16), seed: u64) {
    let (_broker, proxy, app) = start();
    let load = Load::start(&app, seed, 300);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    works(&mut keyfold);
    let ends = ["unknown", "aborted"];
    let ended = |keyfold: &Keyfold| -> f64 {
        ends.iter()
            .map(|result| transactions(keyfold, result))
            .sum()
    };
    let had = ended(&keyfold);
    let lossy = Arc::new(AtomicBool::new(true));
    lose(&proxy, lost, &lossy);
    keyfold.wait_for(LIMIT, "to give a commit up", |keyfold| {
        (ended(keyfold) > had).then_some(())
    });
    lossy.store(false, Ordering::Relaxed);
    works(&mut keyfold);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// The transaction is committed.
#[test]
fn all_answers_to_end_txn_are_lost() {
    unknown((Way::Answer, END_TXN), 343);
}

/// The transaction is not, and the broker aborts it after its time-out.
#[test]
#[ignore = "of the long form"]
fn all_requests_to_end_txn_are_lost() {
    unknown((Way::Request, END_TXN), 344);
}

/// So are those to the offsets of a transaction: the client goes on asking for as long as it likes.
#[test]
fn all_answers_to_the_offsets_are_lost() {
    unknown((Way::Answer, TXN_OFFSET_COMMIT), 345);
}

/// Answers are lost while it asks what its topics are.
#[test]
fn a_start_over_a_broken_network_asks_again() {
    let (_broker, proxy, mut app) = start();
    app.set(&["state", "store"], "disk");
    let directory = app.file("state");
    app.set(
        &["state", "directory"],
        directory.to_str().expect("a path of text"),
    );
    for lost in [METADATA, DESCRIBE_CONFIGS] {
        let left = AtomicUsize::new(6);
        let mut seen = 0;
        proxy.rule(move |kind, way| {
            if kind != lost || way != Way::Answer || left.load(Ordering::Relaxed) == 0 {
                return Fate::Pass;
            }
            // now and then, for a client that gets no answer at all has no broker
            seen += 1;
            if seen % 3 != 0 {
                return Fate::Pass;
            }
            left.fetch_sub(1, Ordering::Relaxed);
            Fate::Cut
        });
        let mut keyfold = fleet::start(&app);
        keyfold.wait_ready(LIMIT);
        fleet::stop(&mut keyfold);
        proxy.heal();
    }
}

/// Nothing passes any more on the connections that it has when it asks how its topics are set.
#[test]
fn a_start_on_a_half_open_connection_asks_on_another() {
    let (_broker, proxy, app) = start();
    let asked = Arc::new(AtomicUsize::new(0));
    let its = Arc::clone(&asked);
    proxy.rule(move |kind, way| match (kind, way) {
        (DESCRIBE_CONFIGS, Way::Request) if its.fetch_add(1, Ordering::Relaxed) == 0 => Fate::Stall,
        _ => Fate::Pass,
    });
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    assert!(asked.load(Ordering::Relaxed) > 1);
    fleet::stop(&mut keyfold);
}

/// A start, or a rebalance, would otherwise take longer with each partition.
#[test]
fn the_ends_of_many_logs_are_asked_for_together() {
    let (broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let mut app = App::on(&proxy.bootstrap(), broker.client(), Slot::take());
    app.input_partitions = [24; 4];
    app.create();
    let asked = Arc::new(AtomicUsize::new(0));
    let its = Arc::clone(&asked);
    proxy.rule(move |kind, way| {
        if (kind, way) == (LIST_OFFSETS, Way::Request) {
            its.fetch_add(1, Ordering::Relaxed);
        }
        Fate::Pass
    });
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked < 24, "{asked} requests for the ends of 120 logs");
    fleet::stop(&mut keyfold);
}

/// A stop is in order at any time, also before the cluster could be reached.
#[test]
fn an_instance_that_waits_for_the_cluster_can_be_stopped() {
    let (_broker, proxy, app) = start();
    // the coordinators are there
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    fleet::stop(&mut keyfold);
    // The start's own question comes first, then those of the workers. How often the start has to ask, the coordinator
    // decides: what was cut off before may still be under way there.
    let all = [
        "the coordinator of transactions",
        "the producer waits for the cluster",
    ];
    let mut left: Vec<&str> = all.to_vec();
    for answered in 0..8 {
        let mut answers = 0;
        proxy.rule(move |kind, way| {
            if kind != INIT_PRODUCER_ID {
                return Fate::Pass;
            }
            if answers == answered {
                return Fate::Cut;
            }
            answers += u32::from(way == Way::Answer);
            Fate::Pass
        });
        let mut keyfold = fleet::start(&app);
        let waits = keyfold.wait_for(LIMIT, "to wait for the cluster", |keyfold| {
            let log = keyfold.log();
            let waits = all.iter().rev().find(|waits| log.contains(**waits));
            let is_ready = || {
                keyfold
                    .http_get("/readyz")
                    .is_some_and(|(code, _)| code == 200)
            };
            waits
                .map(|waits| Some(*waits))
                .or_else(|| is_ready().then_some(None))
        });
        fleet::stop(&mut keyfold);
        left.retain(|one| Some(*one) != waits);
        if left.is_empty() {
            return;
        }
    }
    panic!("it never waited for {left:?}");
}
