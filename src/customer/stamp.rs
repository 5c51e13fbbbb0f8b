//! The stamp of a datum: its time, and its rank among the data of that time (docs/contract.md, section 3).

use crate::model::time::Instant;

/// What an event reports. At the same instant an update wins against a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Created = 0,
    Updated = 1,
}

/// (`updatedAt`, rank) as one number with the same order: twice the time in microseconds, plus the rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(i64);

impl Stamp {
    /// Less than the stamp of every datum.
    pub const NEVER: Stamp = Stamp(i64::MIN);

    pub const fn new(at: Instant, rank: Rank) -> Stamp {
        // The years 0001 to 9999 in microseconds leave more than one bit unused.
        Stamp(at.micros() * 2 + rank as i64)
    }

    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    pub fn at(self) -> Instant {
        if self.is_never() {
            Instant::NEVER
        } else {
            Instant::from_micros(self.0 >> 1)
        }
    }

    /// The number, for [`Stamp::from_bits`].
    pub const fn bits(self) -> i64 {
        self.0
    }

    pub const fn from_bits(bits: i64) -> Stamp {
        Stamp(bits)
    }
}
