//! The newest actions of a customer.

use super::contribution::Action;
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use crate::model::time::Instant;

/// The newest actions by (`updatedAt`, rank, `interactionId`). The order is total, and an action that was dropped is
/// judged like a new one when it comes again; that makes keeping the newest a join.
#[derive(Debug, Clone, Default)]
pub(super) struct Actions {
    /// Newest first, one for each id.
    pub kept: Vec<Action<Span>>,
    /// The time of the newest action that was ever dropped for want of room. A time and not a flag, so that an
    /// erasure gives the same result before and after.
    pub evicted: Option<Instant>,
}

impl Actions {
    /// Joins an action, whose texts are copied into the customer's; returns whether that changed anything. At most `max`
    /// are kept.
    pub fn join(&mut self, texts: &mut Texts, action: Action<&[u8]>, max: usize) -> bool {
        let same = self
            .kept
            .iter()
            .position(|kept| texts.get(kept.id) == action.id);
        if let Some(at) = same {
            if !action.outweighs(&self.kept[at].view(texts)) {
                return false;
            }
            self.kept.remove(at);
        }
        let at = self
            .kept
            .partition_point(|kept| (kept.stamp, texts.get(kept.id)) > (action.stamp, action.id));
        if at >= max && same.is_none() {
            return self.evict(action.stamp);
        }
        // a batch holds many customers, and most have few actions: no room that is not needed
        self.kept.reserve_exact(1);
        self.kept.insert(at, action.store(texts));
        while self.kept.len() > max {
            if let Some(oldest) = self.kept.pop() {
                self.evict(oldest.stamp);
            }
        }
        true
    }

    /// Joins the actions of another state of the customer, whose texts are `its`.
    pub fn merge(&mut self, texts: &mut Texts, other: &Actions, its: &Texts, max: usize) -> bool {
        let mut changed = false;
        for action in other.shown(its) {
            changed |= self.join(texts, action, max);
        }
        let is_newer = other.evicted > self.evicted;
        self.evicted = self.evicted.max(other.evicted);
        changed | is_newer
    }

    fn evict(&mut self, stamp: Stamp) -> bool {
        let at = Some(stamp.at());
        let is_newer = at > self.evicted;
        self.evicted = self.evicted.max(at);
        is_newer
    }

    /// Forgets what is as old as the erasure or older.
    pub fn erase(&mut self, erased: Instant) {
        self.kept.retain(|action| action.stamp.at() > erased);
        self.evicted.take_if(|at| *at <= erased);
    }

    /// Those that are kept, newest first.
    pub fn shown<'a>(&'a self, texts: &'a Texts) -> impl Iterator<Item = Action<&'a [u8]>> + Clone {
        self.kept.iter().map(|action| action.view(texts))
    }
}
