//! The newest actions of a customer.

use super::contribution::{Action, ActionKind, AnyKind};
use super::stamp::{AnyStamp, Stamp};
use super::texts::{Span, Texts};
use crate::model::time::Instant;

/// The newest actions by (`updatedAt`, rank, `interactionId`). This order is total, and an action that was dropped
/// before is compared like a new one when it arrives again. Therefore keeping only the newest is a join.
#[derive(Debug, Clone)]
pub(super) struct Actions<S = Stamp, K = ActionKind> {
    /// Newest first, one for each id.
    pub kept: Vec<Action<Span, S, K>>,
    /// The time of the newest action that was ever dropped because of the limit. It is a time and not a flag, so that
    /// the result is the same whether an erasure comes before or after.
    pub evicted: Option<Instant>,
}

impl<S, K> Default for Actions<S, K> {
    fn default() -> Self {
        Actions {
            kept: Vec::new(),
            evicted: None,
        }
    }
}

impl<S: AnyStamp, K: AnyKind> Actions<S, K> {
    /// Joins an action and copies its texts into those of the customer; returns whether that changed anything. At most
    /// `max` actions are kept.
    pub fn join(&mut self, texts: &mut Texts, action: Action<&[u8], S, K>, max: usize) -> bool {
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
        // Reserve exactly one, because a batch holds many customers in memory and most have few actions.
        self.kept.reserve_exact(1);
        self.kept.insert(at, action.store(texts));
        while self.kept.len() > max {
            if let Some(oldest) = self.kept.pop() {
                self.evict(oldest.stamp);
            }
        }
        true
    }

    /// Joins the actions of another state of the same customer, whose texts are `its`.
    pub fn merge(&mut self, texts: &mut Texts, other: &Self, its: &Texts, max: usize) -> bool {
        let mut changed = false;
        for action in other.shown(its) {
            changed |= self.join(texts, action, max);
        }
        let is_newer = other.evicted > self.evicted;
        self.evicted = self.evicted.max(other.evicted);
        changed | is_newer
    }

    fn evict(&mut self, stamp: S) -> bool {
        let at = Some(stamp.at());
        let is_newer = at > self.evicted;
        self.evicted = self.evicted.max(at);
        is_newer
    }

    /// Drops the data that are not newer than the erasure.
    pub fn erase(&mut self, erased: Instant) {
        self.kept.retain(|action| action.stamp.at() > erased);
        self.evicted.take_if(|at| *at <= erased);
    }

    /// The actions that are kept, newest first.
    pub fn shown<'a>(
        &'a self,
        texts: &'a Texts,
    ) -> impl Iterator<Item = Action<&'a [u8], S, K>> + Clone {
        self.kept.iter().map(|action| action.view(texts))
    }
}
