//! The records of a customer that a topic holds, and what is needed to say until when.
//!
//! All records of a partition are passed, in their order: when a record is removed depends on the timestamps of others,
//! because Kafka removes whole segments, and on the newest record with the same key.

use std::collections::BTreeMap;

/// What a record has of the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    /// The id, and nothing that was told of the customer: a null value, or what an erasure leaves in the state.
    Id,
    Data,
}

/// A record, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'k> {
    pub partition: i32,
    pub offset: i64,
    /// In milliseconds since 1970; none if it has none.
    pub timestamp: Option<i64>,
    pub key: Option<&'k [u8]>,
    pub holds: Holds,
}

/// The customer's records with one key in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfKey {
    /// Those that hold data.
    pub copies: u64,
    /// The newest record with this key holds data.
    pub newest_holds_data: bool,
    /// The latest timestamp of the partition up to the newest record with this key.
    pub latest: i64,
}

/// A record of the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    pub offset: i64,
    pub timestamp: Option<i64>,
    /// The latest timestamp of the partition up to this record: no segment that holds it began later.
    pub latest: i64,
}

/// What one partition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfPartition {
    /// How many records hold data of the customer.
    pub data: u64,
    /// How many hold no more than the id.
    pub ids: u64,
    /// The last one that holds data.
    pub last: Option<Copy>,
    keys: BTreeMap<Vec<u8>, OfKey>,
    latest: Option<i64>,
}

impl OfPartition {
    /// The keys of the customer's records that hold data.
    pub fn keys(&self) -> impl Iterator<Item = &OfKey> {
        self.keys.values()
    }
}

/// What a topic holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    partitions: BTreeMap<i32, OfPartition>,
}

impl Copies {
    /// Takes the next record of its partition.
    pub fn pass(&mut self, record: &Passed<'_>) {
        let partition = self.partitions.entry(record.partition).or_default();
        let latest = partition.latest.max(record.timestamp);
        partition.latest = latest;
        let latest = latest.unwrap_or(0);
        let holds_data = record.holds == Holds::Data;
        if let Some(key) = record.key {
            match partition.keys.get_mut(key) {
                Some(known) => {
                    known.copies += u64::from(holds_data);
                    known.newest_holds_data = holds_data;
                    known.latest = latest;
                }
                None if holds_data => {
                    let new = OfKey {
                        copies: 1,
                        newest_holds_data: true,
                        latest,
                    };
                    partition.keys.insert(key.to_vec(), new);
                }
                None => {}
            }
        }
        match record.holds {
            Holds::Nothing => {}
            Holds::Id => partition.ids += 1,
            Holds::Data => {
                partition.data += 1;
                partition.last = Some(Copy {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    latest,
                });
            }
        }
    }

    pub fn partitions(&self) -> impl Iterator<Item = (i32, &OfPartition)> {
        self.partitions.iter().map(|(number, one)| (*number, one))
    }

    /// The first partition in which a record with this key holds data.
    pub fn partition_of(&self, key: &[u8]) -> Option<i32> {
        let mut partitions = self.partitions.iter();
        let (number, _) = partitions.find(|(_, one)| one.keys.contains_key(key))?;
        Some(*number)
    }

    /// How many records hold data of the customer.
    pub fn data(&self) -> u64 {
        self.partitions.values().map(|one| one.data).sum()
    }

    /// How many hold no more than the id.
    pub fn ids(&self) -> u64 {
        self.partitions.values().map(|one| one.ids).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Records of one partition, each a key, a timestamp and what it holds, at offsets from 0 on.
    pub fn copies(records: &[(&str, i64, Holds)]) -> Copies {
        let mut copies = Copies::default();
        for (offset, (key, timestamp, holds)) in (0..).zip(records) {
            copies.pass(&Passed {
                partition: 0,
                offset,
                timestamp: Some(*timestamp),
                key: Some(key.as_bytes()),
                holds: *holds,
            });
        }
        copies
    }

    #[test]
    fn the_newest_record_of_a_key_decides_what_is_compacted() {
        use Holds::{Data, Id, Nothing};
        let copies = copies(&[
            ("a", 5, Data),
            ("b", 9, Data),
            ("a", 7, Data),
            ("x", 8, Nothing),
            ("a", 6, Id),
            ("b", 30, Nothing),
        ]);
        let (_, partition) = copies.partitions().next().unwrap();
        assert_eq!((copies.data(), copies.ids()), (3, 1));
        let last = Copy {
            offset: 2,
            timestamp: Some(7),
            latest: 9,
        };
        assert_eq!(partition.last, Some(last));
        let keys: Vec<&OfKey> = partition.keys().collect();
        let of_key = |copies, latest| OfKey {
            copies,
            newest_holds_data: false,
            latest,
        };
        assert_eq!(keys, [&of_key(2, 9), &of_key(1, 30)]);
    }
}
