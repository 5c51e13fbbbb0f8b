//! The status of a worker, for health checks, metrics and HTTP: whether it is ready, its positions and its states.

use super::assignment::{Consumption, Loading};
use super::{Engine, Place};
use crate::customer::EncodedState;
use crate::store::StoreError;

/// How near the sizes of customers' states are to their limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nearness {
    /// `validation.max_state_bytes`.
    pub limit: usize,
    /// The size of the largest state, in bytes.
    pub largest: usize,
    /// The number of customers whose state is larger than half of the limit.
    pub above_half: u64,
}

/// What a worker knows of a customer's committed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommittedState {
    /// The customer's state partition is not owned by this worker, or not restored yet.
    NotReady,
    /// The customer has no state.
    Unknown,
    Known(EncodedState),
    Unreadable(StoreError),
}

impl Engine {
    /// Why this worker is not ready; none if all its partitions are restored and consumed.
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

    /// For each state partition that is being restored: the maximum number of records that are left.
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

    /// The number of partitions whose next record waits for its writer schema.
    pub fn waiting_for_schemas(&self) -> usize {
        self.assignment.waiting_for_schema()
    }

    /// Whether this worker is backing off after a failed request or commit.
    pub fn is_retrying(&self) -> bool {
        self.failed_commits + self.failed_requests > 0
    }

    /// The number of records of the state topic that were loaded since the start of the engine.
    pub fn restored_records(&self) -> u64 {
        self.restored_records
    }

    /// The number of records in the open batch; none if there is no open batch.
    pub fn open_records(&self) -> Option<usize> {
        self.batch.as_ref().map(|batch| batch.records)
    }

    pub fn is_restoring(&self) -> bool {
        self.restore_remaining().next().is_some()
    }

    /// The places that are owned, with their positions where known.
    pub fn positions(&self) -> impl Iterator<Item = (Place, Option<i64>)> {
        self.assignment
            .places
            .keys()
            .map(|&place| (place, self.assignment.position(place)))
    }

    /// The last position of a place that this worker committed, if it committed one.
    pub fn committed_position(&self, place: Place) -> Option<i64> {
        self.committed.get(&place).copied()
    }

    /// The timestamp, in milliseconds, of the first record of a place that is taken and not committed yet.
    pub fn oldest_taken(&self, place: Place) -> Option<i64> {
        let finished = self.in_flight.as_ref().map(|commit| &commit.finished);
        match finished.filter(|batch| batch.began_at.contains_key(&place)) {
            Some(batch) => batch.oldest.get(&place).copied(),
            None => self.batch.as_ref()?.oldest.get(&place).copied(),
        }
    }

    /// The number of customers and their bytes in the stores of the owned state partitions.
    pub fn state_size(&self) -> (usize, usize) {
        self.stores
            .iter()
            .filter(|(partition, _)| self.owns_state(**partition))
            .fold((0, 0), |(customers, bytes), (_, store)| {
                (customers + store.customers(), bytes + store.bytes())
            })
    }

    /// How near the sizes of the states in the owned state partitions are to their limit.
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

    /// The committed state of a customer.
    pub fn state_of(&self, id: &str) -> CommittedState {
        let partition = crate::model::partition::of_key(id.as_bytes(), self.settings.partitions);
        let store = self.stores.get(&partition);
        match store.filter(|_| self.assignment.is_ready(partition)) {
            None => CommittedState::NotReady,
            Some(store) => match store.get(id.as_bytes()) {
                Ok(Some(state)) => CommittedState::Known(state),
                Ok(None) => CommittedState::Unknown,
                Err(error) => CommittedState::Unreadable(error),
            },
        }
    }

    /// The number of state partitions that this worker owns.
    pub fn owned_states(&self) -> usize {
        self.assignment.states.len()
    }

    pub fn owns_state(&self, partition: i32) -> bool {
        self.assignment.states.contains_key(&partition)
    }
}
