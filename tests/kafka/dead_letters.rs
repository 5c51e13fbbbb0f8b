//! Dead letters: what they carry, and what becomes of hostile input.

use std::time::{SystemTime, UNIX_EPOCH};

use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::expected::{Repeats, error_header};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::{Consumed, Record};

const HEADERS: [&str; 12] = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "source",
    "stage",
    "code",
    "message",
    "violations",
    "application",
    "version",
    "attempts",
];
const OMITTED: &str = "__keyfold.errors.value.omitted";
/// 1 June 2026, in milliseconds.
const RECORD_TIME: i64 = 1_780_272_000_000;

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_millis() as i64
}

/// The dead letters, once there are as many.
#[track_caller]
fn letters(app: &App, keyfold: &mut Keyfold, count: usize) -> Vec<Consumed> {
    keyfold.wait_for(LIMIT, "to write dead letters", |_| {
        let letters = app.read_dead_letters();
        (letters.len() >= count).then_some(letters)
    })
}

fn errors(letter: &Consumed) -> Vec<&str> {
    let names = letter.headers.iter().map(|(name, _)| name.as_str());
    names
        .filter_map(|name| name.strip_prefix("__keyfold.errors."))
        .collect()
}

#[test]
fn a_dead_letter_is_the_original_record_and_says_why() {
    let app = App::new();
    app.create();
    let started = now();
    let mut record = app
        .record(Source::LoyaltyActions)
        .partition(2)
        .key(b"\xffkey".to_vec())
        .value(r#"{"eventType":"CUSTOMER_ACTION","eventAction":"DELETED"}"#)
        .at(RECORD_TIME)
        .header("trace", "1")
        .header("trace", b"\xff2".to_vec())
        .header("__keyfold.errors.code", "an older one");
    record.headers.push(("nothing".to_owned(), None));
    app.client.produce(&[record.clone()]);
    let mut keyfold = app.run_ready();
    let found = letters(&app, &mut keyfold, 1);
    let [letter] = &found[..] else {
        panic!("one dead letter, not {found:?}");
    };
    assert_eq!(letter.key, record.key);
    assert_eq!(letter.value, record.value);
    let own: Vec<_> = letter
        .headers
        .iter()
        .filter(|(name, _)| !name.starts_with("__keyfold."))
        .cloned()
        .collect();
    assert_eq!(
        own,
        [
            ("trace".to_owned(), Some(b"1".to_vec())),
            ("trace".to_owned(), Some(b"\xff2".to_vec())),
            ("nothing".to_owned(), None),
        ]
    );
    assert_reason(&app, letter);
    let own_time = letter.timestamp.expect("a timestamp");
    assert!(
        (started..=now()).contains(&own_time),
        "time of the rejection"
    );
    assert_eq!(keyfold.terminate(), 0);
}

/// The headers say where the record was, and why it was rejected, without a value of the payload.
#[track_caller]
fn assert_reason(app: &App, letter: &Consumed) {
    let mut names = errors(letter);
    names.sort_unstable();
    let mut expected = HEADERS;
    expected.sort_unstable();
    assert_eq!(names, expected, "each once");
    for (name, expected) in [
        ("topic", app.input(Source::LoyaltyActions).as_str()),
        ("partition", "2"),
        ("offset", "0"),
        ("timestamp", &RECORD_TIME.to_string()),
        ("source", "loyalty-actions"),
        ("stage", "schema"),
        ("code", "schema_violation"),
        ("application", &app.id),
        ("version", env!("CARGO_PKG_VERSION")),
        ("attempts", "1"),
    ] {
        assert_eq!(error_header(letter, name), expected, "{name}");
    }
    let violations: serde_json::Value =
        serde_json::from_str(error_header(letter, "violations")).expect("JSON");
    let violations = violations.as_array().expect("an array");
    assert!(violations.iter().any(|violation| {
        violation["pointer"] == "/eventAction" && violation["keyword"] == "enum"
    }));
    assert!(violations.iter().all(|violation| {
        let fields = violation.as_object().expect("an object");
        fields.len() == 3 && fields.contains_key("message")
    }));
    for text in [
        error_header(letter, "message"),
        error_header(letter, "violations"),
    ] {
        assert!(!text.contains("DELETED"), "a payload's value: {text}");
    }
}

#[test]
fn attempts_count_up_when_a_dead_letter_comes_back() {
    let app = App::new();
    app.create();
    let topic = app.input(Source::ConsoleCustomers);
    app.client.produce(&[
        Record::to(&topic).partition(1).key("7").value("{}"),
        Record::to(&topic).partition(1).key("7").value("not JSON"),
    ]);
    let mut keyfold = app.run_ready();
    let first = letters(&app, &mut keyfold, 2).pop().expect("two");
    assert_eq!(error_header(&first, "attempts"), "1");
    for attempt in 2..=3 {
        let letter = app.read_dead_letters();
        let newest = letter.iter().max_by_key(|letter| {
            let attempts = error_header(letter, "attempts");
            (attempts.parse::<u32>().expect("a number"), letter.offset)
        });
        let newest = newest.expect("a dead letter").clone();
        app.client.produce(&[Record {
            topic: topic.clone(),
            partition: Some(1),
            key: newest.key,
            value: newest.value,
            timestamp: newest.timestamp,
            headers: newest.headers,
        }]);
        let found = letters(&app, &mut keyfold, attempt + 1);
        let again: Vec<_> = found
            .iter()
            .filter(|letter| error_header(letter, "attempts") == attempt.to_string())
            .collect();
        let [again] = again[..] else {
            panic!("one letter of attempt {attempt} among {found:?}");
        };
        assert_eq!(error_header(again, "offset"), (attempt as i64).to_string());
        assert_eq!(
            errors(again).len(),
            HEADERS.len(),
            "older headers are replaced"
        );
        assert_eq!(again.value.as_deref(), Some(b"not JSON".as_slice()));
    }
    assert_eq!(keyfold.terminate(), 0);
}

/// A record of the loyalty customers.
fn customers(app: &App, value: Vec<u8>) -> Record {
    app.record(Source::LoyaltyCustomers).key("1").value(value)
}

/// A valid event of the loyalty customers, with more in its body.
fn event(body: &str) -> Vec<u8> {
    format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"CREATED","version":1.0,"body":{{"customerId":"1",{body}
        "addresses":[],"createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:00:00Z"}}}}"#
    )
    .into_bytes()
}

