//! What is known about one customer, and how records change it (docs/contract.md, section 3).
//!
//! # The idea
//!
//! Records arrive in any order, some of them twice, and a restart may spread them over other instances. The state of a
//! customer must not depend on that. So it consists of parts that only grow, each by a *join*: an operation that is
//! associative, commutative and idempotent. The same set of records then gives the same state, byte for byte.
//!
//! - A **stamp** ([`stamp`]) is the time of a datum and its rank: an update wins against a creation at the same
//!   instant.
//! - A **register** ([`register`]) keeps the datum with the greatest stamp. For equal stamps, the greater canonical
//!   JSON text wins, so that two different data never tie. Each scalar field of a loyalty customer is a register, and
//!   so are the [`console`](StoredConsole) record, by version, and the publisher's, by time.
//! - A **list** ([`list`]) holds addresses or dependents. Each element is a register by its id. In addition the list
//!   records which elements the newest event lists: only those are shown. An element that is known but not shown is
//!   **hidden**; a late event may show it again.
//! - A **floor** ([`list::floor`]) limits hidden elements to `merge.max_hidden`: an element that was listed below this
//!   stamp and id is dropped, and ignored when it arrives again. The floor depends on the set of records and not on
//!   their order.
//! - **Actions** ([`actions`]) are the newest `merge.max_actions`, one for each id. An action that was dropped and
//!   arrives again is dropped again.
//! - An **erasure** is a register too: for each source, the greatest time of a null record. It filters every datum by
//!   the datum's own time, whether that datum arrives before or after the erasure.
//!
//! # Reading order
//!
//! | file | holds |
//! |---|---|
//! | this one | the state |
//! | [`contribution`] | what one record says about one customer: the input of the fold |
//! | [`stamp`], [`register`], [`list`], [`actions`] | the parts of the state, each with its join |
//! | [`join`], [`merge`] | the join of a contribution, and that of two states |
//! | [`bounded`] | the limit on the size of a state |
//! | [`codec`] | the encoding of a state |
//! | [`inventory`] | the data of a state one by one, for explanations |
//! | [`snapshot`] | a state as readers see it |
//! | [`texts`], [`fields`] | how texts are stored without one allocation each |

pub(crate) mod actions;
pub mod bounded;
pub mod codec;
pub mod contribution;
pub mod declared;
pub(crate) mod fields;
pub mod inventory;
mod join;
mod list;
mod merge;
mod register;
pub mod snapshot;
pub(crate) mod stamp;
pub(crate) mod texts;

use std::sync::Arc;

use actions::Actions;
use contribution::{ConsoleParts, Erasure, Publisher};
use declared::{Declared, SourceState};
use list::List;
use register::Scalars;
use texts::{Span, Texts};

use crate::model::record::Source;
use crate::model::time::Instant;
use crate::prefetch;

/// An encoded state. It is shared: by the store, by the batch that wrote it, and by the customers that were decoded from
/// it, whose texts are in it.
pub type EncodedState = Arc<[u8]>;

/// All that is known about one customer. Two customers are equal if their encoded states are.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    texts: Texts,
    erasures: Erasures,
    scalars: Scalars,
    addresses: List,
    dependents: List,
    actions: Actions,
    // Boxed, because most customers have neither, and a batch holds many customers in memory.
    console: Option<Box<StoredConsole>>,
    publisher: Option<Box<Publisher<Span>>>,
    /// None if nothing is known from a declared source.
    declared: Option<Box<Declared>>,
}

/// The greatest times of erasures; [`Instant::NEVER`] if there was none. Those of declared sources are with their data.
#[derive(Debug, Clone)]
struct Erasures {
    /// Of the data of all sources, also of those of which nothing is known yet.
    all: Instant,
    /// Of each source, by [`Source::index`], whether of all sources or of this one only.
    built_in: [Instant; Source::BUILT_IN.len()],
}

/// The greatest console record by (version, timestamp). An erasure removes its parts but keeps its version and
/// timestamp, so that a record with a lower version still cannot show.
#[derive(Debug, Clone)]
struct StoredConsole {
    version: u64,
    at: Instant,
    parts: Option<ConsoleParts<Span>>,
}

