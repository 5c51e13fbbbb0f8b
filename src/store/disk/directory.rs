//! Where stores lie: `<directory>/<application id>/<partition>`, with a lock beside them, so that two processes
//! never share them.
//!
//! Beside the store of a partition may lie `<partition>.doubt`, a note that it has failed and must be looked at, and
//! `<partition>.damaged-<seconds since 1970>`, the last one that was set aside, and, while it is loaded,
//! `<partition>.loading`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::DiskStore;
use super::engine::{Memory, of_io};
use super::layout::Header;
use super::private;
use crate::store::{Store, StoreError, Stores};

/// How long a process that is ending may keep its lock: it has memory to give back.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least and the most that is kept in memory before a table is written, in bytes.
const BUFFER: (u64, u64) = (4 * 1024 * 1024, 32 * 1024 * 1024);
/// What a store caches of what it read, in bytes. A customer that is read is written with the same batch, so it lies in
/// the buffer when it is asked for again, and what was read of it is of no use then; of the files the system keeps what
/// it has room for. A larger cache only means that each block that is read comes into memory that is not at hand.
const CACHE: u64 = 1024 * 1024;
/// What is loaded between two checkpoints, in bytes.
const LOAD: u64 = 2 * 1024 * 1024 * 1024;
/// What a note says of a store that is known to be damaged.
const DAMAGED: &[u8] = b"damaged";

/// What stores are for, and where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub directory: PathBuf,
    pub application_id: String,
    pub state_topic: String,
    /// What the cluster calls the topic; none where it does not tell.
    pub topic_id: Option<String>,
    /// Partitions of the state topic.
    pub partitions: i32,
    /// Memory for what all stores of this process have not yet in their tables, in bytes.
    pub memory: u64,
}

/// The stores of one process, which nobody else can open while this lives.
#[derive(Debug)]
pub struct DiskStores {
    place: Place,
    base: PathBuf,
    memory: Memory,
    _lock: File,
}

impl DiskStores {
    /// Takes the directory. Where another process has it, it is waited for a while, unless `give_up` says so.
    pub fn take(place: Place, give_up: impl Fn() -> bool) -> Result<DiskStores, StoreError> {
        let base = place.directory.join(&place.application_id);
        let failed = |error: io::Error| of_io(&base, &error);
        // nothing is put, or removed, beside or above the folder of this application
        let mut parts = Path::new(&place.application_id).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            let error = io::Error::new(
                io::ErrorKind::InvalidInput,
                "the application id is no name of a folder",
            );
            return Err(failed(error));
        }
        private::from_now_on();
        fs::create_dir_all(&base).map_err(failed)?;
        let file = base.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&file).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline && !give_up() => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::InUse {
                        directory: base.display().to_string(),
                    });
                }
            }
        }
        private::what_is_there(&base).map_err(failed)?;
        let share = place.memory / u64::try_from(place.partitions).unwrap_or(1).max(1);
        let memory = Memory {
            cache: CACHE,
            // up to three of them while tables are written
            buffer: (share / 3).clamp(BUFFER.0, BUFFER.1),
            load: LOAD,
        };
        Ok(DiskStores {
            place,
            base,
            memory,
            _lock: lock,
        })
    }

    pub(super) fn header(&self, partition: i32) -> Header {
        Header {
            application_id: self.place.application_id.clone(),
            state_topic: self.place.state_topic.clone(),
            topic_id: self.place.topic_id.clone().unwrap_or_default(),
            partitions: self.place.partitions,
            partition,
        }
    }
}

impl Stores for DiskStores {
    fn open(&self, partition: i32) -> Result<Box<dyn Store>, StoreError> {
        let path = self.base.join(partition.to_string());
        let note = match fs::read(note_of(&path)) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(of_io(&path, &error)),
        };
        let doubtful = note.is_some();
        let header = self.header(partition);
        let opened = if note.as_deref() == Some(DAMAGED) {
            Err(StoreError::Damaged {
                directory: path.display().to_string(),
                reason: "it was found so before".to_owned(),
            })
        } else {
            DiskStore::open(path.clone(), self.memory, header.clone(), doubtful)
        };
        let store = match opened {
            Err(StoreError::Damaged { reason, .. }) => {
                let aside = set_aside(&path)?;
                tracing::warn!(
                    directory = %path.display(),
                    set_aside = %aside.display(),
                    reason,
                    "the state store is damaged: it is set aside and rebuilt from Kafka"
                );
                DiskStore::open(path.clone(), self.memory, header, false)?
            }
            opened => opened?,
        };
        if doubtful {
            remove(&note_of(&path))?;
        }
        Ok(Box::new(store))
    }
}

fn note_of(path: &Path) -> PathBuf {
    path.with_extension("doubt")
}

/// Leaves word that a store has failed. Where even that fails, the next start finds out for itself.
pub fn note(path: &Path, error: &StoreError) {
    let text: &[u8] = match error {
        StoreError::Damaged { .. } => DAMAGED,
        _ => b"doubtful",
    };
    if let Err(error) = fs::write(note_of(path), text) {
        tracing::warn!(directory = %path.display(), %error, "no note of the failure could be left");
    }
}

/// Renames a store, in the place of one that was set aside before.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |error: io::Error| of_io(path, &error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{name}.damaged-");
    let base = path.parent().unwrap_or(path);
    for entry in fs::read_dir(base).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            remove(&entry.path())?;
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let aside = base.join(format!("{prefix}{}", now.map_or(0, |now| now.as_secs())));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(aside),
    }
}

/// Removes a file or a folder with all that is in it, if it is there.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of_io(path, &error)),
        _ => Ok(()),
    }
}
