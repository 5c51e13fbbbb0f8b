//! What one valid record says about one customer, normalised: the only thing that the fold takes.

use bytes::Bytes;

use super::stamp::Stamp;
use crate::record::Source;
use crate::source::wire::wire_enum;
use crate::time::{Date, Instant};

/// One record's share in the state of one customer.
#[derive(Debug, Clone)]
pub struct Contribution {
    pub customer: String,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub enum Data {
    Customer(CustomerEvent),
    Action(Action),
    Console(Console),
    Publisher(Publisher),
    Erasure(Erasure),
}

impl Data {
    /// The time of the event, for the metric of lateness; an erasure has none of its own.
    pub fn at(&self) -> Option<Instant> {
        match self {
            Data::Customer(event) => Some(event.stamp.at()),
            Data::Action(action) => Some(action.stamp.at()),
            Data::Console(console) => Some(console.at),
            Data::Publisher(publisher) => Some(publisher.at),
            Data::Erasure(_) => None,
        }
    }
}

wire_enum! {
    /// The status of a loyalty customer.
    pub enum Status {
        Active = "ACTIVE",
        Deleted = "DELETED",
    }
}

wire_enum! {
    /// What a customer did.
    pub enum ActionKind {
        SignUp = "SIGN_UP",
        SubscriptionRestarted = "SUBSCRIPTION_RESTARTED",
        SubscriptionCancelled = "SUBSCRIPTION_CANCELLED",
        PromotionApplied = "PROMOTION_APPLIED",
    }
}

/// An event of the source `loyalty-customers`. What it leaves out is none.
#[derive(Debug, Clone)]
pub struct CustomerEvent {
    pub stamp: Stamp,
    pub created_at: Instant,
    pub date_of_birth: Option<Date>,
    pub status: Option<Status>,
    pub marketing_opt_in: Option<bool>,
    pub sms_opt_in: Option<bool>,
    pub addresses: Option<Vec<Element>>,
    pub dependents: Option<Vec<Element>>,
}

/// An address or a dependent as one event tells it.
#[derive(Debug, Clone)]
pub struct Element {
    pub id: Bytes,
    pub stamp: Stamp,
    /// Its canonical JSON text behind the id: `,"line1":…}`.
    pub tail: Bytes,
}

/// A part of a text: from, to (exclusive).
pub type Span = (u32, u32);

/// A customer's action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: Bytes,
    pub stamp: Stamp,
    pub created_at: Instant,
    pub kind: ActionKind,
    /// Its canonical JSON text behind the id: `,"type":…}`.
    pub tail: Bytes,
    /// Where in `tail` the JSON string of the subscription contract's id stands.
    pub contract: Option<Span>,
    /// Where in `tail` the UTM parameters stand, if there are any.
    pub utm: Option<Span>,
}

impl Action {
    pub fn part(&self, (from, to): Span) -> &[u8] {
        self.tail.get(from as usize..to as usize).unwrap_or(&[])
    }
}

/// A customer object of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    pub version: u64,
    /// The record's timestamp.
    pub at: Instant,
    pub parts: ConsoleParts,
}

/// The parts of the snapshot that a console customer fills, as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleParts {
    /// `"firstName":…,` and the other names, each with the comma behind it; may be empty.
    pub names: Bytes,
    /// The array.
    pub phones: Bytes,
    /// The elements with commas between them, without the array's brackets.
    pub addresses: Bytes,
    /// The object.
    pub attributes: Bytes,
}

/// A customer of a publisher's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The record's timestamp.
    pub at: Instant,
    /// The object.
    pub enrollment: Bytes,
    /// The array.
    pub accounts: Bytes,
}

/// A null record: data up to its timestamp are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The one source whose data are retracted; none: the data of all are erased.
    pub only: Option<Source>,
    pub at: Instant,
}
