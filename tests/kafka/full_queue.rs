//! A batch that is far larger than what the producer holds: it is written in pieces, between records of the next one.

use keyfold_generate::Options;

use keyfold_harness::app::App;
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;

/// Records that the producer holds.
const ROOM: u32 = 50;

fn a_batch_is_larger_than_the_queue(guarantee: &str, repeats: Repeats) {
    let mut app = App::new();
    app.set(&["processing", "guarantee"], guarantee);
    app.set(&["processing", "commit_interval"], "1s");
    app.set(
        &["kafka", "properties", "queue.buffering.max.messages"],
        ROOM,
    );
    app.create();
    let options = Options {
        seed: 61,
        customers: 500,
        invalid: 0.01,
        ..Options::default()
    };
    let records: Vec<Record> = app.stream(options).take(3_000).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(repeats);
    let metrics = keyfold.settled_metrics();
    let snapshots = sum(&metrics, "keyfold_snapshots_total", &[]);
    let committed = [("result", "committed")];
    let batches = sum(&metrics, "keyfold_transactions_total", &committed);
    assert!(
        snapshots > batches * 2.0 * f64::from(ROOM),
        "{snapshots} in {batches}"
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_transaction_is_larger_than_the_queue() {
    a_batch_is_larger_than_the_queue("exactly_once", Repeats::Forbidden);
}

#[test]
fn a_batch_without_a_transaction_is_larger_than_the_queue() {
    a_batch_is_larger_than_the_queue("at_least_once", Repeats::Allowed);
}
