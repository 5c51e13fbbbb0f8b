//! The state of one customer: a product of max-registers, so that [`Customer::join`] is associative, commutative
//! and idempotent, and the state depends on the set of records alone (docs/contract.md, section 3).
//!
//! An erasure filters every datum by the datum's own time. It is itself a register, the greatest time of an
//! erasure for each source, and is applied to what comes before and after alike.

pub mod actions;
pub mod bounded;
pub mod codec;
pub mod contribution;
mod encoding;
pub mod fields;
pub mod list;
pub mod merge;
pub mod register;
pub mod snapshot;
pub mod stamp;
pub mod texts;

use actions::Actions;
use contribution::{ConsoleParts, CustomerEvent, Data, Erasure, Fact, Publisher, Status};
use list::List;
use register::Register;
use texts::{Span, Texts};

use crate::model::record::Source;
use crate::model::time::{Date, Instant};

/// All that is known of one customer. Equal are those whose encoded states are.
#[derive(Debug, Clone)]
pub struct Customer {
    texts: Texts,
    /// By [`Source::index`]: data of the source up to this time are forgotten.
    erased: [Instant; 4],
    scalars: Scalars,
    addresses: List,
    dependents: List,
    actions: Actions,
    // boxed: most customers have neither, and a batch holds many customers
    console: Option<Box<HeldConsole>>,
    publisher: Option<Box<Publisher<Span>>>,
}

/// The fields of a loyalty customer, each by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scalars {
    date_of_birth: Option<Register<Date>>,
    status: Option<Register<Status>>,
    marketing_opt_in: Option<Register<bool>>,
    sms_opt_in: Option<Register<bool>>,
    /// Every event has one, so its stamp is that of the newest event.
    created_at: Option<Register<Instant>>,
}

/// The greatest console record by (version, timestamp). An erasure takes its parts, but not its place: a lower
/// version stays hidden behind it.
#[derive(Debug, Clone)]
struct HeldConsole {
    version: u64,
    at: Instant,
    parts: Option<ConsoleParts<Span>>,
}

/// How much of a customer is kept. With smaller bounds more is let go from then on; with greater ones what was let go
/// stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// `merge.max_actions`: the newest actions.
    pub actions: usize,
    /// `merge.max_hidden`: of the elements that a list does not show, those that were listed last. With
    /// `merge.lists = "union"` none is hidden, and so none is let go.
    pub hidden: usize,
}

impl PartialEq for Customer {
    fn eq(&self, other: &Customer) -> bool {
        let encoded = |customer: &Customer| {
            let mut bytes = Vec::new();
            customer.encode(&mut bytes);
            bytes
        };
        encoded(self) == encoded(other)
    }
}

impl Eq for Customer {}

impl Default for Customer {
    fn default() -> Self {
        Customer {
            texts: Texts::default(),
            erased: [Instant::NEVER; 4],
            scalars: Scalars::default(),
            addresses: List::default(),
            dependents: List::default(),
            actions: Actions::default(),
            console: None,
            publisher: None,
        }
    }
}

impl Customer {
    /// Takes in what a record says; whether that changed the state.
    pub fn join(&mut self, data: Data, keep: Keep) -> bool {
        let Data { fact, texts: its } = &data;
        let text = |text: &Span| its.get(*text);
        self.texts.reserve(its.bytes());
        let changed = match fact {
            Fact::Customer(event) => self.join_event(event, its, keep),
            Fact::Action(action) => {
                let erased = self.erased[Source::LoyaltyActions.index()];
                let action = action.map(text);
                self.actions
                    .join(&mut self.texts, action, keep.actions, erased)
            }
            Fact::Console(told) => self.join_console(told.version, told.at, told.parts.map(text)),
            Fact::Publisher(told) => self.join_publisher(told.map(text)),
            Fact::Erasure(erasure) => self.erase(*erasure, keep),
        };
        self.tidy();
        changed
    }

    /// No more bytes than the state takes once it has taken in what a record says, as far as that can be told
    /// beforehand. Nothing is counted beyond `enough`.
    pub fn at_least(&self, data: &Data, enough: usize) -> usize {
        let Fact::Customer(event) = &data.fact else {
            return 0;
        };
        let erased = self.erased[Source::LoyaltyCustomers.index()];
        let mut bytes = 0;
        for (list, told) in [
            (&self.addresses, &event.addresses),
            (&self.dependents, &event.dependents),
        ] {
            let told = told.iter().flatten();
            let elements = told.map(|told| told.map(|text| data.texts.get(*text)));
            let left = enough.saturating_sub(bytes);
            bytes += list.at_least(&self.texts, event.stamp, elements, erased, left);
        }
        bytes
    }

    /// Lets go of texts that were replaced, where there may be many.
    fn tidy(&mut self) {
        if self.texts.are_wasteful() {
            let mut bytes = Vec::new();
            self.encode(&mut bytes);
            // what was just encoded can be decoded
            if let Ok(tidied) = Customer::decode(&bytes.into()) {
                *self = tidied;
            }
        }
    }

    fn join_event(&mut self, event: &CustomerEvent, its: &Texts, keep: Keep) -> bool {
        let erased = self.erased[Source::LoyaltyCustomers.index()];
        let stamp = event.stamp;
        let mut changed = false;
        if stamp.at() > erased {
            let scalars = &mut self.scalars;
            changed |= register::join(&mut scalars.created_at, stamp, event.created_at);
            if let Some(date) = event.date_of_birth {
                changed |= register::join(&mut scalars.date_of_birth, stamp, date);
            }
            if let Some(status) = event.status {
                changed |= register::join(&mut scalars.status, stamp, status);
            }
            if let Some(opt_in) = event.marketing_opt_in {
                changed |= register::join(&mut scalars.marketing_opt_in, stamp, opt_in);
            }
            if let Some(opt_in) = event.sms_opt_in {
                changed |= register::join(&mut scalars.sms_opt_in, stamp, opt_in);
            }
        }
        for (list, told) in [
            (&mut self.addresses, &event.addresses),
            (&mut self.dependents, &event.dependents),
        ] {
            if let Some(told) = told {
                let elements = told.iter().map(|told| told.map(|text| its.get(*text)));
                changed |= list.join(&mut self.texts, stamp, elements, erased, keep.hidden);
            }
        }
        changed
    }

