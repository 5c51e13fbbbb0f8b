//! The stamp of a datum: when it was written, and what it weighs at that instant (docs/contract.md, section 3).

use crate::model::time::Instant;

/// What an event did; at the same instant an update outweighs a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Created = 0,
    Updated = 1,
}

/// (`updatedAt`, rank), in one number of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(i64);

impl Stamp {
    /// Below every stamp of a datum.
    pub const NEVER: Stamp = Stamp(i64::MIN);

    pub const fn new(at: Instant, rank: Rank) -> Stamp {
        // the years 0001 to 9999 in microseconds leave more than one bit to spare
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

    /// The bits that [`Stamp::from_bits`] makes the same stamp of again.
    pub const fn bits(self) -> i64 {
        self.0
    }

    pub const fn from_bits(bits: i64) -> Stamp {
        Stamp(bits)
    }
}
