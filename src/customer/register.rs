//! A max-register: of all the values that it was ever given, it holds the one with the greatest stamp.

use super::contribution::Status;
use super::stamp::Stamp;
use crate::model::time::{Date, Instant};

/// The order of values at equal stamps: that of their canonical JSON texts, compared by bytes
/// (docs/contract.md, section 3).
pub trait TieBreak {
    fn outweighs(&self, other: &Self) -> bool;
}

impl TieBreak for bool {
    fn outweighs(&self, other: &Self) -> bool {
        // "true" is the greater text
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
        // not the order of time: "…00Z" is a greater text than "…00.500Z"
        self != other && self.to_string() > other.to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<T> {
    pub stamp: Stamp,
    pub value: T,
}

/// Gives a value to a register; whether that changed it.
pub fn join<T: TieBreak>(register: &mut Option<Register<T>>, stamp: Stamp, value: T) -> bool {
    let wins = match register {
        None => true,
        Some(held) => stamp > held.stamp || (stamp == held.stamp && value.outweighs(&held.value)),
    };
    if wins {
        *register = Some(Register { stamp, value });
    }
    wins
}

/// Forgets a value that is as old as the erasure or older; whether there was one.
pub fn erase<T>(register: &mut Option<Register<T>>, erased: Instant) -> bool {
    let covered = register
        .as_ref()
        .is_some_and(|held| held.stamp.at() <= erased);
    if covered {
        *register = None;
    }
    covered
}