    fn join_console(&mut self, version: u64, at: Instant, parts: ConsoleParts<&[u8]>) -> bool {
        let shown = at > self.erased[Source::ConsoleCustomers.index()];
        let texts = &mut self.texts;
        let wins = match &self.console {
            None => true,
            Some(held) => {
                let order = (version, at).cmp(&(held.version, held.at));
                let held = || {
                    held.parts
                        .map(|held| held.map(|text| texts.get(*text)).text())
                };
                order.is_gt() || order.is_eq() && held().is_some_and(|held| parts.text() > held)
            }
        };
        if wins {
            self.console = Some(Box::new(HeldConsole {
                version,
                at,
                parts: shown.then(|| parts.map(|text| texts.add(text))),
            }));
        }
        wins
    }

    fn join_publisher(&mut self, new: Publisher<&[u8]>) -> bool {
        if new.at <= self.erased[Source::PublisherCustomers.index()] {
            return false;
        }
        let texts = &mut self.texts;
        let wins = self.publisher.as_ref().is_none_or(|held| {
            // JSON objects are no prefixes of each other, so this is the order of the whole text
            let held = held.map(|text| texts.get(*text));
            (new.at, new.enrollment, new.accounts) > (held.at, held.enrollment, held.accounts)
        });
        if wins {
            self.publisher = Some(Box::new(new.map(|text| texts.add(text))));
        }
        wins
    }

    fn erase(&mut self, erasure: Erasure, keep: Keep) -> bool {
        let mut changed = false;
        for source in Source::ALL {
            let erased = &mut self.erased[source.index()];
            if erasure.only.is_none_or(|only| only == source) && erasure.at > *erased {
                *erased = erasure.at;
                changed = true;
                self.forget(source, erasure.at, keep);
            }
        }
        changed
    }

    fn forget(&mut self, source: Source, erased: Instant, keep: Keep) {
        match source {
            Source::LoyaltyCustomers => {
                let scalars = &mut self.scalars;
                register::erase(&mut scalars.date_of_birth, erased);
                register::erase(&mut scalars.status, erased);
                register::erase(&mut scalars.marketing_opt_in, erased);
                register::erase(&mut scalars.sms_opt_in, erased);
                register::erase(&mut scalars.created_at, erased);
                let (texts, hidden) = (&mut self.texts, keep.hidden);
                self.addresses.erase(texts, erased, hidden);
                self.dependents.erase(texts, erased, hidden);
            }
            Source::LoyaltyActions => self.actions.erase(erased),
            Source::ConsoleCustomers => {
                if let Some(console) = &mut self.console
                    && console.at <= erased
                {
                    console.parts = None;
                }
            }
            Source::PublisherCustomers => {
                self.publisher = self.publisher.take().filter(|held| held.at > erased);
            }
        }
    }

    /// Whether an erasure left data of its sources to show, for they claim a later time than its own.
    pub fn outlives(&self, erasure: Erasure) -> bool {
        Source::ALL
            .into_iter()
            .filter(|source| erasure.only.is_none_or(|only| only == *source))
            .any(|source| match source {
                Source::LoyaltyCustomers => self.scalars.created_at.is_some(),
                Source::LoyaltyActions => !self.actions.kept.is_empty(),
                Source::ConsoleCustomers => {
                    let held = self.console.as_ref();
                    held.is_some_and(|held| held.parts.is_some())
                }
                Source::PublisherCustomers => self.publisher.is_some(),
            })
    }

    /// The time of the newest datum, against which the lateness of an event is told.
    pub fn newest(&self) -> Option<Instant> {
        let times = [
            self.scalars.created_at.as_ref().map(|held| held.stamp.at()),
            self.actions.kept.first().map(|action| action.stamp.at()),
            self.console
                .as_ref()
                .filter(|held| held.parts.is_some())
                .map(|held| held.at),
            self.publisher.as_ref().map(|held| held.at),
        ];
        times.into_iter().flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::contribution::{Action, ActionKind};
    use super::fields::{FieldName, put};
    use super::stamp::{Rank, Stamp};
    use super::*;

    const KEEP: Keep = Keep {
        actions: 10,
        hidden: 100,
    };

    /// An action whose texts take a kilobyte, as of this second.
    fn action(second: i64) -> Data {
        let mut texts = Texts::default();
        let at = Instant::from_millis(second * 1000);
        let contract = "c".repeat(1000);
        let fact = Fact::Action(Action {
            id: texts.add(b"a"),
            stamp: Stamp::new(at, Rank::Updated),
            created_at: at,
            kind: ActionKind::SignUp,
            body: texts.write(|out| put(out, FieldName::Contract, &contract)),
        });
        Data { fact, texts }
    }

    #[test]
    fn texts_that_were_replaced_are_let_go() {
        let mut customer = Customer::default();
        for second in 1..=1000 {
            assert!(customer.join(action(second), KEEP));
            assert!(
                customer.texts.bytes() < 10_000,
                "{}",
                customer.texts.bytes()
            );
        }
        let mut once = Customer::default();
        once.join(action(1000), KEEP);
        assert_eq!(customer, once);
    }
}
