//! `keyfold erase`: that "gone" becomes true, place by place, as the settings of the topics say.

use std::time::{Duration, Instant};

use keyfold::model::record::Source;
use serde_json::{Value, json};

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

use crate::erase::{Said, erase, loyalty, now};

const SHORT: &str = "3000";
const DAY: &str = "86400000";

fn event(app: &App, customer: &str, more: &Value) -> Record {
    loyalty(app, customer, "2024-01-01T00:00:00Z", more).at(now())
}

/// A broker that looks often for what it may remove.
fn quick_broker() -> Broker {
    let settings = [
        ("log.retention.check.interval.ms", "500"),
        ("log.initial.task.delay.ms", "500"),
        ("log.cleaner.backoff.ms", "500"),
        ("log.segment.delete.delay.ms", "500"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Broker::start(BrokerOptions {
        settings: settings.into(),
        ..BrokerOptions::default()
    })
}

/// Lets the topics keep their records for a day, or for a second.
fn keep(app: &App, time: &str) {
    for topic in app.inputs().into_iter().chain([app.dead_letters()]) {
        let settings = [("retention.ms", time), ("segment.ms", time)];
        app.client.set_topic(&topic, &settings);
    }
    for topic in [app.state(), app.snapshots()] {
        let settings = [
            ("cleanup.policy", "compact"),
            ("max.compaction.lag.ms", time),
            ("segment.ms", time),
            ("delete.retention.ms", time),
        ];
        app.client.set_topic(&topic, &settings);
    }
}

fn statuses(said: &Said) -> Vec<(&str, &str, bool)> {
    let open = said.open().into_iter();
    open.map(|place| {
        let text = |name: &str| place[name].as_str().unwrap_or_default();
        (text("place"), text("status"), place["until"].is_string())
    })
    .collect()
}

/// Waits until nothing of the customer is readable, while another one is busy: a segment is closed by the next record.
fn wait_until_gone(app: &App, keyfold: &mut Keyfold) {
    let deadline = Instant::now() + LIMIT;
    let mut changes = 0_u32;
    loop {
        changes += 1;
        let status = ["ACTIVE", "DELETED"][changes as usize % 2];
        let at = format!("2024-01-02T00:{:02}:{:02}Z", changes / 60, changes % 60);
        let other = event(app, "c-2", &json!({"status": status, "updatedAt": at}));
        app.client.produce(&[other]);
        app.wait_drained(keyfold);
        let output = app.command(&["erase", "c-1", "--output", "json"], b"");
        if output.status.code() == Some(0) {
            break;
        }
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(Instant::now() < deadline, "{text}\n{}", keyfold.log());
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn what_is_pending_becomes_gone() {
    let slot = Slot::take();
    let broker = quick_broker();
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set_partitions([1; 4]);
    // retention may be quicker than keyfold
    app.set(&["kafka", "on_lost_offset"], "earliest");
    app.create();
    keep(&app, DAY);
    let unknown_country = json!({"addresses": [{"addressId": "a", "line1": "1", "city": "York", "zipCode": "z", "countryCode": "Atlantis"}]});
    app.client.produce(&[
        event(&app, "c-1", &json!({"status": "ACTIVE"})),
        event(&app, "c-1", &unknown_country),
        event(&app, "c-2", &json!({"status": "ACTIVE"})),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let said = erase(&app, &["c-1", "--execute", "--wait"], 0);
    let pending = [
        ("snapshots", "pending", true),
        ("state", "pending", true),
        ("dead_letters", "pending", true),
        ("input", "pending", true),
    ];
    assert_eq!(statuses(&said), pending);

    keep(&app, SHORT);
    wait_until_gone(&app, &mut keyfold);
    let said = erase(&app, &["c-1"], 0);
    let input = app.input(Source::LoyaltyCustomers);
    for (place, topic) in [
        ("snapshots", None),
        ("state", None),
        ("dead_letters", None),
        ("input", Some(input.as_str())),
    ] {
        let place = said.place(place, topic);
        assert_eq!(
            (&place["status"], &place["data"]),
            (&json!("done"), &json!(0)),
            "{place}"
        );
    }
    // what is left in the state keeps a late event from bringing the customer back
    assert_eq!(said.place("state", None)["ids"], 1);
    assert_eq!(said.plan()["because"], "covered");
    let late = event(&app, "c-1", &json!({"status": "ACTIVE"}));
    app.client.produce(&[late]);
    app.wait_drained(&mut keyfold);
    let snapshots = app.newest_snapshots();
    let customers: Vec<&[u8]> = snapshots.keys().map(Vec::as_slice).collect();
    assert_eq!(customers, [b"c-2"]);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
