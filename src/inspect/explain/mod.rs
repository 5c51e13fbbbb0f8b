//! Why a customer's snapshot is as it is: what became of each record, and which record each part is from.
//!
//! # The idea
//!
//! Nothing of the fold is written twice. What a record says is taken from a state that only this record was folded
//! into: its [inventory](crate::customer::inventory) is a list of data, each with its subject and stamp. The state that
//! all records were folded into has an inventory too, which holds what has won of each subject, with the stamp and the
//! text by which it did. So a record has won where its datum is that of the state, and for each part of the snapshot
//! the data are known that it shows.
//!
//! ```text
//! record ── fold alone ── inventory: data ───────────┐
//!                                                    ├─ trace: who told what has won, and against what
//! all records ── fold ─── inventory: what has won ───┤
//!                    └─── snapshot: its parts ───────┴─ parts (why), fates (what became of each record)
//! ```
//!
//! A record costs what it costs to fold it, twice; nothing is folded again for a part.

mod decisive;
mod explainer;
mod fates;
mod parts;
mod rule;
mod select;
mod told;
mod trace;

pub use explainer::Explainer;
pub use rule::Rule;
pub use select::Selected;
pub use told::{RecordRef, Said};

use crate::model::record::Rejection;
use crate::model::time::Instant;

/// The position of a record in [`Explanation::records`].
pub type RecordNumber = usize;

/// Why a snapshot is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// In the order of the times of their data.
    pub records: Vec<ExplainedRecord>,
    /// The snapshot of the records; none if it is a null value.
    pub snapshot: Option<Vec<u8>>,
    /// In the order of the snapshot; those that are told and not shown come behind it.
    pub parts: Vec<Part>,
}

/// A record of the customer, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRecord {
    pub record: RecordRef,
    /// The time that orders its data: `updatedAt`, or the record's timestamp.
    pub at: Option<Instant>,
    pub verdict: RecordVerdict,
    pub fate: Fate,
    /// The records that [`ExplainedRecord::fate`] names: those that supersede, hide or erase it.
    pub by: Vec<RecordNumber>,
    /// Without it the snapshot may be another one. Without all those that are not decisive it is the same.
    pub is_decisive: bool,
    pub data: Vec<ExplainedDatum>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordVerdict {
    Valid,
    /// Valid, and a null value or the deletion of a row: it erases data up to its time.
    Erasure,
    /// Valid, and it tells nothing of any customer.
    Nothing,
    Rejected(Rejection),
}

/// What became of a record, or of a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The snapshot shows something of it.
    Shown,
    /// It holds for a source: an erasure that is not followed by a later one.
    Erases,
    /// It has won, but another record or source keeps it from being shown.
    Hidden,
    /// Another one wins against it.
    Superseded,
    /// It is not later than an erasure.
    Erased,
    /// It is beyond `merge.max_actions` or `merge.max_hidden`.
    LetGo,
    /// Another record says the same.
    Repeated,
    /// It tells nothing.
    Nothing,
    /// It is in the dead letters.
    Rejected,
}

impl Fate {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Shown => "shown",
            Fate::Erases => "erases",
            Fate::Hidden => "hidden",
            Fate::Superseded => "superseded",
            Fate::Erased => "erased",
            Fate::LetGo => "let_go",
            Fate::Repeated => "repeated",
            Fate::Nothing => "nothing",
            Fate::Rejected => "rejected",
        }
    }
}

impl Fate {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Fate::LetGo => "let go",
            other => other.name(),
        }
    }
}

/// What became of one thing that a record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedDatum {
    /// Where the snapshot shows it, or would: of a list's element that is not shown the list.
    pub pointer: String,
    pub fate: Fate,
    pub by: Option<RecordNumber>,
    /// Its canonical text, if values were asked for.
    pub value: Option<Vec<u8>>,
}

/// A part of the snapshot, and why it is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub pointer: String,
    /// Of a list's element or an action that is not shown, its id.
    pub id: Option<String>,
    pub is_shown: bool,
    /// The first says whose value it is, the others why it is shown or hidden.
    pub decisions: Vec<Decision>,
}

/// One of the rules that decide a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub rule: Rule,
    /// The name of the source that the rule was applied to.
    pub source: Option<String>,
    /// The stamp by which it was decided.
    pub time: Option<Instant>,
    pub rank: Option<u64>,
    /// The first one is that which won; the others say the same at the same time. Empty if only the state knows it.
    pub records: Vec<RecordNumber>,
    /// Records that say the same, but did not win.
    pub same_value: Vec<RecordNumber>,
    /// How many data it won against, of this source.
    pub others: usize,
}

impl Decision {
    fn new(rule: Rule, records: Vec<RecordNumber>) -> Decision {
        Decision {
            rule,
            source: None,
            time: None,
            rank: None,
            records,
            same_value: Vec::new(),
            others: 0,
        }
    }
}
