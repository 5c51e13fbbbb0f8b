//! The addresses or the dependents of a customer: elements by id, and which of them the newest event lists.

use super::contribution::{Content, Element};
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use crate::time::Instant;

/// All elements that events ever listed, hidden ones included: a late older event may show one again, and then
/// with its newest content.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// The stamp of the newest event that carries the list.
    pub newest: Option<Stamp>,
    /// Sorted by id.
    pub elements: Vec<Held>,
}

/// What is known of one element.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: Span,
    /// The newest event that lists it. This outlives the content, for an element whose own time is older than an
    /// erasure may get a newer content from a late event.
    pub seen: Option<Stamp>,
    pub content: Option<Content<Span>>,
}

impl List {
    /// Takes in the list of an event with the stamp `event`; whether that changed anything. Data up to `erased`
    /// are passed over. What is new goes into the customer's texts.
    pub fn join<'e>(
        &mut self,
        texts: &mut Texts,
        event: Stamp,
        elements: impl IntoIterator<Item = Element<&'e [u8]>>,
        erased: Instant,
    ) -> bool {
        let mut changed = false;
        let listing = (event.at() > erased).then_some(event);
        if listing > self.newest {
            self.newest = listing;
            changed = true;
        }
        for element in elements {
            changed |= self.join_element(texts, element, listing, erased);
        }
        changed
    }

    fn join_element(
        &mut self,
        texts: &mut Texts,
        element: Element<&[u8]>,
        listing: Option<Stamp>,
        erased: Instant,
    ) -> bool {
        let content = Some(element.content).filter(|content| content.stamp.at() > erased);
        if listing.is_none() && content.is_none() {
            return false;
        }
        let place = self
            .elements
            .binary_search_by(|held| texts.get(held.id).cmp(element.id));
        let held = match place {
            Ok(at) => &mut self.elements[at],
            Err(at) => {
                let new = Held {
                    id: texts.add(element.id),
                    seen: listing,
                    content: content.map(|content| content.map(|body| texts.add(body))),
                };
                // a batch holds many customers, and most have one or two elements: no room that is not needed
                self.elements.reserve_exact(1);
                self.elements.insert(at, new);
                return true;
            }
        };
        let mut changed = false;
        if listing > held.seen {
            held.seen = listing;
            changed = true;
        }
        if let Some(content) = content
            && held
                .content
                .is_none_or(|old| content.outweighs(&old.map(|body| texts.get(*body))))
        {
            held.content = Some(content.map(|body| texts.add(body)));
            changed = true;
        }
        changed
    }

    /// Forgets what is as old as the erasure or older.
    pub fn erase(&mut self, erased: Instant) {
        let survives = |stamp: &Stamp| stamp.at() > erased;
        self.newest = self.newest.filter(survives);
        for held in &mut self.elements {
            held.seen = held.seen.filter(survives);
            held.content = held.content.filter(|held| survives(&held.stamp));
        }
        self.elements
            .retain(|held| held.seen.is_some() || held.content.is_some());
    }

    /// The elements that a snapshot shows, by id: those of the newest list, or with `union` those of any list
    /// that no erasure has forgotten.
    pub fn shown<'l>(
        &'l self,
        texts: &'l Texts,
        union: bool,
    ) -> impl Iterator<Item = Element<&'l [u8]>> {
        self.elements.iter().filter_map(move |held| {
            let listed = held.seen.is_some() && (union || held.seen == self.newest);
            let content = held.content.as_ref().filter(|_| listed)?;
            Some(Element {
                id: texts.get(held.id),
                content: content.map(|body| texts.get(*body)),
            })
        })
    }

    pub fn is_empty(&self) -> bool {
        self.newest.is_none() && self.elements.is_empty()
    }
}
