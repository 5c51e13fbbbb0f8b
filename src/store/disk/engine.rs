//! The embedded engine fjall, a log-structured merge tree with a journal: opening it, atomic batches, and the meaning
//! of its errors.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode};

use super::layout::BATCH_SLOTS;
use crate::store::StoreError;

/// How much memory one store may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// For the cache of blocks, in bytes.
    pub cache: u64,
    /// For writes that are not in a table yet, in bytes; up to three times as much while tables are merged.
    pub buffer: u64,
    /// How much a restore loads into files of its own before the store takes it over with a checkpoint, in bytes. It
    /// bounds how much is on disk twice, and how much is loaded again after a crash.
    pub load: u64,
}

/// Threads that write and merge the tables of a store. With more than one, a thread spins while another one merges: in
/// fjall 3.1 (worker_pool.rs) the first thread never merges; it puts a merge request back into the queue from which it
/// takes the request again.
const ENGINE_THREADS: usize = 1;
/// How many full buffers may wait until their table is written: a compaction takes a few seconds, during which no table
/// is written.
const MAX_SEALED_BUFFERS: usize = 2;
/// How many files a store keeps open.
const OPEN_FILES: usize = 40;
/// The smallest limit for the size of all journals that the engine accepts, in bytes.
const MIN_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// How many tables of level 0 may wait for a compaction. The engine itself blocks its callers only at a higher number.
const MAX_UNMERGED_TABLES: usize = 18;

/// The tables of a store of at most this size are merged in less than a second.
const MAX_COMPACTED_BYTES: u64 = 64 * 1024 * 1024;

/// Roughly how many bytes of memory the engine needs for a record besides its key and value.
const ENTRY_OVERHEAD: usize = 64;

/// Keys with their new values; none removes the key.
pub type WriteBatch = Vec<(Vec<u8>, Option<Bytes>)>;

pub struct Engine {
    path: PathBuf,
    // It is dropped before the database, whose drop ends the threads.
    tree: Keyspace,
    database: Database,
    /// The size of the write buffer, in bytes.
    buffer: u64,
    /// Batches and bytes written since the engine was last asked to write a table.
    batches: u64,
    bytes: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("path", &self.path).finish()
    }
}

