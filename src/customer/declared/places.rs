//! The fields of a declared source that have a single value: a register for each.
//!
//! A record of a source with `merge = "whole"` tells every field, also those that it leaves out: these as nothing. All
//! such records together are one stamp, the greatest: each field that has no register of its own then has this stamp
//! and the text `null`, and lesser stamps are superseded.

use std::cmp::Ordering;

use super::{DeclaredStamp, Scalar};
use crate::customer::stamp::AnyStamp;
use crate::customer::texts::{Span, Texts};
use crate::model::time::Instant;

/// The text of a field that holds nothing.
const NOTHING: &[u8] = b"null";

/// What a register is kept for: a scalar field, or the name of an attribute. Its view is a text that orders the
/// registers.
pub trait PlaceKey: Copy {
    /// `text` gives the text of a span.
    fn view_with<'t>(self, text: impl FnOnce(Span) -> &'t [u8]) -> &'t [u8];

    fn view(self, texts: &Texts) -> &[u8] {
        self.view_with(|text| texts.get(text))
    }

    /// How its view orders against another one.
    fn cmp_view(self, other: &[u8], texts: &Texts) -> Ordering {
        self.view(texts).cmp(other)
    }

    fn store(view: &[u8], texts: &mut Texts) -> Self;
}

impl PlaceKey for Scalar {
    fn view_with<'t>(self, _: impl FnOnce(Span) -> &'t [u8]) -> &'t [u8] {
        self.key()
    }

    // Without a call for the comparison of the one byte.
    #[inline]
    fn cmp_view(self, other: &[u8], _: &Texts) -> Ordering {
        other
            .first()
            .map_or(Ordering::Greater, |other| (self as u8).cmp(other))
    }

    fn store(view: &[u8], _: &mut Texts) -> Scalar {
        let number = view.first().map_or(0, |number| usize::from(*number));
        Scalar::ALL
            .get(number)
            .copied()
            .unwrap_or(Scalar::CreatedAt)
    }
}

impl PlaceKey for Span {
    fn view_with<'t>(self, text: impl FnOnce(Span) -> &'t [u8]) -> &'t [u8] {
        text(self)
    }

    fn store(view: &[u8], texts: &mut Texts) -> Span {
        texts.add(view)
    }
}

/// A register.
#[derive(Debug, Clone, Copy)]
pub struct Place<K> {
    pub key: K,
    pub stamp: DeclaredStamp,
    /// Canonical JSON; none if the datum is that there is nothing, or if it is erased and only its stamp is left.
    pub text: Option<Span>,
}

/// The same with the texts themselves.
#[derive(Debug, Clone, Copy)]
pub struct PlaceView<'t> {
    pub key: &'t [u8],
    pub stamp: DeclaredStamp,
    pub text: Option<&'t [u8]>,
}

impl<K: PlaceKey> Place<K> {
    pub fn view<'t>(&self, texts: &'t Texts) -> PlaceView<'t> {
        PlaceView {
            key: self.key.view(texts),
            stamp: self.stamp,
            text: self.text.map(|text| texts.get(text)),
        }
    }
}

impl PlaceView<'_> {
    fn datum(&self) -> (DeclaredStamp, &[u8]) {
        (self.stamp, self.text.unwrap_or(NOTHING))
    }
}

/// Registers of one kind, ascending by key.
#[derive(Debug, Clone)]
pub struct Places<K>(pub Vec<Place<K>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Places(Vec::new())
    }
}

/// The greatest stamps of the records that told everything: of this state, and of what joins it.
#[derive(Debug, Clone, Copy)]
pub struct Wholes {
    pub own: Option<DeclaredStamp>,
    pub new: Option<DeclaredStamp>,
}

