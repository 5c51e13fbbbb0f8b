//! `kill -9` of `keyfold dlq replay` at every step of its transactions, as the broker sees them, and at any time. Run again,
//! it sends each letter exactly once, and settles it exactly once.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::dice::{Dice, pass};
use crate::proxy::{ADD_PARTITIONS_TO_TXN, END_TXN, Fate, INIT_PRODUCER_ID, PRODUCE, Proxy, Way};
use crate::tally::{TALLY, count};
use keyfold::model::record::Source;
use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT, text_of};
use keyfold_harness::broker::BrokerOptions;
use keyfold_harness::client::Isolation;
use keyfold_harness::program_path;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

const LETTERS: usize = 900;

/// Each kind of message with the way on which it is lost: what is lost as a request was never done, what is lost as an
/// answer was done.
const STEPS: [(i16, Way); 8] = [
    (INIT_PRODUCER_ID, Way::Request),
    (INIT_PRODUCER_ID, Way::Answer),
    (ADD_PARTITIONS_TO_TXN, Way::Request),
    (ADD_PARTITIONS_TO_TXN, Way::Answer),
    (PRODUCE, Way::Request),
    (PRODUCE, Way::Answer),
    (END_TXN, Way::Request),
    // sent and settled, and the command does not know it
    (END_TXN, Way::Answer),
];

fn start(app: &App) -> Child {
    let mut command = Command::new(program_path());
    command
        .args(["dlq", "replay", "--execute", "--rate", "80", "--config"])
        .arg(app.config_file())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("a process")
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("ended");
    count(&TALLY.kills);
}

/// Kills a command at a step, after it has passed the step so many times.
fn kill_at(step: (i16, Way), skipped: usize, proxy: &Proxy, app: &App) {
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
    let child = start(app);
    let is_reached = reached.recv_timeout(LIMIT).is_ok();
    kill(child);
    proxy.heal();
    assert!(is_reached, "{step:?} was not reached");
}

/// Lets keyfold reject the records of which the letters are.
fn reject_all(app: &mut App) {
    app.set(&["processing", "max_reject_share"], 1.0);
    app.set(&["validation", "rules", "country_code"], "reject");
    app.create();
    let record = |number: usize| {
        let value = format!(
            r#"{{"customerId":"c-{number}","version":1,"addresses":[{{"key":"k","country":"Atlantis"}}]}}"#
        );
        let record = app.record(Source::ConsoleCustomers);
        let record = record.partition(number as i32 % 3);
        record
            .key(format!("c-{number}"))
            .value(value)
            .at(EXAMPLE_TIME)
    };
    let records: Vec<Record> = (0..LETTERS).map(record).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    keyfold.wait_for(LIMIT, "to reject all", |_| {
        (app.read_dead_letters().len() >= LETTERS).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.set(&["validation", "rules", "country_code"], "warn");
}

#[test]
fn a_replay_that_is_killed_sends_and_settles_each_letter_once() {
    let (broker, proxy) = Proxy::before_a_broker(BrokerOptions::default());
    let mut app = App::on(&proxy.bootstrap(), broker.client(), Slot::take());
    reject_all(&mut app);
    let mut dice = Dice::new(601);
    for step in STEPS {
        let skipped = match step.0 {
            INIT_PRODUCER_ID => 0,
            _ => dice.below(2),
        };
        kill_at(step, skipped, &proxy, &app);
    }
    for _ in 0..6 {
        let child = start(&app);
        pass(dice.millis(50, 1_500));
        kill(child);
    }
    let output = app.command(&["dlq", "replay", "--execute"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));

    let topic = app.input(Source::ConsoleCustomers);
    let sent = app.client.read_all(&topic, Isolation::ReadCommitted);
    let letters = sent
        .iter()
        .filter_map(|record| record.header("__keyfold.replayed"));
    let letters: Vec<&str> = letters.collect();
    assert_eq!(letters.len(), LETTERS);
    let different: BTreeSet<&str> = letters.iter().copied().collect();
    assert_eq!(different.len(), LETTERS);
    let settled = format!("{}.settled", app.id);
    let notes = app.client.read_all(&settled, Isolation::ReadCommitted);
    assert_eq!(notes.len(), LETTERS);
    let keys: BTreeSet<&str> = notes.iter().map(|note| note.key_text()).collect();
    assert_eq!(keys.len(), LETTERS);
}
