//! The store on disk: one for each state partition, on the engine fjall, a log-structured merge tree with a journal.
//!
//! In the file system, below `state.directory`:
//!
//! ```text
//! <application id>/
//!   lock                     held by the process that uses the folder
//!   <partition>/             the engine's files: tables, and journals (*.jnl)
//!   <partition>.loading/     sorted runs of a restore; only this process can use them
//!   <partition>.doubt        a note that the store has failed; the next start reads all of it
//!   <partition>.damaged-<s>  the last store that was set aside, at that second since 1970
//! ```
//!
//! In the engine's tree of sorted keys, numbers being big-endian:
//!
//! ```text
//! 00 h             the header: what the store is a copy of
//! 00 k             the checkpoint, written with every batch: offset, totals, number of the batch, largest state
//! 00 r <slot: 2>   the number of the last batch in this slot (the number modulo 8192)
//! 01 <id>          the encoded state of a customer
//! 02 <SHA-256>     the same where the id is longer than 32,768 bytes
//! ```
//!
//! A write is passed to the operating system without waiting for the disk (no fsync): after a crash of the process all
//! batches are there; after a crash of the machine the newest ones may be missing. The checkpoint, which is part of
//! each batch, says from which offset the restore continues. The slots reveal a gap in what the engine has recovered.
//!
//! | file | subject |
//! |---|---|
//! | `directory` | opening the stores of a process, and setting damaged ones aside |
//! | `check` | whether the store at a path can be used |
//! | `engine` | fjall: its settings, atomic batches, and what its errors mean |
//! | `layout` | the keys and values above |
//! | `runs` | the external sort of the records that a restore loads |
//! | `compaction` | removing overwritten values, once an hour |
//! | `permissions` | only this user may read the files |
//! | `room` | what the directory is like, without taking it over |
//! | `scratch` | a folder for what a command sorts on disk; it is no store |

mod check;
mod compaction;
mod directory;
mod engine;
mod layout;
mod permissions;
mod room;
mod runs;
mod scratch;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

pub use directory::{DiskSettings, DiskStores};
use engine::{Engine, MemoryLimits, WriteBatch, damaged};
use layout::{CHECKPOINT, Checkpoint, HEADER, Header, Totals, batch_slot, key};
#[cfg(test)]
pub use room::Room;
pub use room::{Found as FoundDirectory, look};
pub use scratch::Scratch;

use check::{Check, Found};
use compaction::LastCompaction;
use runs::SortedRuns;

use super::{Change, Sizes, Store, StoreError};
use crate::customer::EncodedState;

/// The customers of one state partition.
#[derive(Debug)]
pub struct DiskStore {
    path: PathBuf,
    memory: MemoryLimits,
    header: Header,
    /// None while the store is closed to be recreated or compacted, and if that has failed.
    engine: Option<Engine>,
    /// None: nothing was written yet.
    checkpoint: Option<Checkpoint>,
    /// Records that were read back from Kafka and are not in the store yet.
    loading: SortedRuns,
    last_compaction: LastCompaction,
    /// Sizes of the states that were written since the store was opened.
    sizes: Sizes,
}

impl DiskStore {
    /// Opens the store at this path, or creates it. If it is a copy of something else, it is deleted.
    fn open(
        path: PathBuf,
        memory: MemoryLimits,
        header: Header,
        check: Check,
    ) -> Result<DiskStore, StoreError> {
        let loading = SortedRuns::beside(&path, memory.buffer)?;
        let mut store = DiskStore {
            engine: Some(Engine::open(&path, memory)?),
            path,
            memory,
            header,
            checkpoint: None,
            loading,
            last_compaction: LastCompaction::default(),
            sizes: Sizes::default(),
        };
        match store.check(check)? {
            Found::Usable(checkpoint) => store.checkpoint = checkpoint,
            Found::Foreign(reason) => {
                tracing::warn!(
                    directory = %store.path.display(),
                    reason,
                    "the state store is deleted and rebuilt from Kafka"
                );
                store.recreate()?;
            }
        }
        Ok(store)
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        self.engine.as_ref().ok_or_else(|| self.closed_error())
    }

    fn engine_mut(&mut self) -> Result<&mut Engine, StoreError> {
        let error = self.closed_error();
        self.engine.as_mut().ok_or(error)
    }

    fn closed_error(&self) -> StoreError {
        StoreError::Failed {
            directory: self.path.display().to_string(),
            reason: "it could not be recreated".to_owned(),
        }
    }

    fn damaged(&self, reason: &str) -> StoreError {
        damaged(&self.path, reason)
    }

    /// Deletes the store and creates it again, empty.
    fn recreate(&mut self) -> Result<(), StoreError> {
        self.engine = None;
        self.restart_load();
        self.checkpoint = None;
        self.sizes = Sizes::default();
        directory::remove(&self.path)?;
        self.engine = Some(Engine::open(&self.path, self.memory)?);
        let header = self.header.encode();
        self.engine_mut()?
            .write(vec![(HEADER.to_vec(), Some(header.into()))])
    }

    /// Writes a batch with its checkpoint.
    fn write(&mut self, mut batch: WriteBatch, mut next: Checkpoint) -> Result<(), StoreError> {
        next.largest = next.largest.max(self.sizes.largest() as u64);
        let (encoded, number) = (next.encode(), next.batch.to_be_bytes());
        batch.push((CHECKPOINT.to_vec(), Some(Bytes::copy_from_slice(&encoded))));
        batch.push((
            batch_slot(next.batch).to_vec(),
            Some(Bytes::copy_from_slice(&number)),
        ));
        self.engine_mut()?.write(batch)?;
        self.checkpoint = Some(next);
        Ok(())
    }

