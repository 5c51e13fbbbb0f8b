//! The store on disk: what it keeps, what it discards, and how it fails.

mod compaction;
mod faults;
mod laws;
mod loading;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::engine::{Engine, MemoryLimits};
use super::layout::{HEADER, LAYOUT};
use super::{DiskSettings, DiskStores};
use crate::customer::EncodedState;
use crate::store::{Change, Store, StoreError, Stores};

fn settings(directory: &Path) -> DiskSettings {
    DiskSettings {
        directory: directory.to_owned(),
        application_id: "application".to_owned(),
        state_topic: "application.state".to_owned(),
        topic_id: Some("one".to_owned()),
        partitions: 4,
        memory: 1,
    }
}

/// Waits for the lock: a child process that another test starts has it too until it runs its own program.
fn stores(directory: &Path) -> DiskStores {
    DiskStores::lock(settings(directory), || false).expect("the directory")
}

fn open(directory: &Path) -> Box<dyn Store> {
    stores(directory).open(0).expect("a store")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn id(number: u64) -> Vec<u8> {
    format!("customer-{number}").into_bytes()
}

/// A state from which its batch can be read; too random to be compressed.
fn state(number: u64, batch: u64) -> EncodedState {
    let mut text = format!("{batch} {number}").into_bytes();
    let mut random = number * 31 + batch + 1;
    while text.len() < 300 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        text.extend_from_slice(&random.to_le_bytes());
    }
    text.into()
}

/// Batches of this many customers; batch b writes those with b, b + 1, …
const CUSTOMERS: u64 = 50;

fn write_batch(store: &mut dyn Store, batch: u64) -> Result<(), StoreError> {
    let ids: Vec<_> = (batch..batch + CUSTOMERS).map(id).collect();
    let mut changes = Vec::new();
    for (id, number) in ids.iter().zip(batch..) {
        changes.push(Change {
            id,
            state: state(number, batch),
            before: store.get(id)?.map(|state| state.len()),
        });
    }
    store.commit(&changes, batch as i64 + 1)
}

/// Checks that the store holds what the batches up to `newest` have written, and nothing else.
fn assert_holds(store: &dyn Store, newest: u64) {
    for number in 0..newest + CUSTOMERS {
        let found = store.get(&id(number)).expect("an answer");
        let written = number.min(newest);
        assert_eq!(found, Some(state(number, written)), "customer {number}");
    }
    assert_eq!(store.get(&id(newest + CUSTOMERS)), Ok(None));
    assert_eq!(store.customers() as u64, newest + CUSTOMERS);
}

#[test]
fn written_states_survive_reopening() {
    let folder = folder();
    let mut store = open(folder.path());
    assert_eq!(store.checkpoint(), None);
    for batch in 0..20 {
        write_batch(store.as_mut(), batch).expect("a batch");
    }
    let bytes = store.bytes();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.checkpoint(), Some(20));
    assert_eq!(store.bytes(), bytes);
    assert_holds(store.as_ref(), 19);
}

#[test]
fn buffered_records_that_were_not_written_are_loaded_again() {
    let folder = folder();
    let mut store = open(folder.path());
    store.load(b"a", Some(b"1"), 1).expect("room");
    store.finish_load(1).expect("a batch");
    store.load(b"b", Some(b"2"), 2).expect("room");
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.checkpoint(), Some(1));
    assert_eq!(store.get(b"b"), Ok(None));
    store.load(b"b", Some(b"2"), 2).expect("room");
    store.restart_load();
    store.finish_load(1).expect("nothing to do");
    assert_eq!((store.get(b"b"), store.customers()), (Ok(None), 1));
}

#[test]
fn the_size_of_the_largest_state_survives_reopening() {
    let folder = folder();
    let mut store = open(folder.path());
    let large = EncodedState::from([1; 50_000]);
    let change = Change {
        id: b"large",
        state: large.clone(),
        before: None,
    };
    store.commit(&[change], 7).unwrap();
    assert_eq!(
        (store.largest(), store.sizes().at_least(40_000)),
        (50_000, 1)
    );
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.largest(), 50_000);
    store.load(b"larger", Some(&[1; 60_000]), 8).unwrap();
    store.finish_load(8).unwrap();
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.largest(), 60_000);
    store.discard(0, 5).unwrap();
    assert_eq!(store.largest(), 0);
}

