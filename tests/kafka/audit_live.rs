//! `keyfold audit` while keyfold works: no false alarm, and no difference is overlooked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use keyfold_harness::app::{App, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;

use crate::audit::{Audit, audit};

/// How many records, of how many customers: hours of ordinary traffic, as fast as it goes.
const RECORDS: usize = 60_000;
const CUSTOMERS: u32 = 20_000;
/// How many are sent at a time, every half second.
const AT_A_TIME: usize = 600;

/// Audits until `done`; what they found.
fn audits(app: &App, done: &AtomicBool, args: &[&str]) -> Vec<Audit> {
    let mut all = Vec::new();
    while !done.load(Ordering::Relaxed) {
        all.push(audit(app, args));
    }
    all
}

/// Audits while a stream is processed. A second instance comes and goes meanwhile.
fn under_load(app: &App, args: &[&str]) -> Vec<Audit> {
    let done = AtomicBool::new(false);
    let records: Vec<Record> = app.stream(faulty(21, CUSTOMERS)).take(RECORDS).collect();
    let (first, rest) = records.split_at(RECORDS / 4);
    app.client.produce(first);
    let mut one = app.run_ready();
    std::thread::scope(|scope| {
        let auditing = scope.spawn(|| audits(app, &done, args));
        let coming = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut other = app.run_ready();
                std::thread::sleep(Duration::from_secs(3));
                assert_eq!(other.terminate(), 0);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        for some in rest.chunks(AT_A_TIME) {
            app.client.produce(some);
            std::thread::sleep(Duration::from_millis(500));
        }
        done.store(true, Ordering::Relaxed);
        coming.join().expect("the other instances");
        let all = auditing.join().expect("the audits");
        app.wait_drained(&mut one);
        assert_eq!(one.terminate(), 0);
        all
    })
}

fn assert_no_alarm(app: &App, audits: &[Audit]) {
    let (mut looked_at, mut not_provable) = (0, 0);
    for found in audits {
        found.assert_clean();
        looked_at += found.customers("equal");
        not_provable += found.customers("notProvable");
        println!("{}", found.summary());
    }
    assert!(audits.len() > 2, "{}", audits.len());
    // nearly all is proven, while all of it moves
    assert!(
        not_provable * 20 < looked_at,
        "{not_provable} of {looked_at}"
    );
    let last = audit(app, &[]);
    last.assert_clean();
    assert_eq!(last.customers("notProvable"), 0);
    assert_eq!(last.records("read"), RECORDS as u64);
}

#[test]
fn a_live_system_gives_no_false_alarm() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let audits = under_load(&app, &[]);
    assert_no_alarm(&app, &audits);
    app.assert_folded(Repeats::Forbidden);
}

#[test]
fn nor_does_one_that_delivers_at_least_once() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.set(&["processing", "guarantee"], "at_least_once");
    app.create();
    let audits = under_load(&app, &[]);
    for found in &audits {
        found.assert_clean();
        println!("{}", found.summary());
    }
    audit(&app, &[]).assert_clean();
}

/// A difference is found while everybody else moves.
#[test]
fn a_difference_is_found_while_others_move() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    let records: Vec<Record> = app.stream(faulty(22, 500)).take(6_000).collect();
    let (before, during) = records.split_at(3_000);
    app.client.produce(before);
    app.wait_drained(&mut keyfold);
    let nobody = Record::to(&app.snapshots())
        .key("nobody")
        .value(json!({"customerId": "nobody"}).to_string());
    app.client.produce(&[nobody]);
    let done = AtomicBool::new(false);
    let audits = std::thread::scope(|scope| {
        let auditing = scope.spawn(|| audits(&app, &done, &[]));
        for some in during.chunks(50) {
            app.client.produce(some);
            std::thread::sleep(Duration::from_millis(100));
        }
        done.store(true, Ordering::Relaxed);
        auditing.join().expect("the audits")
    });
    assert!(!audits.is_empty());
    for found in audits {
        assert_eq!(found.code, Some(1));
        let all = found.of("customer");
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0]["customerId"], "nobody");
    }
    assert_eq!(keyfold.terminate(), 0);
}
