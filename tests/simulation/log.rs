//! The log of a partition: records, transaction markers, the high watermark and the last stable offset.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A record in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub timestamp: i64,
}

impl Record {
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// Identifies one transaction; it is never used again.
pub type TransactionNumber = u64;

#[derive(Debug)]
enum Entry {
    Record(Rc<Record>, Option<TransactionNumber>),
    Marker,
}

/// What a reader with `read_committed` finds.
#[derive(Debug)]
pub enum Next {
    Record(i64, Rc<Record>),
    /// No more can be read; this is the reader's new position.
    End(i64),
    /// The position is not in the log.
    OutOfRange,
}

#[derive(Debug, Default)]
pub struct Log {
    low: i64,
    entries: Vec<Entry>,
    /// The first offset of each transaction without a marker in this log.
    open: BTreeMap<TransactionNumber, i64>,
    aborted: BTreeSet<TransactionNumber>,
}

impl Log {
    pub fn append(&mut self, record: Rc<Record>, transaction: Option<TransactionNumber>) {
        if let Some(number) = transaction {
            let high = self.high();
            self.open.entry(number).or_insert(high);
        }
        self.entries.push(Entry::Record(record, transaction));
    }

    /// Writes the marker of a transaction.
    pub fn mark(&mut self, number: TransactionNumber, committed: bool) {
        self.open.remove(&number);
        if !committed {
            self.aborted.insert(number);
        }
        self.entries.push(Entry::Marker);
    }

    /// The first offset of the log.
    pub fn low(&self) -> i64 {
        self.low
    }

    /// The high watermark: the offset after the last entry, open transactions included.
    pub fn high(&self) -> i64 {
        self.entries.len() as i64
    }

    /// The last stable offset: every transaction below it is decided.
    pub fn stable(&self) -> i64 {
        let first = self.open.values().min();
        first.copied().unwrap_or_else(|| self.high())
    }

    /// Deletes the records before an offset.
    pub fn delete_before(&mut self, offset: i64) {
        self.low = self.low.max(offset.min(self.stable()));
    }

    /// The next committed record from a position on.
    pub fn next(&self, from: i64) -> Next {
        if from < self.low || from > self.high() {
            return Next::OutOfRange;
        }
        let stable = self.stable();
        for offset in from..stable {
            if let Entry::Record(record, transaction) = &self.entries[offset as usize]
                && transaction.is_none_or(|number| !self.aborted.contains(&number))
            {
                return Next::Record(offset, Rc::clone(record));
            }
        }
        Next::End(stable.max(from))
    }

    /// All committed records, including those that were deleted.
    pub fn committed(&self) -> impl Iterator<Item = (i64, &Rc<Record>)> {
        let stable = self.stable();
        let entries = self.entries.iter().enumerate();
        entries.filter_map(move |(offset, entry)| match entry {
            Entry::Record(record, transaction)
                if (offset as i64) < stable
                    && transaction.is_none_or(|number| !self.aborted.contains(&number)) =>
            {
                Some((offset as i64, record))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &str) -> Rc<Record> {
        Rc::new(Record {
            key: None,
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp: 0,
        })
    }

    #[test]
    fn committed_records_wait_behind_an_open_transaction() {
        let mut log = Log::default();
        log.append(record("open"), Some(1));
        log.append(record("committed"), Some(2));
        log.mark(2, true);
        assert_eq!((log.stable(), log.high()), (0, 3));
        assert!(matches!(log.next(0), Next::End(0)));
        log.mark(1, false);
        assert_eq!((log.stable(), log.high()), (4, 4));
        assert!(matches!(log.next(0), Next::Record(1, _)));
        assert!(matches!(log.next(2), Next::End(4)));
        assert!(matches!(log.next(5), Next::OutOfRange));
        assert_eq!(log.committed().count(), 1);
    }
}
