//! What one valid record says about one customer, normalised: the only input of the fold.

use std::cmp::Ordering;

use super::declared::DeclaredRecord;
use super::fields::Fields;
use super::stamp::{AnyStamp, Stamp};
use super::texts::{Span, Texts};
use crate::json::canonical::{write_instant, write_instant_text, write_name};
use crate::json::strict::wire_enum;
use crate::model::record::Source;
use crate::model::time::{Date, Instant};

/// What one record says about one customer.
#[derive(Debug, Clone)]
pub struct Contribution {
    pub customer: String,
    pub data: Data,
}

/// A fact with its texts.
#[derive(Debug, Clone)]
pub struct Data {
    pub fact: Fact,
    pub texts: Texts,
}

#[derive(Debug, Clone)]
pub enum Fact {
    Customer(CustomerEvent),
    Action(Action<Span>),
    Console(Console),
    Publisher(Publisher<Span>),
    Declared(Box<DeclaredRecord>),
    Erasure(Erasure),
}

impl Data {
    pub fn as_erasure(&self) -> Option<Erasure> {
        match &self.fact {
            Fact::Erasure(erasure) => Some(*erasure),
            _ => None,
        }
    }

    pub fn erasure(erasure: Erasure) -> Data {
        Data {
            fact: Fact::Erasure(erasure),
            texts: Texts::default(),
        }
    }

    /// The time of the event, for the metric of lateness. None for an erasure, which is never late.
    pub fn at(&self) -> Option<Instant> {
        match &self.fact {
            Fact::Customer(event) => Some(event.stamp.at()),
            Fact::Action(action) => Some(action.stamp.at()),
            Fact::Console(console) => Some(console.at),
            Fact::Publisher(publisher) => Some(publisher.at),
            Fact::Declared(record) => Some(record.updated_at),
            Fact::Erasure(_) => None,
        }
    }
}

/// Declares structs that hold texts as `T`: a [`Span`], or the text itself.
macro_rules! with_texts {
    ($($of:ident $(<$($other:ident),*>)? { $($plain:ident),* } { $($text:ident),* })*) => { $(
        impl<T $($(, $other: Copy)*)?> $of<T $($(, $other)*)?> {
            fn map<'t, U>(&'t self, mut text: impl FnMut(&'t T) -> U) -> $of<U $($(, $other)*)?> {
                $of { $($plain: self.$plain,)* $($text: text(&self.$text),)* }
            }
        }

        impl $(<$($other: Copy),*>)? $of<Span $($(, $other)*)?> {
            /// The same with the texts themselves instead of spans.
            #[inline]
            pub fn view<'t>(&self, texts: &'t Texts) -> $of<&'t [u8] $($(, $other)*)?> {
                self.map(|text| texts.get(*text))
            }
        }

        impl $(<$($other: Copy),*>)? $of<&[u8] $($(, $other)*)?> {
            /// Copies its texts into those of a customer.
            #[inline]
            pub fn store(&self, texts: &mut Texts) -> $of<Span $($(, $other)*)?> {
                self.map(|text| texts.add(text))
            }
        }
    )* };
}

with_texts! {
    Content<S> { stamp, created_at } { body }
    Action<S, K> { stamp, created_at, kind } { id, body }
    ConsoleParts {} { names, phones, addresses, attributes }
    Publisher { at } { enrollment, accounts }
}

wire_enum! {
    /// The status of a loyalty customer.
    pub enum Status {
        Active = "ACTIVE",
        Deleted = "DELETED",
    }
}

wire_enum! {
    /// What a customer did.
    pub enum ActionKind {
        SignUp = "SIGN_UP",
        SubscriptionRestarted = "SUBSCRIPTION_RESTARTED",
        SubscriptionCancelled = "SUBSCRIPTION_CANCELLED",
        PromotionApplied = "PROMOTION_APPLIED",
    }
}

/// An event of the source `loyalty-customers`. Fields that the event leaves out are `None`.
#[derive(Debug, Clone)]
pub struct CustomerEvent {
    pub stamp: Stamp,
    pub created_at: Instant,
    pub date_of_birth: Option<Date>,
    pub status: Option<Status>,
    pub marketing_opt_in: Option<bool>,
    pub sms_opt_in: Option<bool>,
    pub addresses: Option<Vec<ListElement<Span>>>,
    pub dependents: Option<Vec<ListElement<Span>>>,
}

/// An address or a dependent as one event lists it. `T` is a [`Span`], or the text itself.
#[derive(Debug, Clone, Copy)]
pub struct ListElement<T, S = Stamp> {
    pub id: T,
    pub content: Content<T, S>,
}

/// The content of an address or a dependent. Its canonical JSON text ends with the times, which are not stored twice.
#[derive(Debug, Clone, Copy)]
pub struct Content<T, S = Stamp> {
    /// The stamp with the time `updatedAt`.
    pub stamp: S,
    /// [`Instant::NEVER`] if there is none, as in some declared sources.
    pub created_at: Instant,
    /// [`Fields`]: the part of the canonical JSON text between the id and the times, `,"line1":…`.
    pub body: T,
}

impl ListElement<Span> {
    /// The same with the texts themselves instead of spans.
    pub fn view<'t>(&self, texts: &'t Texts) -> ListElement<&'t [u8]> {
        ListElement {
            id: texts.get(self.id),
            content: self.content.view(texts),
        }
    }
}

impl<S: AnyStamp> Content<&[u8], S> {
    /// Orders two contents of the same element: by stamp, and then by canonical text.
    pub fn order(&self, other: &Content<&[u8], S>) -> Ordering {
        self.stamp.cmp(&other.stamp).then_with(|| {
            if self.body == other.body {
                return cmp_created_at(self.created_at, other.created_at);
            }
            let texts = [self, other].map(|content| written(|out| content.write(out)));
            texts[0].cmp(&texts[1])
        })
    }

