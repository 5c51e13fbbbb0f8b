//! What a finished batch writes: snapshot and state of each customer that it changed, as far as there is room for them.
//!
//! A batch may write more than the producer holds. Instead of waiting for room, the engine takes records into the next
//! batch, and goes on later where it stopped. Within a transaction all is written at once: snapshots, and then states.

use bytes::Bytes;

use super::Settings;
use super::batch::{BatchEntry, Finished, Progress};
use super::outbox::{Outbox, Outgoing, Output};
use crate::avro::snapshot::{EncodeError, encode};
use crate::config::Guarantee;
use crate::customer::{Customer, snapshot};
use crate::model::partition;
use crate::source::framing;

/// How far a finished batch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was no room for the rest.
    InPart,
    /// At least once: the snapshots are written; they are to be delivered before the states are written.
    SnapshotsToDeliver,
    All,
}

impl Progress {
    /// How many snapshots and states are written.
    pub(super) fn written(&self) -> usize {
        self.snapshots + self.states
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

    /// Goes on writing where it stopped, while there is room.
    // One kind behind the other, because the client then finds and frees the records of a request side by side.
    pub fn write(
        &mut self,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<Written, EncodeError> {
        if !self.progress.delivered {
            if !self.write_snapshots(settings, out)? {
                return Ok(Written::InPart);
            }
            if settings.policy.processing.guarantee == Guarantee::AtLeastOnce {
                return Ok(Written::SnapshotsToDeliver);
            }
        }
        Ok(match self.write_states(out) {
            true => Written::All,
            false => Written::InPart,
        })
    }

    /// At least once: what was written is delivered; whether that is all there is.
    pub fn deliver(&mut self) -> bool {
        std::mem::replace(&mut self.progress.delivered, true)
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
