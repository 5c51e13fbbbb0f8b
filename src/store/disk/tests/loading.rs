//! Many records are loaded into tables of their own, bypassing the journal.

use std::path::Path;

use super::{DiskStores, folder, id, settings, state, stores};
use crate::store::disk::engine::MemoryLimits;
use crate::store::disk::{Check, DiskStore};
use crate::store::{Store, Stores};

/// Opens a store that writes a run for every megabyte, and takes over the loaded records every four.
fn open(directory: &Path) -> DiskStore {
    let header = stores(directory).header(0);
    let memory = MemoryLimits {
        cache: 1024 * 1024,
        buffer: 1024 * 1024,
        load: 4 * 1024 * 1024,
    };
    DiskStore::open(directory.join("0"), memory, header, Check::Quick).expect("a store")
}

/// Enough records for several tables.
const RECORDS: u64 = 60_000;

fn load(store: &mut dyn Store, records: std::ops::Range<u64>) {
    for number in records {
        let next = number as i64 + 1;
        let (id, state) = (id(number % CUSTOMERS), state(number % CUSTOMERS, number));
        store.load(&id, Some(&state), next).expect("a record");
    }
}

/// Each customer is written several times, in different tables.
const CUSTOMERS: u64 = 20_000;

fn assert_newest(store: &dyn Store, records: u64) {
    for number in (0..CUSTOMERS).step_by(97) {
        let newest = number + (records - 1 - number) / CUSTOMERS * CUSTOMERS;
        let found = store.get(&id(number)).expect("an answer");
        assert_eq!(found, Some(state(number, newest)), "customer {number}");
    }
    assert_eq!(store.customers() as u64, CUSTOMERS);
}

#[test]
fn the_newest_of_many_is_kept() {
    let folder = folder();
    let mut store = open(folder.path());
    load(&mut store, 0..RECORDS);
    store.finish_load(RECORDS as i64).expect("loaded");
    assert_newest(&store, RECORDS);
    let bytes = store.bytes();
    drop(store);
    let store = open(folder.path());
    assert_eq!(
        (store.checkpoint(), store.bytes()),
        (Some(RECORDS as i64), bytes)
    );
    assert_newest(&store, RECORDS);
}

#[test]
fn an_interrupted_load_continues_and_counts_each_customer_once() {
    let folder = folder();
    let mut store = open(folder.path());
    load(&mut store, 0..RECORDS / 2);
    drop(store);
    let mut store = open(folder.path());
    let from = store.checkpoint().expect("a checkpoint");
    assert!(from > 0 && from < RECORDS as i64 / 2, "{from}");
    // The same records again: after a crash the checkpoint may be older than what is in the tables.
    load(&mut store, from as u64 / 2..RECORDS);
    store.finish_load(RECORDS as i64).expect("loaded");
    assert_newest(&store, RECORDS);
}

#[test]
fn loaded_records_replace_earlier_commits() {
    let folder = folder();
    let mut store = open(folder.path());
    super::write_batch(&mut store, 0).expect("a batch");
    load(&mut store, 1..RECORDS);
    store.finish_load(RECORDS as i64).expect("loaded");
    assert_newest(&store, RECORDS);
    // The other order: first a batch, then a restore.
    super::write_batch(&mut store, 7).expect("a batch");
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.get(&id(7)), Ok(Some(state(7, 7))));
    assert_eq!(store.customers() as u64, CUSTOMERS);
}

#[test]
#[ignore = "a measurement"]
fn records_a_second() {
    let folder = folder();
    let memory = 256 * 1024 * 1024;
    let place = crate::store::disk::DiskSettings {
        memory,
        ..settings(folder.path())
    };
    let mut store = DiskStores::lock(place, || false)
        .and_then(|stores| stores.open(0))
        .expect("a store");
    let (records, value) = (1_000_000_u64, vec![7; 1200]);
    let began = std::time::Instant::now();
    for number in 0..records {
        // Scattered, as hashed ids are.
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let next = number as i64 + 1;
        store
            .load(&scattered, Some(&value), next)
            .expect("a record");
    }
    println!("buffered and written: {:?}", began.elapsed());
    store.finish_load(records as i64).expect("loaded");
    println!("{} customers: {:?}", store.customers(), began.elapsed());
}
