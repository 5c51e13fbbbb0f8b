//! Crashes, full disks and damaged files: a store is either correct up to its checkpoint, or fails with an error.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::super::engine::io_failure;
use super::*;

const CHILD: &str = "KEYFOLD_TEST_STORE";
const BATCHES_VARIABLE: &str = "KEYFOLD_TEST_STORE_BATCHES";
/// The child's exit code when the disk is full.
const FULL: i32 = 42;

/// Writes batches, continuing from the checkpoint, up to the given number, and then exits without closing the store.
#[test]
#[ignore = "the child process of other tests"]
fn child() {
    let Ok(directory) = std::env::var(CHILD) else {
        return;
    };
    let batches = std::env::var(BATCHES_VARIABLE).expect("a number");
    let batches: i64 = batches.parse().expect("a number");
    let mut store = open(Path::new(&directory));
    loop {
        let next = store.checkpoint().unwrap_or(0);
        if next == batches {
            std::process::abort();
        }
        match write_batch(store.as_mut(), next as u64) {
            Ok(()) => {}
            Err(StoreError::Full { .. }) => std::process::exit(FULL),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs [`child`] with a limit on the size of its files, in KiB.
fn run_child(directory: &Path, batches: u64, largest: &str) -> ExitStatus {
    let limited = format!("trap '' XFSZ; ulimit -f {largest}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &limited]);
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", "store::disk::tests::faults::child"]);
    command.args(["--ignored", "--nocapture"]);
    command
        .env(CHILD, directory)
        .env(BATCHES_VARIABLE, batches.to_string());
    let output = command.output().expect("a child process");
    output.status
}

#[test]
fn a_crash_loses_nothing() {
    let folder = folder();
    for batches in [1, 2, 700, 1500] {
        let status = run_child(folder.path(), batches, "unlimited");
        assert_eq!(status.code(), None, "{status}");
        let store = open(folder.path());
        assert_eq!(store.checkpoint(), Some(batches as i64));
        assert_holds(store.as_ref(), batches - 1);
    }
}

/// A limit on the file size stands in for a full disk. When there is space again, the store continues.
#[test]
fn a_full_disk_is_reported_and_loses_nothing() {
    let folder = folder();
    run_child(folder.path(), 100, "unlimited");
    let status = run_child(folder.path(), 1_000_000, "4096");
    assert_eq!(status.code(), Some(FULL), "{status}");
    let mut store = open(folder.path());
    let checkpoint = store.checkpoint().expect("a checkpoint") as u64;
    assert!(checkpoint > 110, "{checkpoint}");
    assert_holds(store.as_ref(), checkpoint - 1);
    write_batch(store.as_mut(), checkpoint).expect("room");
    assert_holds(store.as_ref(), checkpoint);
}

/// Opens the store and checks everything in it.
fn examine(directory: &Path) -> Result<Option<u64>, StoreError> {
    let store = stores(directory).open(0)?;
    let Some(checkpoint) = store.checkpoint() else {
        assert_eq!(store.customers(), 0);
        return Ok(None);
    };
    let newest = checkpoint as u64 - 1;
    for number in 0..newest + CUSTOMERS + 1 {
        let found = store.get(&id(number))?;
        let expected = (number < newest + CUSTOMERS).then(|| state(number, number.min(newest)));
        assert_eq!(found, expected, "customer {number} at {checkpoint}");
    }
    Ok(Some(newest))
}

/// Tables and journals with a wrong byte, or truncated.
#[test]
fn damage_is_detected_and_the_store_set_aside() {
    const BATCHES: u64 = 700;
    let folder = folder();
    let whole = folder.path().join("whole");
    run_child(&whole, BATCHES, "unlimited");
    let base = whole.join("application");
    let files = files_below(&base);
    let (mut failed, mut set_aside) = (0, 0);
    for (number, file) in files.iter().enumerate() {
        let length = fs::metadata(file).expect("a file").len();
        if length == 0 {
            continue;
        }
        for part in 0..8 {
            let copy = folder.path().join(format!("copy-{number}-{part}"));
            let from = files.iter().map(|file| (file, file.strip_prefix(&whole)));
            for (file, name) in from {
                let to = copy.join(name.expect("a file of the store"));
                fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
                fs::copy(file, to).expect("a copy");
            }
            let damaged = copy.join(file.strip_prefix(&whole).expect("a file of the store"));
            let mut bytes = fs::read(&damaged).expect("a file");
            let at = (length * part / 8 + part * 7).min(length - 1) as usize;
            if part == 3 {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 0x55;
            }
            fs::write(&damaged, &bytes).expect("a file");
            if let Err(error) = examine(&copy) {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                failed += 1;
                // A store that is known to be damaged is set aside at the next start.
                assert_eq!(examine(&copy), Ok(None));
            }
            let entries = fs::read_dir(copy.join("application")).expect("a directory");
            let names = entries.map(|entry| entry.expect("an entry").file_name());
            let aside = names.filter(|name| name.to_string_lossy().contains(".damaged-"));
            set_aside += aside.count();
            fs::remove_dir_all(&copy).expect("a directory");
        }
    }
    assert!(set_aside > failed, "{set_aside} set aside, {failed} failed");
}

#[test]
fn a_store_marked_as_failed_is_checked_in_full() {
    let folder = folder();
    let mut store = open(folder.path());
    write_batch(store.as_mut(), 0).expect("a batch");
    drop(store);
    let note = folder.path().join("application").join("0.doubt");
    fs::write(&note, "doubtful").expect("a note");
    assert_holds(open(folder.path()).as_ref(), 0);
    assert!(!note.exists());
}

#[test]
fn disk_errors_are_classified() {
    let of = |kind: io::ErrorKind| io_failure(Path::new("/state"), &kind.into());
    assert!(matches!(
        of(io::ErrorKind::StorageFull),
        StoreError::Full { .. }
    ));
    assert!(matches!(
        of(io::ErrorKind::QuotaExceeded),
        StoreError::Full { .. }
    ));
    let permission = of(io::ErrorKind::PermissionDenied);
    assert!(matches!(permission, StoreError::Permission { .. }));
    assert!(matches!(
        of(io::ErrorKind::InvalidData),
        StoreError::Damaged { .. }
    ));
    assert!(matches!(
        of(io::ErrorKind::TimedOut),
        StoreError::Failed { .. }
    ));

    // A file where a folder should be.
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let taken = DiskStores::lock(settings(&file), || true);
    assert!(matches!(taken, Err(StoreError::Failed { .. })), "{taken:?}");
}
