//! The newest actions of a customer.

use bytes::Bytes;

use super::contribution::Action;
use super::stamp::Stamp;
use crate::time::Instant;

/// The newest actions by (`updatedAt`, rank, `interactionId`). The order is total, and an action that was let go
/// is judged like a new one when it comes back; that makes keeping the newest a join.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Newest first, one for each id.
    pub kept: Vec<Action>,
    /// The time of the newest action that was ever let go for want of room. A time and not a flag, so that an
    /// erasure gives the same before and after.
    pub evicted: Option<Instant>,
}

impl Actions {
    /// Takes in an action; whether that changed anything.
    pub fn join(&mut self, action: Action, max: usize, erased: Instant) -> bool {
        if action.stamp.at() <= erased {
            return false;
        }
        let same = self.kept.iter().position(|held| held.id == action.id);
        if let Some(at) = same {
            if !action.outweighs(&self.kept[at]) {
                return false;
            }
            self.kept.remove(at);
        }
        let place = self
            .kept
            .partition_point(|held| order(held) > order(&action));
        if place >= max && same.is_none() {
            return self.evict(&action);
        }
        self.kept.insert(place, action);
        while self.kept.len() > max {
            if let Some(oldest) = self.kept.pop() {
                self.evict(&oldest);
            }
        }
        true
    }

    fn evict(&mut self, action: &Action) -> bool {
        let at = Some(action.stamp.at());
        let newer = at > self.evicted;
        if newer {
            self.evicted = at;
        }
        newer
    }

    /// Forgets what is as old as the erasure or older.
    pub fn erase(&mut self, erased: Instant) {
        self.kept.retain(|held| held.stamp.at() > erased);
        self.evicted = self.evicted.filter(|at| *at > erased);
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.evicted.is_none()
    }
}

fn order(action: &Action) -> (Stamp, &Bytes) {
    (action.stamp, &action.id)
}
