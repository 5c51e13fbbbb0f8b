//! The join of two states of one customer that were folded apart.

use super::actions::Actions;
use super::contribution::{ConsoleParts, Erasure};
use super::register::{self, Register, TieBreak};
use super::texts::Texts;
use super::{Customer, Keep};
use crate::model::record::Source;
use crate::model::time::Instant;

impl Customer {
    /// Takes in another state of this customer; whether that changed this one. The result is the state of the
    /// records of both, so merging is associative, commutative and idempotent. Both states
    /// must have been folded with no smaller bounds.
    pub fn merge(&mut self, other: Customer, keep: Keep) -> bool {
        let mut changed = false;
        for source in Source::ALL {
            // first the erasures: every join below passes over what they cover
            let erasure = Erasure {
                only: Some(source),
                at: other.erased[source.index()],
            };
            changed |= self.erase(erasure, keep);
        }
        let erased = self.erased[Source::LoyaltyCustomers.index()];
        let (own, its) = (&mut self.scalars, other.scalars);
        changed |= merge_register(&mut own.date_of_birth, its.date_of_birth, erased);
        changed |= merge_register(&mut own.status, its.status, erased);
        changed |= merge_register(&mut own.marketing_opt_in, its.marketing_opt_in, erased);
        changed |= merge_register(&mut own.sms_opt_in, its.sms_opt_in, erased);
        changed |= merge_register(&mut own.created_at, its.created_at, erased);
        let (texts, its) = (&mut self.texts, &other.texts);
        for (own, other) in [
            (&mut self.addresses, &other.addresses),
            (&mut self.dependents, &other.dependents),
        ] {
            changed |= own.merge(texts, other, its, erased, keep.hidden);
        }

        let erased = self.erased[Source::LoyaltyActions.index()];
        changed |= merge_actions(
            texts,
            &mut self.actions,
            its,
            &other.actions,
            keep.actions,
            erased,
        );
        if let Some(console) = &other.console {
            // one without its parts is erased, and its time keeps it so
            let parts = console.parts.map(|parts| parts.map(|text| its.get(*text)));
            let parts = parts.unwrap_or(ConsoleParts {
                names: &[],
                phones: &[],
                addresses: &[],
                attributes: &[],
            });
            changed |= self.join_console(console.version, console.at, parts);
        }
        if let Some(publisher) = &other.publisher {
            changed |= self.join_publisher(publisher.map(|text| its.get(*text)));
        }
        self.tidy();
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

fn merge_actions(
    texts: &mut Texts,
    own: &mut Actions,
    its: &Texts,
    other: &Actions,
    max: usize,
    erased: Instant,
) -> bool {
    let mut changed = false;
    for action in other.shown(its) {
        changed |= own.join(texts, action, max, erased);
    }
    let evicted = other.evicted.filter(|at| *at > erased);
    if evicted > own.evicted {
        own.evicted = evicted;
        changed = true;
    }
    changed
}
