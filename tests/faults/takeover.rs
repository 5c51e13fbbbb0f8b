//! `kill -9` of one of two instances without a name, with the settings that keyfold and a broker have by themselves:
//! what it owned is taken over, and its first record committed, within 15 s.

use std::time::{Duration, Instant};

use crate::app::{App, LIMIT};
use crate::broker::{Broker, BrokerOptions};
use crate::client::{Isolation, wait_until};
use crate::fleet;
use crate::load::{Load, settle};
use crate::process::{Keyfold, sum};
use crate::slots::Slot;

/// What the contract promises, and as much again for a machine that does much else.
const PROMISE: Duration = Duration::from_secs(15);
const MARGIN: Duration = Duration::from_secs(15);

fn broker() -> Broker {
    let default = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Broker::start(BrokerOptions {
        settings: vec![
            default(
                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                "10000",
            ),
            default("group.initial.rebalance.delay.ms", "3000"),
            default("group.min.session.timeout.ms", "6000"),
        ],
        ..BrokerOptions::default()
    })
}

fn app(broker: &Broker, slot: Slot) -> App {
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.unset(&["kafka", "properties", "session.timeout.ms"]);
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    app
}

/// How many state partitions an instance owns and has restored, as its customers tell.
fn customers(keyfold: &Keyfold) -> f64 {
    sum(&keyfold.metrics(), "keyfold_state_customers", &[])
}

fn share(first: &mut Keyfold, second: &mut Keyfold) {
    second.wait_ready(LIMIT);
    first.wait_ready(LIMIT);
    second.wait_for(LIMIT, "to share", |second| {
        (customers(second) > 0.0).then_some(())
    });
}

/// Whether a transaction is open on the state topic: readers of committed records come less far than the log goes.
fn is_open(app: &App) -> bool {
    let state = app.state();
    let all = app.client.read_all(&state, Isolation::ReadUncommitted);
    let decided = app.client.read_all(&state, Isolation::ReadCommitted);
    decided.len() < all.len()
}

#[test]
fn an_unnamed_instance_that_is_killed_within_a_transaction_is_taken_over_soon() {
    let slot = Slot::take();
    let broker = broker();
    let app = app(&broker, slot);
    let load = Load::start(&app, 391, 400);
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let mut second = fleet::start(&app);
    share(&mut first, &mut second);
    // Killed where a transaction of it is open: stopped, it ends none.
    let stopped = wait_until(LIMIT, "an open transaction", || {
        second.signal("STOP");
        let stopped = Instant::now();
        let state = app.state();
        let ends = app.client.watermarks(&state);
        let open = is_open(&app);
        // the other one's would be over meanwhile
        let still = open && is_open(&app);
        if !still {
            second.signal("CONT");
        }
        (still && !ends.is_empty()).then_some(stopped)
    });
    fleet::kill(&mut second);
    let inputs = app.inputs();
    let mut topics: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let forwarded = app.forwarded();
    topics.push(&forwarded);
    let ends: Vec<_> = inputs
        .iter()
        .flat_map(|topic| {
            let ends = app.client.watermarks(topic).into_iter().enumerate();
            ends.map(|(at, (_, end))| ((topic.clone(), at as i32), end))
        })
        .collect();
    first.wait_for(PROMISE + MARGIN, "to take over every partition", |_| {
        let committed = app.client.committed_offsets(&app.id, &topics);
        let reached = ends.iter().all(|(place, end)| {
            *end == 0 || committed.get(place).is_some_and(|offset| offset >= end)
        });
        reached.then_some(())
    });
    println!("taken over {:?} after it was stopped", stopped.elapsed());
    let log = first.log();
    settle(&app, load, &mut first);
    fleet::stop(&mut first);
    assert!(log.contains("is fenced"), "{log}");
}
