//! The folder of the stores of one process. It is locked, because two processes must never share it. The module
//! [`disk`](super) describes its content.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::engine::{MemoryLimits, io_failure};
use super::layout::Header;
use super::permissions;
use super::{Check, DiskStore};
use crate::store::{Store, StoreError, Stores};

/// How long to wait for the lock of another process: one that is shutting down has to free its memory first.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// The bounds of the write buffer: how much stays in memory before a table is written, in bytes.
const MIN_BUFFER: u64 = 4 * 1024 * 1024;
const MAX_BUFFER: u64 = 32 * 1024 * 1024;
/// The block cache of a store, in bytes. It is small on purpose: a customer that is read is written by the same batch,
/// so the next read finds it in the write buffer, and the cached block is not used again. The operating system caches
/// the files with the memory that it has left. A larger cache would only bring each block into cold memory.
const CACHE: u64 = 1024 * 1024;
/// How many bytes a restore loads between two checkpoints.
const LOADED_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The content of the note beside a damaged store.
const DAMAGED: &[u8] = b"damaged";
const SUSPECT: &[u8] = b"doubtful";

/// What the stores are copies of, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSettings {
    pub directory: PathBuf,
    pub application_id: String,
    pub state_topic: String,
    /// The topic id by which the cluster knows the topic; none if the cluster does not report one.
    pub topic_id: Option<String>,
    /// Partitions of the state topic.
    pub partitions: i32,
    /// Memory for what the stores of this process have not written into tables yet, all stores together, in bytes.
    pub memory: u64,
}

/// The stores of one process. No other process can open them while this value lives.
#[derive(Debug)]
pub struct DiskStores {
    settings: DiskSettings,
    base: PathBuf,
    memory: MemoryLimits,
    _lock: File,
}

impl DiskStores {
    /// Locks the directory. If another process holds the lock, this waits for up to [`LOCK_TIMEOUT`], or until
    /// `give_up` returns true.
    pub fn lock(
        settings: DiskSettings,
        give_up: impl Fn() -> bool,
    ) -> Result<DiskStores, StoreError> {
        let base = settings.directory.join(&settings.application_id);
        let failed = |error: io::Error| io_failure(&base, &error);
        // Nothing may be created or removed outside of the folder of this application.
        let mut parts = Path::new(&settings.application_id).components();
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
        permissions::restrict_new_files();
        fs::create_dir_all(&base).map_err(failed)?;
        let file = base.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&file).map_err(failed)?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
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
        permissions::restrict_existing(&base).map_err(failed)?;
        let share = settings.memory / u64::try_from(settings.partitions).unwrap_or(1).max(1);
        let memory = MemoryLimits {
            cache: CACHE,
            // There are up to three buffers while tables are written.
            buffer: (share / 3).clamp(MIN_BUFFER, MAX_BUFFER),
            load: LOADED_BYTES,
        };
        Ok(DiskStores {
            settings,
            base,
            memory,
            _lock: lock,
        })
    }

    pub(super) fn header(&self, partition: i32) -> Header {
        Header {
            application_id: self.settings.application_id.clone(),
            state_topic: self.settings.state_topic.clone(),
            topic_id: self.settings.topic_id.clone().unwrap_or_default(),
            partitions: self.settings.partitions,
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
            Err(error) => return Err(io_failure(&path, &error)),
        };
        let check = match note {
            Some(_) => Check::Full,
            None => Check::Quick,
        };
        let header = self.header(partition);
        let opened = if note.as_deref() == Some(DAMAGED) {
            Err(StoreError::Damaged {
                directory: path.display().to_string(),
                reason: "it was found so before".to_owned(),
            })
        } else {
            DiskStore::open(path.clone(), self.memory, header.clone(), check)
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
                DiskStore::open(path.clone(), self.memory, header, Check::Quick)?
            }
            opened => opened?,
        };
        if note.is_some() {
            remove(&note_of(&path))?;
        }
        Ok(Box::new(store))
    }
}

fn note_of(path: &Path) -> PathBuf {
    path.with_extension("doubt")
}

/// Leaves a note that a store has failed, so that the next start checks it. If even that fails, the next start finds
/// the damage itself.
pub fn mark_suspect(path: &Path, error: &StoreError) {
    let text: &[u8] = match error {
        StoreError::Damaged { .. } => DAMAGED,
        _ => SUSPECT,
    };
    if let Err(error) = fs::write(note_of(path), text) {
        tracing::warn!(directory = %path.display(), %error, "no note of the failure could be left");
    }
}

/// Renames a store to set it aside; it replaces one that was set aside before.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |error: io::Error| io_failure(path, &error);
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
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failure(path, &error)),
        _ => Ok(()),
    }
}
