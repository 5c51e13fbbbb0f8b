//! Joins what a record says into the state of its customer.

use super::contribution::{ConsoleParts, CustomerEvent, Data, Erasure, Fact, Publisher};
use super::declared::DeclaredRecord;
use super::register::Scalars;
use super::texts::Texts;
use super::{Customer, Keep, StoredConsole};
use crate::model::record::Source;
use crate::model::time::Instant;

impl Customer {
    /// Joins what a record says; returns whether that changed the state.
    pub fn join(&mut self, data: Data, keep: Keep) -> bool {
        let Data { fact, texts: its } = &data;
        self.texts.reserve(its.bytes());
        let changed = match fact {
            Fact::Customer(event) => self.join_event(event, its, keep),
            Fact::Action(action) => {
                let erased = self.erasures.of(Source::LoyaltyActions);
                let action = action.view(its);
                action.stamp.at() > erased
                    && self.actions.join(&mut self.texts, action, keep.actions)
            }
            Fact::Console(new) => self.join_console(new.version, new.at, Some(new.parts.view(its))),
            Fact::Publisher(new) => self.join_publisher(new.view(its)),
            Fact::Declared(record) => self.join_declared(record, its, keep),
            Fact::Erasure(erasure) => self.erase(*erasure, keep),
        };
        self.drop_unused_texts();
        changed
    }

    fn join_event(&mut self, event: &CustomerEvent, its: &Texts, keep: Keep) -> bool {
        let erased = self.erasures.of(Source::LoyaltyCustomers);
        let mut changed = event.stamp.at() > erased && self.scalars.join(Scalars::of(event));
        for (list, elements) in [
            (&mut self.addresses, &event.addresses),
            (&mut self.dependents, &event.dependents),
        ] {
            if let Some(elements) = elements {
                let elements = elements.iter().map(|element| element.view(its));
                changed |= list.join(&mut self.texts, event.stamp, elements, erased, keep.hidden);
            }
        }
        changed
    }

    /// Joins a console record. `parts` is none if the parts are known to be erased.
    pub(super) fn join_console(
        &mut self,
        version: u64,
        at: Instant,
        parts: Option<ConsoleParts<&[u8]>>,
    ) -> bool {
        let parts = parts.filter(|_| at > self.erasures.of(Source::ConsoleCustomers));
        let texts = &mut self.texts;
        let wins = self.console.as_ref().is_none_or(|winner| {
            let order = (version, at).cmp(&(winner.version, winner.at));
            let has_greater_text = || {
                let (new, old) = (parts.as_ref()?, winner.parts?);
                Some(new.text() > old.view(texts).text())
            };
            order.is_gt() || order.is_eq() && has_greater_text() == Some(true)
        });
        if wins {
            self.console = Some(Box::new(StoredConsole {
                version,
                at,
                parts: parts.map(|parts| parts.store(texts)),
            }));
        }
        wins
    }

    pub(super) fn join_publisher(&mut self, new: Publisher<&[u8]>) -> bool {
        if new.at <= self.erasures.of(Source::PublisherCustomers) {
            return false;
        }
        let texts = &mut self.texts;
        let wins = self.publisher.as_ref().is_none_or(|winner| {
            // No JSON object is a prefix of another one, so comparing part by part orders like the whole text.
            let winner = winner.view(texts);
            (new.at, new.enrollment, new.accounts) > (winner.at, winner.enrollment, winner.accounts)
        });
        if wins {
            self.publisher = Some(Box::new(new.store(texts)));
        }
        wins
    }

    pub(super) fn erase(&mut self, erasure: Erasure, keep: Keep) -> bool {
        let mut changed = false;
        for source in Source::BUILT_IN {
            if erasure.covers(source) && erasure.at > self.erasures.of(source) {
                if let Some(at) = self.erasures.built_in.get_mut(source.index()) {
                    *at = erasure.at;
                }
                self.erase_source(source, erasure.at, keep);
                changed = true;
            }
        }
        if erasure.only.is_none() && erasure.at > self.erasures.all {
            self.erasures.all = erasure.at;
            changed = true;
        }
        changed | self.erase_declared(erasure, keep)
    }

    fn join_declared(&mut self, record: &DeclaredRecord, its: &Texts, keep: Keep) -> bool {
        let erased = self.erasures.all;
        let name = record.source.name().as_bytes();
        let declared = self.declared.get_or_insert_default();
        let source = declared.of(name, erased, &mut self.texts);
        let changed = source.join(&mut self.texts, record, its, keep);
        self.drop_empty_sources();
        changed
    }

    fn erase_declared(&mut self, erasure: Erasure, keep: Keep) -> bool {
        let (all, texts) = (self.erasures.all, &mut self.texts);
        let mut changed = false;
        match (erasure.only, &mut self.declared) {
            (None, Some(declared)) => {
                for source in &mut declared.sources {
                    changed |= source.erase(texts, erasure.at, keep.hidden);
                }
            }
            (Some(Source::Declared(source)), declared) if erasure.at > all => {
                let declared = declared.get_or_insert_default();
                let source = declared.of(source.name().as_bytes(), all, texts);
                changed |= source.erase(texts, erasure.at, keep.hidden);
            }
            _ => {}
        }
        self.drop_empty_sources();
        changed
    }

    /// Drops the declared sources of which nothing is known.
    pub(super) fn drop_empty_sources(&mut self) {
        if let Some(declared) = &mut self.declared {
            declared.drop_empty(self.erasures.all);
            if declared.sources.is_empty() {
                self.declared = None;
            }
        }
    }

    /// Drops the data of a source that are not newer than the erasure.
    fn erase_source(&mut self, source: Source, erased: Instant, keep: Keep) {
        match source {
            Source::LoyaltyCustomers => {
                self.scalars.erase(erased);
                for list in [&mut self.addresses, &mut self.dependents] {
                    list.erase(&mut self.texts, erased, keep.hidden);
                }
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
                self.publisher.take_if(|publisher| publisher.at <= erased);
            }
            Source::Declared(_) => {}
        }
    }

    /// Drops texts that were replaced, once there may be many of them.
    pub(super) fn drop_unused_texts(&mut self) {
        if self.texts.are_wasteful() {
            // Decoding cannot fail on what was just encoded.
            if let Ok(customer) = Customer::decode(self.encoded()) {
                *self = customer;
            }
        }
    }
}
