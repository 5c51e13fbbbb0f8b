//! What records of declared sources say about one customer (docs/contract.md, section 9).
//!
//! The built-in sources have fixed fields; a declared source fills any of the fields that a snapshot has, and each
//! source keeps its own data.

mod places;
mod seen;
mod stamp;
mod state;
#[cfg(test)]
mod tests;

pub(super) use places::{Place, PlaceKey, Places};
pub(super) use seen::{Seen, SeenRecord};
pub(super) use stamp::DeclaredKind;
pub use stamp::DeclaredStamp;
pub(super) use state::{Declared, ShownSource, SourceState};

use super::texts::Span;
use crate::model::record::DeclaredSource;
use crate::model::time::Instant;

/// What one record of a declared source says about one customer.
#[derive(Debug, Clone)]
pub struct DeclaredRecord {
    pub source: DeclaredSource,
    pub order: Order,
    /// Whether the definition has a rank, which the snapshot then shows.
    pub has_rank: bool,
    pub updated_at: Instant,
    /// From 0 to 2^63−1.
    pub rank: u64,
    pub tells: Tells,
}

/// What comes first in the stamp of a source's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// (`updatedAt`, rank): an erasure drops the data up to its time.
    UpdatedAt,
    /// (rank, `updatedAt`): the winner is chosen among all data there ever were, and shown if its time is later than
    /// the erasure.
    Rank,
}

#[derive(Debug, Clone)]
pub enum Tells {
    Customer(DeclaredCustomer),
    Action(DeclaredAction),
}

/// The fields of a customer that a record tells.
#[derive(Debug, Clone, Default)]
pub struct DeclaredCustomer {
    /// `merge = "whole"`: the record tells everything that it leaves out as nothing.
    pub whole: bool,
    /// Ascending, each field at most once.
    pub scalars: Vec<(Scalar, Told)>,
    /// By name, ascending by bytes, each name at most once. The name is the text itself, without escapes.
    pub attributes: Vec<(Span, Told)>,
    pub addresses: Option<Vec<DeclaredElement>>,
    pub phones: Option<Vec<DeclaredElement>>,
    pub dependents: Option<Vec<DeclaredElement>>,
}

impl DeclaredCustomer {
    /// Addresses, phones and dependents.
    pub fn lists(&self) -> [Option<&Vec<DeclaredElement>>; 3] {
        [&self.addresses, &self.phones, &self.dependents].map(Option::as_ref)
    }
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// The record says that there is nothing: the text `null`.
    Nothing,
    /// Canonical JSON, as the snapshot shows it.
    Text(Span),
}

/// A field with a single value. The numbers are part of the layout of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    CreatedAt = 0,
    Status = 1,
    FirstName = 2,
    LastName = 3,
    DisplayName = 4,
    EmailAddress = 5,
    DateOfBirth = 6,
    MarketingOptIn = 7,
    SmsOptIn = 8,
}

impl Scalar {
    pub const ALL: [Scalar; 9] = [
        Scalar::CreatedAt,
        Scalar::Status,
        Scalar::FirstName,
        Scalar::LastName,
        Scalar::DisplayName,
        Scalar::EmailAddress,
        Scalar::DateOfBirth,
        Scalar::MarketingOptIn,
        Scalar::SmsOptIn,
    ];

    /// The name in the snapshot.
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::CreatedAt => "createdAt",
            Scalar::Status => "status",
            Scalar::FirstName => "firstName",
            Scalar::LastName => "lastName",
            Scalar::DisplayName => "displayName",
            Scalar::EmailAddress => "emailAddress",
            Scalar::DateOfBirth => "dateOfBirth",
            Scalar::MarketingOptIn => "marketingOptIn",
            Scalar::SmsOptIn => "smsOptIn",
        }
    }

    /// One byte, the number: it orders like the scalars.
    fn key(self) -> &'static [u8] {
        const NUMBERS: [u8; Scalar::ALL.len()] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        NUMBERS
            .get(self as usize..)
            .unwrap_or_default()
            .get(..1)
            .unwrap_or_default()
    }
}

/// An address, a phone or a dependent.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredElement {
    /// The text itself, without escapes.
    pub id: Span,
    /// Its own, or that of the record.
    pub updated_at: Instant,
    /// Its own, or that of the record, if either has one.
    pub created_at: Option<Instant>,
    /// [`Fields`](super::fields::Fields) in the order of the snapshot.
    pub body: Span,
}

#[derive(Debug, Clone, Copy)]
pub struct DeclaredAction {
    /// The text itself, without escapes.
    pub id: Span,
    /// 1 to 64 characters; the text itself, without escapes.
    pub kind: Span,
    pub created_at: Option<Instant>,
    /// [`Fields`](super::fields::Fields): the contract and the UTM parameters.
    pub body: Span,
}
