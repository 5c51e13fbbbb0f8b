//! `keyfold dlq replay` and `discard`: what is sent, once, and with the time that it had.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, EXAMPLE_TIME};
use keyfold_harness::client::Isolation;
use keyfold_harness::program_path;
use keyfold_harness::record::{Consumed, Record};

use crate::dlq::{console, dlq, json_lines, reject};

fn publisher(app: &App, postal_code: &str, at: i64) -> Record {
    let value = format!(
        r#"{{"customers":[{{"sourceCustomerId":"p-1","organizationId":"5","postalCode":{postal_code},"country":"US",
        "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
        "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}}]}}"#
    );
    let record = app.record(Source::PublisherCustomers).partition(2);
    record.key("p-1").value(value).at(at)
}

fn read(app: &App, source: Source) -> Vec<Consumed> {
    app.client
        .read_all(&app.input(source), Isolation::ReadCommitted)
}

#[track_caller]
fn tally(app: &App, args: &[&str], code: i32) -> Value {
    let (out, _) = dlq(app, &[args, &["--output", "json"]].concat(), code);
    json_lines(&out).remove(0)
}

/// The case that overwrote data: an old record of the publisher that is sent back must lose against a newer one.
#[test]
fn an_old_record_that_is_replayed_loses_against_a_newer_one() {
    let app = App::new();
    app.create();
    let records = [
        publisher(&app, "78753", EXAMPLE_TIME).header("trace", b"\xff1".to_vec()),
        publisher(&app, "\"NEW\"", EXAMPLE_TIME + 1_000),
    ];
    reject(&app, &records, 1);
    let topic = app.input(Source::PublisherCustomers);
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    // not valid as it is
    let plan = tally(&app, &["replay"], 1);
    assert_eq!(plan["notValid"]["schema_violation"], 1);
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace("78753", r#"\"OLD\""#)).expect("edited");
    let from = ["replay", "--from", path];
    assert_eq!(tally(&app, &from, 0)["sent"][&topic], 1);
    assert_eq!(
        read(&app, Source::PublisherCustomers).len(),
        2,
        "only the plan"
    );

    let mut keyfold = app.run_ready();
    let execute = [&from[..], &["--execute", "--wait", "--output", "json"]].concat();
    let lines = json_lines(&dlq(&app, &execute, 0).0);
    assert_eq!(lines[0]["sent"][&topic], 1);
    assert_eq!(lines[1]["ended"], "merged");
    app.wait_drained(&mut keyfold);
    let snapshots = app.newest_snapshots();
    let snapshot = String::from_utf8_lossy(&snapshots[b"p-1".as_slice()]);
    assert!(
        snapshot.contains("NEW") && !snapshot.contains("OLD"),
        "{snapshot}"
    );

    let sent = read(&app, Source::PublisherCustomers);
    let sent = sent.last().expect("the replayed record");
    assert_eq!(sent.timestamp, Some(EXAMPLE_TIME));
    assert_eq!((sent.partition, sent.key_text()), (2, "p-1"));
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["trace", "__keyfold.errors.attempts", "__keyfold.replayed"]
    );
    assert_eq!(sent.headers[0].1.as_deref(), Some(b"\xff1".as_slice()));

    // never again
    let again = [&from[..], &["--execute"]].concat();
    assert_eq!(tally(&app, &again, 0)["settledBefore"], 1);
    assert_eq!(read(&app, Source::PublisherCustomers).len(), 3);
    assert!(dlq(&app, &["list"], 0).0.is_empty());
    assert_eq!(
        json_lines(&dlq(&app, &["list", "--all", "--output", "json"], 0).0).len(),
        1
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn letters_that_stay_say_why() {
    let mut app = App::new();
    app.set(&["sources", "console-customers", "tombstone"], "reject");
    app.create();
    let mut erasure = console(&app, b"c-1", b"");
    erasure.value = None;
    let bad = [
        erasure,
        console(&app, b"c-2", br#"{"customerId":"c-2","version":-1}"#),
        console(&app, b"c-3", br#"{"customerId":"c-3"}"#).header("__keyfold.errors.attempts", "6"),
    ];
    reject(&app, &bad, 3);
    app.set(&["sources", "console-customers", "tombstone"], "retract");
    let topic = app.input(Source::ConsoleCustomers);
    let plan = tally(&app, &["replay", "--code", "null_value"], 0);
    assert_eq!(plan["held"]["erasure"], 1);
    let plan = tally(
        &app,
        &[
            "replay",
            "--code",
            "null_value",
            "--allow-erasure",
            "--execute",
        ],
        0,
    );
    assert_eq!(plan["sent"][&topic], 1);
    let sent = read(&app, Source::ConsoleCustomers);
    assert_eq!(sent.last().map(|sent| sent.value.clone()), Some(None));

    // what is edited may still be held
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    let text = std::fs::read_to_string(&file).expect("a file");
    let text = text.replace(r#"\"c-3\"}"#, r#"\"c-3\",\"version\":1}"#);
    std::fs::write(&file, text).expect("edited");
    let plan = tally(&app, &["replay", "--from", path], 1);
    assert_eq!(
        (
            &plan["held"]["attempts"],
            &plan["notValid"]["schema_violation"]
        ),
        (&1.into(), &1.into())
    );
    let plan = tally(
        &app,
        &[
            "replay",
            "--from",
            path,
            "--max-attempts",
            "9",
            "--max",
            "0",
        ],
        1,
    );
    assert_eq!(plan["held"]["max"], 1);

    dlq(&app, &["discard", "--note", "known", "--execute"], 0);
    assert!(dlq(&app, &["list"], 0).0.is_empty());
    assert_eq!(tally(&app, &["replay", "--execute"], 0)["settledBefore"], 3);
}

#[test]
fn a_topic_that_replaces_timestamps_is_refused() {
    let app = App::new();
    app.create_inputs();
    let topic = app.input(Source::ConsoleCustomers);
    app.client.delete_topics(&[&topic]);
    keyfold_harness::wait::wait_until(keyfold_harness::app::LIMIT, "the topic to be gone", || {
        app.client.partitions(&topic).is_none().then_some(())
    });
    app.client
        .create_topic(&topic, 3, &[("message.timestamp.type", "LogAppendTime")]);
    let output = app.command(&["topics"], b"");
    assert!(output.status.code().is_some());
    reject(&app, &[console(&app, b"c-1", b"{}")], 1);
    // as it is it is not valid
    let done = tally(&app, &["replay", "--execute"], 1);
    assert_eq!(done["notValid"]["schema_violation"], 1);
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    let text = std::fs::read_to_string(&file).expect("a file");
    let mended = r#""{\"customerId\":\"c-1\",\"version\":1}""#;
    std::fs::write(&file, text.replace(r#""{}""#, mended)).expect("edited");
    let done = tally(&app, &["replay", "--from", path, "--execute"], 1);
    let reason = done["unsendable"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("LogAppendTime"), "{done}");
    assert_eq!(read(&app, Source::ConsoleCustomers).len(), 1);
}

/// Killed again and again, and two at a time: each letter arrives exactly once.
#[test]
fn killed_at_any_moment_nothing_is_sent_twice() {
    const LETTERS: usize = 3_000;
    let mut app = App::new();
    app.set(&["processing", "max_reject_share"], 1.0);
    app.set(&["validation", "rules", "country_code"], "reject");
    app.create();
    let bad: Vec<Record> = (0..LETTERS)
        .map(|number| {
            let value = format!(
                r#"{{"customerId":"c-{number}","version":1,"addresses":[{{"key":"k","country":"Atlantis"}}]}}"#
            );
            console(&app, format!("c-{number}").as_bytes(), value.as_bytes())
        })
        .collect();
    reject(&app, &bad, LETTERS);
    app.set(&["validation", "rules", "country_code"], "warn");
    let config = app.config_file();
    let start = || {
        let mut command = Command::new(program_path());
        command.args(["dlq", "replay", "--execute", "--rate", "400", "--config"]);
        command
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("a process")
    };
    for round in 0..8_u64 {
        let (mut one, mut other) = (start(), (round % 2 == 1).then(&start));
        std::thread::sleep(Duration::from_millis(700 + 173 * round));
        for child in std::iter::once(&mut one).chain(other.as_mut()) {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }
    tally(&app, &["replay", "--execute"], 0);
    let mut sent: Vec<String> = read(&app, Source::ConsoleCustomers)
        .iter()
        .filter_map(|record| record.header("__keyfold.replayed").map(str::to_owned))
        .collect();
    assert_eq!(sent.len(), LETTERS);
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), LETTERS);
    assert_eq!(
        tally(&app, &["replay", "--execute"], 0)["settledBefore"],
        LETTERS
    );
}
