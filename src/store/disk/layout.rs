//! The keys and values of a store; the module [`disk`](super) describes them.

use sha2::{Digest, Sha256};

/// The layout that this version writes: that of 0.1.0, the first that was released. Every later version of the same
/// major reads it. Stores of the layouts before it are deleted and rebuilt from Kafka.
///
/// What the states in a store look like is not part of it: each state names its own layout. A layout that comes after
/// this one must begin its header with three bytes: its number, and the major and minor version that introduced it.
pub const LAYOUT: u8 = 3;
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
    /// The layout comes first, so that every version can recognise it.
    pub fn encode(&self) -> Vec<u8> {
        let text = format!(
            "application_id={}\nstate_topic={}\ntopic_id={}\npartitions={}\npartition={}\n",
            self.application_id, self.state_topic, self.topic_id, self.partitions, self.partition
        );
        let mut bytes = vec![LAYOUT];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }
}

/// The version that is needed to read a store with this header, such as `0.2`; none if this version can read it, or
/// if the layout is older than the first that was released.
pub fn version_needed(header: &[u8]) -> Option<String> {
    match *header {
        [layout, major, minor, ..] if layout > LAYOUT => Some(format!("{major}.{minor}")),
        _ => None,
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
        (bytes.len() == 40).then_some(())?;
        let totals = Totals {
            customers: number(1)?,
            bytes: number(2)?,
        };
        Some(Checkpoint {
            offset: number(0)? as i64,
            totals: (totals.customers != UNKNOWN).then_some(totals),
            batch: number(3)?,
            largest: number(4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These bytes never change: stores of every released version are read.
    #[test]
    fn the_layout_of_0_1_0_stays_as_it_is() {
        let header = Header {
            application_id: "a".to_owned(),
            state_topic: "a.state".to_owned(),
            topic_id: "t".to_owned(),
            partitions: 4,
            partition: 3,
        };
        assert_eq!(
            header.encode(),
            b"\x03application_id=a\nstate_topic=a.state\ntopic_id=t\npartitions=4\npartition=3\n"
        );
        assert_eq!((HEADER, CHECKPOINT), (&b"\0h"[..], &b"\0k"[..]));
        assert_eq!(key(b"c1"), b"\x01c1");
        assert_eq!(key(&[b'x'; 32_769])[..3], [2, 0xcd, 0x72]);
        assert_eq!(batch_slot(8193), *b"\0r\0\x01");
        let checkpoint = Checkpoint {
            offset: 1,
            totals: Some(Totals {
                customers: 2,
                bytes: 3,
            }),
            batch: 4,
            largest: 5,
        };
        let mut expected = [0; 40];
        for (number, place) in (1..=5).zip([7, 15, 23, 31, 39]) {
            expected[place] = number;
        }
        assert_eq!(checkpoint.encode(), expected);
        assert_eq!(Checkpoint::decode(&expected), Some(checkpoint));
    }

    #[test]
    fn a_later_layout_names_the_version_that_is_needed() {
        assert_eq!(
            version_needed(&[LAYOUT + 1, 0, 2, b'x']).as_deref(),
            Some("0.2")
        );
        assert_eq!(version_needed(&[LAYOUT, 0, 2]), None);
        assert_eq!(version_needed(&[2, 4, b'a']), None);
    }
}
