//! What a worker knows of the customers of one state partition: what is committed in Kafka, and nothing else.
//!
//! Kafka's state topic is the truth. A [`Store`] is a copy of one partition of it, with the offset up to which the
//! copy goes; it is written only after a commit is confirmed, or with records that were read back from the topic.
//! So a store that is lost, damaged or doubtful costs time, and never data.

pub(crate) mod disk;
pub mod memory;
mod sizes;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;

pub use sizes::Sizes;

/// A customer's new state, whose commit is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    pub id: &'a [u8],
    /// The encoded state.
    pub state: Bytes,
    /// How many bytes the store gave for this customer when the batch asked; none: it did not know the customer.
    pub before: Option<usize>,
}

/// The customers of one state partition.
pub trait Store: Debug + Send {
    /// A customer's encoded state. Not to be asked while records are loaded.
    fn get(&self, id: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The offset in the state topic up to which (exclusive) every record is in the store. It may lag: records
    /// behind it may be in the store as well. None: nothing was ever loaded to the end.
    fn checkpoint(&self) -> Option<i64>;

    /// Writes what a batch has committed, no customer twice, and the checkpoint: all of it or nothing.
    fn commit(&mut self, changes: &[Change<'_>], checkpoint: i64) -> Result<(), StoreError>;

    /// Takes a record of the state topic, null values as well; `next` is the offset behind it. Records come in the
    /// order of their offsets, and may be gathered in memory.
    fn load(&mut self, id: &[u8], state: Option<&[u8]>, next: i64) -> Result<(), StoreError>;

    /// Every record before the checkpoint was loaded: writes what was gathered, and the checkpoint.
    fn finish_load(&mut self, checkpoint: i64) -> Result<(), StoreError>;

    /// Forgets what was loaded and not written: loading starts again from [`Store::checkpoint`].
    fn restart_load(&mut self) {}

    /// Forgets everything: the checkpoint is not in the log, which holds the offsets from `low` to `high`.
    fn discard(&mut self, low: i64, high: i64) -> Result<(), StoreError>;

    /// Removes what was overwritten, where that is still kept somewhere, if it is time; whether it was. `now` is of any
    /// clock, always the same.
    fn compact_if_due(&mut self, now: Duration) -> Result<bool, StoreError> {
        let _ = now;
        Ok(false)
    }

    /// How many customers the store holds.
    fn customers(&self) -> usize;

    /// The bytes of ids and encoded states.
    fn bytes(&self) -> usize;

    /// How large the states are. A store on disk does not know those that it was opened with one by one.
    fn sizes(&self) -> &Sizes;

    /// The size of the largest state. A store on disk tells the largest that it ever held.
    fn largest(&self) -> usize {
        self.sizes().largest()
    }

    /// Whether the store can be closed and opened again, and must be closed for another owner.
    fn is_durable(&self) -> bool {
        false
    }
}

/// Opens stores.
pub trait Stores: Debug + Send + Sync {
    /// Opens the store of a state partition, as it was left or empty.
    fn open(&self, partition: i32) -> Result<Box<dyn Store>, StoreError>;
}

/// Why a store has failed. Nothing is lost: Kafka has it all.
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
        "the state store in {directory} has failed ({reason}): look at the disk, and start again. Nothing is lost: what the store lacks is in Kafka"
    )]
    Failed { directory: String, reason: String },
}
