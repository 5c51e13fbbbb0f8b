//! The open batch: what its records made of their customers, and what is counted when it is committed; and the batch
//! before it, while its commit is under way.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use indexmap::IndexMap;

use super::Place;
use super::breaker::Opened;
use super::outbox::Generation;
use crate::customer::bounded::Bounded;
use crate::model::record::{Code, Label, Location, Outcome, Source, Violation};

/// Values in the order in which they came, those that are equal and follow each other once.
#[derive(Debug, PartialEq)]
pub struct Tally<T>(Vec<(T, u32)>);

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Tally(Vec::new())
    }
}

impl<T: PartialEq> Tally<T> {
    pub fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((last, times)) if *last == value && *times < u32::MAX => *times += 1,
            _ => self.0.push((value, 1)),
        }
    }

    /// Each value, with how often it came in a row.
    pub fn iter(&self) -> impl Iterator<Item = &(T, u32)> {
        self.0.iter()
    }
}

/// What a batch adds to the metrics. It counts on commit only, so that the ledger balances.
#[derive(Debug, Default, PartialEq)]
pub struct Ledger {
    pub outcomes: BTreeMap<(Label, Outcome), u64>,
    pub rejections: BTreeMap<(Label, Source, Code), Rejected>,
    pub warnings: BTreeMap<(Source, Code), Warned>,
    pub snapshots: u64,
    pub tombstones: u64,
    /// Timestamps of the records that have one, in milliseconds: from them on runs the end-to-end latency.
    pub timestamps: Tally<i64>,
    /// How far events lie behind the newest known of their customer, in seconds.
    pub lateness: Tally<(Label, f64)>,
}

/// Records that were accepted with a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warned {
    pub records: u64,
    /// Where the last of them lies.
    pub place: Place,
    pub offset: i64,
}

/// Records that were rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub records: u64,
    /// Where the last of them was read first.
    pub last: Location,
}

impl Ledger {
    /// Counts a rejected record.
    pub fn reject(&mut self, label: Label, source: Source, code: Code, at: &Location) {
        let rejected = self.rejections.entry((label, source, code));
        let rejected = rejected.or_insert_with(|| Rejected {
            records: 0,
            last: at.clone(),
        });
        rejected.records += 1;
        rejected.last.clone_from(at);
    }

    pub fn count(&mut self, label: Label, outcome: Outcome) {
        *self.outcomes.entry((label, outcome)).or_default() += 1;
    }

    /// Counts a record with warnings once for each code. To be told where the record is read first.
    pub fn warn(&mut self, warnings: &[Violation], source: Source, place: Place, offset: i64) {
        for code in Code::SEMANTIC {
            if warnings
                .iter()
                .any(|warning| warning.keyword == code.name())
            {
                self.warn_of(code, source, place, offset);
            }
        }
    }

    /// Counts a record with a warning of this code.
    pub fn warn_of(&mut self, code: Code, source: Source, place: Place, offset: i64) {
        let warned = self.warnings.entry((source, code));
        let warned = warned.or_insert(Warned {
            records: 0,
            place,
            offset,
        });
        (warned.place, warned.offset) = (place, offset);
        warned.records += 1;
    }
}

/// A customer that records of a batch are about, and its state as the batch leaves it.
#[derive(Debug)]
pub struct BatchEntry {
    /// The state partition.
    pub partition: i32,
    pub changed: bool,
    /// The bytes of the state that the batch began with.
    pub before: Option<usize>,
    /// None when the batch has written it.
    // boxed, for the list of them grows by being copied
    pub held: Option<Box<Bounded>>,
    /// What the batch changed it to, once that is encoded: to be written, or for the next batch.
    pub state: Option<Bytes>,
}

/// The customers of a batch by their ids, in the order in which they came, so that a run can be replayed exactly.
pub type Customers = IndexMap<Box<str>, BatchEntry, ahash::RandomState>;

/// The records since the last batch.
#[derive(Debug, Default)]
pub struct Batch {
    pub customers: Customers,
    /// Where each partition stood when the batch first took a record of it.
    pub began_at: BTreeMap<Place, i64>,
    /// The timestamp of the first record of each place, in milliseconds, where it has one.
    pub oldest: BTreeMap<Place, i64>,
    /// The state partitions that records were joined into, changed or not.
    pub joined: BTreeSet<i32>,
    pub ledger: Ledger,
    pub records: usize,
    /// Bytes of the records' keys and values.
    pub read_bytes: usize,
    /// Bytes of what they led to: forwarded records and dead letters.
    pub produced_bytes: usize,
    /// Encoded bytes of the states that its customers began with.
    pub state_bytes: usize,
    /// Who this member of the group was when the batch began.
    pub generation: Option<Generation>,
    /// The circuit breaker opened with its last record: it is committed, and the worker stops.
    pub breaker_opened: Option<Opened>,
}

/// How far the customers of a batch are written, and buffers for what is written of one.
#[derive(Debug, Default)]
pub struct Progress {
    /// So many of the first customers had their snapshot written,
    pub(super) snapshots: usize,
    /// and so many their state.
    pub(super) states: usize,
    /// At least once: the snapshots are delivered.
    pub(super) delivered: bool,
    /// The snapshot of the next customer is in the buffer: whether one is shown, and not a tombstone.
    pub(super) rendered: Option<bool>,
    pub(super) json: Vec<u8>,
    pub(super) avro: Vec<u8>,
    pub(super) state: Vec<u8>,
}

/// A batch that takes no more records: it is written, and then committed. The next batch is built upon it: if it fails,
/// so does the next.
#[derive(Debug)]
pub struct Finished {
    pub customers: Customers,
    pub began_at: BTreeMap<Place, i64>,
    /// See [`Batch::oldest`].
    pub oldest: BTreeMap<Place, i64>,
    pub ledger: Ledger,
    pub records: usize,
    pub progress: Progress,
    /// See [`Batch::breaker_opened`].
    pub breaker_opened: Option<Opened>,
}

impl Finished {
    /// What is counted, and the memory of its customers.
    pub fn end(mut self) -> (Ledger, Customers) {
        self.customers.clear();
        (self.ledger, self.customers)
    }
}

impl Batch {
    /// A batch with the memory of one that is through: it would grow it anew, and have it cleared by the system page by
    /// page.
    pub fn begin(spare: Customers, generation: Option<Generation>) -> Batch {
        Batch {
            customers: spare,
            generation,
            ..Batch::default()
        }
    }

    /// The batch as it is known while it is written and committed.
    pub fn finish(self) -> Finished {
        Finished {
            customers: self.customers,
            began_at: self.began_at,
            oldest: self.oldest,
            ledger: self.ledger,
            records: self.records,
            progress: Progress::default(),
            breaker_opened: self.breaker_opened,
        }
    }
}
