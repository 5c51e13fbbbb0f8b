//! The addresses or the dependents of a customer: elements by id, and which of them the newest event lists.
//!
//! A source that makes new ids with each event would let the hidden elements grow for ever, so the oldest are let go
//! (`merge.max_hidden`). So that this is a join too, it rests on what the set of records says and not on their order: the
//! [`Floor`], which only rises until an erasure covers it. What was told by lists below it is forgotten, and passed over when it comes again.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::contribution::{Content, ListElement};
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use crate::model::time::Instant;

/// The elements that events listed, hidden ones included: a late older event may show one again, and then with its
/// newest content.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// The newest event that carries the list; of several at one time the shortest.
    pub newest: Option<Listing>,
    /// Older ones that are shorter than all that are newer, the newest first: the floor rests on them.
    pub shorter: Vec<Listing>,
    pub floor: Option<Floor>,
    /// Sorted by id, and then the last listed first. There are several of one id where an older list told a newer
    /// content: the one is lost when the floor rises above its list, and the other is not.
    pub elements: Vec<Held>,
}

/// An event that carries the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    pub stamp: Stamp,
    /// How many ids it lists.
    pub length: usize,
}

/// What was told by lists below this stamp and id is let go.
///
/// Of the ids, ordered by the newest list that names each and then by themselves, it is the first behind as many as a
/// list has and `max_hidden` more; but it lies below that list, for what a list names is not hidden by it. Of all lists
/// the one counts that gives the highest floor. That first one is held itself: when it comes back, it has a place
/// among those before it, and what it was before lies below the floor.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    pub stamp: Stamp,
    pub id: Span,
}

/// What a list says of one element.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: Span,
    /// The newest event that lists it. This outlives the content, for an element whose own time is older than an
    /// erasure may get a newer content from a late event.
    pub seen: Option<Stamp>,
    pub content: Option<Content<Span>>,
}

/// The same with its texts at hand.
#[derive(Clone, Copy)]
struct Entry<'t> {
    id: &'t [u8],
    seen: Option<Stamp>,
    content: Option<Content<&'t [u8]>>,
}

impl<'t> Entry<'t> {
    /// As an event with the stamp `seen` tells it, without what an erasure covers. None: nothing is left.
    fn told(
        element: ListElement<&'t [u8]>,
        seen: Option<Stamp>,
        erased: Instant,
    ) -> Option<Entry<'t>> {
        let content = Some(element.content).filter(|content| content.stamp.at() > erased);
        (seen.is_some() || content.is_some()).then_some(Entry {
            id: element.id,
            seen,
            content,
        })
    }

    /// Where it stands in the order of letting go.
    fn key(&self) -> (Stamp, &'t [u8]) {
        (self.seen.unwrap_or(Stamp::NEVER), self.id)
    }

    fn order_of_content(&self, other: &Entry<'_>) -> Ordering {
        match (&self.content, &other.content) {
            (Some(own), Some(other)) => own.order(other),
            (own, other) => own.is_some().cmp(&other.is_some()),
        }
    }

    /// Whether another one of the same id says all that this one does.
    fn is_covered_by(&self, other: &Entry<'_>) -> bool {
        self.seen <= other.seen && self.order_of_content(other).is_le()
    }
}

impl Held {
    /// No more bytes than one takes as it is encoded that an event lists: a length, what it has, and a stamp,
    const SMALLEST: usize = 1 + 1 + 8;
    /// and as many more where it has a content: another stamp, a time and a length.
    const SMALLEST_CONTENT: usize = 8 + 8 + 1;

    fn entry<'t>(&self, texts: &'t Texts) -> Entry<'t> {
        Entry {
            id: texts.get(self.id),
            seen: self.seen,
            content: self.content.map(|held| held.map(|body| texts.get(*body))),
        }
    }

    fn new(entry: &Entry<'_>, texts: &mut Texts) -> Held {
        Held {
            id: texts.add(entry.id),
            seen: entry.seen,
            content: entry
                .content
                .map(|content| content.map(|body| texts.add(body))),
        }
    }
}

impl Floor {
    fn key<'t>(&self, texts: &'t Texts) -> (Stamp, &'t [u8]) {
        (self.stamp, texts.get(self.id))
    }
}

impl List {
    /// More elements than this are sorted first: to insert each by itself would cost the square of their number.
    const FEW: usize = 16;

