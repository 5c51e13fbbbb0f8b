//! `keyfold audit` while keyfold works: no false alarm, and no difference is overlooked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use keyfold_harness::app::{App, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;

use crate::audit::{Audit, audit};

/// How many records there are at the beginning, of how many customers: hours of ordinary traffic, as fast as it goes.
const AT_FIRST: usize = 15_000;
const CUSTOMERS: u32 = 20_000;
/// How many more are sent at a time, every half second.
const AT_A_TIME: usize = 600;
/// How many records there are in the end, at least and at most. Between the two the load ends when there were enough
/// audits, which take longer on a busy machine.
const AT_LEAST: usize = 30_000;
const AT_MOST: usize = 60_000;
/// How many audits are enough, and how many instances that have come and gone.
const AUDITS: usize = 3;
const VISITS: usize = 2;

/// What those who audit and those who send know of each other.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    audits: AtomicUsize,
    visits: AtomicUsize,
}

/// Ends the load, where a check fails too: others work until then, and are waited for.
struct EndOf<'l>(&'l Load);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Load {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Audits until the load is over; what the audits found.
    fn audits(&self, app: &App, args: &[&str]) -> Vec<Audit> {
        let mut all = Vec::new();
        while !self.is_over() {
            all.push(audit(app, args));
            self.audits.store(all.len(), Ordering::Relaxed);
        }
        all
    }

    /// Whether more is to be sent after so many records.
    fn goes_on(&self, sent: usize) -> bool {
        let few = self.audits.load(Ordering::Relaxed) < AUDITS
            || self.visits.load(Ordering::Relaxed) < VISITS;
        sent < AT_LEAST || (few && sent < AT_MOST)
    }
}

/// Audits while a stream is processed. A second instance comes and goes meanwhile. Returns what the audits found, and how
/// many records there are.
fn under_load(app: &App, args: &[&str]) -> (Vec<Audit>, usize) {
    let load = Load::default();
    let mut stream = app.stream(faulty(21, CUSTOMERS));
    let mut more = |count| -> Vec<Record> { stream.by_ref().take(count).collect() };
    app.client.produce(&more(AT_FIRST));
    let mut sent = AT_FIRST;
    let mut one = app.run_ready();
    std::thread::scope(|scope| {
        let end = EndOf(&load);
        let auditing = scope.spawn(|| load.audits(app, args));
        let coming = scope.spawn(|| {
            while !load.is_over() {
                let mut other = app.run_ready();
                std::thread::sleep(Duration::from_secs(3));
                assert_eq!(other.terminate(), 0);
                load.visits.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        while load.goes_on(sent) {
            app.client.produce(&more(AT_A_TIME));
            sent += AT_A_TIME;
            std::thread::sleep(Duration::from_millis(500));
        }
        drop(end);
        coming.join().expect("the other instances");
        let all = auditing.join().expect("the audits");
        let visits = load.visits.load(Ordering::Relaxed);
        assert!(
            visits >= VISITS && all.len() >= AUDITS,
            "{visits}, {}",
            all.len()
        );
        app.wait_drained(&mut one);
        assert_eq!(one.terminate(), 0);
        (all, sent)
    })
}

fn assert_no_alarm(app: &App, audits: &[Audit], sent: usize) {
    let (mut looked_at, mut not_provable) = (0, 0);
    for found in audits {
        found.assert_clean();
        looked_at += found.customers("equal");
        not_provable += found.customers("notProvable");
        println!("{}", found.summary());
    }
    // nearly all is proven, while all of it moves
    assert!(
        not_provable * 20 < looked_at,
        "{not_provable} of {looked_at}"
    );
    let last = audit(app, &[]);
    last.assert_clean();
    assert_eq!(last.customers("notProvable"), 0);
    assert_eq!(last.records("read"), sent as u64);
}

#[test]
fn a_live_system_gives_no_false_alarm() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let (audits, sent) = under_load(&app, &[]);
    assert_no_alarm(&app, &audits, sent);
    app.assert_folded(Repeats::Forbidden);
}

#[test]
fn nor_does_one_that_delivers_at_least_once() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.set(&["processing", "guarantee"], "at_least_once");
    app.create();
    let (audits, _) = under_load(&app, &[]);
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
    let load = Load::default();
    let audits = std::thread::scope(|scope| {
        let end = EndOf(&load);
        let auditing = scope.spawn(|| load.audits(&app, &[]));
        for some in during.chunks(100) {
            app.client.produce(some);
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(end);
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
