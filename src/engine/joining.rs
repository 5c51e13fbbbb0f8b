//! A valid contribution is joined into its customer, in the open batch.

use super::batch::BatchEntry;
use super::fatal::Fatal;
use super::{Engine, Place};
use crate::customer::bounded::{Bounded, StateTooLarge};
use crate::customer::contribution::{Contribution, Erasure};
use crate::model::partition;
use crate::model::record::{Code, Label, Outcome, Source};
use crate::prefetch;

/// What became of a contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    Merged,
    /// It said nothing new.
    Unchanged,
    /// The state that it would lead to is larger than `validation.max_state_bytes`; nothing was changed.
    StateTooLarge,
}

impl Joined {
    /// None: the record is rejected.
    pub(super) fn outcome(self) -> Option<Outcome> {
        match self {
            Joined::Merged => Some(Outcome::Merged),
            Joined::Unchanged => Some(Outcome::Unchanged),
            Joined::StateTooLarge => None,
        }
    }
}

impl Engine {
    /// Asks for the memory of the customers that the next records are about. `keys` are the keys of these records: from
    /// most sources, the customers' ids. A look-up waits for memory some three times, one after the other; of look-ups
    /// that do not depend on each other, the processor has several wait at once.
    pub fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut held_here = Vec::with_capacity(keys.size_hint().1.unwrap_or(0));
        for key in keys {
            if let Some(held) = self.held_in_batch(key) {
                prefetch::soon(held);
                held_here.push(held);
                continue;
            }
            let home = partition::of_key(key, self.settings.partitions);
            if let Some(store) = self.stores.get(&home) {
                store.prefetch(key);
            }
        }
        // in a second pass, because the memory that says where the parts are has only just been asked for
        for held in held_here {
            held.prefetch_parts();
        }
    }

    /// The customer with this id, if the open batch has it.
    fn held_in_batch(&self, id: &[u8]) -> Option<&Bounded> {
        let batch = self.batch.as_ref()?;
        let id = std::str::from_utf8(id).ok()?;
        batch.customers.get(id)?.held.as_deref()
    }

    /// Joins a contribution; if it is an erasure that leaves data shown, that is a warning of the record at `at`.
    pub(super) fn join_and_warn(
        &mut self,
        home: i32,
        contribution: Contribution,
        (label, source): (Label, Source),
        at: impl FnOnce() -> (Place, i64),
    ) -> Result<Joined, Fatal> {
        let erasure = contribution.data.as_erasure();
        let erased = erasure.map(|erasure| (erasure, contribution.customer.clone()));
        let joined = self.join(home, contribution, label)?;
        if let Some((erasure, customer)) = erased
            && self.outlives(&customer, erasure)
            && let Some(batch) = &mut self.batch
        {
            let (place, offset) = at();
            let ledger = &mut batch.ledger;
            ledger.warn_of(Code::OutlivesErasure, source, place, offset);
        }
        Ok(joined)
    }

    /// Joins a contribution into its customer, whose state partition `home` is ready here.
    fn join(
        &mut self,
        home: i32,
        contribution: Contribution,
        label: Label,
    ) -> Result<Joined, Fatal> {
        let Contribution { customer, data } = contribution;
        let at = self.entry_of(home, customer)?;
        let batch = self.batch.as_mut();
        let entry = batch.and_then(|batch| {
            let (id, entry) = batch.customers.get_index_mut(at)?;
            Some((
                id,
                entry.held.as_mut()?,
                &mut entry.changed,
                (&mut batch.ledger, &mut batch.customer_bytes),
            ))
        });
        let Some((id, held, changed, (ledger, customer_bytes))) = entry else {
            return Err(not_open());
        };
        let lateness = data.at().map(|at| {
            let newest = held.customer().newest().unwrap_or(at);
            newest.micros().saturating_sub(at.micros()).max(0) as f64 / 1e6
        });
        let encoded = held.max_encoded();
        let joined = match held.join(id, data, &self.settings.limits) {
            Ok(true) => Joined::Merged,
            Ok(false) => Joined::Unchanged,
            Err(StateTooLarge) => Joined::StateTooLarge,
        };
        *changed |= joined == Joined::Merged;
        *customer_bytes += held.max_encoded().saturating_sub(encoded);
        if let Some(seconds) = lateness {
            ledger.lateness.push((label, seconds));
        }
        Ok(joined)
    }

    /// The place of a customer in the open batch; its state is loaded where the batch does not have it yet.
    fn entry_of(&mut self, home: i32, customer: String) -> Result<usize, Fatal> {
        let Some(batch) = &mut self.batch else {
            return Err(not_open());
        };
        batch.joined.insert(home);
        if let Some(at) = batch.customers.get_index_of(&*customer) {
            return Ok(at);
        }
        // what the batch before changed is not in the store before its commit is confirmed
        let finished = self.in_flight.as_mut();
        let changed = finished.and_then(|commit| commit.finished.state_of(&customer));
        let stored = match (changed, self.stores.get(&home)) {
            (Some(state), _) => Some(state.clone()),
            (None, Some(store)) => store.get(customer.as_bytes())?,
            (None, None) => None,
        };
        let before = stored.as_ref().map(|state| state.len());
        let state = match stored {
            None => Ok(Bounded::default()),
            Some(state) => {
                prefetch::soon(&*state);
                Bounded::decode(state)
            }
        };
        let state = state.map_err(|error| Fatal::State {
            topic: self.settings.state_topic.clone(),
            partition: home,
            error,
        })?;
        let entry = BatchEntry {
            partition: home,
            changed: false,
            before,
            held: Some(Box::new(state)),
            state: None,
        };
        batch.customer_bytes += BatchEntry::loaded_bytes(before.unwrap_or(0));
        let id = customer.into_boxed_str();
        Ok(batch.customers.insert_full(id, entry).0)
    }

    /// Whether an erasure that was joined in the open batch leaves data of its customer to show.
    pub(super) fn outlives(&self, customer: &str, erasure: Erasure) -> bool {
        let entry = self
            .batch
            .as_ref()
            .and_then(|batch| batch.customers.get(customer));
        entry
            .and_then(|entry| entry.held.as_ref())
            .is_some_and(|held| held.customer().outlives(erasure))
    }
}

fn not_open() -> Fatal {
    Fatal::Bug("a record is joined into a batch that is not open".to_owned())
}