    /// Writes the few records that are buffered as one batch.
    fn write_buffered(&mut self, offset: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        let totals = next.totals.get_or_insert_default();
        let buffered = self.loading.take_buffered();
        // Moved out, because the engine stays borrowed during the loop.
        let mut sizes = std::mem::take(&mut self.sizes);
        let engine = self.engine()?;
        let mut batch: WriteBatch = Vec::new();
        for (key, state) in buffered {
            let before = engine.size_of(&key)?;
            if state.is_none() && before.is_none() {
                continue;
            }
            let after = state.as_ref().map(Bytes::len);
            totals.replace(key.len() - 1, before, after);
            sizes.replace(before, after);
            batch.push((key, state));
        }
        self.sizes = sizes;
        next.offset = offset;
        next.batch += 1;
        self.write(batch, next)
    }

    /// Writes many records into tables of their own. Until the end of the restore the totals are unknown, because after
    /// a crash the same records may be loaded again.
    fn ingest(&mut self, offset: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        let before = next.totals.take();
        next.batch += 1;
        self.write(Vec::new(), next)?;
        let mut ingested = Totals::default();
        let merged = self.loading.merge()?;
        let mut sizes = std::mem::take(&mut self.sizes);
        let counted = merged.inspect(|record| {
            if let Ok((key, state)) = record {
                let after = state.as_ref().map(Bytes::len);
                ingested.replace(key.len() - 1, None, after);
                sizes.replace(None, after);
            }
        });
        let ingest = self.engine()?.ingest(counted);
        self.sizes = sizes;
        ingest?;
        self.loading.clear();
        next.totals = (before == Some(Totals::default())).then_some(ingested);
        next.offset = offset;
        next.batch += 1;
        self.write(Vec::new(), next)
    }

    /// Counts what the store holds.
    fn recount(&mut self) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        next.totals = Some(self.count()?);
        next.batch += 1;
        self.write(Vec::new(), next)
    }
}

impl Totals {
    /// Updates the totals for a customer whose state is replaced; the arguments are the sizes of the id and the states
    /// in bytes.
    fn replace(&mut self, id: usize, before: Option<usize>, after: Option<usize>) {
        if let Some(state) = before {
            self.customers = self.customers.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub((id + state) as u64);
        }
        if let Some(state) = after {
            self.customers += 1;
            self.bytes += (id + state) as u64;
        }
    }
}

impl Store for DiskStore {
    fn get(&self, id: &[u8]) -> Result<Option<EncodedState>, StoreError> {
        let found = self.engine()?.get(&key(id));
        let found = self.marking_failure(found)?;
        Ok(found.map(|state| state[..].into()))
    }

    fn checkpoint(&self) -> Option<i64> {
        self.checkpoint.map(|checkpoint| checkpoint.offset)
    }

    fn commit(&mut self, changes: &[Change<'_>], checkpoint: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        next.offset = checkpoint;
        next.batch += 1;
        let totals = next.totals.get_or_insert_default();
        let mut batch: WriteBatch = Vec::with_capacity(changes.len() + 2);
        for change in changes {
            let key = key(change.id);
            let after = Some(change.state.len());
            totals.replace(key.len() - 1, change.before, after);
            self.sizes.replace(change.before, after);
            batch.push((key, Some(Bytes::from_owner(change.state.clone()))));
        }
        let written = self.write(batch, next);
        self.marking_failure(written)
    }

    fn load(&mut self, id: &[u8], state: Option<&[u8]>, next: i64) -> Result<(), StoreError> {
        let mut loaded = self.loading.add(key(id), state.map(Bytes::copy_from_slice));
        if loaded.is_ok() && self.loading.file_bytes() >= self.memory.load {
            loaded = self.ingest(next);
        }
        self.marking_failure(loaded)
    }

    fn finish_load(&mut self, checkpoint: i64) -> Result<(), StoreError> {
        let mut written = if self.loading.has_files() {
            self.ingest(checkpoint)
        } else if self.loading.is_empty() && self.checkpoint() == Some(checkpoint) {
            Ok(())
        } else {
            self.write_buffered(checkpoint)
        };
        if written.is_ok()
            && self
                .checkpoint
                .is_some_and(|checkpoint| checkpoint.totals.is_none())
        {
            written = self.recount();
        }
        self.marking_failure(written)
    }

    fn restart_load(&mut self) {
        self.loading.clear();
    }

    fn discard(&mut self, low: i64, high: i64) -> Result<(), StoreError> {
        if let Some(checkpoint) = self.checkpoint() {
            tracing::warn!(
                directory = %self.path.display(),
                checkpoint,
                low,
                high,
                "the state store is deleted and rebuilt from Kafka: its checkpoint is not in the log of the state topic"
            );
            self.recreate()?;
        }
        Ok(())
    }

    fn compact_if_due(&mut self, now: Duration) -> Result<bool, StoreError> {
        let compacted = self.compact_at(now);
        self.marking_failure(compacted)
    }

    fn customers(&self) -> usize {
        self.totals().customers as usize
    }

    fn bytes(&self) -> usize {
        self.totals().bytes as usize
    }

    fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    fn largest(&self) -> usize {
        self.checkpoint.unwrap_or_default().largest as usize
    }

    fn is_durable(&self) -> bool {
        true
    }
}

impl DiskStore {
    /// What the store holds, as far as that is known.
    fn totals(&self) -> Totals {
        let checkpoint = self.checkpoint.unwrap_or_default();
        checkpoint.totals.unwrap_or_default()
    }

    /// Passes the result through. If the store has failed, it leaves a note for the next start.
    fn marking_failure<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            directory::mark_suspect(&self.path, error);
        }
        result
    }
}
