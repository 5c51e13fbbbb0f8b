//! The state of one customer: a product of max-registers, so that [`Customer::join`] is associative, commutative
//! and idempotent, and the state depends on the set of records alone (the contract, section 3).
//!
//! An erasure filters every datum by the datum's own time. It is itself a register, the greatest time of an
//! erasure for each source, and is applied to what comes before and after alike.

pub mod actions;
pub mod bounded;
pub mod codec;
pub mod contribution;
pub mod fields;
pub mod list;
pub mod merge;
pub mod register;
pub mod snapshot;
pub mod stamp;

use actions::Actions;
use contribution::{Console, ConsoleParts, CustomerEvent, Data, Erasure, Publisher, Status};
use list::List;
use register::Register;

use crate::record::Source;
use crate::time::{Date, Instant};

/// All that is known of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// By [`Source::index`]: data of the source up to this time are forgotten.
    erased: [Instant; 4],
    scalars: Scalars,
    addresses: List,
    dependents: List,
    actions: Actions,
    // boxed: most customers have neither, and a batch holds many customers
    console: Option<Box<HeldConsole>>,
    publisher: Option<Box<Publisher>>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldConsole {
    version: u64,
    at: Instant,
    parts: Option<ConsoleParts>,
}

impl Default for Customer {
    fn default() -> Self {
        Customer {
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
    /// Takes in what a record says; whether that changed the state. At most `max_actions` actions are kept.
    pub fn join(&mut self, data: Data, max_actions: usize) -> bool {
        match data {
            Data::Customer(event) => self.join_event(event),
            Data::Action(action) => {
                let erased = self.erased[Source::LoyaltyActions.index()];
                self.actions.join(action, max_actions, erased)
            }
            Data::Console(console) => self.join_console(console),
            Data::Publisher(publisher) => self.join_publisher(publisher),
            Data::Erasure(erasure) => self.erase(erasure),
        }
    }

    fn join_event(&mut self, event: CustomerEvent) -> bool {
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
        if let Some(addresses) = event.addresses {
            changed |= self.addresses.join(stamp, addresses, erased);
        }
        if let Some(dependents) = event.dependents {
            changed |= self.dependents.join(stamp, dependents, erased);
        }
        changed
    }

    fn join_console(&mut self, new: Console) -> bool {
        let shown = new.at > self.erased[Source::ConsoleCustomers.index()];
        let wins = match &self.console {
            None => true,
            Some(held) => {
                let order = (new.version, new.at).cmp(&(held.version, held.at));
                order.is_gt()
                    || order.is_eq()
                        && held
                            .parts
                            .as_ref()
                            .is_some_and(|parts| new.parts.text() > parts.text())
            }
        };
        if wins {
            self.console = Some(Box::new(HeldConsole {
                version: new.version,
                at: new.at,
                parts: shown.then_some(new.parts),
            }));
        }
        wins
    }

    fn join_publisher(&mut self, new: Publisher) -> bool {
        if new.at <= self.erased[Source::PublisherCustomers.index()] {
            return false;
        }
        let wins = self.publisher.as_ref().is_none_or(|held| {
            // JSON objects are no prefixes of each other, so this is the order of the whole text
            (new.at, &new.enrollment, &new.accounts) > (held.at, &held.enrollment, &held.accounts)
        });
        if wins {
            self.publisher = Some(Box::new(new));
        }
        wins
    }

    fn erase(&mut self, erasure: Erasure) -> bool {
        let mut changed = false;
        for source in Source::ALL {
            let erased = &mut self.erased[source.index()];
            if erasure.only.is_none_or(|only| only == source) && erasure.at > *erased {
                *erased = erasure.at;
                changed = true;
                self.forget(source, erasure.at);
            }
        }
        changed
    }

    fn forget(&mut self, source: Source, erased: Instant) {
        match source {
            Source::LoyaltyCustomers => {
                let scalars = &mut self.scalars;
                register::erase(&mut scalars.date_of_birth, erased);
                register::erase(&mut scalars.status, erased);
                register::erase(&mut scalars.marketing_opt_in, erased);
                register::erase(&mut scalars.sms_opt_in, erased);
                register::erase(&mut scalars.created_at, erased);
                self.addresses.erase(erased);
                self.dependents.erase(erased);
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

impl ConsoleParts {
    /// The datum as one text, for ties.
    fn text(&self) -> Vec<u8> {
        [
            &self.names[..],
            b"\"phones\":",
            &self.phones[..],
            b",\"addresses\":[",
            &self.addresses[..],
            b"],\"attributes\":",
            &self.attributes[..],
        ]
        .concat()
    }
}
