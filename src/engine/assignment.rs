//! The partitions that a worker owns, and the state of each until it is consumed.
//!
//! A place (a partition of an input or of the forwarded topic) goes `Unknown → Asked → Held → Consuming`. From there it
//! goes to `WaitingForSchema` while the schema registry is asked for the writer schema of its next record, or to
//! `Unreadable` while the client cannot read its next record; from both it returns to `Held`. A state partition is
//! assigned together with the partition of the forwarded topic that has its number, and goes
//! `Unknown → Asked → Restoring → Ready`. A place is consumed once its state partition is ready.
//!
//! A dropped or aborted batch and a rebalance take a place back to `Held`, at a position that this worker knows. If the
//! position is in doubt (a commit without an answer, a fenced producer), the place goes back to `Unknown`, and starts
//! again from the offset that is committed in Kafka. `docs/design.md` has a diagram.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Place;

/// The state of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// The committed offset must be fetched.
    Unknown,
    Asked,
    /// The position is known, but the place is paused.
    Held {
        position: i64,
    },
    Consuming {
        position: i64,
    },
    /// The next record cannot be read before the schema registry has answered; the place is paused until then.
    WaitingForSchema {
        position: i64,
    },
    /// The client cannot read the next record; no later record is taken.
    Unreadable {
        position: i64,
    },
}

/// The state of a state partition: whether its store is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// The end of its log must be fetched.
    Unknown,
    Asked,
    /// Records up to `target` are read from the state topic.
    Restoring {
        position: i64,
        target: i64,
        /// When the position last moved.
        moved: Duration,
    },
    Ready,
}

/// A state partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatePartition {
    pub loading: Loading,
    /// A lower bound of the log's end offset: the end as it was last fetched, plus the records that this worker has
    /// committed since. If the log turns out to be shorter, state was lost.
    pub known_end: i64,
    /// Whether the commit marker of this worker's last transaction is still to be added to `known_end`. The marker
    /// takes an offset too, but the broker may write it after it has confirmed the commit. It is certain to be in the
    /// log when the next transaction writes there, so it is counted then.
    pub marker: bool,
}

#[derive(Debug, Default)]
pub struct Assignment {
    pub places: BTreeMap<Place, Consumption>,
    pub states: BTreeMap<i32, StatePartition>,
}

impl Assignment {
    pub fn is_ready(&self, partition: i32) -> bool {
        self.states
            .get(&partition)
            .is_some_and(|state| state.loading == Loading::Ready)
    }

    /// The offset of the next record to take; none if the place is not owned, or its position is not known.
    pub fn position(&self, place: Place) -> Option<i64> {
        match self.places.get(&place)? {
            Consumption::Held { position }
            | Consumption::Consuming { position }
            | Consumption::WaitingForSchema { position }
            | Consumption::Unreadable { position } => Some(*position),
            Consumption::Unknown | Consumption::Asked => None,
        }
    }

    /// Resets all places and state partitions to `Unknown`, so that they start again from what Kafka knows.
    pub fn forget_progress(&mut self) {
        for consumption in self.places.values_mut() {
            *consumption = Consumption::Unknown;
        }
        for state in self.states.values_mut() {
            state.loading = Loading::Unknown;
        }
    }

    /// The number of places whose next record waits for its writer schema.
    pub fn waiting_for_schema(&self) -> usize {
        let all = self.places.values();
        all.filter(|consumption| matches!(consumption, Consumption::WaitingForSchema { .. }))
            .count()
    }

    /// Lets the places that wait for a writer schema try their next record again.
    pub fn schemas_arrived(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::WaitingForSchema { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// Notes that the client cannot read the next record of a place. Returns its position, if it was being consumed.
    pub fn unreadable(&mut self, place: Place) -> Option<i64> {
        let consumption = self.places.get_mut(&place)?;
        let Consumption::Consuming { position } = *consumption else {
            return None;
        };
        *consumption = Consumption::Unreadable { position };
        Some(position)
    }

    /// Lets the places whose next record could not be read try it again.
    pub fn read_again(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::Unreadable { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// After a rebalance, which pauses all partitions: has the consumed places consumed again from their positions.
    pub fn hold_consumed(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::Consuming { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// Returns the places whose committed offset must be fetched, and marks them as `Asked`.
    pub fn ask_unknown(&mut self) -> Vec<Place> {
        let unknown = self
            .places
            .iter_mut()
            .filter(|(_, consumption)| **consumption == Consumption::Unknown);
        unknown
            .map(|(place, consumption)| {
                *consumption = Consumption::Asked;
                *place
            })
            .collect()
    }

    /// Returns the places that can be consumed, with their positions, and marks them as `Consuming`: those whose state
    /// partition is ready, or is not owned here, so that their records are forwarded. `partitions` is the number of
    /// partitions of the state topic.
    pub fn start_consuming(&mut self, partitions: i32) -> Vec<(Place, i64)> {
        let states = &self.states;
        let may_start = |place: &Place| {
            states
                .get(&(place.partition % partitions))
                .is_none_or(|state| state.loading == Loading::Ready)
        };
        let mut start = Vec::new();
        for (&place, consumption) in &mut self.places {
            if let Consumption::Held { position } = *consumption
                && may_start(&place)
            {
                *consumption = Consumption::Consuming { position };
                start.push((place, position));
            }
        }
        start
    }

    /// Sets a place back to a position, from which it is consumed again.
    pub fn rewind(&mut self, place: Place, position: i64) {
        if let Some(consumption) = self.places.get_mut(&place) {
            *consumption = Consumption::Held { position };
        }
    }
}