    /// Takes in the list of an event with the stamp `event`; whether that changed anything. Data up to `erased`
    /// are passed over. What is new goes into the customer's texts.
    pub fn join<'e>(
        &mut self,
        texts: &mut Texts,
        event: Stamp,
        elements: impl ExactSizeIterator<Item = ListElement<&'e [u8]>> + Clone,
        erased: Instant,
        max_hidden: usize,
    ) -> bool {
        let seen = (event.at() > erased).then_some(event);
        let mut changed = match seen {
            None => false,
            Some(stamp) => self.join_listing(Listing {
                stamp,
                length: distinct(elements.clone()),
            }),
        };
        let entries = elements.filter_map(|element| Entry::told(element, seen, erased));
        changed |= self.join_entries(texts, entries);
        changed | self.let_go(texts, max_hidden)
    }

    /// No more bytes than the list takes as it is encoded once it has taken in that of an event, as far as that can be
    /// told beforehand: no element is let go that the newest event lists. Nothing is counted beyond `enough`.
    pub fn at_least<'e>(
        &self,
        texts: &Texts,
        event: Stamp,
        elements: impl Iterator<Item = ListElement<&'e [u8]>>,
        erased: Instant,
        enough: usize,
    ) -> usize {
        let is_newest = self.newest.is_none_or(|newest| newest.stamp <= event);
        let is_kept = self
            .floor
            .is_none_or(|floor| floor.key(texts) <= (event, &[][..]));
        if event.at() <= erased || !is_newest || !is_kept {
            return 0;
        }
        let mut ids: HashSet<&[u8], ahash::RandomState> = HashSet::default();
        let mut bytes = 0;
        for element in elements {
            if bytes > enough {
                break;
            }
            if ids.insert(element.id) {
                bytes += Held::SMALLEST + element.id.len();
                if element.content.stamp.at() > erased {
                    bytes += Held::SMALLEST_CONTENT;
                }
            }
        }
        bytes
    }

    /// Takes in another list of this customer; whether that changed this one. Erasures of both are applied to this one
    /// already.
    pub fn merge(
        &mut self,
        texts: &mut Texts,
        other: &List,
        its: &Texts,
        erased: Instant,
        max_hidden: usize,
    ) -> bool {
        let mut changed = false;
        let floor = other.floor.filter(|floor| floor.stamp.at() > erased);
        if let Some(floor) = floor {
            changed |= self.raise(texts, floor.key(its));
        }
        for listing in other.newest.iter().chain(&other.shorter) {
            if listing.stamp.at() > erased {
                changed |= self.join_listing(*listing);
            }
        }
        let entries = other.elements.iter().filter_map(|held| {
            let entry = held.entry(its);
            let seen = entry.seen.filter(|stamp| stamp.at() > erased);
            let content = entry.content.filter(|held| held.stamp.at() > erased);
            (seen.is_some() || content.is_some()).then_some(Entry {
                seen,
                content,
                ..entry
            })
        });
        changed |= self.join_entries(texts, entries);
        changed | self.let_go(texts, max_hidden)
    }

    fn join_listing(&mut self, new: Listing) -> bool {
        let floor = self.floor.map_or(Stamp::NEVER, |floor| floor.stamp);
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
        let place = self.shorter.partition_point(|old| old.stamp > new.stamp);
        let covers = |old: &Listing| old.stamp >= new.stamp && old.length <= new.length;
        let around = [place.checked_sub(1), Some(place)];
        if around
            .into_iter()
            .flatten()
            .filter_map(|at| self.shorter.get(at))
            .any(covers)
        {
            return false;
        }
        self.shorter.insert(place, new);
        let mut at = 0;
        self.shorter.retain(|old| {
            at += 1;
            at <= place + 1 || old.length < new.length
        });
        true
    }

    fn join_entries<'e>(
        &mut self,
        texts: &mut Texts,
        entries: impl Iterator<Item = Entry<'e>>,
    ) -> bool {
        let floor = self.floor;
        let is_kept = |entry: &Entry<'e>, texts: &Texts| {
            floor.is_none_or(|floor| entry.key() >= floor.key(texts))
        };
        let mut changed = false;
        let mut entries = entries;
        for entry in entries.by_ref().take(Self::FEW) {
            if is_kept(&entry, texts) {
                changed |= self.join_entry(texts, &entry);
            }
        }
        let many: Vec<Entry<'e>> = entries.filter(|entry| is_kept(entry, texts)).collect();
        if many.is_empty() {
            return changed;
        }
        changed | self.join_many(texts, &many)
    }

    /// The places of those of an id.
    fn places_of(&self, texts: &Texts, id: &[u8]) -> std::ops::Range<usize> {
        let start = self
            .elements
            .partition_point(|held| texts.get(held.id) < id);
        let of_it = self.elements[start..]
            .iter()
            .take_while(|held| texts.get(held.id) == id);
        start..start + of_it.count()
    }

    fn join_entry(&mut self, texts: &mut Texts, entry: &Entry<'_>) -> bool {
        let places = self.places_of(texts, entry.id);
        let known = &self.elements[places.clone()];
        let mut covered = 0;
        for held in known {
            let held = held.entry(texts);
            if entry.is_covered_by(&held) {
                return false;
            }
            covered += usize::from(held.is_covered_by(entry));
        }
        // those that it covers stand side by side, at its place
        let before = known.iter().take_while(|held| held.seen > entry.seen);
        let at = places.start + before.count();
        if covered == 1 {
            // the id stays where it is
            let held = &mut self.elements[at];
            held.seen = entry.seen;
            if held.entry(texts).order_of_content(entry).is_ne() {
                held.content = entry
                    .content
                    .map(|content| content.map(|body| texts.add(body)));
            }
            return true;
        }
        self.elements.drain(at..at + covered);
        // a batch holds many customers, and most have one or two elements: no room that is not needed
        self.elements.reserve_exact(1);
        self.elements.insert(at, Held::new(entry, texts));
        true
    }

    /// Like [`List::join_entry`] for each, but sorted first.
    fn join_many(&mut self, texts: &mut Texts, new: &[Entry<'_>]) -> bool {
        let old = self.elements.len();
        let survivors = {
            let held = self.elements.iter().map(|held| held.entry(texts));
            let mut all: Vec<(Entry<'_>, usize)> =
                held.chain(new.iter().copied()).zip(0..).collect();
            all.sort_unstable_by(|(one, at), (other, other_at)| {
                let by_list = one.id.cmp(other.id).then_with(|| other.seen.cmp(&one.seen));
                by_list
                    .then_with(|| other.order_of_content(one))
                    .then_with(|| at.cmp(other_at))
            });
            let mut last: Option<Entry<'_>> = None;
            all.retain(|(entry, _)| {
                let covered =
                    last.is_some_and(|last| last.id == entry.id && entry.is_covered_by(&last));
                if !covered {
                    last = Some(*entry);
                }
                !covered
            });
            all.into_iter().map(|(_, at)| at).collect::<Vec<usize>>()
        };
        if survivors.iter().all(|at| *at < old) {
            return false;
        }
        let held = std::mem::take(&mut self.elements);
        let keep = |at: usize| match new.get(at.wrapping_sub(old)) {
            Some(entry) => Held::new(entry, texts),
            None => held[at].clone(),
        };
        self.elements = survivors.into_iter().map(keep).collect();
        true
    }

    /// Raises the floor to where it belongs; whether it rose.
    fn let_go(&mut self, texts: &mut Texts, max_hidden: usize) -> bool {
        let shortest = self.shorter.last().or(self.newest.as_ref());
        let length = shortest.map_or(0, |listing| listing.length);
        if self.elements.len() <= max_hidden.saturating_add(length) {
            return false;
        }
        let mut keys: Vec<(Stamp, &[u8])> = self.newest_keys(texts).collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        // without any list only what erasures left of older ones is held, and all of it is hidden
        let none = Listing {
            stamp: Stamp::from_bits(i64::MAX),
            length: 0,
        };
        let listings = self.newest.iter().chain(&self.shorter);
        let listings = listings.chain(self.newest.is_none().then_some(&none));
        let floors = listings.filter_map(|listing| {
            let below: (Stamp, &[u8]) = (listing.stamp, &[]);
            let first_let_go = max_hidden.saturating_add(listing.length);
            Some(below.min(*keys.get(first_let_go)?))
        });
        let Some((stamp, id)) = floors.max() else {
            return false;
        };
        let id = id.to_vec();
        self.raise(texts, (stamp, &id))
    }

    /// For each id the newest list that names it.
    fn newest_keys<'l>(&'l self, texts: &'l Texts) -> impl Iterator<Item = (Stamp, &'l [u8])> {
        let groups = self
            .elements
            .chunk_by(|one, other| texts.get(one.id) == texts.get(other.id));
        groups.filter_map(|of_one| Some(of_one.first()?.entry(texts).key()))
    }

    /// Lets go of what lies below a floor, unless there is a higher one; whether there is none.
    fn raise(&mut self, texts: &mut Texts, to: (Stamp, &[u8])) -> bool {
        if self.floor.is_some_and(|floor| floor.key(texts) >= to) {
            return false;
        }
        self.floor = Some(Floor {
            stamp: to.0,
            id: texts.add(to.1),
        });
        self.elements.retain(|held| held.entry(texts).key() >= to);
        self.shorter.retain(|listing| listing.stamp > to.0);
        true
    }

    /// Forgets what is as old as the erasure or older.
    pub fn erase(&mut self, texts: &mut Texts, erased: Instant, max_hidden: usize) {
        let survives = |stamp: &Stamp| stamp.at() > erased;
        self.newest = self.newest.filter(|listing| survives(&listing.stamp));
        self.shorter.retain(|listing| survives(&listing.stamp));
        self.floor = self.floor.filter(|floor| survives(&floor.stamp));
        let held = std::mem::take(&mut self.elements);
        for Held { id, seen, content } in held {
            let held = Held {
                id,
                seen: seen.filter(survives),
                content: content.filter(|held| survives(&held.stamp)),
            };
            if held.seen.is_none() && held.content.is_none() {
                continue;
            }
            // what it was listed by is forgotten, and then one of the same id may say all that it does
            let entry = held.entry(texts);
            while let Some(before) = self.elements.last().map(|before| before.entry(texts))
                && before.id == entry.id
                && before.is_covered_by(&entry)
            {
                self.elements.pop();
            }
            let before = self.elements.last().map(|before| before.entry(texts));
            if !before.is_some_and(|before| before.id == entry.id && entry.is_covered_by(&before)) {
                self.elements.push(held);
            }
        }
        self.let_go(texts, max_hidden);
    }

    /// The elements that a snapshot shows, by id: those of the newest list, or with `union` those of any list
    /// that no erasure has forgotten.
    pub fn shown<'l>(
        &'l self,
        texts: &'l Texts,
        union: bool,
    ) -> impl Iterator<Item = ListElement<&'l [u8]>> {
        let newest = self.newest.map(|listing| listing.stamp);
        let groups = self
            .elements
            .chunk_by(|one, other| texts.get(one.id) == texts.get(other.id));
        groups.filter_map(move |of_one| {
            let (last_listed, newest_told) = (of_one.first()?, of_one.last()?);
            let seen = last_listed.seen;
            let listed = seen.is_some() && (union || seen == newest);
            let content = newest_told.content.as_ref().filter(|_| listed)?;
            Some(ListElement {
                id: texts.get(last_listed.id),
                content: content.map(|body| texts.get(*body)),
            })
        })
    }

    pub fn is_empty(&self) -> bool {
        self.newest.is_none() && self.elements.is_empty() && self.floor.is_none()
    }
}

