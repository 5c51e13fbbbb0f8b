//! Which letters `keyfold dlq replay` is about: names that are not letters, settlements that cannot be read, topics that are
//! gone; and how what was sent ended.

use serde_json::Value;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::Isolation;
use keyfold_harness::record::{Consumed, Record};
use keyfold_harness::wait::wait_until;

use crate::dlq::{console, dlq, json_lines, reject};

/// A letter that is valid once `country_code` only warns.
fn strange(app: &App, id: &str) -> Record {
    let value = format!(
        r#"{{"customerId":"{id}","version":1,"addresses":[{{"key":"k","country":"Atlantis"}}]}}"#
    );
    console(app, id.as_bytes(), value.as_bytes())
}

fn app_that_rejects() -> App {
    let mut app = App::new();
    app.set(&["processing", "max_reject_share"], 1.0);
    app.set(&["validation", "rules", "country_code"], "reject");
    app
}

fn replayed(app: &App) -> Vec<Consumed> {
    let mut all = app.client.read_all(
        &app.input(Source::ConsoleCustomers),
        Isolation::ReadCommitted,
    );
    all.retain(|record| record.header("__keyfold.replayed").is_some());
    all
}

#[track_caller]
fn tally(app: &App, args: &[&str], code: i32) -> Value {
    let all = [&["replay", "--output", "json"], args].concat();
    json_lines(&dlq(app, &all, code).0).remove(0)
}

fn name(letter: &Consumed) -> String {
    format!("{}@{}", letter.partition, letter.offset)
}

fn settled_topic(app: &App) -> String {
    format!("{}.settled", app.id)
}

#[test]
fn a_name_that_is_no_letter_of_this_application_sends_nothing() {
    let mut app = app_that_rejects();
    app.create();
    let letters = reject(&app, &[strange(&app, "c-1")], 1);
    app.set(&["validation", "rules", "country_code"], "warn");
    let topic = app.dead_letters();
    let mut foreign = Record::to(&topic).partition(0).key("f").value("{}");
    for (header, value) in &letters[0].headers {
        let value = match header.as_str() {
            "__keyfold.errors.application" => b"others".to_vec(),
            _ => value.clone().unwrap_or_default(),
        };
        foreign = foreign.header(header, value);
    }
    app.client.produce(&[foreign]);
    let plain = Record::to(&topic)
        .partition(0)
        .key("f")
        .value("not a letter");
    app.client.produce(&[plain]);
    let end = app.client.watermarks(&topic)[0].1;
    let names = [
        name(&letters[0]),
        format!("0@{}", end - 2),
        format!("0@{}", end - 1),
        format!("0@{}", end + 7),
        "77@0".to_owned(),
    ];
    let mut said = String::new();
    // what is outside of the topic is told before it is read
    for names in [&names[..], &names[..3]] {
        let args: Vec<&str> = names.iter().map(String::as_str).collect();
        let args = [&["replay", "--execute"], &args[..]].concat();
        said.push_str(&dlq(&app, &args, 2).1);
    }
    for expected in [
        format!("{}: it is a letter of the application others", names[1]),
        format!("{}: the record there is no dead letter", names[2]),
        format!("{}: it is behind the end", names[3]),
        format!("{}: the topic has", names[4]),
    ] {
        assert!(said.contains(&expected), "{expected} in: {said}");
    }
    assert!(replayed(&app).is_empty());
    assert_eq!(tally(&app, &[&names[0], "--execute"], 0)["executed"], true);
    assert_eq!(replayed(&app).len(), 1);
}

/// A later version may note what this one cannot read: the letter is settled all the same.
#[test]
fn a_settlement_that_cannot_be_read_holds_its_letter_back() {
    let mut app = app_that_rejects();
    app.create();
    let letters = reject(&app, &[strange(&app, "c-1"), strange(&app, "c-2")], 2);
    app.set(&["validation", "rules", "country_code"], "warn");
    let settled = settled_topic(&app);
    let compacted = [("cleanup.policy", "compact")];
    app.client.create_topic(&settled, 1, &compacted);
    let key = format!("{}/{}", app.dead_letters(), name(&letters[0]));
    let note = Record::to(&settled)
        .key(key)
        .value(r#"{"resolved":"by hand"}"#);
    app.client.produce(&[note]);
    let done = tally(&app, &["--execute"], 1);
    assert_eq!(done["held"]["settledUnreadably"], 1, "{done}");
    let sent = replayed(&app);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].header("__keyfold.replayed"),
        Some(name(&letters[1]).as_str())
    );
    assert_eq!(tally(&app, &["--execute"], 1)["settledBefore"], 1);
}

