//! `keyfold audit`: dead letters, and records that would be judged otherwise today.

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::record::{Consumed, Record};
use keyfold_harness::wait::wait_until;

use crate::audit::{Audit, address, audit, event, processed};

/// A record as it was, for the same topic or another.
fn again(record: &Consumed, topic: &str) -> Record {
    let mut again = Record::to(topic);
    again.partition = Some(record.partition);
    again.key.clone_from(&record.key);
    again.value.clone_from(&record.value);
    again.timestamp = record.timestamp;
    again.headers.clone_from(&record.headers);
    again
}

/// The dead-letter topic is made anew, with all letters but one.
#[test]
fn a_dead_letter_that_is_missing_is_named() {
    let app = processed(App::new(), 3);
    let letters = app.read_dead_letters();
    let topic = app.dead_letters();
    let place = |letter: &Consumed| {
        let header = |name: &str| {
            let header = letter.header(&format!("__keyfold.errors.{name}"));
            header.expect("a header").to_owned()
        };
        (header("topic"), header("partition"), header("offset"))
    };
    let lost = place(&letters[letters.len() / 2]);
    app.client.delete_topics(&[&topic]);
    wait_until(LIMIT, "the topic to be gone", || {
        app.client.partitions(&topic).is_none().then_some(())
    });
    app.create_outputs();
    let left = letters.iter().filter(|letter| place(letter) != lost);
    let left: Vec<Record> = left.map(|letter| again(letter, &topic)).collect();
    app.client.produce(&left);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    assert_eq!(found.of("customer").len(), 0, "{:?}", found.lines);
    let records = found.of("record");
    assert_eq!(records.len(), 1, "{records:?}");
    let found = (
        records[0]["topic"].as_str().expect("text").to_owned(),
        records[0]["partition"].to_string(),
        records[0]["offset"].to_string(),
    );
    assert_eq!(found, lost);
    assert_eq!(records[0]["place"], "deadLetter");
}

/// The first half of each partition of the dead-letter topic is gone; the topic keeps letters for this long.
fn without_half_of_the_letters(seed: u64, retention: &str) -> Audit {
    let app = App::new();
    let settings = [
        ("retention.ms", retention),
        ("max.message.bytes", "8388608"),
    ];
    app.client.create_topic(&app.dead_letters(), 3, &settings);
    let app = processed(app, seed);
    let ends = app.client.watermarks(&app.dead_letters());
    for (partition, (_, end)) in (0..).zip(ends) {
        delete_before(&app, &app.dead_letters(), partition, end / 2);
    }
    audit(&app, &[])
}

#[test]
fn dead_letters_that_retention_may_have_taken_are_not_provable() {
    // the records are months old
    let found = without_half_of_the_letters(4, "86400000");
    found.assert_clean();
    assert!(
        found.records("lettersNotProvable") > 10,
        "{}",
        found.summary()
    );
    assert!(found.records("rejected") > 10, "{}", found.summary());
}

#[test]
fn dead_letters_that_retention_cannot_have_taken_are_missing() {
    let found = without_half_of_the_letters(5, "-1");
    assert_eq!(found.code, Some(1));
    assert!(found.records("missingLetters") > 10, "{}", found.summary());
    assert_eq!(
        found.of("record").len() as u64,
        found.records("missingLetters")
    );
}

/// A rule is changed: the records were judged otherwise.
#[test]
fn what_would_be_judged_otherwise_today_is_told_as_that() {
    let mut app = App::new();
    app.create();
    let (good, bad) = (address("GB"), address("XX"));
    app.client.produce(&[
        event(&app, "rejected-then", &good, 1),
        event(&app, "rejected-then", &bad, 2),
        event(&app, "sent-again", &bad, 1),
        event(&app, "sent-again", &good, 2),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    audit(&app, &[]).assert_clean();
    app.set(&["validation", "rules", "country_code"], "warn");
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    let differences = found.differences("rejected-then");
    assert_eq!(differences.len(), 1, "{:?}", found.lines);
    assert_eq!(differences[0].3, "validToday");
    assert!(
        differences[0].2.contains("/addresses/0/country"),
        "{differences:?}"
    );
    // what came later has taken its place
    assert!(found.differences("sent-again").is_empty());
    assert_eq!(found.records("validToday"), 2);
    assert_eq!(found.customers("different"), 1);
}

/// The other way round: a rule rejects what was let through.
#[test]
fn a_record_that_would_be_rejected_today_is_told_as_that() {
    let mut app = App::new();
    app.set(&["validation", "rules", "country_code"], "warn");
    app.create();
    app.client.produce(&[
        event(&app, "let-through", &address("GB"), 1),
        event(&app, "let-through", &address("XX"), 2),
        event(&app, "other", &address("GB"), 1),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    audit(&app, &[]).assert_clean();
    app.unset(&["validation", "rules", "country_code"]);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    assert!(found.of("record").is_empty(), "{:?}", found.lines);
    let differences = found.differences("let-through");
    assert_eq!(differences.len(), 1, "{:?}", found.lines);
    assert_eq!(
        (differences[0].1.as_str(), differences[0].3.as_str()),
        ("state", "rejectedToday")
    );
    assert_eq!(found.records("rejectedToday"), 1);
    assert_eq!(found.records("missingLetters"), 0);
}

/// The state that was too large for one more record: which one, depends on the order.
#[test]
fn a_state_that_became_too_large_is_no_difference() {
    let mut app = App::new();
    app.set(&["validation", "max_state_bytes"], 1_500);
    app.create();
    let long = "x".repeat(400);
    let records = (0..8).map(|n| {
        let address = format!(
            r#""addresses":[{{"addressId":"a-{n}","line1":"{long}","city":"Leeds","zipCode":"LS1","countryCode":"GB"}}],"#
        );
        event(&app, "large", &address, n)
    });
    app.client.produce(&records.collect::<Vec<_>>());
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    assert!(!app.read_dead_letters().is_empty());
    let found = audit(&app, &[]);
    found.assert_clean();
    assert!(found.records("rejectedForSize") > 0, "{}", found.summary());
}
