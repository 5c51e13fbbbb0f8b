//! What readers with `read_committed` see of a transaction that was never committed: nothing.

use std::collections::BTreeMap;

use keyfold_generate::Options;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::{Client, Isolation};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::{Consumed, Record};

fn count_per_key(records: &[Consumed]) -> BTreeMap<&[u8], usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        let key = record.key.as_deref().expect("a customer id");
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn count(client: &Client, topic: &str, isolation: Isolation) -> usize {
    client.read_all(topic, isolation).len()
}

/// A batch so large that it is still open, with dead letters written, when keyfold is killed.
#[test]
fn read_committed_consumers_never_see_an_aborted_write() {
    let mut app = App::new();
    app.set(&["processing", "max_batch_records"], 1_000_000);
    app.set(&["processing", "max_batch_bytes"], 1_000_000_000);
    app.set(&["processing", "commit_interval"], "60s");
    // dead letters go out while records are still read, and not only with the commit
    app.set(&["kafka", "properties", "linger.ms"], 5);
    app.create();
    let options = Options {
        seed: 51,
        customers: 500,
        invalid: 0.05,
        null: 0.0,
        ..Options::default()
    };
    let records: Vec<Record> = app.stream(options).take(60_000).collect();
    app.client.produce(&records);
    let letters = app.dead_letters();
    let mut keyfold = app.run();
    keyfold.wait_for(LIMIT, "to write dead letters", |_| {
        let written = app.client.watermarks(&letters);
        written.iter().any(|(_, end)| *end > 0).then_some(())
    });
    keyfold.kill9();
    let uncommitted = count(&app.client, &letters, Isolation::ReadUncommitted);
    assert!(uncommitted > 0, "a write that can be aborted");
    let visible = app.read_dead_letters();
    assert!(visible.len() < uncommitted, "the batch was open");

    app.set(&["processing", "max_batch_records"], 2_000);
    app.set(&["processing", "commit_interval"], "100ms");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let all = count(&app.client, &letters, Isolation::ReadUncommitted);
    assert!(
        all > app.read_dead_letters().len(),
        "aborted, and invisible"
    );

    // each visible snapshot has its state in the same transaction
    let committed = |topic: &str| app.client.read_all(topic, Isolation::ReadCommitted);
    let (snapshots, states) = (committed(&app.snapshots()), committed(&app.state()));
    assert_eq!(count_per_key(&snapshots), count_per_key(&states));
    let metrics = keyfold.metrics();
    let counted = sum(&metrics, "keyfold_snapshots_total", &[]);
    assert_eq!(counted, snapshots.len() as f64);
    let transactions = |result| {
        sum(
            &metrics,
            "keyfold_transactions_total",
            &[("result", result)],
        )
    };
    assert!(transactions("committed") > 0.0);
    assert_eq!(transactions("unknown"), 0.0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
