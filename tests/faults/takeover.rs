//! `kill -9` of one of two instances without a name, with the settings that keyfold and a broker have by themselves:
//! what it owned is taken over, and its first record committed, within 15 s.

use std::time::{Duration, Instant};

use crate::fleet;
use crate::kills::{Step, kill_at};
use crate::load::{Load, settle};
use crate::proxy::{PRODUCE, Proxy, TXN_OFFSET_COMMIT, Way};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::broker::BrokerOptions;
use keyfold_harness::metrics::sum;
use keyfold_harness::slots::Slot;

/// What is promised (docs/contract.md, section 6), and as much again for a machine that does much else.
const LIMIT_OF_TAKEOVER: Duration = Duration::from_secs(15 + 15);

/// What the harness has shortened, as brokers have it by default.
fn options() -> BrokerOptions {
    let defaults = [
        (
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            "10000",
        ),
        ("group.initial.rebalance.delay.ms", "3000"),
        ("group.min.session.timeout.ms", "6000"),
    ];
    BrokerOptions {
        settings: defaults
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..BrokerOptions::default()
    }
}

/// Of two instances the one that has just joined is killed at a step of a batch, with its transaction open.
fn is_taken_over_from(step: Step, seed: u64) {
    let (broker, proxy) = Proxy::before_a_broker(options());
    let mut app = App::on(&proxy.bootstrap(), broker.client(), Slot::take());
    app.unset(&["kafka", "properties", "session.timeout.ms"]);
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let load = Load::start(&app, seed, 400);
    // the survivor's way is the direct one
    app.set(&["kafka", "bootstrap_servers"], broker.bootstrap());
    let mut survivor = fleet::start(&app);
    survivor.wait_ready(LIMIT);
    app.set(&["kafka", "bootstrap_servers"], proxy.bootstrap());
    let mut victim = fleet::start(&app);
    victim.wait_ready(LIMIT);
    victim.wait_for(LIMIT, "to share", |victim| {
        let committed = [("result", "committed")];
        let commits = sum(&victim.metrics(), "keyfold_transactions_total", &committed);
        (commits > 0.0).then_some(())
    });
    kill_at(step, 3, &proxy, &mut victim);
    let killed = Instant::now();

    let inputs = app.inputs();
    let topics: Vec<&str> = inputs.iter().map(String::as_str).collect();
    // those of the dead one cannot be told from the survivor's, which come on anyway
    let before = app.client.committed_offsets(&app.id, &topics);
    let mut waiting = Vec::new();
    for topic in &inputs {
        for (partition, (_, end)) in app.client.watermarks(topic).into_iter().enumerate() {
            let place = (topic.clone(), partition as i32);
            let committed = before.get(&place).copied().unwrap_or(0);
            if committed < end {
                waiting.push((place, committed));
            }
        }
    }
    survivor.wait_for(LIMIT_OF_TAKEOVER, "to take over every partition", |_| {
        let committed = app.client.committed_offsets(&app.id, &topics);
        let mut all = waiting.iter();
        let reached =
            all.all(|(place, before)| committed.get(place).is_some_and(|now| now > before));
        reached.then_some(())
    });
    println!("{step:?}: taken over {:?} after the kill", killed.elapsed());
    assert!(survivor.log().contains("is fenced"), "{}", survivor.log());
    settle(&app, load, &mut survivor);
    fleet::stop(&mut survivor);
}

/// Its offsets are sent: stable ones cannot be read.
#[test]
fn an_unnamed_instance_killed_behind_its_offsets_is_taken_over_within_its_session() {
    is_taken_over_from((TXN_OFFSET_COMMIT, Way::Answer), 391);
}

/// Its states are written, and its offsets are not sent: the restore comes no further.
#[test]
fn an_unnamed_instance_killed_behind_its_states_is_taken_over_within_its_session() {
    is_taken_over_from((PRODUCE, Way::Answer), 392);
}
