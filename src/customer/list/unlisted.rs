//! The elements that no list names any more, at or above the floor.
//!
//! There are two kinds. Those that were named below the floor are **let go**: they must not come back. Those that only
//! lists named which an erasure covers, while the elements themselves claim a later time, are **left over**: a list that
//! names one again shows what it holds. The one becomes the other when an erasure comes that covers the list. So that it
//! does not matter when it comes, both kinds are kept by the same rule, which knows nothing of lists: of all ids, the
//! `merge.max_hidden` whose newest contents are the newest, by stamp and then by id. Records only add to these, and an
//! erasure, which covers all contents up to its time, takes the last of them away.
//!
//! If stamps outlive erasures, nothing is ever left over, and what is let go is dropped.

use super::List;
use super::element::{ElementView, StoredElement, survivors};
use crate::customer::stamp::AnyStamp;
use crate::customer::texts::Texts;

/// What orders contents of different elements.
type Key<'t, S> = (S, &'t [u8]);

impl<'t, S: AnyStamp> ElementView<'t, S> {
    fn content_key(&self) -> Option<Key<'t, S>> {
        Some((self.content?.stamp, self.id))
    }

    /// Whether it may be kept although no list at or above the floor names it: not if it is let go for ever, and not if
    /// its content is no newer than `dropped`.
    fn may_stay(&self, dropped: Option<Key<'_, S>>) -> bool {
        let may_be_left = self.listed.is_none_or(|stamp| !stamp.outlives_erasure());
        may_be_left && self.content_key().is_some_and(|key| Some(key) > dropped)
    }
}

impl<S: AnyStamp> List<S> {
    /// Joins elements that no list at or above the floor names, as far as they are kept; returns whether any is.
    pub(super) fn join_unlisted(
        &mut self,
        texts: &mut Texts,
        mut new: Vec<ElementView<'_, S>>,
        max_hidden: usize,
    ) -> bool {
        // Most are dropped: these are old events that come late.
        new.retain(|element| element.may_stay(None));
        if new.is_empty() {
            return false;
        }
        let newest = self.by_id(texts).filter_map(|of_one_id| of_one_id.last());
        let dropped = greatest_dropped(newest.map(|element| element.view(texts)), max_hidden);
        new.retain(|element| element.may_stay(dropped));
        if new.is_empty() {
            return false;
        }
        let floor = self.floor.map(|floor| floor.key(texts));
        let mut elements = survivors(&self.elements, &new, texts);
        let mut kept = kept(&elements, |(element, _)| *element, floor, max_hidden).into_iter();
        elements.retain(|_| kept.next() == Some(true));
        let numbers = elements.into_iter().map(|(_, number)| number).collect();
        self.replace_elements(texts, &new, numbers)
    }

    /// Drops the elements that are not kept; returns whether there were any.
    pub(super) fn drop_unlisted(&mut self, texts: &Texts, max_hidden: usize) -> bool {
        let floor = self.floor.map(|floor| floor.key(texts));
        let mut all = self.elements.iter();
        if all.all(|element| element.is_listed(texts, floor)) {
            return false;
        }
        let view = |element: &StoredElement<S>| element.view(texts);
        let mut kept = kept(&self.elements, view, floor, max_hidden).into_iter();
        let before = self.elements.len();
        self.elements.retain(|_| kept.next() == Some(true));
        self.elements.len() < before
    }
}

/// Which of the elements, in the order of a list, are kept: those that a list at or above the floor names, and of each
/// id the newest content if it may stay.
fn kept<'t, T, S: AnyStamp>(
    elements: &[T],
    view: impl Fn(&T) -> ElementView<'t, S>,
    floor: Option<Key<'_, S>>,
    max_hidden: usize,
) -> Vec<bool> {
    let by_id = elements.chunk_by(|one, other| view(one).id == view(other).id);
    let newest = by_id.clone().filter_map(|of_one_id| of_one_id.last());
    let dropped = greatest_dropped(newest.map(&view), max_hidden);
    let mut kept = Vec::with_capacity(elements.len());
    for of_one_id in by_id {
        for (at, element) in of_one_id.iter().enumerate() {
            let (is_newest, element) = (at + 1 == of_one_id.len(), view(element));
            kept.push(element.is_listed(floor) || (is_newest && element.may_stay(dropped)));
        }
    }
    kept
}

/// Of the newest contents of all ids, the greatest that is not among the first `max_hidden`.
fn greatest_dropped<'t, S: AnyStamp>(
    newest: impl Iterator<Item = ElementView<'t, S>>,
    max_hidden: usize,
) -> Option<Key<'t, S>> {
    let keys = newest.filter_map(|element| element.content_key());
    let mut keys: Vec<Key<'t, S>> = keys.collect();
    if keys.len() <= max_hidden {
        return None;
    }
    let (_, dropped, _) = keys.select_nth_unstable_by(max_hidden, |one, other| other.cmp(one));
    Some(*dropped)
}
