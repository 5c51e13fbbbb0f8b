//! The events that carry the list, as far as they matter: the newest, and those that determine the floor.

use super::List;
use super::element::FEW;
use crate::customer::contribution::ListElement;
use crate::customer::stamp::{AnyStamp, Stamp};

/// An event that carries the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing<S = Stamp> {
    pub stamp: S,
    /// How many different ids it lists.
    pub length: usize,
}

impl<S: AnyStamp> Listing<S> {
    pub fn of<'e>(
        stamp: S,
        elements: impl ExactSizeIterator<Item = ListElement<&'e [u8], S>> + Clone,
    ) -> Listing<S> {
        let length = count_ids(elements);
        Listing { stamp, length }
    }
}

/// How many different ids there are.
fn count_ids<'e, S: AnyStamp>(
    elements: impl ExactSizeIterator<Item = ListElement<&'e [u8], S>> + Clone,
) -> usize {
    if elements.len() < 2 {
        return elements.len();
    }
    if elements.len() <= FEW {
        let is_first = |(at, one): &(usize, ListElement<&[u8], S>)| {
            let mut before = elements.clone().take(*at);
            !before.any(|other| other.id == one.id)
        };
        return elements.clone().enumerate().filter(is_first).count();
    }
    let mut ids: Vec<&[u8]> = elements.map(|element| element.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

impl<S: AnyStamp> List<S> {
    /// Joins the fact that an event carries the list; returns whether that changed anything.
    pub(super) fn join_listing(&mut self, new: Listing<S>) -> bool {
        let floor = self.floor.map_or(S::NEVER, |floor| floor.stamp);
        let Some(newest) = self.newest else {
            self.newest = Some(new);
            return true;
        };
        if new.stamp > newest.stamp || (new.stamp == newest.stamp && new.length < newest.length) {
            self.newest = Some(new);
            if new.stamp > newest.stamp && newest.stamp > floor {
                self.shorter.insert(0, newest);
            }
            self.shorter.retain(|old| old.length < new.length);
            return true;
        }
        if new.length >= newest.length || new.stamp <= floor {
            return false;
        }
        self.join_shorter(new)
    }

    /// Joins a listing that is older and shorter than the newest.
    fn join_shorter(&mut self, new: Listing<S>) -> bool {
        // The older a listing is, the shorter it is; so its neighbours show whether a newer one is at least as short.
        let at = self.shorter.partition_point(|old| old.stamp > new.stamp);
        let newer = at.checked_sub(1).and_then(|newer| self.shorter.get(newer));
        let same = self.shorter.get(at).filter(|old| old.stamp == new.stamp);
        if newer
            .into_iter()
            .chain(same)
            .any(|old| old.length <= new.length)
        {
            return false;
        }
        let older = self.shorter.split_off(at);
        self.shorter.push(new);
        self.shorter
            .extend(older.into_iter().filter(|old| old.length < new.length));
        true
    }
}
