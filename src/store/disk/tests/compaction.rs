//! Overwritten values are removed from the disk within an hour.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{CUSTOMERS, assert_holds, files_below, folder, open, write_batch};
use crate::store::{Change, Store};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// Nothing else contains these bytes, and they are not compressed.
const TEXT: &[u8] = b"Ada Example, 42B Baker Street";

/// The files that contain the text.
fn holding(directory: &Path) -> Vec<String> {
    let files = files_below(directory).into_iter();
    let holding = files.filter(|file| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(TEXT.len()).any(|window| window == TEXT)
    });
    holding.map(|file| file.display().to_string()).collect()
}

fn commit(store: &mut dyn Store, id: &[u8], state: &[u8], checkpoint: i64) {
    let change = Change {
        id,
        state: state.into(),
        before: store.get(id).expect("an answer").map(|state| state.len()),
    };
    store.commit(&[change], checkpoint).expect("a batch");
}

#[test]
fn an_erased_text_is_in_no_file_an_hour_later() {
    let folder = folder();
    let mut store = open(folder.path());
    assert_eq!(store.compact_if_due(Duration::ZERO), Ok(false));
    write_batch(store.as_mut(), 0).expect("a batch");
    commit(store.as_mut(), b"ada", TEXT, 1);
    // First in a table, and after that in the journal too.
    assert_eq!(store.compact_if_due(HOUR), Ok(true));
    assert_eq!(holding(folder.path()).len(), 1);
    commit(store.as_mut(), b"ada", &[TEXT, b"!"].concat(), 2);
    commit(store.as_mut(), b"ada", b"erased", 3);
    assert_eq!(store.compact_if_due(2 * HOUR - SECOND), Ok(false));
    assert_eq!(holding(folder.path()).len(), 2);
    assert_eq!(store.compact_if_due(2 * HOUR), Ok(true));
    assert_eq!(holding(folder.path()), Vec::<String>::new());
    // Nothing else is lost, neither now nor later.
    assert_eq!(store.get(b"ada"), Ok(Some(b"erased"[..].into())));
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(
        (store.checkpoint(), store.customers()),
        (Some(3), CUSTOMERS as usize + 1)
    );
    commit(store.as_mut(), b"ada", b"again", 4);
    assert_eq!(store.compact_if_due(SECOND), Ok(false));
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.get(b"ada"), Ok(Some(b"again"[..].into())));
}

#[test]
fn a_store_without_new_writes_is_not_compacted() {
    let folder = folder();
    let mut store = open(folder.path());
    write_batch(store.as_mut(), 0).expect("a batch");
    assert_eq!(store.compact_if_due(Duration::ZERO), Ok(false));
    assert_eq!(store.compact_if_due(HOUR), Ok(true));
    assert_eq!(store.compact_if_due(9 * HOUR), Ok(false));
    write_batch(store.as_mut(), 1).expect("a batch");
    // The hour starts with the first write.
    assert_eq!(store.compact_if_due(9 * HOUR + SECOND), Ok(false));
    assert_eq!(store.compact_if_due(10 * HOUR), Ok(true));
    assert_holds(store.as_ref(), 1);
}

/// Records that are loaded but not in the store yet do not cause a compaction, and are not lost by one.
#[test]
fn nothing_is_removed_while_records_are_loaded() {
    let folder = folder();
    let mut store = open(folder.path());
    assert_eq!(store.compact_if_due(Duration::ZERO), Ok(false));
    commit(store.as_mut(), b"a", TEXT, 1);
    store.load(b"b", Some(b"2"), 2).expect("room");
    assert_eq!(store.compact_if_due(HOUR), Ok(false));
    store.finish_load(2).expect("a batch");
    assert_eq!(store.compact_if_due(HOUR), Ok(true));
    assert_eq!(store.get(b"b"), Ok(Some(b"2"[..].into())));
}

/// A crash may happen when the new journal exists and the old ones still do.
#[test]
fn a_store_with_its_old_journals_is_complete() {
    let journals = |directory: &Path| -> Vec<_> {
        let files = files_below(directory).into_iter();
        files
            .filter(|file| file.extension().is_some_and(|name| name == "jnl"))
            .collect()
    };
    let folder = folder();
    let mut store = open(folder.path());
    for batch in 0..20 {
        write_batch(store.as_mut(), batch).expect("a batch");
    }
    let old = journals(folder.path());
    let kept: Vec<_> = old
        .iter()
        .map(|file| fs::read(file).expect("a journal"))
        .collect();
    assert_eq!(store.compact_if_due(Duration::ZERO), Ok(false));
    assert_eq!(store.compact_if_due(HOUR), Ok(true));
    drop(store);
    assert_eq!(journals(folder.path()).len(), 1);
    for (file, bytes) in old.iter().zip(kept) {
        fs::write(file, bytes).expect("a journal");
    }
    let mut store = open(folder.path());
    assert_holds(store.as_ref(), 19);
    write_batch(store.as_mut(), 20).expect("a batch");
    drop(store);
    let mut store = open(folder.path());
    assert_holds(store.as_ref(), 20);
    assert_eq!(store.compact_if_due(Duration::ZERO), Ok(false));
    assert_eq!(store.compact_if_due(HOUR), Ok(true));
    assert_holds(store.as_ref(), 20);
    assert_eq!(journals(folder.path()).len(), 1);
}
