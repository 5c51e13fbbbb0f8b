//! The stamp of a datum: its time, and its rank among the data of that time (docs/contract.md, section 3).

use std::fmt::Debug;

use crate::model::time::Instant;

/// What the parts of the state need of a stamp. Data of the built-in sources have a [`Stamp`], which is one number;
/// those of declared sources a [`DeclaredStamp`](super::declared::DeclaredStamp).
pub trait AnyStamp: Copy + Ord + Debug {
    /// Less than the stamp of every datum.
    const NEVER: Self;
    /// The least number of bytes of an encoded stamp.
    const MIN_ENCODED: usize;

    /// The time of the datum; [`Instant::NEVER`] if there is none.
    fn at(self) -> Instant;

    /// Whether the stamp outlives an erasure of its datum, so that the datum still wins against those with lesser
    /// stamps. If stamps order by time, it need not: the erasure covers these as well.
    fn outlives_erasure(self) -> bool;
}

/// What an event reports. At the same instant an update wins against a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Created = 0,
    Updated = 1,
}

/// (`updatedAt`, rank) as one number with the same order: twice the time in microseconds, plus the rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(i64);

impl AnyStamp for Stamp {
    const NEVER: Stamp = Stamp(i64::MIN);
    const MIN_ENCODED: usize = 8;

    #[inline]
    fn at(self) -> Instant {
        self.at()
    }

    #[inline]
    fn outlives_erasure(self) -> bool {
        false
    }
}

impl Stamp {
    pub const fn new(at: Instant, rank: Rank) -> Stamp {
        // The years 0001 to 9999 in microseconds leave more than one bit unused.
        Stamp(at.micros() * 2 + rank as i64)
    }

    pub fn at(self) -> Instant {
        if self == Self::NEVER {
            Instant::NEVER
        } else {
            Instant::from_micros(self.0 >> 1)
        }
    }

    pub fn rank(self) -> Rank {
        match self.0 & 1 {
            0 => Rank::Created,
            _ => Rank::Updated,
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
