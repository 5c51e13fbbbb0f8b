//! The keys and values of a store; the module [`disk`](super) draws them.

use sha2::{Digest, Sha256};

use crate::customer::codec;

/// The layout that this version writes. A store of another one is deleted and rebuilt.
pub const LAYOUT: u8 = 2;
/// The longest customer id that is a key as it is, in bytes; the engine takes keys of up to 65,535.
const MAX_ID_IN_KEY: usize = 32_768;

pub const HEADER: &[u8] = &[0, b'h'];
pub const CHECKPOINT: &[u8] = &[0, b'k'];
pub const SLOTS: &[u8] = &[0, b'r'];
/// Where the customers begin.
pub const CUSTOMERS: u8 = 1;

/// The newest batches whose numbers a store keeps, to notice a hole in what the engine recovers.
pub const BATCH_SLOTS: u64 = 8192;

/// The key of a customer.
pub fn key(id: &[u8]) -> Vec<u8> {
    if id.len() <= MAX_ID_IN_KEY {
        let mut key = Vec::with_capacity(id.len() + 1);
        key.push(CUSTOMERS);
        key.extend_from_slice(id);
        return key;
    }
    let mut key = vec![CUSTOMERS + 1];
    key.extend_from_slice(&Sha256::digest(id));
    key
}

/// The key of the slot of a batch. The engine replays what it had not yet written into its tables from its
/// journals, each up to its last whole batch: if an older journal ended early, later batches would stand behind a
/// hole. The newest [`BATCH_SLOTS`] batches must therefore be there without one.
pub fn batch_slot(batch: u64) -> [u8; 4] {
    let [high, low] = ((batch % BATCH_SLOTS) as u16).to_be_bytes();
    [SLOTS[0], SLOTS[1], high, low]
}

/// What a store is a copy of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub application_id: String,
    pub state_topic: String,
    /// The topic id: another one after the topic was deleted and recreated. Empty where the
    /// cluster does not tell.
    pub topic_id: String,
    /// Partitions of the state topic.
    pub partitions: i32,
    pub partition: i32,
}

impl Header {
    /// The layouts of the store and of the states in it come first, so that a version that writes others can tell.
    pub fn encode(&self) -> Vec<u8> {
        let text = format!(
            "application_id={}\nstate_topic={}\ntopic_id={}\npartitions={}\npartition={}\n",
            self.application_id, self.state_topic, self.topic_id, self.partitions, self.partition
        );
        let mut bytes = vec![LAYOUT, codec::LAYOUT];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }
}

/// How far a store goes, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Every record of the state topic before this offset is in the store.
    pub offset: i64,
    /// None: it was being filled and is not counted yet.
    pub totals: Option<Totals>,
    /// The batches written so far.
    pub batch: u64,
    /// The size of the largest state that the store ever held, in bytes.
    pub largest: u64,
}

/// What a store holds. An id that is hashed counts by the length of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub customers: u64,
    /// The bytes of ids and encoded states.
    pub bytes: u64,
}

/// In the place of a number that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Of a store that holds nothing.
impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint {
            offset: 0,
            totals: Some(Totals::default()),
            batch: 0,
            largest: 0,
        }
    }
}

impl Checkpoint {
    pub fn encode(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let [customers, bytes_held] = match self.totals {
            Some(totals) => [totals.customers, totals.bytes],
            None => [UNKNOWN; 2],
        };
        let numbers = [
            self.offset as u64,
            customers,
            bytes_held,
            self.batch,
            self.largest,
        ];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        let number = |at: usize| {
            let bytes = bytes.get(at * 8..at * 8 + 8)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        // one of 32 bytes was written before the largest state was kept
        matches!(bytes.len(), 32 | 40).then_some(())?;
        let totals = Totals {
            customers: number(1)?,
            bytes: number(2)?,
        };
        Some(Checkpoint {
            offset: number(0)? as i64,
            totals: (totals.customers != UNKNOWN).then_some(totals),
            batch: number(3)?,
            largest: number(4).unwrap_or(0),
        })
    }
}
