//! What a finished batch writes: snapshot and state of each customer that it changed, as far as there is room for them.
//!
//! A batch may write more than the producer holds. Instead of waiting for room, the worker takes records into the next
//! batch, and goes on later where it stopped.

use bytes::Bytes;

use super::Settings;
use super::Worker;
use super::batch::{BatchEntry, Finished, Progress};
use super::fatal::Fatal;
use super::outbox::{Outbox, Outgoing, Output};
use crate::avro::snapshot::{EncodeError, encode};
use crate::config::Guarantee;
use crate::customer::{Customer, snapshot};
use crate::model::partition;
use crate::source::framing;

/// What the commit of a finished batch takes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitStep {
    /// There was no room for all that is to be written; whether some of it was written.
    Room { came_on: bool },
    /// Exactly once: the transaction is committed with the batch's offsets.
    Transaction,
    /// At least once: all that was handed over is delivered; then [`Worker::delivered`] is told.
    Delivery,
    /// At least once: the batch's offsets are committed.
    Offsets,
    /// The batch can't be committed, and is given up.
    GiveUp,
}

impl Progress {
    fn place(&self) -> (usize, usize) {
        (self.snapshots, self.states)
    }

    /// More room is needed; whether something was written since this place.
    fn room_since(&self, before: (usize, usize)) -> CommitStep {
        CommitStep::Room {
            came_on: self.place() != before,
        }
    }

    /// Makes the snapshot of a customer; whether one is shown.
    fn render(
        &mut self,
        id: &str,
        customer: &Customer,
        settings: &Settings,
    ) -> Result<bool, EncodeError> {
        self.json.clear();
        let shown = snapshot::write(customer, id, &settings.view, &mut self.json);
        if let Some(schema) = settings.snapshot_schema
            && shown
        {
            self.avro.clear();
            self.avro.extend_from_slice(&framing::frame(schema));
            encode(&self.json, &mut self.avro)?;
        }
        Ok(shown)
    }

    /// Produces the snapshot that was made.
    fn publish(&self, id: &str, shown: bool, settings: &Settings, out: &mut impl Outbox) -> bool {
        let value = match settings.snapshot_schema {
            Some(_) => &self.avro,
            None => &self.json,
        };
        // a null even where none was published before: after a rebuild an old snapshot may be there
        let partition = partition::of_key(id.as_bytes(), settings.snapshot_partitions);
        out.offer(Outgoing {
            output: Output::Snapshot { partition },
            key: Some(id.as_bytes()),
            value: shown.then_some(&value[..]),
            headers: &[],
        })
    }
}

/// Encodes the state of a customer that the batch changed, unless that was done before.
fn encode_state(entry: &mut BatchEntry, buffer: &mut Vec<u8>) {
    if entry.changed
        && entry.state.is_none()
        && let Some(held) = &entry.held
    {
        buffer.clear();
        held.customer().encode(buffer);
        entry.state = Some(Bytes::copy_from_slice(buffer));
    }
}

/// Produces the state of a customer that the batch changed; whether there was room for it.
fn produce_state(id: &str, entry: &BatchEntry, out: &mut impl Outbox) -> bool {
    let Some(state) = &entry.state else {
        return true;
    };
    out.offer(Outgoing {
        output: Output::State {
            partition: entry.partition,
        },
        key: Some(id.as_bytes()),
        value: Some(state),
        headers: &[],
    })
}

impl Finished {
    /// The encoded state of a customer that the batch changed, be it written yet or not.
    pub fn state_of(&mut self, id: &str) -> Option<&Bytes> {
        let entry = self.customers.get_mut(id)?;
        encode_state(entry, &mut self.progress.state);
        entry.state.as_ref()
    }

    /// Goes on writing the snapshots of customers while there is room; whether all are written. Each customer is let go
    /// of then, and only its encoded state stays.
    fn write_snapshots(
        &mut self,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<bool, EncodeError> {
        let progress = &mut self.progress;
        while let Some((id, entry)) = self.customers.get_index_mut(progress.snapshots) {
            if let Some(held) = entry.held.as_ref().filter(|_| entry.changed) {
                let shown = match progress.rendered {
                    Some(shown) => shown,
                    None => progress.render(id, held.customer(), settings)?,
                };
                progress.rendered = Some(shown);
                if !progress.publish(id, shown, settings, out) {
                    return Ok(false);
                }
                progress.rendered = None;
                if shown {
                    self.ledger.snapshots += 1;
                } else {
                    self.ledger.tombstones += 1;
                }
            }
            // while it is at hand
            encode_state(entry, &mut progress.state);
            entry.held = None;
            progress.snapshots += 1;
        }
        Ok(true)
    }

    /// Goes on writing the states of customers while there is room; whether all are written.
    fn write_states(&mut self, out: &mut impl Outbox) -> bool {
        while let Some((id, entry)) = self.customers.get_index(self.progress.states) {
            if !produce_state(id, entry, out) {
                return false;
            }
            self.progress.states += 1;
        }
        true
    }
}

impl Worker {
    /// Goes on with the commit of the finished batch: writes what there is room for, and says what comes next. To be
    /// called behind [`Worker::finish`], and again while it says [`CommitStep::Room`].
    ///
    /// Within a transaction all is written at once: snapshots, and then states. Without one the states are written only
    /// when the snapshots are delivered, for a state that is there without its snapshot would make the record, read again
    /// after a crash, a repeat that publishes nothing.
    // One kind behind the other, for the client then finds and frees the records of a request side by side.
    pub fn commit_step(&mut self, out: &mut impl Outbox) -> CommitStep {
        let settings = &self.settings;
        let guarantee = settings.config.processing.guarantee;
        let Some(finished) = &mut self.committing else {
            return CommitStep::GiveUp;
        };
        let before = finished.progress.place();
        if !finished.progress.delivered {
            match finished.write_snapshots(settings, out) {
                Ok(true) => {}
                Ok(false) => return finished.progress.room_since(before),
                Err(error) => {
                    self.stop(Fatal::Bug(format!(
                        "a snapshot can't be written as Avro: {error}"
                    )));
                    return CommitStep::GiveUp;
                }
            }
            if guarantee == Guarantee::AtLeastOnce {
                return CommitStep::Delivery;
            }
        }
        if !finished.write_states(out) {
            return finished.progress.room_since(before);
        }
        match guarantee {
            Guarantee::ExactlyOnce => CommitStep::Transaction,
            Guarantee::AtLeastOnce => CommitStep::Delivery,
        }
    }

    /// What was handed over is delivered, as [`CommitStep::Delivery`] asks for: what comes next.
    pub fn delivered(&mut self, out: &mut impl Outbox) -> CommitStep {
        let Some(finished) = &mut self.committing else {
            return CommitStep::GiveUp;
        };
        if finished.progress.delivered {
            // the states too
            return CommitStep::Offsets;
        }
        finished.progress.delivered = true;
        self.commit_step(out)
    }
}