    /// Appends the part of an element's canonical text that follows the id.
    pub fn write(&self, out: &mut Vec<u8>) {
        Fields::of(self.body).write(out);
        write_times(out, self.created_at, self.stamp);
    }
}

/// Orders two canonical texts that differ in the times of creation only, without writing them.
fn cmp_created_at(one: Instant, other: Instant) -> Ordering {
    // A text without this time goes on with "updatedAt", which comes after "createdAt".
    let by_name = one.is_never().cmp(&other.is_never());
    // Texts of the same second need not be in the order of the times: "00.5Z" comes before "00Z".
    let second = |at: Instant| at.micros().div_euclid(1_000_000);
    by_name
        .then_with(|| second(one).cmp(&second(other)))
        .then_with(|| match one == other {
            true => Ordering::Equal,
            false => one.canonical().cmp(&other.canonical()),
        })
}

/// The text that `write` appends.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut text = Vec::new();
    write(&mut text);
    text
}

/// Appends the end of a canonical text: the times.
fn write_times(out: &mut Vec<u8>, created_at: Instant, stamp: impl AnyStamp) {
    if created_at.is_never() {
        write_instant(out, "updatedAt", stamp.at());
        out.push(b'}');
        return;
    }
    write_name(out, "createdAt");
    let text = out.len();
    write_instant_text(out, created_at);
    if stamp.at() == created_at {
        // Empty, as in most actions.
        let text = text..out.len();
        write_name(out, "updatedAt");
        out.extend_from_within(text);
    } else {
        write_instant(out, "updatedAt", stamp.at());
    }
    out.push(b'}');
}

/// A customer's action.
#[derive(Debug, Clone, Copy)]
pub struct Action<T, S = Stamp, K = ActionKind> {
    pub id: T,
    pub stamp: S,
    /// [`Instant::NEVER`] if there is none, as in some declared sources.
    pub created_at: Instant,
    pub kind: K,
    /// [`Fields`]: the part of the canonical JSON text between the type and the times, `,"subscriptionContractId":…`;
    /// may be empty. The type of an action of a declared source is in here too.
    pub body: T,
}

/// What is stored as the type of an action, outside of its [`Fields`].
pub trait AnyKind: Copy + Eq {
    /// Appends the field `type`, unless the action's fields have it.
    fn write(self, out: &mut Vec<u8>);

    /// Orders what it does not write.
    fn cmp_unwritten(self, other: Self) -> Ordering;
}

impl AnyKind for ActionKind {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.text().as_bytes());
        out.push(b'"');
    }

    fn cmp_unwritten(self, _: ActionKind) -> Ordering {
        Ordering::Equal
    }
}

impl<'a, S: AnyStamp, K: AnyKind> Action<&'a [u8], S, K> {
    pub fn fields(&self) -> Fields<'a> {
        Fields::of(self.body)
    }

    /// Whether it wins against another action with the same id: by stamp, and then by canonical text.
    pub fn outweighs(&self, other: &Action<&[u8], S, K>) -> bool {
        let order = self.stamp.cmp(&other.stamp).then_with(|| {
            if (self.kind, self.body) == (other.kind, other.body) {
                return cmp_created_at(self.created_at, other.created_at);
            }
            let texts = [self, other].map(|action| written(|out| action.write(out)));
            let by_text = texts[0].cmp(&texts[1]);
            by_text.then_with(|| self.kind.cmp_unwritten(other.kind))
        });
        order.is_gt()
    }

    /// Appends the part of the canonical text that follows the id.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.kind.write(out);
        self.fields().write(out);
        write_times(out, self.created_at, self.stamp);
    }
}

/// A customer object of the console.
#[derive(Debug, Clone)]
pub struct Console {
    pub version: u64,
    /// The record's timestamp.
    pub at: Instant,
    pub parts: ConsoleParts<Span>,
}

/// The parts of the snapshot that a console customer fills, as canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleParts<T> {
    /// `"firstName":…,` and the other names, each followed by a comma; may be empty.
    pub names: T,
    /// A JSON array.
    pub phones: T,
    /// The elements of a JSON array, separated by commas, without the brackets.
    pub addresses: T,
    /// A JSON object.
    pub attributes: T,
}

impl ConsoleParts<&[u8]> {
    /// The whole as one text, to decide ties.
    pub fn text(&self) -> Vec<u8> {
        [
            self.names,
            b"\"phones\":",
            self.phones,
            b",\"addresses\":[",
            self.addresses,
            b"],\"attributes\":",
            self.attributes,
        ]
        .concat()
    }
}

/// A customer from a publisher batch.
#[derive(Debug, Clone, Copy)]
pub struct Publisher<T> {
    /// The record's timestamp.
    pub at: Instant,
    /// A JSON object.
    pub enrollment: T,
    /// A JSON array.
    pub accounts: T,
}

/// A record with a null value (tombstone): data up to its timestamp are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The only source whose data are erased (a retraction); `None` if the data of all sources are.
    pub only: Option<Source>,
    pub at: Instant,
}

impl Erasure {
    /// Whether it applies to the data of this source.
    pub(super) fn covers(&self, source: Source) -> bool {
        self.only.is_none_or(|only| only == source)
    }

    /// Whether it applies to the data of the declared source with this name.
    pub(super) fn covers_declared(&self, name: &[u8]) -> bool {
        match self.only {
            None => true,
            Some(Source::Declared(only)) => only.name().as_bytes() == name,
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