impl Engine {
    /// Opens the store at `path`, or creates it. After a crash everything up to some batch is there, as a rule up to
    /// the last one: each batch writes the journal to the operating system, without waiting for the disk (no fsync).
    pub fn open(path: &Path, memory: MemoryLimits) -> Result<Engine, StoreError> {
        let exists = path.exists();
        // The engine panics on some kinds of unexpected file content.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = Database::builder(path)
                .worker_threads(ENGINE_THREADS)
                .cache_size(memory.cache)
                .max_cached_files(Some(OPEN_FILES))
                .max_journaling_size(MIN_JOURNAL_BYTES)
                .open()?;
            let tree = database.keyspace("state", || options(memory))?;
            Ok((database, tree))
        }));
        let opened = opened.unwrap_or(Err(Error::Unrecoverable));
        let (database, tree) = opened.map_err(|error| match error {
            // Either a file of an existing store is missing, or a crash left only some of the files of a new one.
            Error::Io(error) | Error::Storage(LsmError::Io(error))
                if exists
                    && matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                    ) =>
            {
                damaged(path, &error.to_string())
            }
            error => classify(path, &error),
        })?;
        Ok(Engine {
            path: path.to_owned(),
            tree,
            database,
            buffer: memory.buffer,
            batches: 0,
            bytes: 0,
        })
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.tree.get(key).map_err(|error| self.classify(&error))?;
        Ok(found.map(Bytes::from))
    }

    /// The size of a value in bytes.
    pub fn size_of(&self, key: &[u8]) -> Result<Option<usize>, StoreError> {
        let found = self
            .tree
            .size_of(key)
            .map_err(|error| self.classify(&error))?;
        Ok(found.map(|size| size as usize))
    }

    /// Writes all of a batch or nothing.
    pub fn write(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.wait_for_tables()?;
        let mut writes = self.database.batch().durability(Some(PersistMode::Buffer));
        for (key, value) in batch {
            self.bytes +=
                (key.len() + value.as_ref().map_or(0, Bytes::len) + ENTRY_OVERHEAD) as u64;
            match value {
                Some(value) => writes.insert(&self.tree, key, value),
                None => writes.remove(&self.tree, key),
            }
        }
        writes.commit().map_err(|error| self.classify(&error))?;
        self.batches += 1;
        // The engine would also start a new buffer itself, but only after its thread has finished a merge. Also, the
        // number of batches that a recovery replays must stay below the number of slots.
        if self.bytes >= self.buffer || self.batches >= BATCH_SLOTS / 4 {
            (self.batches, self.bytes) = (0, 0);
            self.tree
                .rotate_memtable()
                .map_err(|error| self.classify(&error))?;
        }
        Ok(())
    }

    /// Writes records, sorted by key and each key once, directly into tables of their own. It bypasses the journal and
    /// needs no merging, so it is many times faster than [`Engine::write`]. After a crash either all of the records are
    /// there or none.
    pub fn ingest(
        &self,
        sorted: impl Iterator<Item = io::Result<(Vec<u8>, Option<Bytes>)>>,
    ) -> Result<(), StoreError> {
        self.wait_for_tables()?;
        let ingested = || {
            let mut tables = self.tree.start_ingestion()?;
            for record in sorted {
                match record? {
                    (key, Some(value)) => tables.write(key, value)?,
                    (key, None) => tables.write_tombstone(key)?,
                }
            }
            tables.finish()
        };
        ingested().map_err(|error| self.classify(&error))
    }

    /// Flushes all writes into tables, and merges the tables of a small store: after that they hold no overwritten
    /// values.
    pub fn flush_and_compact(&mut self) -> Result<(), StoreError> {
        (self.batches, self.bytes) = (0, 0);
        let rotated = self.tree.rotate_memtable();
        rotated.map_err(|error| self.classify(&error))?;
        while self.tree.sealed_memtable_count() > 0 {
            self.pause()?;
        }
        if self.tree.disk_space() <= MAX_COMPACTED_BYTES {
            let merged = self.tree.major_compact();
            merged.map_err(|error| self.classify(&error))?;
        }
        Ok(())
    }

    /// Waits while tables are written more slowly than batches arrive. The engine's own wait would never end if its
    /// thread had died.
    fn wait_for_tables(&self) -> Result<(), StoreError> {
        while self.tree.sealed_memtable_count() > MAX_SEALED_BUFFERS
            || self.tree.l0_table_count() > MAX_UNMERGED_TABLES
        {
            self.pause()?;
        }
        Ok(())
    }

    /// Waits a millisecond for the engine's thread; an error if the thread has died.
    fn pause(&self) -> Result<(), StoreError> {
        let alive = self.database.persist(PersistMode::Buffer);
        alive.map_err(|error| self.classify(&error))?;
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// Calls `each` with every key from `from` on and its value, in order.
    pub fn scan(&self, from: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        for guard in self.tree.range(from.to_vec()..) {
            let (key, value) = guard.into_inner().map_err(|error| self.classify(&error))?;
            each(&key, &value);
        }
        Ok(())
    }

    fn classify(&self, error: &Error) -> StoreError {
        classify(&self.path, error)
    }
}

/// How tables are written. The engine stores these options with the store, so a change applies to new stores only.
fn options(memory: MemoryLimits) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        // Never reached, because `write` starts a new buffer before that.
        .max_memtable_size(2 * memory.buffer)
        // Filters and indexes stay in memory, unpartitioned: about five bytes for each customer. Otherwise each look-up
        // would read them from the operating system, or they would displace data blocks from the cache.
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .index_block_pinning_policy(PinningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(false))
        // Most records are about customers that are known.
        .expect_point_read_hits(true)
}

/// Translates an error of the engine.
fn classify(path: &Path, error: &Error) -> StoreError {
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => io_failure(path, error),
        Error::Locked => StoreError::InUse {
            directory: path.display().to_string(),
        },
        Error::Poisoned => match probe(path) {
            Err(error) => io_failure(path, &error),
            Ok(()) => StoreError::Failed {
                directory: path.display().to_string(),
                reason: "writing or merging its tables failed before".to_owned(),
            },
        },
        other => damaged(path, &other.to_string()),
    }
}

/// Tests whether the disk accepts writes.
fn probe(path: &Path) -> io::Result<()> {
    let file = path.with_extension("probe");
    let written = std::fs::write(&file, vec![1_u8; 1024 * 1024]);
    let removed = std::fs::remove_file(&file);
    written.and(removed)
}

pub fn damaged(path: &Path, reason: &str) -> StoreError {
    StoreError::Damaged {
        directory: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

/// Translates an error of the operating system.
pub fn io_failure(path: &Path, error: &io::Error) -> StoreError {
    let (directory, reason) = (path.display().to_string(), error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full { directory, reason }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Permission { directory, reason }
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            StoreError::Damaged { directory, reason }
        }
        _ => StoreError::Failed { directory, reason },
    }
}