impl<K: PlaceKey> Places<K> {
    /// Joins registers that come ascending by key; returns whether that changed anything. New texts are copied into
    /// those of the customer.
    pub fn join<'e>(
        &mut self,
        texts: &mut Texts,
        new: impl Iterator<Item = PlaceView<'e>> + Clone,
        wholes: Wholes,
    ) -> bool {
        let known = self.0.len();
        let mut changed = false;
        // Both ascend, so what is before the register that was found last is not looked at again.
        let mut next = 0;
        for place in new.clone() {
            let own = &self.0[..known];
            let found = find(&own[next..], place.key, texts);
            let found = found.map(|at| next + at).map_err(|at| next + at);
            next = match found {
                Ok(at) => at + 1,
                Err(at) => at,
            };
            let wins = match found {
                Ok(at) => place.datum() > own[at].view(texts).datum(),
                // Without a register of its own, the field is told as nothing by those that tell everything.
                Err(_) => wholes.own.is_none_or(|own| place.datum() > (own, NOTHING)),
            };
            if !wins {
                continue;
            }
            changed = true;
            let text = place.text.map(|text| texts.add(text));
            match found {
                Ok(at) => {
                    self.0[at].stamp = place.stamp;
                    self.0[at].text = text;
                }
                Err(_) => self.0.push(Place {
                    key: K::store(place.key, texts),
                    stamp: place.stamp,
                    text,
                }),
            }
        }
        if self.0.len() > known {
            // The sort merges two ascending runs, in linear time.
            self.0
                .sort_by(|one, other| one.key.cmp_view(other.key.view(texts), texts));
        }
        changed | self.supersede(texts, new, wholes)
    }

    /// Drops what a record that tells everything supersedes. `new` are the registers that were joined.
    fn supersede<'e>(
        &mut self,
        texts: &Texts,
        new: impl Iterator<Item = PlaceView<'e>>,
        wholes: Wholes,
    ) -> bool {
        let Some(whole) = wholes.own.max(wholes.new) else {
            return false;
        };
        let before = self.0.len();
        let mut new = new.peekable();
        self.0.retain(|place| {
            let key = place.key.view(texts);
            while new.next_if(|new| new.key < key).is_some() {}
            let is_told = new.peek().is_some_and(|new| new.key == key);
            let told_as_nothing = wholes.new.filter(|_| !is_told);
            let datum = place.view(texts);
            let datum = datum.datum();
            told_as_nothing.is_none_or(|stamp| datum > (stamp, NOTHING))
                && (datum.0 > whole || (datum.0 == whole && place.text.is_some()))
        });
        self.0.len() < before
    }

    /// Drops the data that are not newer than the erasure; if stamps order by rank, the stamps stay.
    pub fn erase(&mut self, erased: Instant, whole: Option<DeclaredStamp>) {
        self.0.retain_mut(|place| {
            if place.stamp.at() > erased {
                return true;
            }
            place.text = None;
            place.stamp.outlives_erasure() && Some(place.stamp) != whole
        });
    }

    /// Gives the stamps another order.
    pub fn restamp(
        &mut self,
        stamp: impl Fn(DeclaredStamp) -> DeclaredStamp,
        whole: Option<DeclaredStamp>,
    ) {
        self.0.retain_mut(|place| {
            place.stamp = stamp(place.stamp);
            whole.is_none_or(|whole| {
                place.stamp > whole || (place.stamp == whole && place.text.is_some())
            })
        });
    }

    /// The registers with a text that is shown.
    pub fn shown<'t>(
        &'t self,
        texts: &'t Texts,
    ) -> impl Iterator<Item = (&'t [u8], Instant, &'t [u8])> {
        self.0.iter().filter_map(|place| {
            let view = place.view(texts);
            Some((view.key, view.stamp.at(), view.text?))
        })
    }
}

/// Where the register of a key is among some, which ascend by key; the error is where it would be. Most often it is the
/// first, because records tell the same fields again and again.
#[inline]
fn find<K: PlaceKey>(places: &[Place<K>], key: &[u8], texts: &Texts) -> Result<usize, usize> {
    match places.first().map(|first| first.key.cmp_view(key, texts)) {
        Some(Ordering::Equal) => Ok(0),
        Some(Ordering::Less) => places.binary_search_by(|place| place.key.cmp_view(key, texts)),
        Some(Ordering::Greater) | None => Err(0),
    }
}
