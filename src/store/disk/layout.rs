//! The keys and values of a store; the module [`disk`](super) describes them.

use sha2::{Digest, Sha256};

use crate::customer::codec;

/// The layout that this version writes. A store with another layout is deleted and rebuilt.
pub const LAYOUT: u8 = 2;
/// The longest customer id that is used as a key directly, in bytes; longer ids are hashed. The engine accepts keys of
/// up to 65,535 bytes.
const MAX_ID_IN_KEY: usize = 32_768;

pub const HEADER: &[u8] = &[0, b'h'];
pub const CHECKPOINT: &[u8] = &[0, b'k'];
pub const SLOTS: &[u8] = &[0, b'r'];
/// The first byte of the keys of customers.
pub const CUSTOMERS: u8 = 1;

/// For how many of the newest batches a store keeps the numbers. They reveal a gap in what the engine recovers.
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

/// The key of the slot of a batch. On opening, the engine replays its journals, each up to its last complete batch. If
/// an older journal was cut short, later batches would follow a gap. So the newest [`BATCH_SLOTS`] batches must all be
/// there.
pub fn batch_slot(batch: u64) -> [u8; 4] {
    let [high, low] = ((batch % BATCH_SLOTS) as u16).to_be_bytes();
    [SLOTS[0], SLOTS[1], high, low]
}

/// Identifies what a store is a copy of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub application_id: String,
    pub state_topic: String,
    /// The topic id, which changes if the topic is deleted and recreated. Empty if the cluster does not report one.
    pub topic_id: String,
    /// Partitions of the state topic.
    pub partitions: i32,
    pub partition: i32,
}

impl Header {
    /// The layouts of the store and of its states come first, so that a version with other layouts can recognise them.
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

/// Up to which offset a store is complete, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The store holds every record of the state topic before this offset.
    pub offset: i64,
    /// None while a restore fills the store: the totals are counted at its end.
    pub totals: Option<Totals>,
    /// The number of the last batch.
    pub batch: u64,
    /// The size of the largest state that the store ever held, in bytes.
    pub largest: u64,
}

/// What a store holds. A hashed id counts with the length of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub customers: u64,
    /// The bytes of the ids and the encoded states.
    pub bytes: u64,
}

/// Stands for a number that is not known.
const UNKNOWN: u64 = u64::MAX;

/// The checkpoint of an empty store.
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
        // A checkpoint of 32 bytes is from a version that did not store the size of the largest state.
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