#[test]
fn a_store_of_another_topic_is_deleted() {
    let folder = folder();
    write_batch(open(folder.path()).as_mut(), 0).expect("a batch");
    let changes: [fn(&mut DiskSettings); 3] = [
        |place| place.topic_id = Some("two".to_owned()),
        |place| place.state_topic = "another".to_owned(),
        |place| place.partitions = 5,
    ];
    for change in changes {
        let mut place = settings(folder.path());
        change(&mut place);
        let stores = DiskStores::lock(place, || false).expect("the directory");
        let mut store = stores.open(0).expect("a store");
        assert_eq!((store.checkpoint(), store.customers()), (None, 0));
        assert_eq!(store.get(&id(0)), Ok(None));
        write_batch(store.as_mut(), 0).expect("a batch");
    }
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_as_it_is() {
    let folder = folder();
    write_batch(open(folder.path()).as_mut(), 0).expect("a batch");
    let path = folder.path().join("application").join("0");
    let with_header = |header: Vec<u8>| {
        let memory = MemoryLimits {
            cache: 1 << 20,
            buffer: 1 << 20,
            load: 1 << 20,
        };
        let mut engine = Engine::open(&path, memory).expect("a store");
        let old = engine.get(HEADER).expect("a header");
        engine
            .write(vec![(HEADER.to_vec(), Some(header.into()))])
            .expect("a write");
        old.expect("a header").to_vec()
    };
    let own = with_header(vec![LAYOUT + 1, 1, 7, b'x']);
    for _ in 0..2 {
        let refused = stores(folder.path()).open(0);
        let Err(StoreError::Newer { version, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(version, "1.7");
    }
    with_header(own);
    assert_holds(open(folder.path()).as_ref(), 0);
}

#[test]
fn a_checkpoint_outside_the_log_discards_the_store() {
    let folder = folder();
    let mut store = open(folder.path());
    write_batch(store.as_mut(), 0).expect("a batch");
    store.discard(10, 20).expect("an empty store");
    assert_eq!((store.checkpoint(), store.customers()), (None, 0));
    assert_eq!(store.get(&id(0)), Ok(None));
    write_batch(store.as_mut(), 11).expect("a batch");
    drop(store);
    assert_eq!(open(folder.path()).checkpoint(), Some(12));
}

#[test]
fn two_owners_cannot_share_a_directory() {
    let folder = folder();
    let first = stores(folder.path());
    let second = DiskStores::lock(settings(folder.path()), || true);
    assert!(
        matches!(second, Err(StoreError::InUse { .. })),
        "{second:?}"
    );
    let store = first.open(0).expect("a store");
    let again = first.open(0);
    assert!(matches!(again, Err(StoreError::InUse { .. })), "{again:?}");
    drop((store, again));
    first.open(0).expect("a store that was let go");
    drop(first);
    stores(folder.path());
}

/// A customer's id may be as long as a record.
#[test]
fn the_longest_ids_are_kept() {
    let folder = folder();
    let mut store = open(folder.path());
    let ids = [vec![b'x'; 32_768], vec![b'x'; 32_769], vec![b'x'; 900_000]];
    for (id, next) in ids.iter().zip(1..) {
        store.load(id, Some(&[next as u8]), next).expect("room");
    }
    store.finish_load(3).expect("a batch");
    drop(store);
    let store = open(folder.path());
    for (id, next) in ids.iter().zip(1..) {
        assert_eq!(store.get(id), Ok(Some([next].into())));
    }
    // Ids that are hashed count with the length of their hashes.
    let bytes = 32_768 + 32 + 32 + 3;
    assert_eq!((store.customers(), store.bytes()), (3, bytes));
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Folders have the mode 0700 and files 0600, also those of an earlier version.
#[test]
fn other_users_cannot_read_a_store() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let base = folder.path().join("application");
    fs::create_dir(&base).expect("a folder");
    fs::write(base.join("old"), "x").expect("a file");
    for (path, mode) in [(base.clone(), 0o755), (base.join("old"), 0o644)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }
    let stores = stores(folder.path());
    let mut store = stores.open(0).expect("a store");
    write_batch(&mut *store, 1).expect("a batch");
    let mode = |path: &Path| {
        let found = fs::metadata(path).expect("a file");
        found.permissions().mode() & 0o777
    };
    let files = files_below(&base);
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for folder in file
            .ancestors()
            .take_while(|folder| folder.starts_with(&base))
        {
            if folder.is_dir() {
                assert_eq!(mode(folder), 0o700, "{}", folder.display());
            }
        }
    }
}

#[test]
fn no_store_is_outside_of_its_directory() {
    let folder = folder();
    for id in ["", ".", "..", "../other", "a/b", "/tmp"] {
        let mut place = settings(folder.path());
        id.clone_into(&mut place.application_id);
        assert!(DiskStores::lock(place, || true).is_err(), "{id}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
