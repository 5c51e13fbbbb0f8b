//! The addresses or the dependents of a customer: elements by id, and which of them the newest event lists.

mod element;
pub(super) mod floor;
mod listing;
#[cfg(test)]
mod tests;

pub(super) use element::StoredElement;
pub(super) use floor::Floor;
pub(super) use listing::Listing;

use element::ElementView;

use super::contribution::ListElement;
use super::stamp::Stamp;
use super::texts::Texts;
use crate::model::time::Instant;

/// The elements that events listed, hidden ones included: a late older event may show one again, and then with its
/// newest content.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    /// The newest event that carries the list; of several at one time the shortest.
    pub newest: Option<Listing>,
    /// Older ones that are shorter than all that are newer, the newest first: the floor rests on them.
    pub shorter: Vec<Listing>,
    pub floor: Option<Floor>,
    /// Sorted by id, and then the last listed first. There are several of one id where an older list has a newer
    /// content: the one is dropped when the floor rises above its list, and the other is not.
    pub elements: Vec<StoredElement>,
}

impl List {
    /// Joins the list of an event; returns whether that changed anything. Data up to `erased` are ignored. New texts are
    /// copied into the customer's.
    pub fn join<'e>(
        &mut self,
        texts: &mut Texts,
        event: Stamp,
        elements: impl ExactSizeIterator<Item = ListElement<&'e [u8]>> + Clone,
        erased: Instant,
        max_hidden: usize,
    ) -> bool {
        let listed = (event.at() > erased).then_some(event);
        let mut changed =
            listed.is_some_and(|stamp| self.join_listing(Listing::of(stamp, elements.clone())));
        let views = elements.filter_map(|element| ElementView::of(element, listed, erased));
        changed |= self.join_elements(texts, views);
        changed | self.raise_floor(texts, max_hidden)
    }

    /// Joins another list of this customer, whose texts are `its`; returns whether that changed this one. The erasures of
    /// both have been applied to both.
    pub fn merge(
        &mut self,
        texts: &mut Texts,
        other: &List,
        its: &Texts,
        max_hidden: usize,
    ) -> bool {
        let mut changed = false;
        if let Some(floor) = &other.floor {
            changed |= self.raise_floor_to(texts, floor.key(its));
        }
        for listing in other.newest.iter().chain(&other.shorter) {
            changed |= self.join_listing(*listing);
        }
        let views = other.elements.iter().map(|element| element.view(its));
        changed |= self.join_elements(texts, views);
        changed | self.raise_floor(texts, max_hidden)
    }

    /// Forgets what is as old as the erasure or older.
    pub fn erase(&mut self, texts: &mut Texts, erased: Instant, max_hidden: usize) {
        let is_erased = |stamp: Stamp| stamp.at() <= erased;
        self.newest.take_if(|listing| is_erased(listing.stamp));
        self.shorter.retain(|listing| !is_erased(listing.stamp));
        self.floor.take_if(|floor| is_erased(floor.stamp));
        self.erase_elements(texts, erased);
        self.raise_floor(texts, max_hidden);
    }

    /// The elements that a snapshot shows, by id: those of the newest list, or with `union` those of any list
    /// that no erasure has forgotten.
    pub fn shown<'l>(
        &'l self,
        texts: &'l Texts,
        union: bool,
    ) -> impl Iterator<Item = ListElement<&'l [u8]>> {
        let newest = self.newest.map(|listing| listing.stamp);
        self.by_id(texts).filter_map(move |of_one_id| {
            let (last_listed, newest_content) = (of_one_id.first()?, of_one_id.last()?);
            let listed = last_listed.listed;
            let is_shown = listed.is_some() && (union || listed == newest);
            let content = newest_content.content.as_ref().filter(|_| is_shown)?;
            Some(ListElement {
                id: texts.get(last_listed.id),
                content: content.view(texts),
            })
        })
    }

    /// A lower bound of the encoded size, in bytes, that the list will have once it has joined that of an event: none of
    /// the elements is dropped that the newest event lists. Counts no further than `enough`.
    pub fn min_encoded_size<'e>(
        &self,
        texts: &Texts,
        event: Stamp,
        elements: impl Iterator<Item = ListElement<&'e [u8]>>,
        erased: Instant,
        enough: usize,
    ) -> usize {
        let is_newest = self.newest.is_none_or(|newest| newest.stamp <= event);
        let is_above_floor = self
            .floor
            .is_none_or(|floor| floor.key(texts) <= (event, &[]));
        if event.at() <= erased || !is_newest || !is_above_floor {
            return 0;
        }
        element::min_encoded_size(elements, erased, enough)
    }

    /// The stored elements, grouped by their id.
    fn by_id<'l>(&'l self, texts: &'l Texts) -> impl Iterator<Item = &'l [StoredElement]> {
        self.elements
            .chunk_by(|one, other| texts.get(one.id) == texts.get(other.id))
    }
}
