//! More than keyfold can take at once: a backlog, and memory that stays bounded.

use std::time::Duration;

use crate::fleet;
use crate::load::judge;
use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;

const CHUNK: usize = 20_000;
/// What an instance of one worker may take, with a state of some megabytes: fetched records, the producer's queue
/// and a batch are bounded, each by itself.
const MEMORY: u64 = 256 << 20;

fn work_off(backlog: usize, limit: Duration) {
    let app = App::new();
    app.create();
    let mut stream = app.stream(faulty(391, 2_000));
    for _ in 0..backlog / CHUNK {
        let chunk: Vec<Record> = stream.by_ref().take(CHUNK).collect();
        app.client.produce(&chunk);
    }
    let mut keyfold = fleet::start(&app);
    let wanted = backlog as f64;
    keyfold.wait_for(limit, "to work the backlog off", |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        let read = sum(&metrics, "keyfold_records_total", &[]);
        (read >= wanted).then_some(())
    });
    let peak = keyfold.peak_memory();
    println!("{backlog} records: {} MiB at the most", peak >> 20);
    assert!(peak < MEMORY, "{} MiB at the most", peak >> 20);
    judge(&app, &mut keyfold, Repeats::Forbidden);
    fleet::stop(&mut keyfold);
}

#[test]
fn a_backlog_is_worked_off_in_bounded_memory() {
    work_off(120_000, LIMIT);
}

#[test]
#[ignore = "takes minutes"]
fn long_a_backlog_of_a_million_records_is_worked_off_in_bounded_memory() {
    work_off(1_000_000, 5 * LIMIT);
}
