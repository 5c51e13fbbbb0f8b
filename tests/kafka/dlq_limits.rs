//! Letters that their topics do not take: told before anything is sent where the settings say it, and found out where only
//! the brokers know. The others are sent.

use std::process::{Command, Stdio};

use serde_json::Value;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::Isolation;
use keyfold_harness::program_path;
use keyfold_harness::record::{Consumed, Record};
use keyfold_harness::wait::wait_until;

use crate::dlq::{dlq, json_lines, reject};

const OLD: i64 = 1_600_000_000_000;

/// A record of the console with a name of so many bytes, which is valid once `country_code` only warns.
fn strange(app: &App, id: &str, name: usize) -> Record {
    let value = format!(
        r#"{{"customerId":"{id}","version":1,"firstName":"{}","addresses":[{{"key":"k","country":"Atlantis"}}]}}"#,
        "n".repeat(name)
    );
    let record = app.record(Source::ConsoleCustomers).partition(1);
    record.value(value).at(now())
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time").as_millis() as i64
}

fn replayed(app: &App) -> Vec<Consumed> {
    let mut all = app.client.read_all(
        &app.input(Source::ConsoleCustomers),
        Isolation::ReadCommitted,
    );
    all.retain(|record| record.header("__keyfold.replayed").is_some());
    all
}

fn app_that_rejects() -> App {
    let mut app = App::new();
    app.set(&["processing", "max_reject_share"], 1.0);
    app.set(&["validation", "rules", "country_code"], "reject");
    app.create();
    app
}

#[track_caller]
fn tally(app: &App, args: &[&str], code: i32) -> Value {
    let all = [&["replay", "--output", "json"], args].concat();
    json_lines(&dlq(app, &all, code).0).remove(0)
}

/// The reasons, each with how many letters it has.
fn reasons(tally: &Value) -> Vec<(String, u64)> {
    let all = tally["unsendable"].as_array().expect("a list").iter();
    let mut all: Vec<(String, u64)> = all
        .map(|one| {
            let letters = one["letters"].as_array().expect("names").len() as u64;
            assert_eq!(one["count"], letters);
            (one["reason"].as_str().expect("text").to_owned(), letters)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn what_the_settings_foretell_is_in_the_plan_and_holds_nobody_else() {
    let mut app = app_that_rejects();
    let records = [
        strange(&app, "c-1", 1).key("c-1"),
        strange(&app, "c-2", 20_000).key("c-2"),
        strange(&app, "c-3", 1).key("c-3").at(OLD),
        strange(&app, "c-4", 1),
        strange(&app, "c-5", 1).key("c-5"),
    ];
    reject(&app, &records, records.len());
    app.set(&["validation", "rules", "country_code"], "warn");
    let topic = app.input(Source::ConsoleCustomers);
    let settings = [
        ("max.message.bytes", "10000"),
        ("message.timestamp.before.max.ms", "86400000"),
        ("cleanup.policy", "compact"),
    ];
    app.client.set_topic(&topic, &settings);
    let expected = [
        ("it has no key, and cleanup.policy is compact", 1),
        (
            "its timestamp is older than message.timestamp.before.max.ms allows (86400000)",
            1,
        ),
        ("larger than max.message.bytes (10000)", 1),
    ];
    let expected = expected.map(|(reason, count)| (reason.to_owned(), count));
    let plan = tally(&app, &[], 1);
    assert_eq!(reasons(&plan), expected);
    assert_eq!(plan["sent"][&topic], 2);
    assert_eq!(reasons(&tally(&app, &["--execute"], 1)), expected);
    assert_eq!(replayed(&app).len(), 2);

    // the topic is made to take them
    let settings = [
        ("max.message.bytes", "100000"),
        ("message.timestamp.before.max.ms", "9223372036854775807"),
        ("cleanup.policy", "delete"),
        ("retention.ms", "604800000"),
    ];
    app.client.set_topic(&topic, &settings);
    let done = tally(&app, &[], 0);
    assert_eq!(done["shortLived"][&topic]["count"], 1, "{done}");
    assert_eq!(tally(&app, &["--execute"], 0)["settledBefore"], 2);
}

/// The settings change after the command has looked at them. Two letters go in a transaction: where one is refused, the
/// other is sent by itself.
#[test]
fn what_the_brokers_refuse_is_named_and_the_others_are_sent() {
    const LETTERS: usize = 12;
    let mut app = app_that_rejects();
    let is_old = |number: usize| number % 3 == 2;
    let records = (0..LETTERS).map(|number| {
        let id = format!("c-{number}");
        let record = strange(&app, &id, 1).key(id.as_str());
        match is_old(number) {
            true => record.at(OLD),
            false => record,
        }
    });
    let records: Vec<Record> = records.collect();
    reject(&app, &records, LETTERS);
    app.set(&["validation", "rules", "country_code"], "warn");
    let topic = app.input(Source::ConsoleCustomers);
    let mut command = Command::new(program_path());
    let args = ["dlq", "replay", "--execute", "--output", "json"];
    command
        .args(args)
        .args(["--rate", "4", "--config"])
        .arg(app.config_file())
        .stdout(Stdio::piped());
    let child = command.spawn().expect("a process");
    let signal = |name: &str| {
        let pid = child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.expect("kill").success());
    };
    // it has looked at the settings, and has not sent all
    wait_until(LIMIT, "the first letters", || {
        (!replayed(&app).is_empty()).then_some(())
    });
    signal("-STOP");
    let limit = [("message.timestamp.before.max.ms", "86400000")];
    app.client.set_topic(&topic, &limit);
    signal("-CONT");
    let output = child.wait_with_output().expect("an output");
    assert_eq!(output.status.code(), Some(1));
    let done: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let refused = reasons(&done);
    assert_eq!(refused.len(), 1, "{done}");
    assert!(refused[0].0.contains("InvalidTimestamp"), "{done}");
    let sent = replayed(&app);
    assert_eq!(sent.len() + refused[0].1 as usize, LETTERS, "{done}");
    assert_eq!(done["sent"][&topic], sent.len());
    let young = sent.iter().filter(|one| one.timestamp != Some(OLD)).count();
    assert_eq!(young, LETTERS - LETTERS / 3, "{done}");

    // told of it now, it sends nothing twice
    let again = tally(&app, &["--execute"], 1);
    assert_eq!(again["settledBefore"], sent.len());
    assert_eq!(replayed(&app).len(), sent.len());
}
