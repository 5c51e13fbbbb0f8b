//! The network between keyfold and the broker: connections cut, slow and half open, and the lost answer to EndTxn,
//! after which the client does not know whether its transaction is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::{App, LIMIT};
use crate::broker::{Broker, BrokerOptions};
use crate::dice::{Dice, pass};
use crate::fleet;
use crate::load::{Load, settle};
use crate::process::{Keyfold, sum};
use crate::proxy::{END_TXN, Fate, Proxy, Way};
use crate::slots::Slot;
use crate::tally::{TALLY, count};

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

/// Loses EndTxn one way, with its connection, while `lossy`.
fn lose(proxy: &Proxy, lost: Way, lossy: &Arc<AtomicBool>) {
    let lossy = Arc::clone(lossy);
    proxy.rule(move |kind, way| {
        if kind != END_TXN || way != lost || !lossy.load(Ordering::Relaxed) {
            return Fate::Pass;
        }
        count(match way {
            Way::Request => &TALLY.lost_requests,
            Way::Answer => &TALLY.lost_answers,
        });
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
fn unknown(lost: Way, seed: u64) {
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
    unknown(Way::Answer, 343);
}

/// The transaction is not, and the broker aborts it after its time-out.
#[test]
fn all_requests_to_end_txn_are_lost() {
    unknown(Way::Request, 344);
}