/// Bad input, and the code that it gets.
fn hostile_records(app: &App) -> Vec<(&'static str, Record)> {
    let nested = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let deep_inside = format!(r#""x":{},"#, "[".repeat(10_000) + &"]".repeat(10_000));
    let digits = format!(r#""x":{},"#, "9".repeat(1_000_000));
    vec![
        ("invalid_json", customers(app, b"{\"eventType\":".to_vec())),
        (
            "invalid_utf8",
            customers(
                app,
                event("\"x\":\"\u{1}\",")
                    .iter()
                    .map(|b| if *b == 1 { 0xff } else { *b })
                    .collect(),
            ),
        ),
        ("invalid_json", customers(app, nested)),
        ("invalid_json", customers(app, event(&deep_inside))),
        ("too_large", customers(app, vec![b' '; 2 << 20])),
        ("invalid_json", customers(app, event(&digits))),
        (
            "duplicate_field",
            customers(app, event(r#""status":"ACTIVE","status":"ACTIVE","#)),
        ),
        ("invalid_json", customers(app, Vec::new())),
        ("null_value", app.record(Source::LoyaltyActions).key("1")),
        (
            "null_value",
            app.record(Source::PublisherCustomers).key("1"),
        ),
        ("blank_id", app.record(Source::LoyaltyCustomers)),
        ("blank_id", app.record(Source::LoyaltyCustomers).key(" ")),
        (
            "blank_id",
            app.record(Source::LoyaltyCustomers)
                .key(b"\xff\xfe".to_vec()),
        ),
        ("blank_id", app.record(Source::ConsoleCustomers)),
    ]
}

/// What bad input gets: a dead letter with its code. The stream goes on.
#[test]
fn hostile_input_gets_a_dead_letter_and_the_stream_goes_on() {
    let app = App::new();
    app.create();
    let bad = hostile_records(&app);
    let mut records: Vec<Record> = Vec::new();
    for (index, (_, record)) in bad.iter().enumerate() {
        records.push(record.clone().header("case", index.to_string()));
    }
    records.push(customers(&app, event(r#""status":"ACTIVE","#)));
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let letters = app.read_dead_letters();
    for (index, (code, record)) in bad.iter().enumerate() {
        let own: Vec<_> = letters
            .iter()
            .filter(|letter| letter.header("case") == Some(&index.to_string()))
            .collect();
        let [letter] = own[..] else {
            panic!("case {index}: {} dead letters", own.len());
        };
        assert_eq!(error_header(letter, "code"), *code, "case {index}");
        assert_eq!(letter.key, record.key, "case {index}");
        if *code == "too_large" {
            // twice what the dead-letter topic takes
            assert_eq!(
                (&letter.value, letter.header(OMITTED).is_some()),
                (&None, true)
            );
        } else {
            assert_eq!(
                (&letter.value, letter.header(OMITTED)),
                (&record.value, None)
            );
        }
    }
    assert_eq!(letters.len(), bad.len());
    assert_eq!(
        app.newest_snapshots().len(),
        1,
        "the good record behind them"
    );
    app.assert_ledger(&[&keyfold.metrics()]);
    let peak = keyfold.peak_memory();
    assert!(peak < 512 << 20, "{peak} bytes of memory");
    let log = keyfold.log();
    assert!(!log.contains("99999999"), "a payload in the log");
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn a_letter_too_large_for_its_topic_goes_without_its_value() {
    let mut app = App::new();
    app.set(&["validation", "max_record_bytes"], 2_000);
    app.create_inputs();
    let settings = [("max.message.bytes", "4000")];
    app.client.create_topic(&app.dead_letters(), 1, &settings);
    app.command(&["topics"], b"");
    let record = |bytes: usize| {
        let record = app
            .record(Source::LoyaltyCustomers)
            .key("1")
            .at(RECORD_TIME);
        record
            .value("x".repeat(bytes))
            .header("bytes", bytes.to_string())
    };
    app.client
        .produce(&[record(100), record(3_900), record(1_500)]);
    let mut keyfold = app.run_ready();
    let found = letters(&app, &mut keyfold, 3);
    for (bytes, kept) in [(100, true), (1_500, true), (3_900, false)] {
        let own = |letter: &&Consumed| letter.header("bytes") == Some(&bytes.to_string());
        let letter = found.iter().find(own).expect("a dead letter");
        assert_eq!(letter.value.is_some(), kept, "{bytes}");
        assert_eq!(letter.header(OMITTED).is_some(), !kept, "{bytes}");
        assert_eq!(letter.key_text(), "1");
    }
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn a_letter_that_does_not_fit_at_all_stops_keyfold_and_nothing_is_lost() {
    let mut app = App::new();
    app.set(&["validation", "max_record_bytes"], 2_000);
    app.create_inputs();
    let settings = [("max.message.bytes", "400")];
    app.client.create_topic(&app.dead_letters(), 1, &settings);
    app.command(&["topics"], b"");
    let record = app.record(Source::LoyaltyCustomers).key("k".repeat(400));
    app.client.produce(&[record.value("not JSON")]);
    let said = app.run_refused();
    assert!(said.contains("max.message.bytes"), "{said}");
    assert!(!said.contains("kkkk"), "a key in the log: {said}");
    assert_eq!(app.read_dead_letters(), []);
    assert!(!app.is_drained(), "the record stays unread");
}

#[test]
fn a_batch_with_one_bad_customer_of_500_is_a_dead_letter_and_the_others_go_on() {
    let mut app = App::new();
    app.set(&["processing", "workers"], 2);
    app.create();
    let customer = |n: usize| {
        let postal_code = if n == 321 { "123" } else { "\"78753\"" };
        format!(
            r#"{{"sourceCustomerId":"customer-{n}","organizationId":"50004","postalCode":{postal_code},"country":"US",
            "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
            "enrollmentOptInStatus":"ACTIVE","alertOptInStatus":["ALL"],"targetingIndicator":"TARGET","accounts":[]}}"#
        )
    };
    let all: Vec<String> = (0..500).map(customer).collect();
    let batch = format!(r#"{{"customers":[{}]}}"#, all.join(","));
    let record = app
        .record(Source::PublisherCustomers)
        .key("batch-1")
        .at(RECORD_TIME);
    app.client.produce(&[record.clone().value(batch.clone())]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let letters = app.read_dead_letters();
    let [letter] = &letters[..] else {
        panic!("one dead letter, not {}", letters.len());
    };
    assert_eq!(letter.key, record.key);
    assert_eq!(letter.value.as_deref(), Some(batch.as_bytes()));
    assert_eq!(error_header(letter, "code"), "schema_violation");
    let violations = error_header(letter, "violations");
    assert!(
        violations.contains(r#""/customers/321/postalCode""#),
        "{violations}"
    );
    assert_eq!(app.newest_snapshots().len(), 499);
    app.assert_folded(Repeats::Forbidden);
    app.assert_ledger(&[&keyfold.metrics()]);
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn a_batch_whose_customers_do_not_fit_into_the_forwarded_topic_is_one_dead_letter() {
    let app = App::new();
    app.create_inputs();
    let settings = [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("max.message.bytes", "2000"),
    ];
    app.client.create_topic(&app.forwarded(), 3, &settings);
    app.command(&["topics"], b"");
    let customer = |n: usize| {
        format!(
            r#"{{"sourceCustomerId":"c{n}","organizationId":"5","postalCode":"7","country":"US",
            "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
            "enrollmentOptInStatus":"ACTIVE","alertOptInStatus":["ALL"],"targetingIndicator":"TARGET","accounts":[]}}"#
        )
    };
    let batch = format!(r#"{{"customers":[{},{}]}}"#, customer(1), customer(2));
    let record = app
        .record(Source::PublisherCustomers)
        .key("batch-1")
        .at(RECORD_TIME)
        .header("large", vec![b'x'; 3_000])
        .value(batch);
    app.client.produce(&[record]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let letters = app.read_dead_letters();
    let [letter] = &letters[..] else {
        panic!("one dead letter, not {}", letters.len());
    };
    assert_eq!(error_header(letter, "code"), "too_large");
    assert!(app.newest_snapshots().is_empty());
    let metrics = keyfold.metrics();
    let total =
        |name, labels: &[(&str, &str)]| keyfold_harness::metrics::sum(&metrics, name, labels);
    let rejected = [("outcome", "rejected")];
    assert_eq!(total("keyfold_records_total", &rejected), 1.0);
    assert_eq!(total("keyfold_records_total", &[("outcome", "split")]), 0.0);
    assert_eq!(
        total("keyfold_rejections_total", &[("code", "too_large")]),
        1.0
    );
    assert_eq!(keyfold.terminate(), 0);
}
