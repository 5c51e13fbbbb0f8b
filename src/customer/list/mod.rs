//! The addresses or the dependents of a customer: elements by id, and which of them the newest event lists.

mod element;
pub(super) mod floor;
mod listing;
#[cfg(test)]
mod tests;
mod unlisted;

pub(super) use element::{ElementView, StoredElement};
pub(super) use floor::Floor;
pub(super) use listing::Listing;

use super::contribution::ListElement;
use super::stamp::{AnyStamp, Stamp};
use super::texts::Texts;
use crate::model::time::Instant;
use crate::prefetch;

/// The elements that events have listed, including hidden ones: a late event, older than the newest, may show one
/// again, and then with its newest content.
#[derive(Debug, Clone)]
pub(super) struct List<S = Stamp> {
    /// The newest event that carries the list; if several have the same time, the shortest.
    pub newest: Option<Listing<S>>,
    /// Older events whose list is shorter than all newer lists, the newest first. They determine the floor.
    pub shorter: Vec<Listing<S>>,
    pub floor: Option<Floor<S>>,
    /// Sorted by id, then by the stamp of the list, newest first. There is more than one entry for an id if an older
    /// list has a newer content: if the floor rises above the older list, that entry does not count any more, and the
    /// other does.
    pub elements: Vec<StoredElement<S>>,
}

impl<S> Default for List<S> {
    fn default() -> Self {
        List {
            newest: None,
            shorter: Vec::new(),
            floor: None,
            elements: Vec::new(),
        }
    }
}

impl<S: AnyStamp> List<S> {
    /// Joins the list of an event; returns whether that changed anything. Data up to `erased` are ignored. New texts
    /// are copied into those of the customer.
    pub fn join<'e>(
        &mut self,
        texts: &mut Texts,
        event: S,
        elements: impl ExactSizeIterator<Item = ListElement<&'e [u8], S>> + Clone,
        erased: Instant,
        max_hidden: usize,
    ) -> bool {
        let is_kept = event.at() > erased || event.outlives_erasure();
        let listed = is_kept.then_some(event);
        let mut changed =
            listed.is_some_and(|stamp| self.join_listing(Listing::of(stamp, elements.clone())));
        let views = elements.filter_map(|element| ElementView::of(element, listed, erased));
        changed |= self.join_elements(texts, views, max_hidden);
        changed | self.let_go(texts, max_hidden)
    }

    /// Joins another list of the same customer, whose texts are `its`; returns whether that changed this one. Before
    /// that, the erasures of both must have been applied to both.
    pub fn merge(
        &mut self,
        texts: &mut Texts,
        other: &Self,
        its: &Texts,
        max_hidden: usize,
    ) -> bool {
        let mut changed = false;
        if let Some(floor) = &other.floor {
            changed |= self.raise_floor_to(texts, floor.key(its), max_hidden);
        }
        for listing in other.newest.iter().chain(&other.shorter) {
            changed |= self.join_listing(*listing);
        }
        let views = other.elements.iter().map(|element| element.view(its));
        changed |= self.join_elements(texts, views, max_hidden);
        changed | self.let_go(texts, max_hidden)
    }

    /// Drops the data that are not newer than the erasure.
    pub fn erase(&mut self, texts: &mut Texts, erased: Instant, max_hidden: usize) {
        let is_erased = |stamp: S| stamp.at() <= erased && !stamp.outlives_erasure();
        self.newest.take_if(|listing| is_erased(listing.stamp));
        self.shorter.retain(|listing| !is_erased(listing.stamp));
        self.floor.take_if(|floor| is_erased(floor.stamp));
        self.erase_elements(texts, erased);
        self.let_go(texts, max_hidden);
    }

    /// Drops what the lists and the contents now require; returns whether that changed anything. If there are few
    /// elements, they require nothing.
    fn let_go(&mut self, texts: &mut Texts, max_hidden: usize) -> bool {
        let are_few = self.elements.len() <= max_hidden;
        !are_few && (self.raise_floor(texts, max_hidden) || self.drop_unlisted(texts, max_hidden))
    }

    /// Asks for the memory of the elements, because they are read soon.
    pub fn prefetch(&self) {
        prefetch::soon(&*self.elements);
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.newest.is_none() && self.elements.is_empty() && self.floor.is_none()
    }

    /// Gives all stamps another order.
    pub fn restamp(&mut self, texts: &mut Texts, stamp: impl Fn(S) -> S, max_hidden: usize) {
        let old = std::mem::take(self);
        self.floor = old.floor.map(|floor| Floor {
            stamp: stamp(floor.stamp),
            ..floor
        });
        for listing in old.newest.into_iter().chain(old.shorter) {
            self.join_listing(Listing {
                stamp: stamp(listing.stamp),
                ..listing
            });
        }
        self.restamp_elements(texts, old.elements, stamp);
        self.drop_unlisted(texts, max_hidden);
        self.let_go(texts, max_hidden);
    }

    /// Joins the fact that an event carries the list, if it is newer than all that do.
    pub fn join_newer_listing(&mut self, listing: Listing<S>) {
        if self
            .newest
            .is_none_or(|newest| newest.stamp < listing.stamp)
        {
            self.join_listing(listing);
        }
    }

    /// The elements that a snapshot shows, by id: those of the newest list or, with `union`, those of all lists that no
    /// erasure covers. `erased` matters only if stamps outlive erasures.
    pub fn shown<'l>(
        &'l self,
        texts: &'l Texts,
        union: bool,
        erased: Instant,
    ) -> impl Iterator<Item = ListElement<&'l [u8], S>> {
        let newest = self.newest.map(|listing| listing.stamp);
        let floor = self.floor.map(|floor| floor.key(texts));
        self.by_id(texts).filter_map(move |of_one_id| {
            // Of the entries of an id only the last may be below the floor.
            let known = match of_one_id {
                [known @ .., last] if last.is_let_go(texts, floor) => known,
                all => all,
            };
            let (last_listed, newest_content) = (known.first()?, known.last()?);
            let listed = last_listed.listed;
            let is_shown = |stamp: S| !stamp.outlives_erasure() || stamp.at() > erased;
            let is_listed = listed.is_some_and(is_shown) && (union || listed == newest);
            let content = newest_content.content.as_ref().filter(|_| is_listed)?;
            if !is_shown(content.stamp) {
                return None;
            }
            Some(ListElement {
                id: texts.get(last_listed.id),
                content: content.view(texts),
            })
        })
    }

    /// Each element that is known, by id: the newest list that names it, and its newest content.
    pub fn known<'l>(&'l self, texts: &'l Texts) -> impl Iterator<Item = ElementView<'l, S>> {
        self.by_id(texts).filter_map(move |of_one_id| {
            let (last_listed, newest_content) = (of_one_id.first()?, of_one_id.last()?);
            let content = newest_content.content.as_ref();
            let content = content.map(|content| content.view(texts));
            Some(ElementView {
                content,
                ..last_listed.view(texts)
            })
        })
    }

    /// A lower bound of the encoded size, in bytes, that the list will have after joining the list of an event. It
    /// relies on the fact that no element of the newest event is dropped. Stops counting at `enough`.
    pub fn min_encoded_size<'e>(
        &self,
        texts: &Texts,
        event: S,
        elements: impl Iterator<Item = ListElement<&'e [u8], S>>,
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

    /// The stored elements, grouped by id.
    fn by_id<'l>(&'l self, texts: &'l Texts) -> impl Iterator<Item = &'l [StoredElement<S>]> {
        self.elements
            .chunk_by(|one, other| texts.get(one.id) == texts.get(other.id))
    }
}
