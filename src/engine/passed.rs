//! Positions that no record of a batch stands behind. What is left of a log may be transaction markers and records of
//! aborted transactions: the client says that it came to the end, and that position is committed too, or retention would
//! leave a committed offset behind that is not in its log any more.
//!
//! A batch that is committed names these places with its own. Where no record opens one, [`Engine::turn`] opens a
//! batch without records. Its transaction writes into no topic, so that no marker follows from it, and it comes to an end.

use super::assignment::Consumption;
use std::time::Duration;

use super::outbox::Outbox;
use super::{Engine, Place};

impl Engine {
    /// The client stands at the end of what may be read of a place: up to there is nothing that was not taken.
    pub(super) fn end_reached(&mut self, place: Place, offset: i64) {
        if let Some(Consumption::Consuming { position }) = self.assignment.places.get_mut(&place)
            && offset > *position
            && self.fatal.is_none()
        {
            *position = offset;
            self.passed.insert(place);
        }
    }

    /// Places whose position is to be committed, and which are consumed.
    pub(super) fn passed_places(&self) -> impl Iterator<Item = Place> {
        let places = &self.assignment.places;
        let consuming =
            |place: &&Place| matches!(places.get(*place), Some(Consumption::Consuming { .. }));
        self.passed.iter().filter(consuming).copied()
    }

    /// Whether positions wait to be committed, and no batch is there that takes them along.
    pub(super) fn has_passed(&self) -> bool {
        self.batch.is_none() && self.in_flight.is_none() && self.passed_places().next().is_some()
    }

    /// Opens a batch for the positions that wait.
    pub(super) fn open_passed(&mut self, out: &mut impl Outbox, now: Duration) {
        if self.has_passed() && self.fatal.is_none() {
            self.open_batch(out, now);
        }
    }
}
