//! The store in memory: encoded states by customer id.

use std::collections::HashMap;

use super::{Change, Sizes, Store, StoreError, Stores};
use crate::customer::EncodedState;
use crate::prefetch;

/// The customers of one state partition.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Seeded at random for each process, so that no sender can choose ids that collide.
    customers: HashMap<Box<[u8]>, EncodedState, ahash::RandomState>,
    bytes: usize,
    sizes: Sizes,
    checkpoint: Option<i64>,
}

impl MemoryStore {
    fn put(&mut self, id: &[u8], state: EncodedState) {
        let size = state.len();
        self.bytes += size;
        match self.customers.get_mut(id) {
            Some(held) => {
                self.bytes -= held.len();
                self.sizes.replace(Some(held.len()), Some(size));
                *held = state;
            }
            None => {
                self.bytes += id.len();
                self.sizes.replace(None, Some(size));
                self.customers.insert(id.into(), state);
            }
        }
    }

    fn remove(&mut self, id: &[u8]) {
        if let Some(held) = self.customers.remove(id) {
            self.bytes -= held.len() + id.len();
            self.sizes.replace(Some(held.len()), None);
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, id: &[u8]) -> Result<Option<EncodedState>, StoreError> {
        Ok(self.customers.get(id).cloned())
    }

    fn prefetch(&self, id: &[u8]) {
        if let Some(state) = self.customers.get(id) {
            prefetch::soon(&**state);
        }
    }

    fn checkpoint(&self) -> Option<i64> {
        self.checkpoint
    }

    fn commit(&mut self, changes: &[Change<'_>], checkpoint: i64) -> Result<(), StoreError> {
        for change in changes {
            self.put(change.id, change.state.clone());
        }
        self.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn load(&mut self, id: &[u8], state: Option<&[u8]>, _next: i64) -> Result<(), StoreError> {
        match state {
            Some(state) => self.put(id, state.into()),
            None => self.remove(id),
        }
        Ok(())
    }

    fn finish_load(&mut self, checkpoint: i64) -> Result<(), StoreError> {
        self.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn discard(&mut self, _low: i64, _high: i64) -> Result<(), StoreError> {
        *self = MemoryStore::default();
        Ok(())
    }

    fn customers(&self) -> usize {
        self.customers.len()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn sizes(&self) -> &Sizes {
        &self.sizes
    }
}

/// Opens stores in memory: each starts empty.
#[derive(Debug, Clone, Copy)]
pub struct MemoryStores;

impl Stores for MemoryStores {
    fn open(&self, _partition: i32) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(MemoryStore::default()))
    }
}
