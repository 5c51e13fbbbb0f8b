//! What is known of one customer, and how records change it (docs/contract.md, section 3).
//!
//! # The idea
//!
//! Records arrive in any order, some of them twice, and a restart may split them over other instances. The state of a
//! customer must not depend on that, so it is built of parts that only ever grow, each by a *join*: an operation that
//! is associative, commutative and idempotent. The same set of records then gives the same state, byte for byte.
//!
//! - A **stamp** ([`stamp`]) is the time of a datum and its rank: an update outweighs a creation of the same instant.
//! - A **register** ([`register`]) keeps the datum with the greatest stamp. Of two with one stamp the greater canonical
//!   JSON text wins, so that no two different data are ever equal. Each scalar field of a loyalty customer is a
//!   register, and so are the [`console`](StoredConsole) record, by version, and the publisher's, by time.
//! - A **list** ([`list`]) holds addresses or dependents. Each element is a register by its id. Beside it stands which
//!   elements the newest event lists: only those are shown. An element that is known and not shown is **hidden**; a late
//!   event may show it again.
//! - A **floor** ([`list::floor`]) keeps hidden elements within `merge.max_hidden`: what was listed below this stamp and
//!   id is dropped, and ignored when it comes again. It depends on the set of records and not on their order.
//! - **Actions** ([`actions`]) are the newest `merge.max_actions`, one for each id. One that was dropped and comes again
//!   is dropped again.
//! - An **erasure** is a register too: for each source the greatest time of a null record. It filters every datum by
//!   the datum's own time, whether that comes before or after it.
//!
//! # Reading order
//!
//! | file | holds |
//! |---|---|
//! | this one | the state |
//! | [`contribution`] | what one record says of one customer: the input of the fold |
//! | [`stamp`], [`register`], [`list`], [`actions`] | the parts of the state, each with its join |
//! | [`join`], [`merge`] | the join of a contribution, and that of two states |
//! | [`bounded`] | the bound of a state's size |
//! | [`codec`] | a state as bytes |
//! | [`snapshot`] | a state as readers see it |
//! | [`texts`], [`fields`] | how texts are held without a copy for each |

pub(crate) mod actions;
pub mod bounded;
pub mod codec;
pub mod contribution;
pub(crate) mod fields;
mod join;
mod list;
mod merge;
mod register;
pub mod snapshot;
pub(crate) mod stamp;
pub(crate) mod texts;

use actions::Actions;
use contribution::{ConsoleParts, Erasure, Publisher};
use list::List;
use register::Scalars;
use texts::{Span, Texts};

use crate::model::record::Source;
use crate::model::time::Instant;

/// All that is known of one customer. Two are equal if their encoded states are.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    texts: Texts,
    erasures: Erasures,
    scalars: Scalars,
    addresses: List,
    dependents: List,
    actions: Actions,
    // boxed: most customers have neither, and a batch holds many customers
    console: Option<Box<StoredConsole>>,
    publisher: Option<Box<Publisher<Span>>>,
}

/// For each source, by [`Source::index`], the greatest time of an erasure; [`Instant::NEVER`] where there was none.
#[derive(Debug, Clone)]
struct Erasures([Instant; Source::ALL.len()]);

/// The greatest console record by (version, timestamp). An erasure takes its parts, but not its place: a lower
/// version stays hidden behind it.
#[derive(Debug, Clone)]
struct StoredConsole {
    version: u64,
    at: Instant,
    parts: Option<ConsoleParts<Span>>,
}

/// How much of a customer is kept. A smaller bound drops more from then on; a greater one brings nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// `merge.max_actions`: the newest actions.
    pub actions: usize,
    /// `merge.max_hidden`: of the elements that a list does not show, those that were listed last. With
    /// `merge.lists = "union"` none is hidden, and so none is dropped.
    pub hidden: usize,
}

impl Default for Erasures {
    fn default() -> Erasures {
        Erasures([Instant::NEVER; Source::ALL.len()])
    }
}

impl Erasures {
    /// Data of the source up to this time are forgotten.
    fn of(&self, source: Source) -> Instant {
        self.0[source.index()]
    }
}

impl Customer {
    /// Whether the last erasure of these sources left data of theirs shown, which claim a later time than its own.
    pub(crate) fn outlives(&self, erasure: Erasure) -> bool {
        let mut sources = Source::ALL.into_iter();
        sources.any(|source| erasure.covers(source) && self.newest_of(source).is_some())
    }

    /// The time of the newest datum that is shown. The lateness of an event is measured against it.
    pub(crate) fn newest(&self) -> Option<Instant> {
        Source::ALL
            .into_iter()
            .filter_map(|source| self.newest_of(source))
            .max()
    }

    fn newest_of(&self, source: Source) -> Option<Instant> {
        match source {
            Source::LoyaltyCustomers => {
                let newest = self.scalars.created_at.as_ref();
                newest.map(|register| register.stamp.at())
            }
            Source::LoyaltyActions => self.actions.kept.first().map(|action| action.stamp.at()),
            Source::ConsoleCustomers => {
                let console = self.console.as_deref()?;
                console.parts.map(|_| console.at)
            }
            Source::PublisherCustomers => self.publisher.as_ref().map(|publisher| publisher.at),
        }
    }
}

impl PartialEq for Customer {
    fn eq(&self, other: &Customer) -> bool {
        self.encoded() == other.encoded()
    }
}

impl Eq for Customer {}

#[cfg(test)]
mod tests;
