//! What a worker knows of the customers of one state partition: what is committed in Kafka, and nothing else.
//!
//! Kafka's state topic is the truth. A [`Store`] is a copy of one of its partitions, with the offset up to which the
//! copy is complete. It is written only after a commit is confirmed, or with records that were read back from the
//! topic. So a lost, damaged or doubtful store costs time, but never data.

pub(crate) mod disk;
pub mod memory;
mod sizes;

use std::fmt::Debug;
use std::time::Duration;

pub use sizes::Sizes;

use crate::customer::EncodedState;

/// A customer's new state, whose commit is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    pub id: &'a [u8],
    /// The encoded state.
    pub state: EncodedState,
    /// The size of the customer's state when the batch read it from the store, in bytes; none if the store did not know
    /// the customer.
    pub before: Option<usize>,
}

/// The customers of one state partition.
pub trait Store: Debug + Send {
    /// A customer's encoded state. Must not be called while records are loaded.
    fn get(&self, id: &[u8]) -> Result<Option<EncodedState>, StoreError>;

    /// Asks for the memory of a customer's state, because it is read soon. A store whose states are not in memory does
    /// nothing.
    fn prefetch(&self, _id: &[u8]) {}

    /// Every record of the state topic before this offset is in the store. The store may be ahead of it: it may hold
    /// later records as well. None: no restore has ever finished.
    fn checkpoint(&self) -> Option<i64>;

    /// Writes the changes of a committed batch, each customer at most once, together with the checkpoint: all of it or
    /// nothing.
    fn commit(&mut self, changes: &[Change<'_>], checkpoint: i64) -> Result<(), StoreError>;

    /// Loads a record of the state topic; a state of none is a tombstone. `next` is the offset after the record.
    /// Records come in the order of their offsets; the store may buffer them in memory.
    fn load(&mut self, id: &[u8], state: Option<&[u8]>, next: i64) -> Result<(), StoreError>;

    /// Ends a load when every record before the checkpoint was loaded: writes what was buffered, and the checkpoint.
    fn finish_load(&mut self, checkpoint: i64) -> Result<(), StoreError>;

    /// Discards what was loaded but not written: the load starts again from [`Store::checkpoint`].
    fn restart_load(&mut self) {}

    /// Discards everything, because the checkpoint lies outside of the log, which holds the offsets from `low` to
    /// `high`.
    fn discard(&mut self, low: i64, high: i64) -> Result<(), StoreError>;

    /// If a compaction is due, removes overwritten values that are still stored somewhere; returns whether it did.
    /// `now` may be the time of any clock, as long as it is always the same clock.
    fn compact_if_due(&mut self, now: Duration) -> Result<bool, StoreError> {
        let _ = now;
        Ok(false)
    }

    /// How many customers the store holds.
    fn customers(&self) -> usize;

    /// The bytes of ids and encoded states.
    fn bytes(&self) -> usize;

    /// How large the states are. For states that were there when a store on disk was opened, it does not know the
    /// single sizes.
    fn sizes(&self) -> &Sizes;

    /// The size of the largest state. A store on disk reports the largest that it has ever held.
    fn largest(&self) -> usize {
        self.sizes().largest()
    }

    /// Whether the store survives being closed. Such a store must be closed before another owner opens it.
    fn is_durable(&self) -> bool {
        false
    }
}

/// Opens stores.
pub trait Stores: Debug + Send + Sync {
    /// Opens the store of a state partition, with its earlier content or empty.
    fn open(&self, partition: i32) -> Result<Box<dyn Store>, StoreError>;
}

/// Why a store has failed. Nothing is lost, because Kafka has all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the state directory {directory} is in use by another process: give each instance a `state.directory` of its own, and wait for the end of a process that is stopping"
    )]
    InUse { directory: String },
    #[error(
        "no permission for the state directory {directory} ({reason}): let keyfold's user read and write it, or set `state.directory`"
    )]
    Permission { directory: String, reason: String },
    #[error(
        "no room for the state in {directory} ({reason}): make room, or set `state.directory` to a larger disk, and start again. Nothing is lost: what the store lacks is in Kafka"
    )]
    Full { directory: String, reason: String },
    #[error(
        "the state store in {directory} is damaged ({reason}): start again; it is then set aside and rebuilt from Kafka. If it happens again, look at the disk"
    )]
    Damaged { directory: String, reason: String },
    #[error(
        "the state store in {directory} was written by keyfold {version} or later, which is needed to read it: run that version, or remove the folder to have this version rebuild the store from Kafka"
    )]
    Newer { directory: String, version: String },
    #[error(
        "the state store in {directory} has failed ({reason}): look at the disk, and start again. Nothing is lost: what the store lacks is in Kafka"
    )]
    Failed { directory: String, reason: String },
}
