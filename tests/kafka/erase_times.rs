//! `keyfold erase`: data that claim a later time than now, and topics that take no such time.

use keyfold::model::record::Source;
use keyfold::model::time::Instant;
use serde_json::json;

use keyfold_harness::app::{App, text_of};
use keyfold_harness::client::Isolation;
use keyfold_harness::record::Record;

use crate::erase::{erase, loyalty, now, shown};

const HOUR: i64 = 3_600_000;

fn text(millis: i64) -> String {
    Instant::from_millis(millis).to_string()
}

/// An event of now with an element that is some hours ahead.
fn ahead(app: &App, customer: &str, at: i64) -> Record {
    let address = json!({"addressId": "a", "line1": "1", "city": "York", "zipCode": "z", "countryCode": "GB",
        "createdAt": "2024-01-01T00:00:00Z", "updatedAt": text(at)});
    let now = now();
    let event = loyalty(app, customer, &text(now), &json!({"addresses": [address]}));
    event.at(now)
}

fn timestamps(app: &App) -> Vec<Option<i64>> {
    let topic = app.input(Source::LoyaltyCustomers);
    let all = app.client.read_all(&topic, Isolation::ReadCommitted);
    let nulls = all.iter().filter(|record| record.value.is_none());
    nulls.map(|record| record.timestamp).collect()
}

#[test]
fn data_of_a_later_time_are_covered() {
    let app = App::new();
    app.create();
    let later = now() + 10 * HOUR;
    let far = loyalty(&app, "c-1", "2999-01-01T00:00:00Z", &json!({})).at(now());
    app.client
        .produce(&[ahead(&app, "c-1", later), ahead(&app, "c-2", later), far]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.read_dead_letters().len(), 1);
    let said = erase(&app, &["c-1", "--execute", "--wait"], 0);
    let plan = said.plan();
    assert_eq!(
        (&plan["because"], &plan["timestamp"]),
        (&json!("claimed"), &json!(text(later)))
    );
    assert_eq!(timestamps(&app), [Some(later)]);
    assert_eq!(shown(&app, "c-1"), None);
    assert!(shown(&app, "c-2").is_some());
    // what is rejected because of its time does not put the erasure off, and is told
    let known = plan["known"].as_array().expect("places").iter();
    let refused: u64 = known.filter_map(|place| place["refused"].as_u64()).sum();
    assert_eq!(refused, 2, "in the input and in the dead letters: {plan:#}");
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// As far as the topic lets it, then the rest.
#[test]
fn a_topic_that_takes_no_later_time_is_named_with_its_setting() {
    let app = App::new();
    app.create();
    let topic = app.input(Source::LoyaltyCustomers);
    let (setting, hour) = ("message.timestamp.after.max.ms", HOUR.to_string());
    app.client
        .set_topic(&topic, &[("retention.ms", "-1"), (setting, &hour)]);
    let later = now() + 10 * HOUR;
    let mut keyfold = app.run_ready();
    app.client.produce(&[ahead(&app, "c-1", later)]);
    app.wait_drained(&mut keyfold);
    let said = erase(&app, &["c-1", "--execute", "--wait"], 1);
    let rest = &said.plan()["notCovered"];
    assert_eq!(rest["time"], text(later));
    let remedy = rest["remedy"].as_str().expect("a remedy");
    assert!(
        remedy.contains(setting) && remedy.contains(&text(later - HOUR)),
        "{remedy}"
    );
    assert_eq!(
        said.part("processed")["shown"],
        false,
        "an event without its data is none"
    );
    // again: what can be covered is
    erase(&app, &["c-1", "--execute"], 1);
    assert_eq!(timestamps(&app).len(), 1);
    app.client.set_topic(
        &topic,
        &[("retention.ms", "-1"), (setting, "9223372036854775807")],
    );
    erase(&app, &["c-1", "--execute", "--wait"], 0);
    assert_eq!(timestamps(&app).last(), Some(&Some(later)));
    assert_eq!(shown(&app, "c-1"), None);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_topic_that_replaces_timestamps_is_not_chosen() {
    let mut app = App::new();
    app.set(&["sources", "console-customers", "tombstone"], "erase");
    app.create();
    let topic = app.input(Source::LoyaltyCustomers);
    app.client
        .set_topic(&topic, &[("message.timestamp.type", "LogAppendTime")]);
    app.client
        .produce(&[loyalty(&app, "c-1", "2024-01-01T00:00:00Z", &json!({}))]);
    let said = erase(&app, &["c-1"], 1);
    assert_eq!(said.plan()["topic"], app.input(Source::ConsoleCustomers));
    let args = ["erase", "c-1", "--source", "loyalty-customers", "--execute"];
    let output = app.command(&args, b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("LogAppendTime") && said.contains(&topic),
        "{said}"
    );
    assert_eq!(timestamps(&app), []);
}

/// The key is written as its source reads it.
#[test]
fn a_key_has_the_format_of_its_source() {
    for (format, id, key) in [
        ("json", "\"c\"", &b"\"\\\"c\\\"\""[..]),
        ("avro", "c-1", b"\0\0\0\x02\x07\x06c-1"),
    ] {
        let mut app = App::new();
        app.set(&["sources", "loyalty-customers", "key_format"], format);
        app.create();
        let other = loyalty(&app, "c-2", "2024-01-01T00:00:00Z", &json!({}));
        let event = loyalty(&app, id, "2024-01-01T00:00:00Z", &json!({}));
        app.client
            .produce(&[event, other.key(b"\0\0\0\x02\x07\x06c-2".to_vec())]);
        let mut keyfold = app.run_ready();
        app.wait_drained(&mut keyfold);
        assert!(shown(&app, id).is_some());
        erase(&app, &[id, "--execute", "--wait"], 0);
        assert_eq!(
            (shown(&app, id), shown(&app, "c-2").is_some()),
            (None, true)
        );
        let topic = app.input(Source::LoyaltyCustomers);
        let all = app.client.read_all(&topic, Isolation::ReadCommitted);
        let null = all.iter().find(|record| record.value.is_none());
        assert_eq!(
            null.and_then(|null| null.key.as_deref()),
            Some(key),
            "{format}"
        );
        assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    }
}
