//! The floor: what keeps the hidden elements of a list within `merge.max_hidden`.
//!
//! A source that makes new ids with each event would let the hidden elements grow for ever, so the oldest are dropped. So
//! that this is a join too, the floor follows from what the set of records says and not from their order: it only rises
//! until an erasure covers it, and what was listed below it is ignored when it comes again.

use super::{List, Listing};
use crate::customer::stamp::Stamp;
use crate::customer::texts::{Span, Texts};

/// What lists below this stamp and id have said is dropped.
///
/// All known ids are ordered by the newest list that names each, then by themselves, the greatest first. For one list
/// the floor is the first id behind as many as that list has and `max_hidden` more; but it lies below that list, for
/// what a list names is not hidden by it. Of all lists the one counts that gives the highest floor. The id at the floor
/// is stored itself: when it comes back it has a place among those before it, and its old one lies below the floor.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    pub stamp: Stamp,
    pub id: Span,
}

impl Floor {
    pub fn key<'t>(&self, texts: &'t Texts) -> (Stamp, &'t [u8]) {
        (self.stamp, texts.get(self.id))
    }
}

impl List {
    /// Raises the floor to where the lists and elements now put it; returns whether it rose.
    pub(super) fn raise_floor(&mut self, texts: &mut Texts, max_hidden: usize) -> bool {
        let shortest = self.shorter.last().or(self.newest.as_ref());
        let length = shortest.map_or(0, |listing| listing.length);
        if self.elements.len() <= max_hidden.saturating_add(length) {
            return false;
        }
        // for each id the newest list that names it
        let first_keys = self.by_id(texts).filter_map(|of_one_id| of_one_id.first());
        let mut keys: Vec<(Stamp, &[u8])> = first_keys
            .map(|element| element.view(texts).key())
            .collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        // without any list only what erasures left of older ones is stored, and all of it is hidden
        let none = Listing {
            stamp: Stamp::from_bits(i64::MAX),
            length: 0,
        };
        let listings = self.newest.iter().chain(&self.shorter);
        let listings = listings.chain(self.newest.is_none().then_some(&none));
        let floors = listings.filter_map(|listing| {
            let below: (Stamp, &[u8]) = (listing.stamp, &[]);
            let first_dropped = max_hidden.saturating_add(listing.length);
            Some(below.min(*keys.get(first_dropped)?))
        });
        let Some((stamp, id)) = floors.max() else {
            return false;
        };
        let id = id.to_vec();
        self.raise_floor_to(texts, (stamp, &id))
    }

    /// Drops what lies below a floor, unless there is a higher one already; returns whether there was none.
    pub(super) fn raise_floor_to(&mut self, texts: &mut Texts, floor: (Stamp, &[u8])) -> bool {
        if self.floor.is_some_and(|own| own.key(texts) >= floor) {
            return false;
        }
        let (stamp, id) = floor;
        self.floor = Some(Floor {
            stamp,
            id: texts.add(id),
        });
        self.elements
            .retain(|element| element.view(texts).key() >= floor);
        self.shorter.retain(|listing| listing.stamp > stamp);
        true
    }
}