/// How many ids there are.
fn distinct<'e>(elements: impl ExactSizeIterator<Item = ListElement<&'e [u8]>> + Clone) -> usize {
    if elements.len() < 2 {
        return elements.len();
    }
    if elements.len() <= List::FEW {
        let is_first = |(at, one): &(usize, ListElement<&[u8]>)| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::fields::{FieldName, put};
    use crate::customer::stamp::Rank;

    /// To insert each by itself would move as many elements as the square of their number.
    #[test]
    fn many_elements_in_any_order_are_joined_at_once() {
        let mut its = Texts::default();
        let stamp = Stamp::new(Instant::from_micros(2), Rank::Updated);
        let body = its.write(|out| put(out, FieldName::Kind, "cat"));
        let ids: Vec<Span> = (0..200_000_u32)
            .map(|at| its.add(format!("{at:06}").as_bytes()))
            .collect();
        let joined = |ids: &mut dyn ExactSizeIterator<Item = &Span>| {
            let elements: Vec<ListElement<&[u8]>> = ids
                .map(|id| ListElement {
                    id: its.get(*id),
                    content: Content {
                        stamp,
                        created_at: Instant::from_micros(1),
                        body: its.get(body),
                    },
                })
                .collect();
            let (mut list, mut texts) = (List::default(), Texts::default());
            assert!(list.join(
                &mut texts,
                stamp,
                elements.iter().copied(),
                Instant::NEVER,
                1
            ));
            assert!(!list.join(
                &mut texts,
                stamp,
                elements.iter().copied(),
                Instant::NEVER,
                1
            ));
            let shown = list.shown(&texts, false);
            shown.map(|element| element.id.to_vec()).collect::<Vec<_>>()
        };
        let began = std::time::Instant::now();
        let ascending = joined(&mut ids.iter());
        assert_eq!(ascending.len(), ids.len());
        assert_eq!(joined(&mut ids.iter().rev()), ascending);
        // a deadline only: inserted one by one it takes minutes
        assert!(began.elapsed().as_secs() < 60);
    }
}
