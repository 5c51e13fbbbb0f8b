//! All faults together, at random, from a seed.

use std::time::{Duration, Instant};

use crate::dice::{Dice, pass};
use crate::fleet::{self, Fleet, Naming, Store};
use crate::load::{Load, settle_with};
use crate::proxy::{
    ADD_OFFSETS_TO_TXN, END_TXN, FETCH, Fate, PRODUCE, Proxy, TXN_OFFSET_COMMIT, Way,
};
use crate::tally::{TALLY, count};
use keyfold_harness::app::App;
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::lost_markers::judged_unless_the_broker_forgot;
use keyfold_harness::slots::Slot;

/// What a round runs with.
#[derive(Debug)]
struct Plan {
    seed: u64,
    protocol: &'static str,
    naming: Naming,
    exactly_once: bool,
    store: Store,
    /// Whether there is a declared source beside the built-in ones.
    declares: bool,
    time: Duration,
    rate: usize,
}

impl Plan {
    fn new(seed: u64, time: Duration) -> Plan {
        let mut dice = Dice::new(seed);
        Plan {
            seed,
            protocol: ["classic", "consumer"][dice.below(2)],
            naming: [Naming::Named, Naming::Random][dice.below(2)],
            exactly_once: !dice.one_in(5),
            time,
            rate: 200 + dice.below(300),
            store: [Store::Memory, Store::Disk][dice.below(2)],
            declares: dice.one_in(2),
        }
    }
}

/// A minute of it, or `time`; then all is healed and judged.
fn round(plan: &Plan) {
    println!("{plan:?}");
    let slot = Slot::take();
    let (mut broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let test = |broker: &mut Broker| harm(plan, broker, &proxy, slot);
    if !judged_unless_the_broker_forgot(&mut broker, test) {
        count(&TALLY.forgotten);
    }
    println!("{TALLY}\n");
}

fn harm(plan: &Plan, broker: &mut Broker, proxy: &Proxy, slot: Slot) {
    let mut app = App::on(&proxy.bootstrap(), broker.client(), slot);
    app.set_protocol(plan.protocol);
    app.set(&["kafka", "properties", "socket.timeout.ms"], 6_000);
    app.set_partitions([4, 4, 3, 2]);
    app.set(&["processing", "max_batch_records"], 50);
    if !plan.exactly_once {
        app.set(&["processing", "guarantee"], "at_least_once");
    }
    if plan.declares {
        app.declare("crm", "preset:loyalty-customers");
    }
    app.create();
    let load = Load::start(&app, plan.seed, plan.rate);
    let mut fleet = Fleet::new(&app, plan.naming, plan.store, 3);
    fleet.start();
    let mut dice = Dice::new(plan.seed + 1);
    let began = Instant::now();
    while began.elapsed() < plan.time {
        // without transactions nothing fences an instance that stalls, or that the network cuts off
        if plan.exactly_once && dice.one_in(2) {
            disturb(&mut dice, proxy, broker, &mut fleet);
        } else {
            come_and_go(&mut dice, &mut fleet);
        }
        pass(dice.millis(100, 2_500));
        fleet.assert_running();
    }
    proxy.heal();
    let mut keyfold = fleet.last();
    let repeats = match plan.exactly_once {
        true => Repeats::Forbidden,
        false => Repeats::Allowed,
    };
    settle_with(&app, load, &mut keyfold, repeats);
    fleet::stop(&mut keyfold);
}

fn come_and_go(dice: &mut Dice, fleet: &mut Fleet<'_>) {
    match dice.below(4) {
        0 if fleet.len() > 1 => fleet.stop_one(dice),
        1 if fleet.len() > 0 => fleet.kill(dice),
        _ if !fleet.is_full() => fleet.start(),
        _ => {}
    }
    if fleet.len() == 0 {
        fleet.start();
    }
}

fn disturb(dice: &mut Dice, proxy: &Proxy, broker: &mut Broker, fleet: &mut Fleet<'_>) {
    match dice.below(14) {
        0 | 1 => fleet.stall(dice),
        2 | 3 => fleet.wake(),
        4 | 5 => proxy.cut(),
        6 => proxy.half_open(),
        7 => proxy.delay(dice.millis(0, 200)),
        8 => proxy.delay(Duration::ZERO),
        9 => {
            proxy.refuse(true);
            pass(dice.millis(100, 4_000));
            proxy.refuse(false);
        }
        10 => lose(dice, proxy),
        11 => proxy.heal(),
        12 if dice.one_in(2) => {
            count(&TALLY.broker_kills);
            broker.kill();
            pass(dice.millis(0, 3_000));
            broker.restart();
        }
        12 => {
            count(&TALLY.broker_stops);
            broker.stop();
            broker.restart();
        }
        _ => {}
    }
}

/// From now on, and until the proxy is healed, messages of some kind are lost now and then.
fn lose(dice: &mut Dice, proxy: &Proxy) {
    let kinds = [
        END_TXN,
        END_TXN,
        TXN_OFFSET_COMMIT,
        ADD_OFFSETS_TO_TXN,
        PRODUCE,
        FETCH,
    ];
    let lost = kinds[dice.below(kinds.len())];
    let mut own = Dice::new(dice.seed());
    proxy.rule(move |kind, way| {
        if kind != lost || !own.one_in(5) {
            return Fate::Pass;
        }
        match (kind, way) {
            (END_TXN, Way::Answer) => count(&TALLY.lost_answers),
            (END_TXN, Way::Request) => count(&TALLY.lost_requests),
            _ => {}
        }
        Fate::Cut
    });
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number")),
    )
}

#[test]
fn a_minute_of_everything() {
    let seed = number("KEYFOLD_FAULTS_SEED").unwrap_or(400);
    round(&Plan {
        exactly_once: true,
        declares: true,
        ..Plan::new(seed, Duration::from_secs(60))
    });
}

/// Rounds of two minutes, each with topics and a plan of its own, until the time is over. One that fails is told,
/// and the others go on.
#[test]
#[ignore = "takes an hour"]
fn long_an_hour_of_everything() {
    let seconds = number("KEYFOLD_FAULTS_SECONDS").unwrap_or(3_600);
    let first = number("KEYFOLD_FAULTS_SEED").unwrap_or(1_000);
    let began = Instant::now();
    let mut seed = first;
    let mut failed = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        let left = Duration::from_secs(seconds).saturating_sub(began.elapsed());
        let plan = Plan::new(seed, left.min(Duration::from_secs(120)));
        if std::panic::catch_unwind(|| round(&plan)).is_err() {
            failed.push(seed);
        }
        seed += 1;
    }
    println!(
        "{} rounds, seeds {first} to {}, in {:?}",
        seed - first,
        seed - 1,
        began.elapsed()
    );
    println!("{TALLY}");
    assert!(failed.is_empty(), "rounds that failed: {failed:?}");
}
