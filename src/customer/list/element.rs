//! The elements of a list: what is stored for each, and the join of new ones.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::List;
use crate::customer::contribution::{Content, ListElement};
use crate::customer::stamp::{AnyStamp, Stamp};
use crate::customer::texts::{Span, Texts};
use crate::model::time::Instant;

/// What is known about one element.
#[derive(Debug, Clone)]
pub struct StoredElement<S = Stamp> {
    pub id: Span,
    /// The stamp of the newest event that lists it. It is kept even without the content: an erasure covers an element
    /// whose own time is old, and a late event may still bring newer content.
    pub listed: Option<S>,
    /// If its stamp outlives an erasure that covers it, it stays without fields and without the time of creation.
    pub content: Option<Content<Span, S>>,
}

/// The same with the texts themselves instead of spans.
#[derive(Clone, Copy)]
pub struct ElementView<'t, S = Stamp> {
    pub id: &'t [u8],
    pub listed: Option<S>,
    pub content: Option<Content<&'t [u8], S>>,
}

impl<'t, S: AnyStamp> ElementView<'t, S> {
    /// An element of an event, without its content if an erasure covers that; `listed` is the event's stamp, or none if
    /// the event itself is erased. Returns none if nothing is left.
    pub fn of(
        element: ListElement<&'t [u8], S>,
        listed: Option<S>,
        erased: Instant,
    ) -> Option<ElementView<'t, S>> {
        let content = match element.content {
            content if content.stamp.at() > erased => Some(content),
            content if content.stamp.outlives_erasure() => Some(Content {
                stamp: content.stamp,
                created_at: Instant::NEVER,
                body: &[][..],
            }),
            _ => None,
        };
        (listed.is_some() || content.is_some()).then_some(ElementView {
            id: element.id,
            listed,
            content,
        })
    }

    /// Whether a list names it, at or above the floor.
    pub fn is_listed(&self, floor: Option<(S, &[u8])>) -> bool {
        let listed = self.listed;
        listed.is_some_and(|listed| floor.is_none_or(|floor| (listed, self.id) >= floor))
    }

    fn cmp_content(&self, other: &ElementView<'_, S>) -> Ordering {
        match (&self.content, &other.content) {
            (Some(own), Some(other)) => own.order(other),
            (own, other) => own.is_some().cmp(&other.is_some()),
        }
    }

    /// Whether another element with the same id contains all information of this one.
    fn is_covered_by(&self, other: &ElementView<'_, S>) -> bool {
        self.listed <= other.listed && self.cmp_content(other).is_le()
    }

    fn store(&self, texts: &mut Texts) -> StoredElement<S> {
        StoredElement {
            id: texts.add(self.id),
            listed: self.listed,
            content: self.content.map(|content| content.store(texts)),
        }
    }
}

impl<S: AnyStamp> StoredElement<S> {
    pub(super) fn view<'t>(&self, texts: &'t Texts) -> ElementView<'t, S> {
        let content = self.content.as_ref();
        ElementView {
            id: texts.get(self.id),
            listed: self.listed,
            content: content.map(|content| content.view(texts)),
        }
    }

    /// Whether a list names it, at or above the floor.
    pub(super) fn is_listed(&self, texts: &Texts, floor: Option<(S, &[u8])>) -> bool {
        match floor {
            Some(_) => self.view(texts).is_listed(floor),
            None => self.listed.is_some(),
        }
    }

    /// Whether lists name it, but all of them below the floor.
    pub(super) fn is_let_go(&self, texts: &Texts, floor: Option<(S, &[u8])>) -> bool {
        floor.is_some() && self.listed.is_some() && !self.is_listed(texts, floor)
    }
}

/// A lower bound of the encoded size, in bytes, of the elements that an event lists. Stops counting at `enough`.
pub(super) fn min_encoded_size<'e, S: AnyStamp>(
    elements: impl Iterator<Item = ListElement<&'e [u8], S>>,
    erased: Instant,
    enough: usize,
) -> usize {
    // The length of the id, the byte of the optional parts, and a stamp.
    let of_element = 1 + 1 + S::MIN_ENCODED;
    // Another stamp, a time, and the length of the fields.
    let of_content = 2 * S::MIN_ENCODED + 1;
    let mut ids: HashSet<&[u8], ahash::RandomState> = HashSet::default();
    let mut bytes = 0;
    for element in elements {
        if bytes > enough {
            break;
        }
        if ids.insert(element.id) {
            bytes += of_element + element.id.len();
            if element.content.stamp.at() > erased {
                bytes += of_content;
            }
        }
    }
    bytes
}

/// More elements than this are sorted first, because inserting them one by one takes quadratic time.
pub(super) const FEW: usize = 16;

