//! The store in memory: encoded states by customer id.

use std::collections::HashMap;

use bytes::Bytes;

/// The customers of one state partition.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Seeded at random for each process, so that no sender can choose ids that collide.
    customers: HashMap<Box<[u8]>, Bytes, ahash::RandomState>,
    bytes: usize,
    checkpoint: Option<i64>,
}

impl MemoryStore {
    pub fn get(&self, id: &[u8]) -> Option<&Bytes> {
        self.customers.get(id)
    }

    pub fn put(&mut self, id: &[u8], state: Bytes) {
        self.bytes += state.len();
        match self.customers.get_mut(id) {
            Some(held) => {
                self.bytes -= held.len();
                *held = state;
            }
            None => {
                self.bytes += id.len();
                self.customers.insert(id.into(), state);
            }
        }
    }

    pub fn remove(&mut self, id: &[u8]) {
        if let Some(held) = self.customers.remove(id) {
            self.bytes -= held.len() + id.len();
        }
    }

    /// The offset in the state topic up to which (exclusive) every record is in the store. It may lag: records
    /// behind it may be in the store as well.
    pub fn checkpoint(&self) -> Option<i64> {
        self.checkpoint
    }

    pub fn set_checkpoint(&mut self, offset: i64) {
        self.checkpoint = Some(offset);
    }

    /// How many customers the store holds.
    pub fn customers(&self) -> usize {
        self.customers.len()
    }

    /// The bytes of ids and encoded states.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
