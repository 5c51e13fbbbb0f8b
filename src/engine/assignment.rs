//! The partitions that a worker owns, and how far each is on its way to being consumed.
//!
//! A place (a partition of an input or of the forwarded topic) goes `Unknown → Asked → Held → Consuming`, and from
//! there to `WaitingForSchema` and back to `Held` while the writer schema of its next record is asked for, or to `Unreadable` and
//! back while the client cannot read it. A state partition, which comes with its partition of the forwarded topic, goes
//! `Unknown → Asked → Restoring → Ready`. A place is consumed once its state partition is ready. A batch that is dropped or
//! aborted, and a rebalance, take it back to `Held`, at a position that this worker knows; what makes that doubtful (a
//! commit without an answer, a fenced producer) takes it back to `Unknown`, where it starts over from what Kafka has
//! committed. `docs/design.md` draws it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Place;

/// How far a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// The committed offset must be asked for.
    Unknown,
    Asked,
    /// The next record to take is known, but none is taken yet.
    Held {
        position: i64,
    },
    Consuming {
        position: i64,
    },
    /// The next record cannot be read before the schema registry has answered; none is taken meanwhile.
    WaitingForSchema {
        position: i64,
    },
    /// The client cannot read the next record; none behind it is taken.
    Unreadable {
        position: i64,
    },
}

/// How far a state partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// The end of its log must be asked for.
    Unknown,
    Asked,
    /// Records up to `target` are read from the state topic.
    Restoring {
        position: i64,
        target: i64,
        /// When it last moved.
        moved: Duration,
    },
    Ready,
}

/// A state partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatePartition {
    pub loading: Loading,
    /// A lower bound of the end of its log: what was read, and what was committed since.
    pub known_end: i64,
    /// Whether the last transaction's marker comes on top of that; it is in the log at the latest when the next
    /// transaction writes there.
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

    /// The next record to take of a place that is known.
    pub fn position(&self, place: Place) -> Option<i64> {
        match self.places.get(&place)? {
            Consumption::Held { position }
            | Consumption::Consuming { position }
            | Consumption::WaitingForSchema { position }
            | Consumption::Unreadable { position } => Some(*position),
            Consumption::Unknown | Consumption::Asked => None,
        }
    }

    /// Takes all places and state partitions back to the start of their way.
    pub fn forget_progress(&mut self) {
        for consumption in self.places.values_mut() {
            *consumption = Consumption::Unknown;
        }
        for state in self.states.values_mut() {
            state.loading = Loading::Unknown;
        }
    }

    /// Places whose next record waits for its writer schema.
    pub fn waiting_for_schema(&self) -> usize {
        let all = self.places.values();
        all.filter(|consumption| matches!(consumption, Consumption::WaitingForSchema { .. }))
            .count()
    }

    /// Has the places that wait for a writer schema try again.
    pub fn schemas_arrived(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::WaitingForSchema { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// Takes no more of a place, whose next record the client cannot read; its position, where it was consumed.
    pub fn unreadable(&mut self, place: Place) -> Option<i64> {
        let consumption = self.places.get_mut(&place)?;
        let Consumption::Consuming { position } = *consumption else {
            return None;
        };
        *consumption = Consumption::Unreadable { position };
        Some(position)
    }

    /// Has the places whose next record could not be read try again.
    pub fn read_again(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::Unreadable { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// Has all places that are consumed, and were paused for a rebalance, be taken up again from where they are.
    pub fn hold_consumed(&mut self) {
        for consumption in self.places.values_mut() {
            if let Consumption::Consuming { position } = *consumption {
                *consumption = Consumption::Held { position };
            }
        }
    }

    /// The places whose committed offset must be asked for, which count as asked from now on.
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

    /// Places whose state partition is ready, or is not owned here so that their records are forwarded: they count as
    /// consumed from now on. `partitions`: of the state topic.
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

    /// Sets a place back to a position, to be taken up again from there.
    pub fn rewind(&mut self, place: Place, position: i64) {
        if let Some(consumption) = self.places.get_mut(&place) {
            *consumption = Consumption::Held { position };
        }
    }
}
