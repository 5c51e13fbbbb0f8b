//! All four sources to snapshots and dead letters.

use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::client::Isolation;
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;

/// A mixed stream with faults, into topics whose numbers of partitions all differ.
#[test]
fn a_mixed_stream_becomes_the_snapshots_of_the_offline_fold() {
    let mut app = App::new();
    app.set_partitions([3, 5, 1, 2]);
    app.set(&["processing", "workers"], 2);
    app.create_inputs();
    let settings = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "2097152"),
    ];
    app.client.create_topic(&app.snapshots(), 4, &settings);
    // the topic of snapshots need not be as `topics` would have made it
    app.command(&["topics"], b"");
    let mut stream = app.stream(faulty(7, 400));

    let before: Vec<Record> = stream.by_ref().take(2_500).collect();
    app.client.produce(&before);
    let mut keyfold = app.run_ready();
    let during: Vec<Record> = stream.take(2_500).collect();
    app.client.produce(&during);
    app.wait_drained(&mut keyfold);

    app.assert_folded(Repeats::Forbidden);
    let metrics = keyfold.settled_metrics();
    app.assert_ledger(&[&metrics]);
    assert!(
        sum(
            &metrics,
            "keyfold_records_total",
            &[("outcome", "forwarded")]
        ) > 0.0
    );
    assert_eq!(app.client.partitions(&app.state()), Some(5));

    let published = app
        .client
        .read_all(&app.snapshots(), Isolation::ReadCommitted);
    let counted = sum(&metrics, "keyfold_snapshots_total", &[]);
    assert_eq!(counted, published.len() as f64);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    assert_eq!(
        app.client
            .read_all(&app.snapshots(), Isolation::ReadCommitted),
        published,
        "nothing is published when stopping"
    );
}

#[test]
fn a_null_value_on_an_input_becomes_a_null_snapshot() {
    let app = App::new();
    app.create();
    let source = Source::LoyaltyCustomers;
    let event = |customer: &str, updated: &str| {
        format!(
            r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"{customer}",
            "status":"ACTIVE","addresses":[],"createdAt":"2024-01-01T00:00:00Z","updatedAt":"{updated}"}}}}"#
        )
    };
    // 2 January 2024
    let noon = 1_704_196_800_000;
    let record = |customer: &str| app.record(source).key(customer).at(noon);
    app.client.produce(&[
        record("stays").value(event("stays", "2024-01-02T00:00:00Z")),
        record("goes").value(event("goes", "2024-01-02T00:00:00Z")),
        record("comes-back").value(event("comes-back", "2024-01-02T00:00:00Z")),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 3);

    app.client.produce(&[
        record("goes"),
        record("comes-back"),
        record("never-known"),
        // late: from before the erasure
        record("goes").value(event("goes", "2024-01-02T11:00:00Z")),
        record("comes-back").value(event("comes-back", "2024-01-02T13:00:00Z")),
    ]);
    app.wait_drained(&mut keyfold);
    let newest = app.newest_snapshots();
    let keys: Vec<&[u8]> = newest.keys().map(Vec::as_slice).collect();
    assert_eq!(keys, [b"comes-back".as_slice(), b"stays"]);
    let published = app
        .client
        .read_all(&app.snapshots(), Isolation::ReadCommitted);
    let mut goes = published.iter().filter(|r| r.key_text() == "goes");
    assert_eq!(goes.next_back().expect("snapshots").value, None);
    let tombstones = sum(
        &keyfold.metrics(),
        "keyfold_snapshots_total",
        &[("kind", "tombstone")],
    );
    assert!(tombstones >= 1.0);
    keyfold.wait_for(LIMIT, "to forget the customer", |keyfold| {
        let (status, _) = keyfold.http_get("/customers/goes")?;
        (status == 404).then_some(())
    });
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(keyfold.terminate(), 0);
}
