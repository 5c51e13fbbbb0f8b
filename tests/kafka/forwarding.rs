//! Records that are not on their customer's partition.

use keyfold::partition;
use keyfold::record::Source;

use crate::app::{App, LIMIT};
use crate::client::{Isolation, Record};
use crate::fold::Repeats;
use crate::process::sum;

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
