//! What a finished batch writes: snapshot and state of each customer that it changed, as far as there is room for them.
//!
//! A batch may write more than the producer holds. Instead of waiting for room, the worker takes records into the next
//! batch, and goes on later where it stopped.

use bytes::Bytes;

use super::Settings;
use super::Worker;
use super::batch::{Finished, Progress, Touched};
use super::fatal::Fatal;
use super::outbox::{Outbox, Outgoing, Output};
use crate::avro::snapshot::{EncodeError, encode};
use crate::config::Guarantee;
use crate::customer::{Customer, snapshot};
use crate::partition;
use crate::source::framing;

/// How far the writing of a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    All,
    /// There was no room for the rest.
    Part,
    /// There was no room.
    Nothing,
    /// The batch can't be written, and the worker can't go on.
    Failed,
}

impl Progress {
    fn place(&self) -> (usize, usize) {
        (self.snapshots, self.states)
    }

    /// What was written since this place, where it was not all.
    fn since(&self, before: (usize, usize)) -> Wrote {
        match self.place() == before {
            true => Wrote::Nothing,
            false => Wrote::Part,
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
fn encode_state(touched: &mut Touched, buffer: &mut Vec<u8>) {
    if touched.changed
        && touched.state.is_none()
        && let Some(held) = &touched.held
    {
        buffer.clear();
        held.customer().encode(buffer);
        touched.state = Some(Bytes::copy_from_slice(buffer));
    }
}

/// Produces the state of a customer that the batch changed; whether there was room for it.
fn produce_state(id: &str, touched: &Touched, out: &mut impl Outbox) -> bool {
    let Some(state) = &touched.state else {
        return true;
    };
    out.offer(Outgoing {
        output: Output::State {
            partition: touched.partition,
        },
        key: Some(id.as_bytes()),
        value: Some(state),
        headers: &[],
    })
}

impl Finished {
    /// The encoded state of a customer that the batch changed, be it written yet or not.
    pub fn state_of(&mut self, id: &str) -> Option<&Bytes> {
        let touched = self.customers.get_mut(id)?;
        encode_state(touched, &mut self.progress.state);
        touched.state.as_ref()
    }

    /// Goes on writing the snapshots of customers while there is room; whether all are written. Each customer is let go
    /// of then, and only its encoded state stays.
    fn write_snapshots(
        &mut self,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<bool, EncodeError> {
        let progress = &mut self.progress;
        while let Some((id, touched)) = self.customers.get_index_mut(progress.snapshots) {
            if let Some(held) = touched.held.as_ref().filter(|_| touched.changed) {
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
            encode_state(touched, &mut progress.state);
            touched.held = None;
            progress.snapshots += 1;
        }
        Ok(true)
    }

    /// Goes on writing the states of customers while there is room; whether all are written.
    fn write_states(&mut self, out: &mut impl Outbox) -> bool {
        while let Some((id, touched)) = self.customers.get_index(self.progress.states) {
            if !produce_state(id, touched, out) {
                return false;
            }
            self.progress.states += 1;
        }
        true
    }
}

impl Worker {
    /// Goes on writing the finished batch while there is room: all snapshots and then, within a transaction, all states.
    /// Without one these are left to [`Worker::write_states`].
    // One kind behind the other, for the client then finds and frees the records of a request side by side.
    pub fn write(&mut self, out: &mut impl Outbox) -> Wrote {
        let Some(finished) = &mut self.committing else {
            return Wrote::All;
        };
        let settings = &self.settings;
        let with_states = settings.config.processing.guarantee == Guarantee::ExactlyOnce;
        let before = finished.progress.place();
        match finished.write_snapshots(settings, out) {
            Ok(true) if !with_states || finished.write_states(out) => Wrote::All,
            Ok(_) => finished.progress.since(before),
            Err(error) => {
                self.stop(Fatal::Bug(format!(
                    "a snapshot can't be written as Avro: {error}"
                )));
                Wrote::Failed
            }
        }
    }

    /// Without transactions: goes on writing the states of the finished batch while there is room. Its snapshots must be
    /// delivered before, for a state that is there without its snapshot would make the record, read again after a crash,
    /// a repeat that publishes nothing.
    pub fn write_states(&mut self, out: &mut impl Outbox) -> Wrote {
        let Some(finished) = &mut self.committing else {
            return Wrote::All;
        };
        let before = finished.progress.place();
        match finished.write_states(out) {
            true => Wrote::All,
            false => finished.progress.since(before),
        }
    }
}
