//! The store on disk: a directory of its own for each state partition.
//!
//! It is not waited for the disk: after a crash of the process all batches are there, after one of the machine some
//! may be missing, from the newest on. The checkpoint in the same batch says which, and Kafka has the rest.

mod directory;
mod engine;
mod layout;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bytes::Bytes;

pub use directory::{DiskStores, Place};
use engine::{Batch, Engine, Memory, damaged};
use layout::{CHECKPOINT, CUSTOMERS, Checkpoint, HEADER, Header, REMEMBERED, key, slot};

use super::{Change, Store, StoreError};

/// Records that are gathered for a batch while loading.
const LOAD_RECORDS: usize = 10_000;
/// Bytes that are gathered for a batch while loading.
const LOAD_BYTES: usize = 4 * 1024 * 1024;

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
    loading: Vec<(Box<[u8]>, Option<Bytes>)>,
    loading_bytes: usize,
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
        let mut store = DiskStore {
            engine: Some(Engine::open(&path, memory)?),
            path,
            memory,
            header,
            checkpoint: None,
            loading: Vec::new(),
            loading_bytes: 0,
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
                    "it is a copy of another state topic, or of one that was created anew since"
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
        let (mut customers, mut hashed) = (0_u64, false);
        let mut bytes = 0_u64;
        self.engine()?.scan(&[CUSTOMERS], |key, value| {
            customers += 1;
            bytes += (key.len() - 1 + value.len()) as u64;
            hashed |= key.first() != Some(&CUSTOMERS);
        })?;
        // the length of an id that is hashed is not known
        if customers != checkpoint.customers || (!hashed && bytes != checkpoint.bytes) {
            return Err(self.damaged("customers are missing"));
        }
        Ok(())
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
        directory::remove(&self.path)?;
        self.engine = Some(Engine::open(&self.path, self.memory)?);
        let header = self.header.encode();
        self.engine_mut()?
            .write(vec![(HEADER.to_vec(), Some(header.into()))])
    }

    /// Writes a batch with its checkpoint.
    fn write(&mut self, mut batch: Batch, next: Checkpoint) -> Result<(), StoreError> {
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

    /// Writes what is gathered.
    fn write_loaded(&mut self, offset: i64) -> Result<(), StoreError> {
        self.loading_bytes = 0;
        let mut records = std::mem::take(&mut self.loading);
        // of several records of a customer the last is the newest; neighbours are read and written together
        records.sort_by(|one, other| one.0.cmp(&other.0));
        let mut next = self.checkpoint.unwrap_or_default();
        let empty = next.customers == 0;
        let engine = self.engine()?;
        let mut batch: Batch = Vec::with_capacity(records.len() + 2);
        let mut rest = records.iter().peekable();
        while let Some((id, state)) = rest.next() {
            if rest.peek().is_some_and(|(following, _)| following == id) {
                continue;
            }
            let key = key(id);
            let before = if empty { None } else { engine.size_of(&key)? };
            if state.is_none() && before.is_none() {
                continue;
            }
            next.replace(id.len(), before, state.as_ref().map(Bytes::len));
            batch.push((key, state.clone()));
        }
        next.offset = offset;
        next.batch += 1;
        self.write(batch, next)
    }
}

impl Checkpoint {
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
        let mut batch: Batch = Vec::with_capacity(changes.len() + 2);
        for change in changes {
            next.replace(change.id.len(), change.before, Some(change.state.len()));
            batch.push((key(change.id), Some(change.state.clone())));
        }
        let written = self.write(batch, next);
        self.noted(written)
    }

    fn load(&mut self, id: &[u8], state: Option<&[u8]>, next: i64) -> Result<(), StoreError> {
        self.loading_bytes += id.len() + state.map_or(0, <[u8]>::len);
        self.loading
            .push((id.into(), state.map(Bytes::copy_from_slice)));
        if self.loading.len() < LOAD_RECORDS && self.loading_bytes < LOAD_BYTES {
            return Ok(());
        }
        let written = self.write_loaded(next);
        self.noted(written)
    }

    fn loaded(&mut self, checkpoint: i64) -> Result<(), StoreError> {
        if self.loading.is_empty() && self.checkpoint() == Some(checkpoint) {
            return Ok(());
        }
        let written = self.write_loaded(checkpoint);
        self.noted(written)
    }

    fn load_again(&mut self) {
        self.loading.clear();
        self.loading_bytes = 0;
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

    fn customers(&self) -> usize {
        self.checkpoint.map_or(0, |held| held.customers as usize)
    }

    fn bytes(&self) -> usize {
        self.checkpoint.map_or(0, |held| held.bytes as usize)
    }

    fn is_durable(&self) -> bool {
        true
    }
}

impl DiskStore {
    /// Leaves a note for the next start where the store has failed.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            directory::note(&self.path, error);
        }
        result
    }
}
