//! The store on disk: a directory of its own for each state partition.
//!
//! It is not waited for the disk: after a crash of the process all batches are there, after one of the machine some
//! may be missing, from the newest on. The checkpoint in the same batch says which, and Kafka has the rest.

mod directory;
mod engine;
mod layout;
mod private;
mod runs;
#[cfg(test)]
mod tests;
mod tidy;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

pub use directory::{DiskStores, Place};
use engine::{Batch, Engine, Memory, damaged};
use layout::{CHECKPOINT, CUSTOMERS, Checkpoint, HEADER, Header, Held, REMEMBERED, key, slot};

use runs::Runs;
use tidy::Tidied;

use super::{Change, Sizes, Store, StoreError};

/// The customers of one state partition.
#[derive(Debug)]
pub struct DiskStore {
    path: PathBuf,
    memory: Memory,
    header: Header,
    /// None only while the store is made anew, and after that failed.
    engine: Option<Engine>,
    /// None: nothing was written yet.
    checkpoint: Option<Checkpoint>,
    /// What is read from Kafka and not in the store yet.
    loading: Runs,
    tidied: Tidied,
    /// Of the states that were written since it was opened.
    sizes: Sizes,
}

/// What was found where a store is opened.
enum Found {
    Usable(Option<Checkpoint>),
    /// A store of something else, for this reason.
    Foreign(&'static str),
}

impl DiskStore {
    /// Opens the store at this path, or creates it. `doubtful`: every byte is looked at. A store of something else
    /// is thrown away.
    fn open(
        path: PathBuf,
        memory: Memory,
        header: Header,
        doubtful: bool,
    ) -> Result<DiskStore, StoreError> {
        let loading = Runs::beside(&path, memory.buffer)?;
        let mut store = DiskStore {
            engine: Some(Engine::open(&path, memory)?),
            path,
            memory,
            header,
            checkpoint: None,
            loading,
            tidied: Tidied::default(),
            sizes: Sizes::default(),
        };
        match store.look(doubtful)? {
            Found::Usable(checkpoint) => store.checkpoint = checkpoint,
            Found::Foreign(reason) => {
                tracing::warn!(
                    directory = %store.path.display(),
                    reason,
                    "the state store is thrown away and rebuilt from Kafka"
                );
                store.start_anew()?;
            }
        }
        Ok(store)
    }

    fn look(&mut self, doubtful: bool) -> Result<Found, StoreError> {
        let header = self.header.encode();
        let engine = self.engine()?;
        let found = engine.get(HEADER)?;
        let checkpoint = match engine.get(CHECKPOINT)? {
            None => None,
            Some(bytes) => Some(
                Checkpoint::decode(&bytes)
                    .ok_or_else(|| self.damaged("its checkpoint can't be read"))?,
            ),
        };
        match found {
            None if checkpoint.is_none() => {
                let engine = self.engine_mut()?;
                engine.write(vec![(HEADER.to_vec(), Some(header.into()))])?;
                return Ok(Found::Usable(None));
            }
            None => return Err(self.damaged("its header is missing")),
            Some(found) if found[..] != header[..] => {
                return Ok(Found::Foreign(if found.get(..2) == header.get(..2) {
                    "it is a copy of another state topic, or of one that was recreated since"
                } else {
                    "it has the layout of another version"
                }));
            }
            Some(_) => {}
        }
        let Some(checkpoint) = checkpoint else {
            return Ok(Found::Usable(None));
        };
        self.look_for_holes(&checkpoint)?;
        if doubtful {
            self.look_at_everything(&checkpoint)?;
        }
        Ok(Found::Usable(Some(checkpoint)))
    }

    /// The newest batches must all be there.
    fn look_for_holes(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let engine = self.engine()?;
        let newest = checkpoint.batch;
        for batch in newest.saturating_sub(REMEMBERED - 1).max(1)..=newest {
            let found = engine.get(&slot(batch))?;
            if found.as_deref() != Some(&batch.to_be_bytes()) {
                return Err(self.damaged("a batch is missing"));
            }
        }
        Ok(())
    }

    /// Reads every customer, and compares what is there with what should be.
    fn look_at_everything(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let held = self.count()?;
        if checkpoint.held.is_some_and(|should| should != held) {
            return Err(self.damaged("customers are missing"));
        }
        Ok(())
    }

    /// Reads every customer.
    fn count(&self) -> Result<Held, StoreError> {
        let mut held = Held::default();
        self.engine()?.scan(&[CUSTOMERS], |key, value| {
            held.replace(key.len() - 1, None, Some(value.len()));
        })?;
        Ok(held)
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        self.engine.as_ref().ok_or_else(|| self.gone())
    }

    fn engine_mut(&mut self) -> Result<&mut Engine, StoreError> {
        let gone = self.gone();
        self.engine.as_mut().ok_or(gone)
    }

    fn gone(&self) -> StoreError {
        StoreError::Failed {
            directory: self.path.display().to_string(),
            reason: "it could not be made anew".to_owned(),
        }
    }

    fn damaged(&self, reason: &str) -> StoreError {
        damaged(&self.path, reason)
    }