/// How many data of a customer are kept. If a limit is lowered, more is dropped from then on; raising it brings nothing
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// `merge.max_actions`: how many actions, the newest ones.
    pub actions: usize,
    /// `merge.max_hidden`: how many of the elements that a list does not show, the most recently listed ones. With
    /// `merge.lists = "union"` no element is hidden, and so none is dropped.
    pub hidden: usize,
}

impl Default for Erasures {
    fn default() -> Erasures {
        Erasures {
            all: Instant::NEVER,
            built_in: [Instant::NEVER; Source::BUILT_IN.len()],
        }
    }
}

impl Erasures {
    /// Data of the source, which is built in, up to this time are erased.
    fn of(&self, source: Source) -> Instant {
        self.built_in
            .get(source.index())
            .copied()
            .unwrap_or(self.all)
    }
}

impl Customer {
    /// Asks for the memory of the texts, lists and actions, because they are read soon.
    fn prefetch_parts(&self) {
        self.texts.prefetch();
        self.addresses.prefetch();
        self.dependents.prefetch();
        prefetch::soon(&*self.actions.kept);
    }

    /// Whether data of these sources are still shown after their last erasure, because they have a later time than the
    /// erasure.
    pub(crate) fn outlives(&self, erasure: Erasure) -> bool {
        let mut built_in = Source::BUILT_IN.into_iter().zip(self.newest_of_built_in());
        built_in.any(|(source, newest)| newest.is_some() && erasure.covers(source))
            || self.declared_sources().iter().any(|source| {
                erasure.covers_declared(self.texts.get(source.name))
                    && source.shown(&self.texts).is_some()
            })
    }

    /// The time of the newest datum that is shown. The lateness of an event is relative to it.
    pub(crate) fn newest(&self) -> Option<Instant> {
        let [one, two, three, four] = self.newest_of_built_in();
        let built_in = one.max(two).max(three.max(four));
        let declared = self.declared_sources();
        if declared.is_empty() {
            return built_in;
        }
        let shown = declared.iter();
        let shown = shown.filter_map(|source| source.shown(&self.texts));
        built_in.max(shown.map(|source| source.updated_at).max())
    }

    /// Whether data are known of a source that is not one of these names, or an erasure of its own.
    pub fn knows_other_than(&self, sources: &[&str]) -> bool {
        let customer = self.scalars.created_at.is_some()
            || !self.addresses.elements.is_empty()
            || !self.dependents.elements.is_empty();
        let known = [
            customer,
            !self.actions.kept.is_empty() || self.actions.evicted.is_some(),
            self.console.is_some(),
            self.publisher.is_some(),
        ];
        let mut built_in = Source::BUILT_IN.into_iter().zip(known);
        let is_other = |name: &str| !sources.contains(&name);
        built_in.any(|(source, has_data)| {
            let is_erased = self.erasures.of(source) > self.erasures.all;
            (has_data || is_erased) && is_other(source.name())
        }) || self.declared_sources().iter().any(|source| {
            let name = std::str::from_utf8(self.texts.get(source.name));
            name.is_ok_and(is_other)
        })
    }

    /// What is known from declared sources, ascending by name.
    fn declared_sources(&self) -> &[SourceState] {
        let declared = self.declared.as_deref();
        declared.map_or(&[], |declared| declared.sources.as_slice())
    }

    /// The time of the newest datum of each built-in source that is shown, in the order of [`Source::BUILT_IN`].
    #[inline]
    fn newest_of_built_in(&self) -> [Option<Instant>; Source::BUILT_IN.len()] {
        let customer = self.scalars.created_at.as_ref();
        let console = self.console.as_deref();
        [
            customer.map(|register| register.stamp.at()),
            self.actions.kept.first().map(|action| action.stamp.at()),
            console.and_then(|console| console.parts.map(|_| console.at)),
            self.publisher.as_ref().map(|publisher| publisher.at),
        ]
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
