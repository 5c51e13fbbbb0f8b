//! The floor limits the hidden elements of a list to `merge.max_hidden`.
//!
//! A source that creates new ids with each event would let the hidden elements grow for ever, so the oldest are let go.
//! To keep this a join, the floor depends on the set of records and not on their order: it only rises until an erasure
//! covers it, and an element that was listed below the floor does not count when it arrives again.
//!
//! The floor follows from the lists that no erasure covers, and holds for the elements that these name. It does not
//! concern the elements that an erasure left over, none of whose lists is known any more. What was let go may become
//! such an element, if an erasure comes that covers its lists. How many of both are stored is limited by the times of
//! the elements themselves: see [`unlisted`](super::unlisted).

use super::List;
use crate::customer::stamp::{AnyStamp, Stamp};
use crate::customer::texts::{Span, Texts};

/// Elements that were listed below this stamp and id are let go.
///
/// All known ids are ordered by the newest list that names each, then by the ids themselves, the greatest first. For
/// one list with n elements, the floor is the id that follows the first n + `max_hidden` ids; but it is always below
/// that list, because a list does not hide the elements that it names. Of the floors of all lists, the highest one
/// counts. The element at the floor is itself still stored: if a newer list names its id, the id moves up among those
/// before it, and its old position is then below the floor.
#[derive(Debug, Clone, Copy)]
pub struct Floor<S = Stamp> {
    pub stamp: S,
    pub id: Span,
}

impl<S: AnyStamp> Floor<S> {
    pub fn key<'t>(&self, texts: &'t Texts) -> (S, &'t [u8]) {
        (self.stamp, texts.get(self.id))
    }
}

impl<S: AnyStamp> List<S> {
    /// Raises the floor to where the lists and elements now require it; returns whether it rose.
    pub(super) fn raise_floor(&mut self, texts: &mut Texts, max_hidden: usize) -> bool {
        let shortest = self.shorter.last().or(self.newest.as_ref());
        let length = shortest.map_or(0, |listing| listing.length);
        if self.elements.len() <= max_hidden.saturating_add(length) {
            return false;
        }
        // For each id, the newest list that names it, if any does.
        let first_keys = self.by_id(texts).filter_map(|of_one_id| {
            let first = of_one_id.first()?;
            Some((first.listed?, texts.get(first.id)))
        });
        let mut keys: Vec<(S, &[u8])> = first_keys.collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        let listings = self.newest.iter().chain(&self.shorter);
        let floors = listings.filter_map(|listing| {
            let below: (S, &[u8]) = (listing.stamp, &[]);
            let first_dropped = max_hidden.saturating_add(listing.length);
            Some(below.min(*keys.get(first_dropped)?))
        });
        let Some((stamp, id)) = floors.max() else {
            return false;
        };
        let id = id.to_vec();
        self.raise_floor_to(texts, (stamp, &id), max_hidden)
    }

    /// Drops what is below a floor, unless the present floor is higher; returns whether it was not.
    pub(super) fn raise_floor_to(
        &mut self,
        texts: &mut Texts,
        floor: (S, &[u8]),
        max_hidden: usize,
    ) -> bool {
        if self.floor.is_some_and(|own| own.key(texts) >= floor) {
            return false;
        }
        let (stamp, id) = floor;
        self.floor = Some(Floor {
            stamp,
            id: texts.add(id),
        });
        self.shorter.retain(|listing| listing.stamp > stamp);
        self.drop_unlisted(texts, max_hidden);
        true
    }
}
