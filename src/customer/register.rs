//! A max-register: it holds the datum with the greatest stamp of all that were joined into it. Joining a datum twice,
//! or two data in another order, makes no difference.

use super::contribution::{CustomerEvent, Status};
use super::stamp::Stamp;
use crate::model::time::{Date, Instant};

/// The winning value, with its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Register<T> {
    pub stamp: Stamp,
    pub value: T,
}

/// Orders values with equal stamps: by their canonical JSON texts, compared as bytes (docs/contract.md, section 3).
pub(super) trait TieBreak {
    fn outweighs(&self, other: &Self) -> bool;
}

impl TieBreak for bool {
    fn outweighs(&self, other: &Self) -> bool {
        // "true" is the greater text.
        *self && !*other
    }
}

impl TieBreak for Status {
    fn outweighs(&self, other: &Self) -> bool {
        self.text() > other.text()
    }
}

impl TieBreak for Date {
    fn outweighs(&self, other: &Self) -> bool {
        self.bytes() > other.bytes()
    }
}

impl TieBreak for Instant {
    fn outweighs(&self, other: &Self) -> bool {
        // This is not the order of time: "…00Z" is a greater text than "…00.500Z".
        self != other && self.to_string() > other.to_string()
    }
}

/// The scalar fields of a loyalty customer, each a register of its own. A field that no event has filled is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scalars {
    pub date_of_birth: Option<Register<Date>>,
    pub status: Option<Register<Status>>,
    pub marketing_opt_in: Option<Register<bool>>,
    pub sms_opt_in: Option<Register<bool>>,
    /// Every event has this field, so its stamp is that of the newest event.
    pub created_at: Option<Register<Instant>>,
}

impl Scalars {
    /// The registers after one event.
    pub fn of(event: &CustomerEvent) -> Scalars {
        let stamp = event.stamp;
        Scalars {
            date_of_birth: stamped(stamp, event.date_of_birth),
            status: stamped(stamp, event.status),
            marketing_opt_in: stamped(stamp, event.marketing_opt_in),
            sms_opt_in: stamped(stamp, event.sms_opt_in),
            created_at: stamped(stamp, Some(event.created_at)),
        }
    }

    /// Joins each field; returns whether any of them changed.
    pub fn join(&mut self, other: Scalars) -> bool {
        join(&mut self.date_of_birth, other.date_of_birth)
            | join(&mut self.status, other.status)
            | join(&mut self.marketing_opt_in, other.marketing_opt_in)
            | join(&mut self.sms_opt_in, other.sms_opt_in)
            | join(&mut self.created_at, other.created_at)
    }

    /// Drops the data that are not newer than the erasure.
    pub fn erase(&mut self, erased: Instant) {
        erase(&mut self.date_of_birth, erased);
        erase(&mut self.status, erased);
        erase(&mut self.marketing_opt_in, erased);
        erase(&mut self.sms_opt_in, erased);
        erase(&mut self.created_at, erased);
    }
}

fn stamped<T>(stamp: Stamp, value: Option<T>) -> Option<Register<T>> {
    value.map(|value| Register { stamp, value })
}

fn join<T: TieBreak>(register: &mut Option<Register<T>>, new: Option<Register<T>>) -> bool {
    let Some(new) = new else {
        return false;
    };
    let wins = register.as_ref().is_none_or(|winner| {
        new.stamp > winner.stamp
            || (new.stamp == winner.stamp && new.value.outweighs(&winner.value))
    });
    if wins {
        *register = Some(new);
    }
    wins
}

fn erase<T>(register: &mut Option<Register<T>>, erased: Instant) {
    register.take_if(|winner| winner.stamp.at() <= erased);
}
