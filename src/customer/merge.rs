//! The join of two states of one customer that were folded apart.

use bytes::Bytes;

use super::actions::Actions;
use super::contribution::{Console, ConsoleParts, Content, Element, Erasure};
use super::fields::Fields;
use super::list::List;
use super::register::{self, Register, TieBreak};
use super::stamp::Stamp;
use super::{Customer, HeldConsole};
use crate::record::Source;
use crate::time::Instant;

impl Customer {
    /// Takes in another state of this customer; whether that changed this one. The result is the state of the
    /// records of both, so merging is associative, commutative and idempotent. At most `max_actions` actions
    /// are kept; both states must have been folded with no smaller a bound.
    pub fn merge(&mut self, other: Customer, max_actions: usize) -> bool {
        let mut changed = false;
        for source in Source::ALL {
            // first the erasures: every join below passes over what they cover
            changed |= self.erase(Erasure {
                only: Some(source),
                at: other.erased[source.index()],
            });
        }
        let erased = self.erased[Source::LoyaltyCustomers.index()];
        let (own, its) = (&mut self.scalars, other.scalars);
        changed |= merge_register(&mut own.date_of_birth, its.date_of_birth, erased);
        changed |= merge_register(&mut own.status, its.status, erased);
        changed |= merge_register(&mut own.marketing_opt_in, its.marketing_opt_in, erased);
        changed |= merge_register(&mut own.sms_opt_in, its.sms_opt_in, erased);
        changed |= merge_register(&mut own.created_at, its.created_at, erased);
        changed |= merge_list(&mut self.addresses, other.addresses, erased);
        changed |= merge_list(&mut self.dependents, other.dependents, erased);

        let erased = self.erased[Source::LoyaltyActions.index()];
        changed |= merge_actions(&mut self.actions, other.actions, max_actions, erased);
        if let Some(console) = other.console {
            changed |= self.join_console(told(*console));
        }
        if let Some(publisher) = other.publisher {
            changed |= self.join_publisher(*publisher);
        }
        changed
    }
}

fn merge_register<T: TieBreak>(
    own: &mut Option<Register<T>>,
    other: Option<Register<T>>,
    erased: Instant,
) -> bool {
    other
        .filter(|held| held.stamp.at() > erased)
        .is_some_and(|held| register::join(own, held.stamp, held.value))
}

/// Each element of the other list comes like one of an event that lists it alone. What is not known of it has a
/// stamp that every erasure covers.
fn merge_list(own: &mut List, other: List, erased: Instant) -> bool {
    let listed = other.newest.unwrap_or(Stamp::NEVER);
    let mut changed = own.join(listed, Vec::new(), erased);
    for held in other.elements {
        let content = held.content.unwrap_or(Content {
            stamp: Stamp::NEVER,
            created_at: Instant::NEVER,
            body: Fields::default(),
        });
        let seen = held.seen.unwrap_or(Stamp::NEVER);
        let element = Element {
            id: held.id,
            content,
        };
        changed |= own.join(seen, vec![element], erased);
    }
    changed
}

fn merge_actions(own: &mut Actions, other: Actions, max: usize, erased: Instant) -> bool {
    let mut changed = false;
    for action in other.kept {
        changed |= own.join(action, max, erased);
    }
    let evicted = other.evicted.filter(|at| *at > erased);
    if evicted > own.evicted {
        own.evicted = evicted;
        changed = true;
    }
    changed
}

/// A console customer without its parts is erased, and its time keeps it so.
fn told(held: HeldConsole) -> Console {
    Console {
        version: held.version,
        at: held.at,
        parts: held.parts.unwrap_or(ConsoleParts {
            names: Bytes::new(),
            phones: Bytes::new(),
            addresses: Bytes::new(),
            attributes: Bytes::new(),
        }),
    }
}
