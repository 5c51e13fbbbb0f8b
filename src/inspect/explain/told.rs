//! What each record says of the customer: the data of a state that only this record was folded into. Kept are their
//! subjects, stamps and digests, so that many large records need little memory.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::customer::contribution::{Data, Erasure, Fact};
use crate::customer::declared::{DeclaredStamp, Tells};
use crate::customer::inventory::Subject;
use crate::customer::snapshot::{self, View};
use crate::customer::stamp::AnyStamp;
use crate::customer::{Customer, Keep};
use crate::json::members::members;
use crate::model::record::{Location, Rejection, Source};
use crate::model::time::Instant;

/// A record of the customer, or an element of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRef {
    pub location: Location,
    /// The pointer of the customer's element in a batch; empty for a record of one customer.
    pub pointer: String,
    pub source: Source,
    /// Kafka's, in milliseconds.
    pub timestamp: Option<i64>,
    /// It was not committed when the snapshot was read, so that what keyfold publishes may not know of it.
    pub is_pending: bool,
}

/// What a record says.
#[derive(Debug)]
pub enum Said {
    Data(Data),
    /// It is valid and tells nothing.
    Nothing,
    Rejected(Rejection),
}

/// A record with what is kept of what it says.
#[derive(Debug)]
pub struct Told {
    pub record: RecordRef,
    /// The time that orders its data; none if there is none.
    pub at: Option<Instant>,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Data(ToldData),
    Erasure(Erasure),
    Nothing,
    Rejected(Rejection),
}

#[derive(Debug)]
pub struct ToldData {
    pub data: Vec<ToldDatum>,
    /// What a snapshot derives of the action that the record tells, with the digest of its text.
    pub derived: Vec<(Derived, u64)>,
    /// Of all data together: equal for records that say the same.
    pub digest: u64,
}

#[derive(Debug)]
pub struct ToldDatum {
    pub subject: SubjectNumber,
    pub stamp: DeclaredStamp,
    /// Of the text; none if there is none.
    pub digest: Option<u64>,
    /// The text, if values are asked for.
    pub value: Option<Box<[u8]>>,
}

/// What the snapshot derives of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// A member of `byType`: its name.
    Kind,
    SignedUpAt,
    Subscription,
    Touch,
}

/// The number of a subject of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectNumber(usize);

/// All subjects that anything is known of, numbered.
#[derive(Debug, Default)]
pub struct Subjects {
    numbers: HashMap<(String, Subject), SubjectNumber, ahash::RandomState>,
    all: Vec<(String, Subject)>,
}

impl Subjects {
    pub fn number(&mut self, source: &str, subject: Subject) -> SubjectNumber {
        let key = (source.to_owned(), subject);
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = SubjectNumber(self.all.len());
        self.all.push(key.clone());
        self.numbers.insert(key, number);
        number
    }

    pub fn find(&self, source: &str, subject: Subject) -> Option<SubjectNumber> {
        self.numbers.get(&(source.to_owned(), subject)).copied()
    }

    /// The name of the source, and the subject.
    pub fn get(&self, number: SubjectNumber) -> (&str, &Subject) {
        let (source, subject) = &self.all[number.0];
        (source, subject)
    }

    pub fn iter(&self) -> impl Iterator<Item = (SubjectNumber, &str, &Subject)> {
        let all = self.all.iter().enumerate();
        all.map(|(at, (source, subject))| (SubjectNumber(at), source.as_str(), subject))
    }
}

/// A digest of a text. Equal texts have equal digests in every run.
pub fn digest(text: &[u8]) -> u64 {
    ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(text)
}

/// Nothing of what a single record says is let go.
const ALL: Keep = Keep {
    actions: usize::MAX,
    hidden: usize::MAX,
};

impl ToldData {
    /// What data say, which are no erasure. The values are kept if they are asked for.
    pub fn of(data: &Data, subjects: &mut Subjects, keeps_values: bool) -> ToldData {
        let is_action = match &data.fact {
            Fact::Action(_) => true,
            Fact::Declared(record) => matches!(record.tells, Tells::Action(_)),
            _ => false,
        };
        let mut alone = Customer::default();
        alone.join(data.clone(), ALL);
        let mut told = Vec::new();
        let mut all: Vec<u64> = Vec::new();
        for of_source in alone.inventory() {
            for datum in of_source.data {
                // A record lists the elements that it tells, at the stamp of its list.
                if matches!(datum.subject, Subject::Listed(..)) {
                    continue;
                }
                let text = datum.text.as_deref();
                let one = ToldDatum {
                    subject: subjects.number(&of_source.source, datum.subject),
                    stamp: datum.stamp,
                    digest: text.map(digest),
                    value: text.filter(|_| keeps_values).map(Box::from),
                };
                all.push(one.subject.0 as u64);
                all.extend([one.stamp.at().micros().cast_unsigned(), one.stamp.rank()]);
                all.push(one.digest.unwrap_or_default());
                told.push(one);
            }
        }
        ToldData {
            derived: match is_action {
                true => derived(&alone),
                false => Vec::new(),
            },
            data: told,
            digest: ahash::RandomState::with_seeds(5, 6, 7, 8).hash_one(all),
        }
    }
}

/// What the snapshot of a single action derives of it.
fn derived(alone: &Customer) -> Vec<(Derived, u64)> {
    let view = View {
        union: false,
        recent_actions: 0,
        deleted_is_null: false,
        priority: Default::default(),
    };
    let mut text = Vec::new();
    snapshot::write(alone, "", &view, &mut text);
    let mut found = Vec::new();
    let mut put = |what, text: &str| found.push((what, digest(text.as_bytes())));
    for (name, text) in member_of(&text, "actions") {
        match name.as_str() {
            "byType" => {
                let kinds = members(text.as_bytes()).unwrap_or_default();
                kinds.iter().for_each(|(kind, _)| put(Derived::Kind, kind));
            }
            "signedUpAt" => put(Derived::SignedUpAt, &text),
            "subscriptions" => elements(&text)
                .iter()
                .for_each(|one| put(Derived::Subscription, one)),
            "firstTouch" => put(Derived::Touch, &text),
            _ => {}
        }
    }
    found
}

/// The members of an object that is a member of a snapshot.
pub fn member_of(snapshot: &[u8], name: &str) -> Vec<(String, String)> {
    let all = members(snapshot).unwrap_or_default();
    let of_name = all.into_iter().find(|(found, _)| found == name);
    let inside = of_name.and_then(|(_, text)| members(text.as_bytes()));
    let inside = inside.unwrap_or_default().into_iter();
    inside
        .map(|(name, text)| (name.into_owned(), text.to_owned()))
        .collect()
}

/// The texts of the elements of a JSON array.
pub fn elements(array: &str) -> Vec<&str> {
    let elements: Vec<&RawValue> = serde_json::from_str(array).unwrap_or_default();
    elements.into_iter().map(RawValue::get).collect()
}
