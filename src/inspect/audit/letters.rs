//! Dead letters by the place of their record, and whether a missing one must be there.

use std::collections::HashMap;

use crate::model::partition;
use crate::model::record::Code;

use super::evidence::InputAt;

/// The codes of a record's dead letters: it has several if it is a batch. A bit each, by [`Code::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Codes(u32);

impl Codes {
    fn bit(code: Code) -> u32 {
        let at = Code::ALL.iter().position(|known| *known == code);
        at.map_or(0, |at| 1 << at)
    }

    /// This code alone.
    pub fn of(code: Code) -> Codes {
        Codes(Self::bit(code))
    }

    pub fn add(&mut self, code: Code) {
        self.0 |= Self::bit(code);
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of them is for the size of the state, or of the record that was to be forwarded: today's configuration
    /// alone does not say that.
    pub fn has_size(self) -> bool {
        self.0 & (Self::bit(Code::StateTooLarge) | Self::bit(Code::TooLarge)) != 0
    }

    /// Whether all are for the size.
    pub fn only_size(self) -> bool {
        let size = Self::bit(Code::StateTooLarge) | Self::bit(Code::TooLarge);
        !self.is_empty() && self.0 & !size == 0
    }
}

/// A partition of the dead-letter topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterLog {
    /// The first offset of its log.
    pub begin: i64,
}

/// What is known of the dead-letter topic as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterTopic {
    pub logs: Vec<LetterLog>,
    /// Its settings remove letters whatever their age: it is compacted, or bounded in bytes, or they cannot be read.
    pub removes_any: bool,
    /// For how long letters are kept, in milliseconds; none: for ever.
    pub retention: Option<i64>,
    /// The time of the audit, in milliseconds since 1970.
    pub now: i64,
    /// It is compacted: letters may be gone although no log has lost its first.
    pub is_compacted: bool,
}

impl LetterTopic {
    /// Where the logs of the partitions begin. One that has lost its first records never has them again.
    pub fn set_begins(&mut self, begins: impl Iterator<Item = i64>) {
        self.logs = begins.map(|begin| LetterLog { begin }).collect();
    }
}

/// All letters of this application.
#[derive(Debug, Default)]
pub struct Letters {
    codes: HashMap<InputAt, Codes>,
    /// The smallest offset of a record of an input partition that has a letter in a partition of the dead-letter topic.
    first: HashMap<(u16, i32, i32), i64>,
    pub topic: LetterTopic,
}

impl Letters {
    /// Adds a letter that lies in a partition of the dead-letter topic. A repetition changes nothing.
    pub fn add(&mut self, of: InputAt, code: Code, letter_partition: i32) {
        self.codes.entry(of).or_default().add(code);
        let offset = of.at.offset;
        let key = (of.input, of.at.partition, letter_partition);
        let first = self.first.entry(key).or_insert(offset);
        *first = offset.min(*first);
    }

    pub fn of(&self, record: InputAt) -> Codes {
        self.codes.get(&record).copied().unwrap_or_default()
    }

    /// Of how many records there are letters.
    pub fn records(&self) -> usize {
        self.codes.len()
    }

