//! The newest actions of a customer.

use super::contribution::Action;
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use crate::model::time::Instant;

/// The newest actions by (`updatedAt`, rank, `interactionId`). The order is total, and an action that was let go
/// is judged like a new one when it comes back; that makes keeping the newest a join.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    /// Newest first, one for each id.
    pub kept: Vec<Action<Span>>,
    /// The time of the newest action that was ever let go for want of room. A time and not a flag, so that an
    /// erasure gives the same before and after.
    pub evicted: Option<Instant>,
}

impl Actions {
    /// Takes in an action, whose texts go into the customer's; whether that changed anything.
    pub fn join(
        &mut self,
        texts: &mut Texts,
        action: Action<&[u8]>,
        max: usize,
        erased: Instant,
    ) -> bool {
        if action.stamp.at() <= erased {
            return false;
        }
        let same = self
            .kept
            .iter()
            .position(|held| texts.get(held.id) == action.id);
        if let Some(at) = same {
            if !action.outweighs(&self.kept[at].map(|text| texts.get(*text))) {
                return false;
            }
            self.kept.remove(at);
        }
        let place = self
            .kept
            .partition_point(|held| (held.stamp, texts.get(held.id)) > (action.stamp, action.id));
        if place >= max && same.is_none() {
            return self.evict(action.stamp);
        }
        // a batch holds many customers, and most have few actions: no room that is not needed
        self.kept.reserve_exact(1);
        self.kept.insert(place, action.map(|text| texts.add(text)));
        while self.kept.len() > max {
            if let Some(oldest) = self.kept.pop() {
                self.evict(oldest.stamp);
            }
        }
        true
    }

    fn evict(&mut self, stamp: Stamp) -> bool {
        let at = Some(stamp.at());
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

    /// Those that are kept, newest first.
    pub fn shown<'a>(&'a self, texts: &'a Texts) -> impl Iterator<Item = Action<&'a [u8]>> + Clone {
        self.kept
            .iter()
            .map(|action| action.map(|text| texts.get(*text)))
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.evicted.is_none()
    }
}
