//! The stamps of the data of declared sources.

use std::cmp::Ordering;

use super::Order;
use crate::customer::contribution::AnyKind;
use crate::customer::stamp::AnyStamp;
use crate::model::time::Instant;

/// A time and a rank, in the order that the source's definition says. All stamps of a source have the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredStamp {
    first: i64,
    second: i64,
    order: Order,
}

impl DeclaredStamp {
    /// The rank is below 2^63.
    pub fn new(order: Order, at: Instant, rank: u64) -> DeclaredStamp {
        let rank = i64::try_from(rank).unwrap_or(i64::MAX);
        let (first, second) = match order {
            Order::UpdatedAt => (at.micros(), rank),
            Order::Rank => (rank, at.micros()),
        };
        DeclaredStamp {
            first,
            second,
            order,
        }
    }

    pub fn rank(self) -> u64 {
        let rank = match self.order {
            Order::UpdatedAt => self.second,
            Order::Rank => self.first,
        };
        rank.unsigned_abs()
    }

    pub fn order(self) -> Order {
        self.order
    }

    /// The same time and rank in another order.
    pub fn reordered(self, order: Order) -> DeclaredStamp {
        if self.order == order || self == Self::NEVER {
            return self;
        }
        DeclaredStamp {
            first: self.second,
            second: self.first,
            order,
        }
    }
}

impl AnyStamp for DeclaredStamp {
    const NEVER: DeclaredStamp = DeclaredStamp {
        first: i64::MIN,
        second: i64::MIN,
        order: Order::UpdatedAt,
    };
    // The number of the stamp in the table of its source.
    const MIN_ENCODED: usize = 1;

    fn at(self) -> Instant {
        Instant::from_micros(match self.order {
            Order::UpdatedAt => self.first,
            Order::Rank => self.second,
        })
    }

    fn outlives_erasure(self) -> bool {
        self.order == Order::Rank
    }
}

/// Beside an action of a declared source, whose type is among its fields: whether the definition has a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredKind {
    pub has_rank: bool,
}

impl AnyKind for DeclaredKind {
    fn write(self, _: &mut Vec<u8>) {}

    fn cmp_unwritten(self, other: DeclaredKind) -> Ordering {
        self.cmp(&other)
    }
}
