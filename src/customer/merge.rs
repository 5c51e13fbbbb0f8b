//! Joins two states of one customer that were folded separately. keyfold itself never needs this. The property tests
//! compare it with joining single records, which shows that the state really is a join.

use super::contribution::Erasure;
use super::declared::Declared;
use super::texts::Texts;
use super::{Customer, Keep};
use crate::model::record::Source;

impl Customer {
    /// Joins another state of the same customer; returns whether that changed this one. The result is the state after
    /// the records of both. Both must have been folded with limits that are not smaller than `keep`.
    pub fn merge(&mut self, mut other: Customer, keep: Keep) -> bool {
        let mut changed = false;
        // Erasures first, so that what remains of both is not covered by any of them.
        changed |= self.erase_as_in(&other, keep);
        other.erase_as_in(self, keep);
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
        if let Some(declared) = other.declared {
            changed |= self.merge_declared(*declared, other.texts, keep);
        }
        self.drop_unused_texts();
        changed
    }

    fn merge_declared(&mut self, declared: Declared, mut its: Texts, keep: Keep) -> bool {
        let mut changed = false;
        for source in declared.sources {
            let own = self.declared.get_or_insert_default();
            let own = own.of(its.get(source.name), self.erasures.all, &mut self.texts);
            changed |= own.merge(&mut self.texts, source, &mut its, keep);
        }
        self.drop_empty_sources();
        changed
    }

    /// Applies the erasures of another state; returns whether that changed this one.
    fn erase_as_in(&mut self, other: &Customer, keep: Keep) -> bool {
        let mut changed = self.erase(
            Erasure {
                only: None,
                at: other.erasures.all,
            },
            keep,
        );
        for source in Source::BUILT_IN {
            let erasure = Erasure {
                only: Some(source),
                at: other.erasures.of(source),
            };
            changed |= self.erase(erasure, keep);
        }
        for source in other.declared_sources() {
            let name = other.texts.get(source.name);
            if source.erased > self.erasures.all {
                let declared = self.declared.get_or_insert_default();
                let own = declared.of(name, self.erasures.all, &mut self.texts);
                changed |= own.erase(&mut self.texts, source.erased, keep.hidden);
            }
        }
        changed
    }
}
