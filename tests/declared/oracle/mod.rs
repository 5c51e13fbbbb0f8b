//! A second, naive implementation of declared sources (docs/contract.md, section 9): from definitions and the whole
//! set of records to the verdict on each record and the snapshot of each customer.
//!
//! It shares no code with keyfold and has no state that grows: it keeps all that was ever told, and for each place of a
//! snapshot takes the greatest.

mod actions;
pub mod builtin;
pub mod definition;
mod element;
mod envelope;
mod fold;
pub mod json;
mod judge;
mod snapshot;
mod source;
mod telling;
mod time;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use builtin::{Input, Src};
pub use definition::Definition;
pub use judge::judge;

use builtin::read;

/// A record of a declared source.
#[derive(Clone, Debug)]
pub struct Record {
    /// The source's place among the definitions.
    pub source: usize,
    pub key: Option<String>,
    pub value: Option<String>,
    /// Kafka's timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, String)>,
}

/// A record of any source.
#[derive(Clone, Debug)]
pub enum Event {
    BuiltIn(Input),
    Declared(Record),
}

/// The settings that a snapshot depends on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `merge.lists = "union"` instead of `"replace"`.
    pub union: bool,
    /// `merge.max_actions`; 0 for the default of 100.
    pub max_actions: usize,
    /// `merge.max_hidden`; none for the default of 100.
    pub max_hidden: Option<usize>,
    /// `snapshot.recent_actions`; 0 for the default of 20.
    pub recent_actions: usize,
    /// `snapshot.deleted = "tombstone"` instead of `"keep"`.
    pub deleted_tombstone: bool,
    /// `merge.priority`: the sources of each field, in order.
    pub priority: BTreeMap<String, Vec<String>>,
}

impl Settings {
    pub fn max_actions(&self) -> usize {
        [self.max_actions, 100][usize::from(self.max_actions == 0)]
    }

    pub fn max_hidden(&self) -> usize {
        self.max_hidden.unwrap_or(100)
    }

    pub fn recent_actions(&self) -> usize {
        [self.recent_actions, 20][usize::from(self.recent_actions == 0)]
    }
}

/// Why a record is rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub code: String,
    /// Pointer and keyword of the first 16, in order.
    pub violations: Vec<(String, String)>,
}

/// What a record, or an element of a batch, says.
#[derive(Clone, Debug)]
pub struct Valid {
    pub customer: String,
    pub fact: Fact,
}

#[derive(Clone, Debug)]
pub enum Verdict {
    Nothing,
    Valid(Valid),
    Rejected(Rejection),
    Batch {
        valid: Vec<Valid>,
        rejection: Option<Rejection>,
    },
}

/// The verdict, and the rules that are broken but do not reject: pointer and code, in order.
#[derive(Clone, Debug)]
pub struct Judged {
    pub verdict: Verdict,
    pub warnings: Vec<(String, String)>,
}

/// What is said of one customer.
#[derive(Clone, Debug)]
pub enum Fact {
    Erasure {
        /// None: of all sources.
        only: Option<String>,
        at: i64,
    },
    Told(Told),
    Action(Action),
    Console(Arc<read::Console>),
    Publisher(Arc<read::Publisher>),
}

/// What a record tells of a customer's fields and lists.
#[derive(Clone, Debug)]
pub struct Told {
    pub source: String,
    /// `order = "rank"`.
    pub rank_first: bool,
    pub whole: bool,
    pub has_rank: bool,
    pub at: i64,
    pub rank: u64,
    /// JSON text by field; an attribute's name stands behind `attributes.`.
    pub places: BTreeMap<String, String>,
    pub lists: BTreeMap<&'static str, Vec<Element>>,
}

#[derive(Clone, Debug)]
pub struct Element {
    pub id: String,
    pub at: i64,
    /// As the snapshot shows it, without `source`.
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Action {
    pub source: String,
    pub has_rank: bool,
    pub at: i64,
    pub rank: u64,
    pub id: String,
    pub kind: String,
    pub contract: Option<String>,
    pub created: Option<i64>,
    /// JSON text of the UTM parameters.
    pub utm: Option<String>,
    /// As the snapshot shows it, without `source`.
    pub text: String,
}

/// The snapshot of each customer that a valid record speaks of: its JSON text, or `None` for a null value.
pub fn fold(
    definitions: &[Definition],
    events: &[Event],
    settings: &Settings,
) -> BTreeMap<String, Option<String>> {
    let each = events.iter();
    let facts: Vec<Valid> = each.flat_map(|event| facts(definitions, event)).collect();
    let customers: BTreeSet<&String> = facts.iter().map(|valid| &valid.customer).collect();
    customers
        .into_iter()
        .map(|customer| {
            let own = facts.iter().filter(|valid| valid.customer == *customer);
            let own: Vec<&Fact> = own.map(|valid| &valid.fact).collect();
            (customer.clone(), snapshot::of(customer, &own, settings))
        })
        .collect()
}

/// What a record says of each customer.
fn facts(definitions: &[Definition], event: &Event) -> Vec<Valid> {
    match event {
        Event::BuiltIn(input) => fold::built_in(input),
        Event::Declared(record) => match judge(&definitions[record.source], record).verdict {
            Verdict::Valid(valid) => vec![valid],
            Verdict::Batch { valid, .. } => valid,
            Verdict::Nothing | Verdict::Rejected(_) => Vec::new(),
        },
    }
}
