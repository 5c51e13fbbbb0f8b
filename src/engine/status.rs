//! What a worker shows of itself: whether it is ready, where it stands, what it holds.

use bytes::Bytes;

use super::assignment::{Consumption, Loading};
use super::{Engine, Place};
use crate::store::StoreError;

/// How near to their limit the states of customers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nearness {
    /// `validation.max_state_bytes`.
    pub limit: usize,
    /// The bytes of the largest state.
    pub largest: usize,
    /// How many customers have more than half of the limit.
    pub above_half: u64,
}

impl Engine {
    /// Why this worker is not ready; none when all that it owns is restored and consumed.
    pub fn unready(&self) -> Option<String> {
        if !self.joined_group {
            return Some("joining the consumer group".to_owned());
        }
        let mut remaining: Vec<(i32, i64)> = self.restore_remaining().collect();
        if let Some((partition, records)) = remaining.pop() {
            return Some(format!(
                "restoring {} state partitions; partition {partition} has {records} records left",
                remaining.len() + 1
            ));
        }
        let mut idle = 0;
        for consumption in self.assignment.places.values() {
            match consumption {
                Consumption::Consuming { .. }
                | Consumption::WaitingForSchema { .. }
                | Consumption::Unreadable { .. } => {}
                _ => idle += 1,
            }
        }
        if idle > 0 {
            return Some(format!("{idle} partitions are not consumed yet"));
        }
        self.is_retrying()
            .then(|| "a service is away; retrying".to_owned())
    }

    /// How many records each state partition that is restored has left, at the most.
    pub fn restore_remaining(&self) -> impl Iterator<Item = (i32, i64)> {
        self.assignment
            .states
            .iter()
            .filter_map(|(&partition, state)| match state.loading {
                Loading::Restoring {
                    position, target, ..
                } => Some((partition, (target - position).max(0))),
                _ => None,
            })
    }

    /// Partitions whose next record waits for its writer schema.
    pub fn waiting_for_schemas(&self) -> usize {
        self.assignment.waiting_for_schema()
    }

    /// Whether something keeps this worker from its records: it backs off after a failure.
    pub fn is_retrying(&self) -> bool {
        self.failed_commits + self.failed_questions > 0
    }

    /// Records of the state topic that were loaded, since the engine was made.
    pub fn restored_records(&self) -> u64 {
        self.restored_records
    }

    /// Records in the open batch; none where none is open.
    pub fn open_records(&self) -> Option<usize> {
        self.batch.as_ref().map(|batch| batch.records)
    }

    pub fn is_restoring(&self) -> bool {
        self.restore_remaining().next().is_some()
    }

    /// The places that are owned, with the next record to take where that is known.
    pub fn positions(&self) -> impl Iterator<Item = (Place, Option<i64>)> {
        self.assignment
            .places
            .keys()
            .map(|&place| (place, self.assignment.position(place)))
    }

    /// The committed position of a place, if this worker committed one.
    pub fn committed_position(&self, place: Place) -> Option<i64> {
        self.committed.get(&place).copied()
    }

    /// The timestamp of the first record of a place that was taken and is not committed, in milliseconds.
    pub fn oldest_taken(&self, place: Place) -> Option<i64> {
        let finished = self.in_flight.as_ref().map(|commit| &commit.finished);
        match finished.filter(|batch| batch.began_at.contains_key(&place)) {
            Some(batch) => batch.oldest.get(&place).copied(),
            None => self.batch.as_ref()?.oldest.get(&place).copied(),
        }
    }

    /// Customers and bytes in the stores of the state partitions that are owned.
    pub fn state_size(&self) -> (usize, usize) {
        self.stores
            .iter()
            .filter(|(partition, _)| self.owns_state(**partition))
            .fold((0, 0), |(customers, bytes), (_, store)| {
                (customers + store.customers(), bytes + store.bytes())
            })
    }

    /// How near to their limit the states are in the stores of the state partitions that are owned.
    pub fn nearness(&self) -> Nearness {
        let limit = self.settings.limits.max_state_bytes;
        let stores = self.stores.iter();
        let owned = stores.filter(|(partition, _)| self.owns_state(**partition));
        let mut nearness = Nearness {
            limit,
            largest: 0,
            above_half: 0,
        };
        for (_, store) in owned {
            nearness.largest = nearness.largest.max(store.largest());
            nearness.above_half += store.sizes().at_least(limit / 2 + 1);
        }
        nearness
    }

    /// The committed state of a customer: none where the customer's partition is not this worker's, or not
    /// restored; else the encoded state, if there is one.
    pub fn state_of(&self, id: &str) -> Option<Result<Option<Bytes>, StoreError>> {
        let partition = crate::model::partition::of_key(id.as_bytes(), self.settings.partitions);
        if !self.assignment.is_ready(partition) {
            return None;
        }
        let store = self.stores.get(&partition)?;
        Some(store.get(id.as_bytes()))
    }

    /// How many state partitions are this worker's.
    pub fn owned_states(&self) -> usize {
        self.assignment.states.len()
    }

    pub fn owns_state(&self, partition: i32) -> bool {
        self.assignment.states.contains_key(&partition)
    }
}
