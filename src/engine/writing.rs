//! What a finished batch writes: the snapshot and the state of each customer that it changed.
//!
//! A batch may produce more than fits into the producer's queue. Instead of waiting for room, the engine takes records
//! into the next batch, and continues to write later. In a transaction the states follow the snapshots at once; with
//! at-least-once the snapshots must be delivered first.

use super::Settings;
use super::batch::{BatchEntry, Customers, Finished, Progress};
use super::outbox::{Outbox, Outgoing, Output};
use crate::avro::snapshot::{EncodeError, encode};
use crate::config::Guarantee;
use crate::customer::{Customer, EncodedState, snapshot};
use crate::model::partition;
use crate::prefetch;
use crate::source::framing;

/// How much of a finished batch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The producer had no room for the rest.
    InPart,
    /// At-least-once only: the snapshots are written, and must be delivered before the states are written.
    SnapshotsToDeliver,
    All,
}

impl Progress {
    /// How many snapshots and states are written.
    pub(super) fn written(&self) -> usize {
        self.snapshots + self.states
    }

    /// Writes a customer's snapshot into the buffer. Returns false if nothing is shown of the customer, which is
    /// published as a tombstone.
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

    /// Produces the snapshot in the buffer, or a tombstone. Returns whether the producer had room for it.
    fn publish(&self, id: &str, shown: bool, settings: &Settings, out: &mut impl Outbox) -> bool {
        let value = match settings.snapshot_schema {
            Some(_) => &self.avro,
            None => &self.json,
        };
        // a tombstone even if no snapshot was published before: after a rebuild the topic may contain an old one
        let partition = partition::of_key(id.as_bytes(), settings.snapshot_partitions);
        out.offer(Outgoing {
            output: Output::Snapshot { partition },
            key: Some(id.as_bytes()),
            value: shown.then_some(&value[..]),
            headers: &[],
        })
    }
}

/// Encodes the state of a customer that the batch changed, unless it is encoded already.
fn encode_state(entry: &mut BatchEntry, buffer: &mut Vec<u8>) {
    if entry.changed
        && entry.state.is_none()
        && let Some(bounded) = &entry.held
    {
        buffer.clear();
        bounded.customer().encode(buffer);
        entry.state = Some(EncodedState::from(&buffer[..]));
    }
}

/// Asks for the memory of the customers behind this place: first of the next but one, then, when it is its turn to be
/// the next, of what that refers to.
fn prefetch_behind(customers: &Customers, at: usize) {
    if let Some((_, entry)) = customers.get_index(at + 2)
        && let Some(next_but_one) = &entry.held
    {
        prefetch::soon(&**next_but_one);
    }
    if let Some((id, entry)) = customers.get_index(at + 1)
        && let Some(next) = &entry.held
    {
        prefetch::soon(&**id);
        next.prefetch_parts();
    }
}

/// Produces the state of a customer, if the batch changed it. Returns whether the producer had room for it.
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
    /// The encoded state of a customer, if the batch changed it, whether or not it is written yet.
    pub fn state_of(&mut self, id: &str) -> Option<&EncodedState> {
        let entry = self.customers.get_mut(id)?;
        encode_state(entry, &mut self.progress.state);
        entry.state.as_ref()
    }

    /// Continues to write while the producer has room.
    // All snapshots, then all states, because then the records of one produce request lie side by side in memory, where
    // the client finds and frees them faster.
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

    /// At-least-once only: what was written is delivered. Returns true if that was all of the batch, and false if it
    /// was the snapshots only, so that the states can be written now.
    pub fn deliver(&mut self) -> bool {
        std::mem::replace(&mut self.progress.delivered, true)
    }

    /// Continues to write snapshots while the producer has room. Returns whether all are written. After its snapshot,
    /// only the encoded state of a customer is kept, to free memory.
    fn write_snapshots(
        &mut self,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<bool, EncodeError> {
        let progress = &mut self.progress;
        loop {
            prefetch_behind(&self.customers, progress.snapshots);
            let Some((id, entry)) = self.customers.get_index_mut(progress.snapshots) else {
                return Ok(true);
            };
            if let Some(bounded) = entry.held.as_ref().filter(|_| entry.changed) {
                let shown = match progress.rendered {
                    Some(shown) => shown,
                    None => progress.render(id, bounded.customer(), settings)?,
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
            // now, because the decoded state is dropped with the next line
            encode_state(entry, &mut progress.state);
            entry.held = None;
            progress.snapshots += 1;
        }
    }

    /// Continues to write states while the producer has room. Returns whether all are written.
    fn write_states(&mut self, out: &mut impl Outbox) -> bool {
        while let Some((id, entry)) = self.customers.get_index(self.progress.states) {
            if let Some((_, behind)) = self.customers.get_index(self.progress.states + 2)
                && let Some(state) = &behind.state
            {
                prefetch::soon(&**state);
            }
            if !produce_state(id, entry, out) {
                return false;
            }
            self.progress.states += 1;
        }
        true
    }
}
