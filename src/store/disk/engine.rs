//! The embedded engine, a log-structured merge tree with a journal: opening, atomic batches, and what its errors
//! mean.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode};

use super::layout::BATCH_SLOTS;
use crate::store::StoreError;

/// How much memory one store may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// For blocks that were read, in bytes.
    pub cache: u64,
    /// For what is not in a table yet, in bytes; up to three times as much while tables are merged.
    pub buffer: u64,
    /// What is loaded, in files of its own, before the store takes it over with a checkpoint, in bytes: it bounds what
    /// lies on disk twice, and what is loaded again after a crash.
    pub load: u64,
}

/// Threads that write the tables of a store and merge them. Of more than one, one spins for as long as another merges: in
/// fjall 3.1 (worker_pool.rs) the first one does no merging, and puts a request for it back into the queue from which
/// it takes it again.
const ENGINE_THREADS: usize = 1;
/// Full buffers that may wait for their table: a compaction takes a few seconds, and no table is written meanwhile.
const MAX_SEALED_BUFFERS: usize = 2;
/// Files that a store keeps open.
const OPEN_FILES: usize = 40;
/// The least size of all journals that the engine takes, in bytes.
const MIN_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// Tables of level 0 that may wait for a compaction. The engine itself halts its callers later than this.
const MAX_UNMERGED_TABLES: usize = 18;

/// The tables of a store of up to so many bytes are merged in less than a second.
const MAX_COMPACTED_BYTES: u64 = 64 * 1024 * 1024;

/// What the engine holds of a record besides its key and value, in bytes, about.
const ENTRY_OVERHEAD: usize = 64;

/// Keys with a value, or none to remove them.
pub type WriteBatch = Vec<(Vec<u8>, Option<Bytes>)>;

pub struct Engine {
    path: PathBuf,
    // before the database, which ends its threads
    tree: Keyspace,
    database: Database,
    /// The bytes that the buffer may hold.
    buffer: u64,
    /// What was written since the engine was last told to write a table: batches, and bytes.
    batches: u64,
    bytes: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("path", &self.path).finish()
    }
}

impl Engine {
    /// Opens what is there, or creates it. What was written before a crash is there up to some batch, as a rule the
    /// last one: the journal is given to the operating system with each batch, and not waited for.
    pub fn open(path: &Path, memory: MemoryLimits) -> Result<Engine, StoreError> {
        let exists = path.exists();
        // the engine asserts some of what it expects in its files
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
            // a file of a store that exists is gone, or one was left by a crash before all were there
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

    /// The bytes of a value.
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
        // The engine would begin a new buffer itself, but not before its thread has ended a merging. And what may have
        // to be replayed must stay within what the slots remember.
        if self.bytes >= self.buffer || self.batches >= BATCH_SLOTS / 4 {
            (self.batches, self.bytes) = (0, 0);
            self.tree
                .rotate_memtable()
                .map_err(|error| self.classify(&error))?;
        }
        Ok(())
    }

    /// Writes records in ascending order of their keys, each once, into tables of their own: past the journal and
    /// without merging, and so many times faster than [`Engine::write`]. After a crash all are there or none.
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

    /// Flushes all that was written into tables, and compacts those of a small store: then nothing overwritten is in them.
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

    /// Waits while tables are written more slowly than batches come. The engine itself would wait for ever where its
    /// thread has ended.
    fn wait_for_tables(&self) -> Result<(), StoreError> {
        while self.tree.sealed_memtable_count() > MAX_SEALED_BUFFERS
            || self.tree.l0_table_count() > MAX_UNMERGED_TABLES
        {
            self.pause()?;
        }
        Ok(())
    }

    /// Waits a millisecond for the engine's thread, which must be alive.
    fn pause(&self) -> Result<(), StoreError> {
        let alive = self.database.persist(PersistMode::Buffer);
        alive.map_err(|error| self.classify(&error))?;
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// Every key with its value from this key on, in order.
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

/// How tables are made. The engine keeps this with the store, so that it holds for stores that are new.
fn options(memory: MemoryLimits) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        // not reached, for a new buffer is begun before
        .max_memtable_size(2 * memory.buffer)
        // Filters and indexes stay in memory, in one piece: about five bytes a customer. Otherwise each look-up reads
        // them from the system, or takes room for blocks from the cache.
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .index_block_pinning_policy(PinningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(false))
        // most records are of customers that are known
        .expect_point_read_hits(true)
}

/// What the engine's error means.
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

/// Whether the disk takes anything.
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

/// What the operating system's error means.
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
