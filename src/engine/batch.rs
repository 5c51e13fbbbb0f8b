//! The open batch (the customers that its records changed, and what is counted when it is committed), and the finished
//! batch before it, while that is written and committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use indexmap::IndexMap;

use super::Place;
use super::breaker::Opened;
use super::outbox::Generation;
use crate::customer::EncodedState;
use crate::customer::bounded::Bounded;
use crate::model::record::{Code, Label, Location, Outcome, Rejection, Source, Violation};

/// Values in the order of their arrival. Equal values in a row are stored once, with their number.
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

    /// Each value, with how many times it came in a row.
    pub fn iter(&self) -> impl Iterator<Item = &(T, u32)> {
        self.0.iter()
    }
}

/// What a batch adds to the metrics. It is added only when the batch is committed, so that each record counts once.
#[derive(Debug, Default, PartialEq)]
pub struct Ledger {
    pub outcomes: BTreeMap<(Label, Outcome), u64>,
    pub rejections: BTreeMap<(Label, Source, Code), Rejected>,
    pub warnings: BTreeMap<(Source, Code), Warned>,
    /// The newest rejections, at most [`NEWEST_REJECTIONS`], the last one at the end.
    pub newest_rejections: VecDeque<NewestRejection>,
    pub snapshots: u64,
    pub tombstones: u64,
    /// The timestamps of the records that have one, in milliseconds. The end-to-end latency is measured from them.
    pub timestamps: Tally<i64>,
    /// How much older an event is than the newest known event of its customer, in seconds.
    pub lateness: Tally<(Label, f64)>,
}

/// How many rejections a batch remembers one by one, for the page.
const NEWEST_REJECTIONS: usize = 20;

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestRejection {
    pub source: Source,
    pub code: Code,
    /// Where it was read first.
    pub at: Location,
    /// The pointer of the first violation.
    pub pointer: Option<String>,
}

/// Records that were accepted with a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warned {
    pub records: u64,
    /// The place of the last of them.
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
    pub fn reject(&mut self, label: Label, source: Source, rejection: &Rejection, at: &Location) {
        let code = rejection.code;
        if self.newest_rejections.len() == NEWEST_REJECTIONS {
            self.newest_rejections.pop_front();
        }
        let violation = rejection.violations.first();
        self.newest_rejections.push_back(NewestRejection {
            source,
            code,
            at: at.clone(),
            pointer: violation.map(|violation| violation.pointer.clone()),
        });
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

    /// Counts a record with warnings once for each code. Call it only where the record is read first, not again when it
    /// comes from the forwarded topic.
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

/// A customer with records in a batch, and its state after the batch.
#[derive(Debug)]
pub struct BatchEntry {
    /// The state partition.
    pub partition: i32,
    pub changed: bool,
    /// The size of the encoded state before the batch, in bytes; none if the customer was not known.
    pub before: Option<usize>,
    /// The decoded state; none once the batch has written the snapshot and encoded the state.
    // boxed, because the entries are copied when the map grows
    pub held: Option<Box<Bounded>>,
    /// The encoded state, if the batch changed it. It is written to the state topic; the next batch may read it too.
    pub state: Option<EncodedState>,
}

/// What a customer takes in the table of a batch beside its data: its id, its entry, and the parts that each customer
/// has. Measured with the benchmark's customers, where it is 400 to 500 bytes.
const ENTRY_BYTES: usize = 512;

/// What the ledger keeps of a record: its timestamp and how late it was.
const LEDGER_BYTES: usize = 32;

impl BatchEntry {
    /// An estimate of the bytes of memory that a customer takes whose state is loaded into a batch: the decoded state,
    /// whose texts are those of the encoded one, and the state that is encoded anew.
    pub fn loaded_bytes(before: usize) -> usize {
        ENTRY_BYTES + 2 * before
    }
}

/// The customers of a batch by their ids, in the order of their first record, so that a run can be replayed exactly.
pub type Customers = IndexMap<Box<str>, BatchEntry, ahash::RandomState>;

/// The open batch: the records since the last batch ended.
#[derive(Debug, Default)]
pub struct Batch {
    pub customers: Customers,
    /// The position of each partition before the batch took its first record of it.
    pub began_at: BTreeMap<Place, i64>,
    /// The timestamp of the first record of each place, in milliseconds, if it has one.
    pub oldest: BTreeMap<Place, i64>,
    /// The state partitions that records were joined into, whether or not that changed anything.
    pub joined: BTreeSet<i32>,
    pub ledger: Ledger,
    pub records: usize,
    /// Bytes of the forwarded records and the dead letters that the batch produced.
    pub produced_bytes: usize,
    /// An estimate of the bytes of memory that its customers take, see [`Batch::memory`].
    pub customer_bytes: usize,
    /// The group generation and the member id when the batch began; none if this instance was no member of the group.
    pub generation: Option<Generation>,
    /// Set if the circuit breaker opened at the batch's last record: the batch is committed, then the worker stops.
    pub breaker_opened: Option<Opened>,
}

/// How much of a batch is written, and the buffers that its records are encoded in.
#[derive(Debug, Default)]
pub struct Progress {
    /// How many customers have had their snapshot written, in the order of the map.
    pub(super) snapshots: usize,
    /// How many customers have had their state written, in the order of the map.
    pub(super) states: usize,
    /// At-least-once only: the snapshots are delivered, so that the states can be written.
    pub(super) delivered: bool,
    /// Set if the next customer's snapshot is already in the buffer: true for a snapshot, false for a tombstone.
    pub(super) rendered: Option<bool>,
    pub(super) json: Vec<u8>,
    pub(super) avro: Vec<u8>,
    pub(super) state: Vec<u8>,
}

/// A batch that takes no more records: it is written, and then committed. The next batch starts from its states, so if
/// it fails, the next batch is dropped too.
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
    /// Returns what is counted, and the emptied map of customers, whose memory is reused.
    pub fn end(mut self) -> (Ledger, Customers) {
        self.customers.clear();
        (self.ledger, self.customers)
    }
}

impl Batch {
    /// An estimate of the bytes of memory that the batch takes until it is committed, rather too many than too few: its
    /// customers, decoded and encoded anew, what it has produced, and what is counted of each record. The records
    /// themselves are not kept.
    pub fn memory(&self) -> usize {
        self.customer_bytes + self.produced_bytes + self.records * LEDGER_BYTES
    }

    /// Opens a batch. It reuses the empty map of an earlier batch, because growing a new map costs allocations, and the
    /// system would have to clear each new page of memory.
    pub fn begin(empty_map: Customers, generation: Option<Generation>) -> Batch {
        Batch {
            customers: empty_map,
            generation,
            ..Batch::default()
        }
    }

    /// Ends the batch; from now on it is written and committed.
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
