//! Records that are not on their customer's partition.

use keyfold::model::partition;
use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::Isolation;
use keyfold_harness::expected::{Repeats, error_header};
use keyfold_harness::metrics::sum;
use keyfold_harness::record::{Consumed, Record};

/// Four events of each of 50 customers, under the right key, another's, none, and on any partition.
#[test]
fn wrong_and_missing_keys_reach_their_customer() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let mut records = Vec::new();
    for n in 0..200 {
        let (customer, minute) = (n / 4, n % 60);
        let value = format!(
            r#"{{"eventType":"CUSTOMER_ACTION","eventAction":"CREATED","version":1.0,"body":{{"interactionId":"i-{n}",
            "customerId":"c-{customer}","interaction":{{"type":"SIGN_UP"}},
            "createdAt":"2024-03-01T08:{minute:02}:00Z","updatedAt":"2024-03-01T08:{minute:02}:00Z"}}}}"#
        );
        let record: Record = app.record(Source::LoyaltyActions).value(value);
        records.push(match n % 4 {
            0 => record.key(format!("c-{customer}")),
            1 => record.key(format!("c-{}", (customer + 7) % 50)),
            2 => record.partition(customer % 4),
            _ => record.key(vec![0xff, n as u8]),
        });
    }
    let mut keyfold = app.run_ready();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);

    let snapshots = app.newest_snapshots();
    assert_eq!(snapshots.len(), 50);
    for (key, snapshot) in &snapshots {
        let snapshot: serde_json::Value = serde_json::from_slice(snapshot).expect("JSON");
        assert_eq!(
            snapshot["actions"]["total"],
            4,
            "{}",
            String::from_utf8_lossy(key)
        );
    }
    app.assert_folded(Repeats::Forbidden);
    let metrics = keyfold.metrics();
    app.assert_ledger(&[&metrics]);
    let arrived = sum(
        &metrics,
        "keyfold_records_total",
        &[("source", "forwarded")],
    );
    assert!(arrived > 0.0);
    // each customer has one writer: the owner of its state partition
    for record in app.client.read_all(&app.state(), Isolation::ReadCommitted) {
        let key = record.key.as_deref().expect("a customer id");
        assert_eq!(record.partition, partition::of_key(key, 4));
    }
    assert_eq!(keyfold.terminate(), 0);
}

/// What keyfold has not forwarded itself says nothing that it could rely on.
#[test]
fn a_foreign_record_on_the_forwarded_topic_stops_keyfold() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    let foreign = Record::to(&app.forwarded())
        .partition(0)
        .key("c")
        .value("x");
    app.client.produce(&[foreign]);
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains(&app.forwarded()) && said.contains("[0]@0"),
        "{said}"
    );
}

/// The headers of a dead letter that are not keyfold's own.
fn kept_headers(letter: &Consumed) -> Vec<(&str, &str)> {
    let headers = letter.headers.iter();
    let kept = headers.filter(|(name, _)| !name.starts_with("__keyfold.errors."));
    let text = kept.map(|(name, value)| {
        let value = value.as_deref().expect("a value");
        (name.as_str(), std::str::from_utf8(value).expect("a text"))
    });
    text.collect()
}

/// Headers of a producer whose names begin like those of keyfold's own are taken for what they are: the producer's.
#[test]
fn a_producers_headers_named_like_the_envelope_stay_and_say_nothing() {
    let mut app = App::new();
    app.set(&["validation", "max_state_bytes"], 1024);
    app.create();
    let customer = format!(
        r#"{{"customers":[{{"sourceCustomerId":"c1","organizationId":"{}","postalCode":"7","country":"US",
        "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
        "enrollmentOptInStatus":"ACTIVE","alertOptInStatus":["ALL"],"targetingIndicator":"TARGET","accounts":[]}}]}}"#,
        "o".repeat(2_000)
    );
    let own = [
        ("__keyfold.forwarded.source", "loyalty-actions"),
        ("trace", "1"),
        ("__keyfold.forwarded.topic", "elsewhere"),
        ("__keyfold.forwarded.partition", "77"),
        ("__keyfold.forwarded.offset", "77"),
        ("__keyfold.forwarded.timestamp", "5"),
        ("__keyfold.forwarded.key", "somebody else"),
        ("__keyfold.forwarded.note", "x"),
    ];
    let with_headers = |record: Record| {
        own.iter()
            .fold(record, |record, (name, value)| record.header(name, *value))
    };
    // without a key and, as far as a producer can, with nothing else that the envelope could hide
    let forwarded = app.record(Source::PublisherCustomers).value(customer);
    let at_once = app.record(Source::LoyaltyCustomers).value("not JSON");
    let records = [forwarded, at_once].map(with_headers);
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), 2);
    for (source, code) in [
        (Source::PublisherCustomers, "state_too_large"),
        (Source::LoyaltyCustomers, "invalid_json"),
    ] {
        let of_source = |letter: &&Consumed| error_header(letter, "source") == source.name();
        let letter = letters.iter().find(of_source).expect("a dead letter");
        assert_eq!(error_header(letter, "code"), code);
        assert_eq!(error_header(letter, "topic"), app.input(source));
        assert_eq!(error_header(letter, "offset"), "0");
        assert_ne!(error_header(letter, "timestamp"), "5");
        assert_eq!(letter.key, None);
        assert_eq!(kept_headers(letter), own);
    }
    let metrics = keyfold.metrics();
    let arrived = [("source", "forwarded"), ("outcome", "rejected")];
    assert_eq!(sum(&metrics, "keyfold_records_total", &arrived), 1.0);
    assert_eq!(keyfold.terminate(), 0);
}

/// The id is in the key of a null value in the form that the source says, at home and where it is forwarded.
#[test]
fn a_null_value_with_a_key_of_json_erases_its_customer() {
    let mut app = App::new();
    let source = Source::LoyaltyCustomers;
    app.set(&["sources", source.name(), "key_format"], "json");
    app.set(&["processing", "workers"], 2);
    app.create();
    let event = |id: &str| {
        format!(
            r#"{{"eventType":"CUSTOMER","eventAction":"CREATED","version":1.0,"body":{{"customerId":"{id}",
            "addresses":[],"createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:00:00Z"}}}}"#
        )
    };
    let null = |key: String, n: i32| app.record(source).key(key).partition(n % 3);
    let mut records = Vec::new();
    for n in 0..12 {
        let id = format!("c{n}");
        let json = format!("\"{id}\"");
        records.push(app.record(source).key(json.clone()).value(event(&id)));
        records.push(null(json, n));
    }
    records.push(app.record(source).value(event("kept")));
    records.push(null("kept".to_owned(), 0));
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let shown: Vec<Vec<u8>> = app.newest_snapshots().into_keys().collect();
    assert_eq!(shown, [b"kept".to_vec()]);
    let erased = app
        .client
        .read_all(&app.snapshots(), Isolation::ReadCommitted);
    let quoted = |record: &&Consumed| record.key.as_deref().is_some_and(|key| key[0] == b'"');
    assert_eq!(
        erased.iter().find(quoted),
        None,
        "the key of a snapshot is the id"
    );
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(error_header(&letters[0], "code"), "invalid_key");
    assert_eq!(letters[0].key_text(), "kept");
    let metrics = keyfold.metrics();
    app.assert_ledger(&[&metrics]);
    let arrived = [("source", "forwarded"), ("outcome", "merged")];
    assert!(sum(&metrics, "keyfold_records_total", &arrived) > 0.0);
    assert_eq!(keyfold.terminate(), 0);
}
