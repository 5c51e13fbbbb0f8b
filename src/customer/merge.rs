//! Joins two states of one customer that were folded separately. keyfold itself never needs this. The property tests
//! compare it with joining single records, which shows that the state really is a join.

use super::contribution::Erasure;
use super::{Customer, Keep};
use crate::model::record::Source;

impl Customer {
    /// Joins another state of the same customer; returns whether that changed this one. The result is the state after
    /// the records of both. Both must have been folded with limits that are not smaller than `keep`.
    pub fn merge(&mut self, mut other: Customer, keep: Keep) -> bool {
        let mut changed = false;
        // Erasures first, so that what remains of both is not covered by any of them.
        for source in Source::BUILT_IN {
            let erasure = |at| Erasure {
                only: Some(source),
                at,
            };
            changed |= self.erase(erasure(other.erasures.of(source)), keep);
            other.erase(erasure(self.erasures.of(source)), keep);
        }
        let (texts, its) = (&mut self.texts, &other.texts);
        changed |= self.scalars.join(other.scalars);
        for (list, other) in [
            (&mut self.addresses, &other.addresses),
            (&mut self.dependents, &other.dependents),
        ] {
            changed |= list.merge(texts, other, its, keep.hidden);
        }
        changed |= self.actions.merge(texts, &other.actions, its, keep.actions);
        if let Some(console) = other.console {
            let parts = console.parts.map(|parts| parts.view(its));
            changed |= self.join_console(console.version, console.at, parts);
        }
        if let Some(publisher) = other.publisher {
            changed |= self.join_publisher(publisher.view(its));
        }
        self.drop_unused_texts();
        changed
    }
}