    /// Whether the letter of a record must be there, so that one which is not, is missing. If not, retention may have
    /// taken it.
    ///
    /// Letters of an input partition are written in the order of its records, and retention takes the first ones of a
    /// log. So one of an earlier record in the same log proves that it has not come as far. And what was written within
    /// the retention's time, retention has not taken.
    pub fn must_be_there(
        &self,
        record: InputAt,
        key: Option<&[u8]>,
        timestamp: Option<i64>,
    ) -> bool {
        let topic = &self.topic;
        if topic.is_compacted {
            return false;
        }
        let is_young = || {
            let age = timestamp.map(|timestamp| topic.now - timestamp);
            !topic.removes_any
                && age.is_some_and(|age| {
                    age >= 0 && topic.retention.is_none_or(|retention| age < retention)
                })
        };
        let keeps = |number: i32, log: &LetterLog| {
            log.begin == 0
                || self
                    .first
                    .get(&(record.input, record.at.partition, number))
                    .is_some_and(|first| *first < record.at.offset)
        };
        let mut logs = (0..).zip(&topic.logs);
        let is_kept = match key {
            Some(key) => {
                let own = partition::of_key(key, i32::try_from(topic.logs.len()).unwrap_or(1));
                logs.any(|(number, log)| number == own && keeps(number, log))
            }
            // it may lie in any of them
            None => logs.all(|(number, log)| keeps(number, log)),
        };
        is_kept || is_young()
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::At;
    use super::*;

    fn at(partition: i32, offset: i64) -> InputAt {
        InputAt {
            input: 0,
            at: At { partition, offset },
        }
    }

    fn with(begins: &[i64]) -> Letters {
        Letters {
            topic: LetterTopic {
                logs: begins.iter().map(|&begin| LetterLog { begin }).collect(),
                retention: Some(1_000),
                now: 10_000,
                ..LetterTopic::default()
            },
            ..Letters::default()
        }
    }

    #[test]
    fn letters_of_one_record_count_once() {
        let mut letters = with(&[0]);
        letters.add(at(0, 7), Code::BlankId, 0);
        letters.add(at(0, 7), Code::BlankId, 0);
        letters.add(at(0, 7), Code::StateTooLarge, 0);
        assert_eq!(letters.records(), 1);
        assert!(letters.of(at(0, 7)).has_size() && !letters.of(at(0, 7)).only_size());
        assert!(letters.of(at(1, 7)).is_empty());
        letters.add(at(0, 8), Code::StateTooLarge, 0);
        assert!(letters.of(at(0, 8)).only_size());
    }

    #[test]
    fn a_topic_that_has_lost_nothing_has_every_letter() {
        let letters = with(&[0, 0]);
        assert!(letters.must_be_there(at(0, 7), Some(b"a"), None));
        assert!(letters.must_be_there(at(0, 7), None, None));
        let mut compacted = with(&[0]);
        compacted.topic.is_compacted = true;
        assert!(!compacted.must_be_there(at(0, 7), Some(b"a"), Some(10_000)));
    }

    #[test]
    fn the_letter_of_an_earlier_record_shows_that_retention_has_not_come_as_far() {
        let mut letters = with(&[3]);
        assert!(!letters.must_be_there(at(0, 7), Some(b"a"), Some(0)));
        letters.add(at(0, 6), Code::BlankId, 0);
        assert!(letters.must_be_there(at(0, 7), Some(b"a"), Some(0)));
        assert!(letters.must_be_there(at(0, 7), None, Some(0)));
        assert!(!letters.must_be_there(at(0, 5), Some(b"a"), Some(0)));
        // of another partition nothing is known
        assert!(!letters.must_be_there(at(1, 7), Some(b"a"), Some(0)));
    }

    #[test]
    fn a_record_without_a_key_has_its_letter_anywhere() {
        let mut letters = with(&[3, 3]);
        letters.add(at(0, 6), Code::BlankId, 0);
        assert!(!letters.must_be_there(at(0, 7), None, Some(0)));
        letters.add(at(0, 5), Code::BlankId, 1);
        assert!(letters.must_be_there(at(0, 7), None, Some(0)));
    }

    #[test]
    fn what_is_younger_than_the_retention_it_has_not_taken() {
        let mut letters = with(&[3]);
        let must = |letters: &Letters, time| letters.must_be_there(at(0, 7), Some(b"a"), time);
        assert!(must(&letters, Some(9_500)));
        assert!(!must(&letters, Some(9_000)) && !must(&letters, None));
        // a time that has not come yet says nothing
        assert!(!must(&letters, Some(10_001)));
        letters.topic.removes_any = true;
        assert!(!must(&letters, Some(9_500)));
        letters.topic.removes_any = false;
        letters.topic.retention = None;
        assert!(must(&letters, Some(0)));
    }
}