impl<S: AnyStamp> List<S> {
    /// Joins elements; returns whether that changed anything.
    pub(super) fn join_elements<'e>(
        &mut self,
        texts: &mut Texts,
        mut elements: impl Iterator<Item = ElementView<'e, S>>,
        max_hidden: usize,
    ) -> bool {
        let floor = self.floor;
        let is_listed = |element: &ElementView<'e, S>, texts: &Texts| {
            element.is_listed(floor.map(|floor| floor.key(texts)))
        };
        let mut changed = false;
        let mut unlisted = Vec::new();
        for element in elements.by_ref().take(FEW) {
            match is_listed(&element, texts) {
                true => changed |= self.join_element(texts, &element),
                false => unlisted.push(element),
            }
        }
        let (many, more): (Vec<_>, Vec<_>) =
            elements.partition(|element| is_listed(element, texts));
        unlisted.extend(more);
        changed |= !many.is_empty() && self.join_many(texts, &many);
        changed | (!unlisted.is_empty() && self.join_unlisted(texts, unlisted, max_hidden))
    }

    /// The range of the stored elements with this id.
    fn range_of(&self, texts: &Texts, id: &[u8]) -> std::ops::Range<usize> {
        let start = self
            .elements
            .partition_point(|element| texts.get(element.id) < id);
        let with_this_id = self.elements[start..]
            .iter()
            .take_while(|element| texts.get(element.id) == id);
        start..start + with_this_id.count()
    }

    fn join_element(&mut self, texts: &mut Texts, new: &ElementView<'_, S>) -> bool {
        let range = self.range_of(texts, new.id);
        let known = &self.elements[range.clone()];
        let mut covered = 0;
        for old in known {
            let old = old.view(texts);
            if new.is_covered_by(&old) {
                return false;
            }
            covered += usize::from(old.is_covered_by(new));
        }
        // The elements that the new one covers are adjacent, at the position where it belongs.
        let before = known.iter().take_while(|old| old.listed > new.listed);
        let at = range.start + before.count();
        if covered == 1 {
            // The id does not change, so its text is not copied again.
            let old = &mut self.elements[at];
            old.listed = new.listed;
            if old.view(texts).cmp_content(new).is_ne() {
                old.content = new.content.map(|content| content.store(texts));
            }
            return true;
        }
        self.elements.drain(at..at + covered);
        // Reserve exactly what is needed, because a batch holds many customers in memory and most have one or two
        // elements.
        self.elements.reserve_exact(1);
        self.elements.insert(at, new.store(texts));
        true
    }

    /// Like [`List::join_element`] for each element, but sorts them first.
    fn join_many(&mut self, texts: &mut Texts, new: &[ElementView<'_, S>]) -> bool {
        let survivors = survivors(&self.elements, new, texts).into_iter();
        let survivors = survivors.map(|(_, at)| at).collect();
        self.replace_elements(texts, new, survivors)
    }

    /// Replaces the elements by those with these numbers, unless no new one is among them: the new ones are numbered
    /// behind the old ones. Returns whether it did.
    pub(super) fn replace_elements(
        &mut self,
        texts: &mut Texts,
        new: &[ElementView<'_, S>],
        numbers: Vec<usize>,
    ) -> bool {
        let old = self.elements.len();
        if numbers.iter().all(|number| *number < old) {
            return false;
        }
        let stored = |number: usize| match new.get(number.wrapping_sub(old)) {
            Some(new) => new.store(texts),
            None => self.elements[number].clone(),
        };
        self.elements = numbers.into_iter().map(stored).collect();
        true
    }

    /// Takes elements, and gives their stamps another order.
    pub(super) fn restamp_elements(
        &mut self,
        texts: &Texts,
        mut old: Vec<StoredElement<S>>,
        stamp: impl Fn(S) -> S,
    ) {
        for element in &mut old {
            element.listed = element.listed.map(&stamp);
            if let Some(content) = &mut element.content {
                content.stamp = stamp(content.stamp);
            }
        }
        let survivors = survivors(&old, &[], texts).into_iter();
        self.elements = survivors.map(|(_, at)| old[at].clone()).collect();
    }

    /// Drops the data that are not newer than the erasure.
    pub(super) fn erase_elements(&mut self, texts: &Texts, erased: Instant) {
        let old = std::mem::take(&mut self.elements);
        for mut element in old {
            let is_erased = |stamp: S| stamp.at() <= erased && !stamp.outlives_erasure();
            element.listed.take_if(|stamp| is_erased(*stamp));
            element.content.take_if(|content| is_erased(content.stamp));
            if let Some(content) = &mut element.content
                && content.stamp.at() <= erased
            {
                content.created_at = Instant::NEVER;
                content.body = Span::EMPTY;
            }
            if element.listed.is_none() && element.content.is_none() {
                continue;
            }
            // Without the stamps of their lists, one of several elements with the same id may contain all that another
            // does.
            let view = element.view(texts);
            let before = |elements: &[StoredElement<S>]| {
                let last = elements.last().map(|last| last.view(texts));
                last.filter(|last| last.id == view.id)
            };
            while before(&self.elements).is_some_and(|before| before.is_covered_by(&view)) {
                self.elements.pop();
            }
            if !before(&self.elements).is_some_and(|before| view.is_covered_by(&before)) {
                self.elements.push(element);
            }
        }
    }
}

/// The old and new elements that no other element covers, in the order of a list. Each comes with its number, where the
/// new ones are numbered behind the old ones.
pub(super) fn survivors<'t, S: AnyStamp>(
    old: &[StoredElement<S>],
    new: &[ElementView<'t, S>],
    texts: &'t Texts,
) -> Vec<(ElementView<'t, S>, usize)> {
    let old = old.iter().map(|element| element.view(texts));
    let mut all: Vec<(ElementView<'t, S>, usize)> =
        old.chain(new.iter().copied()).zip(0..).collect();
    all.sort_unstable_by(|(one, at), (other, other_at)| {
        let by_id = one.id.cmp(other.id);
        by_id
            .then_with(|| other.listed.cmp(&one.listed))
            .then_with(|| other.cmp_content(one))
            .then_with(|| at.cmp(other_at))
    });
    let mut last: Option<ElementView<'t, S>> = None;
    all.retain(|(element, _)| {
        let is_covered =
            last.is_some_and(|last| last.id == element.id && element.is_covered_by(&last));
        if !is_covered {
            last = Some(*element);
        }
        !is_covered
    });
    all
}
