//! The open batch: what its records made of their customers, and what is counted when it is committed; and the batch
//! before it, while its commit is under way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::Place;
use crate::customer::bounded::Bounded;
use crate::record::{Code, Outcome, Source};

/// Where a record is counted: under its source, or under `forwarded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    Source(Source),
    Forwarded,
}

impl Label {
    pub const fn name(self) -> &'static str {
        match self {
            Label::Source(source) => source.name(),
            Label::Forwarded => "forwarded",
        }
    }
}

/// What a batch adds to the metrics. It counts on commit only, so that the ledger balances.
#[derive(Debug, Default)]
pub struct Ledger {
    pub outcomes: BTreeMap<(Label, Outcome), u64>,
    pub rejections: BTreeMap<(Label, Code), u64>,
    pub warnings: BTreeMap<(Source, Code), u64>,
    pub snapshots: u64,
    pub tombstones: u64,
    /// Timestamps of the records that have one, in milliseconds: from them on runs the end-to-end latency.
    pub timestamps: Vec<i64>,
    /// How far events lie behind the newest known of their customer, in seconds.
    pub lateness: Vec<(Label, f64)>,
}

impl Ledger {
    pub fn count(&mut self, label: Label, outcome: Outcome) {
        *self.outcomes.entry((label, outcome)).or_default() += 1;
    }
}

/// A customer that the batch has touched.
#[derive(Debug)]
pub struct Touched {
    pub id: Box<str>,
    /// The state partition.
    pub partition: i32,
    // boxed, for the list of them grows by being copied
    pub held: Box<Bounded>,
    /// The bytes of the state that the store had.
    pub stored: Option<usize>,
    pub changed: bool,
}

/// The places of customers in the order in which a batch touched them, by their ids.
type Index = HashMap<Box<str>, usize, ahash::RandomState>;

/// The records since the last batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The customers in the order in which they were touched, so that a run can be replayed exactly.
    pub customers: Vec<Touched>,
    index: Index,
    /// Where each partition stood when the batch first took a record of it.
    pub began_at: BTreeMap<Place, i64>,
    /// The state partitions that records were joined into, changed or not.
    pub joined: BTreeSet<i32>,
    pub ledger: Ledger,
    pub records: usize,
    pub bytes: usize,
}

/// The memory of a batch that is through, for the next one: it would grow it anew, and have it cleared by the
/// system page by page.
#[derive(Debug, Default)]
pub struct Spare {
    pub customers: Vec<Touched>,
    pub index: Index,
}

/// A batch whose records are all produced, and whose commit is under way. The next batch is built upon it: if it
/// fails, so does the next.
#[derive(Debug)]
pub struct Finished {
    /// In the order in which the batch touched them.
    pub customers: Vec<Rewritten>,
    index: Index,
    pub began_at: BTreeMap<Place, i64>,
    pub ledger: Ledger,
    pub records: usize,
}

/// A customer of a finished batch.
#[derive(Debug)]
pub struct Rewritten {
    pub id: Box<str>,
    /// The state partition.
    pub partition: i32,
    /// The bytes of the state that the batch began with.
    pub before: Option<usize>,
    /// The encoded state that the batch wrote; none where it changed nothing.
    pub state: Option<Bytes>,
}

impl Finished {
    /// The state that the batch wrote of a customer, if it changed it.
    pub fn state_of(&self, id: &str) -> Option<&Bytes> {
        let at = self.index.get(id)?;
        self.customers.get(*at)?.state.as_ref()
    }

    /// What is counted, and memory for a next batch.
    pub fn end(mut self) -> (Ledger, Index) {
        self.index.clear();
        (self.ledger, self.index)
    }
}

impl Batch {
    pub fn begin(spare: Spare) -> Batch {
        Batch {
            customers: spare.customers,
            index: spare.index,
            ..Batch::default()
        }
    }

    /// The batch as it is known while it is committed, with what was written of its customers; and memory for the
    /// next one.
    pub fn finish(self, customers: Vec<Rewritten>) -> (Finished, Vec<Touched>) {
        let finished = Finished {
            customers,
            index: self.index,
            began_at: self.began_at,
            ledger: self.ledger,
            records: self.records,
        };
        (finished, self.customers)
    }

    /// The place of a customer among those that were touched.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// Adds a customer; its place.
    pub fn touch(&mut self, touched: Touched) -> usize {
        let at = self.customers.len();
        self.index.insert(touched.id.clone(), at);
        self.customers.push(touched);
        at
    }
}
