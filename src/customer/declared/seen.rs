//! The records of a declared source that were seen, as far as `sources.NAME` of the snapshot needs them.

use super::DeclaredStamp;
use crate::customer::stamp::AnyStamp;
use crate::model::time::Instant;

/// The records that are the greatest by stamp of all that are later than some time: of these, an erasure may leave each
/// as the greatest one. If stamps order by time, that is one record. Otherwise it is a staircase: the lower the rank,
/// the later the time. Sorted by stamp, the greatest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(pub Vec<SeenRecord>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenRecord {
    pub stamp: DeclaredStamp,
    /// Whether the definition has a rank, which is then shown. True if it is for one of several equal stamps.
    pub has_rank: bool,
}

impl Seen {
    /// The one that a snapshot shows.
    pub fn newest(&self) -> Option<SeenRecord> {
        self.0.first().copied()
    }

    /// Joins a record; returns whether that changed anything.
    pub fn join(&mut self, new: SeenRecord) -> bool {
        let steps = &mut self.0;
        let at = steps.partition_point(|old| old.stamp > new.stamp);
        if let Some(same) = steps.get_mut(at).filter(|old| old.stamp == new.stamp) {
            let changed = new.has_rank && !same.has_rank;
            same.has_rank |= new.has_rank;
            return changed;
        }
        let greater = at.checked_sub(1).and_then(|at| steps.get(at));
        if greater.is_some_and(|greater| greater.stamp.at() >= new.stamp.at()) {
            return false;
        }
        // Those behind it have lesser stamps; the later ones among them are last.
        let hidden = steps[at..]
            .iter()
            .take_while(|old| old.stamp.at() <= new.stamp.at())
            .count();
        match steps.get_mut(at) {
            Some(old) if hidden > 0 => {
                *old = new;
                steps.drain(at + 1..at + hidden);
            }
            _ => steps.insert(at, new),
        }
        true
    }

    /// Drops the records that are not later than the erasure.
    pub fn erase(&mut self, erased: Instant) {
        self.0.retain(|record| record.stamp.at() > erased);
    }

    /// Drops the records with lesser stamps.
    pub fn supersede(&mut self, whole: DeclaredStamp) {
        self.0.retain(|record| record.stamp >= whole);
    }
}
