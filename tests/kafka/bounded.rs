//! What one producer can take of memory and time, and batches that the client cannot read.

use std::time::Duration;

use keyfold::model::record::Source;
use rdkafka::producer::{BaseProducer, Producer};

use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::{Record, base_record};

const MEGABYTE: usize = 1_000_000;
/// What an instance may take besides its state.
const MEMORY: u64 = 512 << 20;

/// Fails where the process has ever had more memory than it may.
#[track_caller]
pub fn assert_bounded(keyfold: &Keyfold) {
    let peak = keyfold.peak_memory();
    println!("{} MiB at the most", peak >> 20);
    assert!(peak < MEMORY, "{} MiB at the most", peak >> 20);
}

/// Produces a batch of `records` equal ones, `batches` times; packed they are small.
#[track_caller]
fn produce_packed(app: &App, batches: usize, records: usize, record: &Record) {
    let mut config = app.client.config();
    config
        .set("compression.codec", "zstd")
        .set("message.max.bytes", "500000000")
        .set("batch.size", "500000000")
        .set("queue.buffering.max.kbytes", "500000")
        .set("linger.ms", "60000");
    let producer: BaseProducer = config.create().expect("a producer");
    for _ in 0..batches {
        for _ in 0..records {
            let sent = producer.send(base_record(record));
            assert!(sent.is_ok(), "room for a record");
        }
        producer.flush(LIMIT).expect("a batch is delivered");
    }
}

fn zeros(app: &App) -> Record {
    let zeros = app.record(Source::ConsoleCustomers).partition(0);
    zeros.value(vec![0; MEGABYTE]).at(EXAMPLE_TIME)
}

fn customer(app: &App, id: &str) -> Record {
    let value = format!(r#"{{"customerId":"{id}","version":1,"firstName":"Ada"}}"#);
    let record = app.record(Source::ConsoleCustomers).partition(1);
    record.key(id).value(value).at(EXAMPLE_TIME)
}

/// Waits until so many records were rejected.
#[track_caller]
fn wait_rejected(keyfold: &mut Keyfold, records: usize) {
    keyfold.wait_for(2 * LIMIT, "to reject records", |keyfold| {
        let rejected = [("outcome", "rejected")];
        let metrics = keyfold.metrics_soon(LIMIT)?;
        let rejected = sum(&metrics, "keyfold_records_total", &rejected);
        (rejected >= records as f64).then_some(())
    });
}

fn app() -> App {
    let mut app = App::new();
    app.set(&["processing", "max_reject_share"], 1.0);
    app.create();
    app
}

#[test]
fn batches_that_unpack_to_gigabytes_are_taken_in_bounded_memory() {
    let app = app();
    produce_packed(&app, 40, 45, &zeros(&app));
    let mut keyfold = app.run();
    wait_rejected(&mut keyfold, 40 * 45);
    assert_bounded(&keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn large_headers_of_rejected_records_are_taken_in_bounded_memory() {
    let app = app();
    let record = app.record(Source::ConsoleCustomers).partition(0);
    let record = record.value("{").header("h", vec![b'h'; MEGABYTE]);
    let mut letters = record.clone();
    letters.timestamp = Some(EXAMPLE_TIME);
    app.client.produce(&vec![letters; 600]);
    let mut keyfold = app.run();
    wait_rejected(&mut keyfold, 600);
    assert_bounded(&keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_batch_that_the_client_can_not_unpack_is_named() {
    let mut app = app();
    app.client.produce(&[{
        let first = app.record(Source::ConsoleCustomers).partition(0);
        first.key("1").value("{").at(EXAMPLE_TIME)
    }]);
    produce_packed(&app, 1, 60, &zeros(&app));
    let mut keyfold = app.run();
    let topic = app.input(Source::ConsoleCustomers);
    keyfold.wait_for(LIMIT, "to name the partition", |keyfold| {
        let (status, text) = keyfold.http_get("/readyz")?;
        let named = format!("{topic}[0] cannot be read at offset 1");
        let remedy = "receive.message.max.bytes";
        (status == 503 && text.contains(&named) && text.contains(remedy)).then_some(())
    });
    // others go on
    app.client.produce(&[customer(&app, "2")]);
    keyfold.wait_for(LIMIT, "to go on with others", |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        (sum(&metrics, "keyfold_snapshots_total", &[]) >= 1.0).then_some(())
    });
    assert_eq!(keyfold.metrics()["keyfold_partitions_stuck"], 1.0);
    // it is tried again each second, and said once
    std::thread::sleep(Duration::from_secs(3));
    let said = keyfold.log().matches("stands still").count();
    assert_eq!(said, 1, "{}", keyfold.log());
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    let property = "receive.message.max.bytes";
    app.set(&["kafka", "properties", property], "1000000000");
    let mut keyfold = app.run_ready();
    wait_rejected(&mut keyfold, 60);
    assert_eq!(keyfold.metrics()["keyfold_partitions_stuck"], 0.0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_batch_is_cut_by_the_memory_of_its_customers() {
    let mut app = App::new();
    // it would be one batch: 300 customers, who take more than half a KiB each
    app.set(&["processing", "max_batch_bytes"], "64KiB");
    for interval in ["commit_interval", "backlog_commit_interval"] {
        app.set(&["processing", interval], "60s");
    }
    app.set(&["processing", "workers"], 1);
    app.create();
    let ids = (0..300).map(|id| id.to_string());
    let records: Vec<Record> = ids.map(|id| customer(&app, &id)).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let committed = [("result", "committed")];
    let commits = sum(
        &keyfold.settled_metrics(),
        "keyfold_transactions_total",
        &committed,
    );
    assert!(commits >= 3.0, "{commits} commits\n{}", keyfold.log());
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
