//! The restore of the state from its topic.

use std::time::Duration;

use keyfold::customer::codec;
use keyfold::model::partition;
use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

const CUSTOMERS: usize = 100_000;

fn event(app: &App, customer: usize, body: &str, updated: &str) -> Record {
    let value = format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"c-{customer}",{body}
        "createdAt":"2024-01-01T00:00:00Z","updatedAt":"{updated}"}}}}"#
    );
    let record = app.record(Source::LoyaltyCustomers);
    record.key(format!("c-{customer}")).value(value)
}

const ADDRESS: &str = r#""addresses":[{"addressId":"a-1","line1":"1 Example Street","city":"London",
    "zipCode":"N1","countryCode":"GB"}],"#;

/// Why it was not ready, each time that it was asked until it was. It is alive meanwhile.
fn reasons_until_ready(keyfold: &mut Keyfold) -> Vec<String> {
    let mut reasons = Vec::new();
    keyfold.wait_for(LIMIT, "to be ready", |keyfold| {
        // closer together than the waiting's own pace
        for _ in 0..20 {
            match keyfold.http_get("/readyz") {
                Some((200, _)) => return Some(()),
                Some((503, reason)) => reasons.push(reason),
                Some(other) => panic!("/readyz: {other:?}"),
                None => {}
            }
            if let Some((status, reason)) = keyfold.http_get("/healthz") {
                assert_eq!(status, 200, "{reason}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    });
    reasons
}

#[test]
fn a_state_of_100_000_customers_is_restored() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let records = (0..CUSTOMERS).map(|n| event(&app, n, ADDRESS, "2024-01-02T00:00:00Z"));
    app.client.produce(&records.collect::<Vec<_>>());
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let [customers, bytes] = keyfold.steady(["keyfold_state_customers", "keyfold_state_bytes"]);
    assert_eq!(customers, CUSTOMERS as f64);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    let mut keyfold = app.run();
    let reasons = reasons_until_ready(&mut keyfold);
    assert!(!reasons.is_empty(), "not ready before it has restored");
    let metrics = keyfold.metrics();
    let restored = sum(&metrics, "keyfold_restore_records_total", &[]);
    assert!(restored >= CUSTOMERS as f64, "{restored}");
    assert_eq!(sum(&metrics, "keyfold_restore_remaining_records", &[]), 0.0);
    // a worker that has given partitions away says so a little later
    keyfold.wait_for(LIMIT, "to tell what it holds", |keyfold| {
        let metrics = keyfold.metrics();
        let held =
            ["keyfold_state_customers", "keyfold_state_bytes"].map(|name| sum(&metrics, name, &[]));
        (held == [CUSTOMERS as f64, bytes]).then_some(())
    });
    assert_eq!(sum(&metrics, "keyfold_records_total", &[]), 0.0);

    // what was restored is joined with what comes
    let late = event(
        &app,
        4_711,
        r#""smsOptIn":true,"addresses":[],"#,
        "2023-01-02T00:00:00Z",
    );
    app.client.produce(&[late]);
    app.wait_drained(&mut keyfold);
    let (status, shown) = keyfold.http_get("/customers/c-4711").expect("an answer");
    assert_eq!(status, 200);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["smsOptIn"], true);
    assert_eq!(shown["addresses"][0]["addressId"], "a-1");
    let snapshots = app.newest_snapshots();
    assert_eq!(snapshots.len(), CUSTOMERS);
    let published: serde_json::Value =
        serde_json::from_slice(&snapshots[b"c-4711".as_slice()]).expect("JSON");
    assert_eq!(published, shown);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// Partitions are done at different times; each that is done is let go while others are still read.
#[test]
fn partitions_of_different_sizes_are_restored() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    // small answers, so that the partitions' ends come far apart
    app.set(&["kafka", "properties", "max.partition.fetch.bytes"], 2_000);
    app.create();
    let mut counts = [0_usize; 4];
    let wanted = [10, 100, 1_000, 3_000];
    let customers = (0..CUSTOMERS).filter(|n| {
        let partition = partition::of_key(format!("c-{n}").as_bytes(), 4) as usize;
        counts[partition] += 1;
        counts[partition] <= wanted[partition]
    });
    let records = customers.map(|n| event(&app, n, ADDRESS, "2024-01-02T00:00:00Z"));
    let records: Vec<_> = records.take(wanted.iter().sum()).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    let mut keyfold = app.run_ready();
    // ready is who has restored what it owns: while the second worker joins, no worker may own some partitions
    keyfold.wait_for(LIMIT, "all customers", |keyfold| {
        let customers = sum(&keyfold.metrics(), "keyfold_state_customers", &[]);
        (customers == records.len() as f64).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// What a later version has written says which one that is, and is refused before anything is folded.
#[test]
fn a_state_of_a_later_version_is_refused_with_the_version_that_is_needed() {
    let app = App::new();
    app.create();
    let state = vec![codec::LAYOUT + 1, 0, 9, 1, 2, 3];
    let record = Record::to(&app.state()).partition(0).key("c-1");
    app.client.produce(&[record.value(state)]);
    let said = app.run_refused();
    let needed = format!(
        "{}[0]: the state was written by keyfold 0.9 or later",
        app.state()
    );
    assert!(said.contains(&needed), "{said}");
}