    /// Removes what is there, and begins empty.
    fn start_anew(&mut self) -> Result<(), StoreError> {
        self.engine = None;
        self.load_again();
        self.checkpoint = None;
        self.sizes = Sizes::default();
        directory::remove(&self.path)?;
        self.engine = Some(Engine::open(&self.path, self.memory)?);
        let header = self.header.encode();
        self.engine_mut()?
            .write(vec![(HEADER.to_vec(), Some(header.into()))])
    }

    /// Writes a batch with its checkpoint.
    fn write(&mut self, mut batch: Batch, mut next: Checkpoint) -> Result<(), StoreError> {
        next.largest = next.largest.max(self.sizes.largest() as u64);
        let (encoded, number) = (next.encode(), next.batch.to_be_bytes());
        batch.push((CHECKPOINT.to_vec(), Some(Bytes::copy_from_slice(&encoded))));
        batch.push((
            slot(next.batch).to_vec(),
            Some(Bytes::copy_from_slice(&number)),
        ));
        self.engine_mut()?.write(batch)?;
        self.checkpoint = Some(next);
        Ok(())
    }

    /// Takes over a few records, as one batch.
    fn write_gathered(&mut self, offset: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        let held = next.held.get_or_insert_default();
        let gathered = self.loading.take_gathered();
        // taken out, for the engine stays borrowed
        let mut sizes = std::mem::take(&mut self.sizes);
        let engine = self.engine()?;
        let mut batch: Batch = Vec::new();
        for (key, state) in gathered {
            let before = engine.size_of(&key)?;
            if state.is_none() && before.is_none() {
                continue;
            }
            let after = state.as_ref().map(Bytes::len);
            held.replace(key.len() - 1, before, after);
            sizes.replace(before, after);
            batch.push((key, state));
        }
        self.sizes = sizes;
        next.offset = offset;
        next.batch += 1;
        self.write(batch, next)
    }

    /// Takes over many records, in tables of their own. From before until after it is not known what the store
    /// holds, for after a crash the same records may come again.
    fn ingest(&mut self, offset: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        let before = next.held.take();
        next.batch += 1;
        self.write(Vec::new(), next)?;
        let mut ingested = Held::default();
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
        next.held = (before == Some(Held::default())).then_some(ingested);
        next.offset = offset;
        next.batch += 1;
        self.write(Vec::new(), next)
    }

    /// Counts what the store holds.
    fn recount(&mut self) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        next.held = Some(self.count()?);
        next.batch += 1;
        self.write(Vec::new(), next)
    }
}

impl Held {
    /// Counts a customer's new state, by the bytes of the id and of the states.
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
    fn get(&self, id: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.engine()?.get(&key(id));
        self.noted(found)
    }

    fn checkpoint(&self) -> Option<i64> {
        self.checkpoint.map(|checkpoint| checkpoint.offset)
    }

    fn commit(&mut self, changes: &[Change<'_>], checkpoint: i64) -> Result<(), StoreError> {
        let mut next = self.checkpoint.unwrap_or_default();
        next.offset = checkpoint;
        next.batch += 1;
        let held = next.held.get_or_insert_default();
        let mut batch: Batch = Vec::with_capacity(changes.len() + 2);
        for change in changes {
            let key = key(change.id);
            let after = Some(change.state.len());
            held.replace(key.len() - 1, change.before, after);
            self.sizes.replace(change.before, after);
            batch.push((key, Some(change.state.clone())));
        }
        let written = self.write(batch, next);
        self.noted(written)
    }

    fn load(&mut self, id: &[u8], state: Option<&[u8]>, next: i64) -> Result<(), StoreError> {
        let mut loaded = self.loading.add(key(id), state.map(Bytes::copy_from_slice));
        if loaded.is_ok() && self.loading.written() >= self.memory.load {
            loaded = self.ingest(next);
        }
        self.noted(loaded)
    }

    fn loaded(&mut self, checkpoint: i64) -> Result<(), StoreError> {
        let mut written = if self.loading.are_on_disk() {
            self.ingest(checkpoint)
        } else if self.loading.is_empty() && self.checkpoint() == Some(checkpoint) {
            Ok(())
        } else {
            self.write_gathered(checkpoint)
        };
        if written.is_ok() && self.checkpoint.is_some_and(|held| held.held.is_none()) {
            written = self.recount();
        }
        self.noted(written)
    }

    fn load_again(&mut self) {
        self.loading.clear();
    }

    fn discard(&mut self, low: i64, high: i64) -> Result<(), StoreError> {
        if let Some(checkpoint) = self.checkpoint() {
            tracing::warn!(
                directory = %self.path.display(),
                checkpoint,
                low,
                high,
                "the state store is thrown away and rebuilt from Kafka: its checkpoint does not lie in the log"
            );
            self.start_anew()?;
        }
        Ok(())
    }

    fn tidy(&mut self, now: Duration) -> Result<bool, StoreError> {
        let tidied = self.tidy_at(now);
        self.noted(tidied)
    }

    fn customers(&self) -> usize {
        self.held().customers as usize
    }

    fn bytes(&self) -> usize {
        self.held().bytes as usize
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
    fn held(&self) -> Held {
        let checkpoint = self.checkpoint.unwrap_or_default();
        checkpoint.held.unwrap_or_default()
    }

    /// Leaves a note for the next start where the store has failed.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            directory::note(&self.path, error);
        }
        result
    }
}
