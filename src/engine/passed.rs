//! Positions that have moved without a record. The rest of a log may consist of transaction markers and records of
//! aborted transactions only, of which the client reports nothing but the end of the partition. That position is
//! committed too. Otherwise retention could delete the log up to its end, and the committed offset would no longer be
//! in the log.
//!
//! These positions are committed together with the next batch. If no record opens one, [`Engine::turn`] opens a batch
//! without records. Its transaction writes to no topic, so it adds no marker to a log that would move the position
//! again.

use super::assignment::Consumption;
use std::time::Duration;

use super::outbox::Outbox;
use super::{Engine, Place};

impl Engine {
    /// The client has reached the end of what can be read of a place: every record before it was taken.
    pub(super) fn end_reached(&mut self, place: Place, offset: i64) {
        if let Some(Consumption::Consuming { position }) = self.assignment.places.get_mut(&place)
            && offset > *position
            && self.fatal.is_none()
        {
            *position = offset;
            self.passed.insert(place);
        }
    }

    /// The places whose position must be committed although no record moved it, if they are being consumed.
    pub(super) fn passed_places(&self) -> impl Iterator<Item = Place> {
        let places = &self.assignment.places;
        let consuming =
            |place: &&Place| matches!(places.get(*place), Some(Consumption::Consuming { .. }));
        self.passed.iter().filter(consuming).copied()
    }

    /// Whether such positions wait to be committed, and there is no batch that could commit them.
    pub(super) fn has_passed(&self) -> bool {
        self.batch.is_none() && self.in_flight.is_none() && self.passed_places().next().is_some()
    }

    /// Opens a batch without records for the positions that wait.
    pub(super) fn open_passed(&mut self, out: &mut impl Outbox, now: Duration) {
        if self.has_passed() && self.fatal.is_none() {
            self.open_batch(out, now);
        }
    }
}