#[test]
fn a_topic_that_would_forget_settlements_is_refused() {
    let mut app = app_that_rejects();
    app.create();
    reject(&app, &[strange(&app, "c-1")], 1);
    app.set(&["validation", "rules", "country_code"], "warn");
    let settled = settled_topic(&app);
    let deleting = [("cleanup.policy", "compact,delete")];
    app.client.create_topic(&settled, 1, &deleting);
    let (_, said) = dlq(&app, &["replay"], 1);
    assert!(said.contains("nothing would be sent either"), "{said}");
    let discard = ["discard", "--note", "x", "--execute"];
    for args in [&["replay", "--execute"][..], &discard] {
        let (_, said) = dlq(&app, args, 2);
        let remedy = format!("--entity-name {settled} --add-config cleanup.policy=compact");
        assert!(said.contains(&remedy), "{said}");
    }
    assert!(replayed(&app).is_empty());
    app.client
        .set_topic(&settled, &[("cleanup.policy", "compact")]);
    tally(&app, &["--execute"], 0);
    assert_eq!(replayed(&app).len(), 1);
}

/// Letters of a topic that is gone, settled ones too, do not keep the others from being sent.
#[test]
fn a_topic_that_is_gone_holds_only_its_own_letters() {
    let mut app = app_that_rejects();
    app.create();
    let loyalty = app.record(Source::LoyaltyCustomers).partition(0);
    let gone = loyalty.key("l-1").value("{}").at(1_800_000_000_000);
    let letters = reject(&app, &[strange(&app, "c-1"), gone], 2);
    app.set(&["validation", "rules", "country_code"], "warn");
    let topic = app.input(Source::LoyaltyCustomers);
    app.client.delete_topics(&[&topic]);
    wait_until(LIMIT, "the topic to be gone", || {
        app.client.partitions(&topic).is_none().then_some(())
    });
    // mended from a file, it would be valid
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    let text = std::fs::read_to_string(&file).expect("a file");
    let example =
        keyfold_harness::avro_records::example("valid/loyalty-customers/source-example.json");
    let example = String::from_utf8(example).expect("text");
    let quoted = serde_json::to_string(&example).expect("JSON");
    std::fs::write(&file, text.replace(r#""{}""#, &quoted)).expect("edited");
    let done = tally(&app, &["--from", path, "--execute"], 1);
    let unsendable = &done["unsendable"][0];
    assert_eq!(unsendable["topic"], topic.as_str(), "{done}");
    assert_eq!(unsendable["count"], 1);
    assert_eq!(replayed(&app).len(), 1);
    let of_loyalty = letters
        .iter()
        .find(|one| one.value.as_deref() == Some(b"{}"));
    let of_loyalty = name(of_loyalty.expect("a letter"));
    assert_eq!(unsendable["letters"][0], of_loyalty.as_str());
    // settled, it is in nobody's way
    dlq(
        &app,
        &["discard", &of_loyalty, "--note", "x", "--execute"],
        0,
    );
    assert_eq!(tally(&app, &["--execute"], 0)["settledBefore"], 2);
}

/// Replays and waits; the lines of how each record ended.
#[track_caller]
fn ended(app: &App, code: i32) -> Vec<Value> {
    let args = [
        "replay",
        "--allow-erasure",
        "--execute",
        "--wait",
        "--output",
        "json",
    ];
    json_lines(&dlq(app, &args, code).0).split_off(1)
}

#[test]
fn each_record_that_was_sent_is_told_how_it_ended() {
    let mut app = app_that_rejects();
    app.set(&["sources", "console-customers", "tombstone"], "reject");
    app.create();
    let mut null = console(&app, b"c-3", b"");
    null.value = None;
    let letters = reject(&app, &[strange(&app, "c-1"), null], 2);
    app.set(&["sources", "console-customers", "tombstone"], "retract");
    app.set(&["validation", "rules", "country_code"], "warn");
    let mut keyfold = app.run_ready();
    let lines = ended(&app, 0);
    for (key, expected) in [("c-1", "merged"), ("c-3", "retracted")] {
        let letter = letters.iter().find(|one| one.key_text() == key);
        let letter = name(letter.expect("a letter"));
        let line = lines.iter().find(|line| line["letter"] == letter.as_str());
        assert_eq!(line.expect("a line")["ended"], expected, "{lines:?}");
    }
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    // what runs is stricter than what the command is told
    app.set(&["validation", "rules", "country_code"], "reject");
    let before = app.read_dead_letters().len();
    reject(&app, &[strange(&app, "c-5")], before + 1);
    let mut keyfold = app.run_ready();
    app.set(&["validation", "rules", "country_code"], "warn");
    let lines = ended(&app, 1);
    let again = &lines[0];
    assert_eq!((lines.len(), &again["ended"]), (1, &"rejected".into()));
    assert_eq!(again["again"][0]["code"], "country_code");
    let mut all = app.read_dead_letters().into_iter();
    let new = all.find(|one| one.header("__keyfold.replayed") == again["letter"].as_str());
    let new = name(&new.expect("the new letter"));
    assert_eq!(again["again"][0]["letter"], new.as_str());
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
