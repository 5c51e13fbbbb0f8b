//! The commit of a batch, from the moment when it takes no more records until it is known whether it was committed.
//!
//! ```text
//!            room for all                    Done
//!  Writing ─┬─────────────► Committing ──────────────────────────────────► committed
//!   ▲   ▲   │ exactly once       │ Aborted, Undecided
//!   │   │   │                    ▼
//!   │   │   │               aborted, unknown or fenced ◄──────────────────────────┐
//!   │   │   │                    ▲ Done, Undecided                                │
//!   │   │   └─────────────► Aborting       the group has moved on since the batch began
//!   │   │
//!   │   │ at least once                Done, of the states               Done     │ Aborted, Undecided
//!   │   └──────────────► Delivering ─────────────► CommittingOffsets ─────────► committed
//!   │                        │
//!   └────────────────────────┘ Done, of the snapshots: the states are written now
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::batch::{Batch, Finished, Ledger};
use super::client_error::{ClientError, ErrorKind};
use super::event::{Effect, Notice, Offset, StepEnd};
use super::fatal::Fatal;
use super::outbox::{Clients, Generation};
use super::writing::Written;
use crate::config::Guarantee;
use crate::store::Change;

/// If a producer is fenced twice within this time, another process uses its transactional id. A single fencing may come
/// from an earlier producer of the same instance.
const FENCED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// The phase of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The batch is being handed over to the producer, as fast as the producer has room.
    Writing,
    /// Exactly-once: the transaction is being committed with the batch's offsets.
    Committing,
    /// At-least-once: the engine waits until all that was handed over is delivered.
    Delivering,
    /// At-least-once: the batch's offsets are being committed.
    CommittingOffsets,
    /// The transaction is being aborted, for this reason.
    Aborting(ClientError),
}

/// A batch in flight: it takes no more records, and it is not known yet whether it is committed.
#[derive(Debug)]
pub struct InFlightCommit {
    pub(super) finished: Finished,
    offsets: Vec<Offset>,
    /// The group generation when the batch began.
    generation: Option<Generation>,
    /// When the batch took its last record.
    began: Duration,
    transaction_began: Duration,
    phase: Phase,
}

impl Engine {
    /// Whether a batch is in flight. Until its commit has ended, what the next batch produces must be buffered aside.
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether the batch in flight waits for room in the producer.
    pub fn is_writing(&self) -> bool {
        let phase = self.in_flight.as_ref().map(|commit| &commit.phase);
        phase == Some(&Phase::Writing)
    }

    /// How many snapshots and states of the batch in flight are handed over.
    pub fn written(&self) -> usize {
        let commit = self.in_flight.as_ref();
        commit.map_or(0, |commit| commit.finished.progress.written())
    }

    /// Ends the open batch, and starts its commit. Until the commit has ended, records go into the next batch, which
    /// starts from the states of this one.
    pub(super) fn finish(&mut self, now: Duration) {
        if self.in_flight.is_some() {
            return self.stop(Fatal::Bug("two batches are committed at once".to_owned()));
        }
        let Some(offsets) = self.offsets() else {
            return;
        };
        let Some(mut batch) = self.batch.take() else {
            return;
        };
        self.in_flight = Some(InFlightCommit {
            offsets,
            generation: batch.generation.take(),
            finished: batch.finish(),
            began: now,
            transaction_began: self.transaction_began,
            phase: Phase::Writing,
        });
    }

    /// Writes as much as the producer has room for, and starts the next step of the commit when all is written.
    pub(super) fn write(&mut self, clients: &mut impl Clients) {
        let guarantee = self.settings.policy.processing.guarantee;
        let Some(commit) = &mut self.in_flight else {
            return;
        };
        if commit.phase != Phase::Writing {
            return;
        }
        match commit.finished.write(&self.settings, clients) {
            Ok(Written::InPart) => {}
            Ok(Written::SnapshotsToDeliver) => self.deliver(),
            Ok(Written::All) if guarantee == Guarantee::AtLeastOnce => self.deliver(),
            Ok(Written::All) => self.commit_transaction(clients),
            Err(error) => {
                let text = format!("a snapshot cannot be written as Avro: {error}");
                self.abort_commit(text.clone());
                self.stop(Fatal::Bug(text));
            }
        }
    }

    /// At-least-once: the snapshots are delivered before the states are written. Otherwise a crash could leave a state
    /// without its snapshot: the record, read again, would not change that state, and its snapshot would never be
    /// published.
    fn deliver(&mut self) {
        if let Some(commit) = &mut self.in_flight {
            commit.phase = Phase::Delivering;
            self.effects.push_back(Effect::Deliver);
        }
    }

    /// Commits the transaction, but only under the group generation of the batch's start. The group may since have
    /// assigned the batch's partitions to another member, and with the current generation the broker would accept the
    /// offsets all the same.
    fn commit_transaction(&mut self, clients: &impl Clients) {
        let Some(commit) = &mut self.in_flight else {
            return;
        };
        match commit.generation.clone() {
            None => {
                let reason = "this instance was not a member of the group when the batch began";
                self.abort_commit(reason.to_owned());
            }
            Some(generation) if clients.generation().as_ref() != Some(&generation) => {
                self.abort_commit("the group has moved on since the batch began".to_owned());
            }
            Some(generation) => {
                commit.phase = Phase::Committing;
                let offsets = commit.offsets.clone();
                self.effects.push_back(Effect::CommitTransaction {
                    offsets,
                    generation,
                });
            }
        }
    }

    fn abort_commit(&mut self, reason: String) {
        if let Some(commit) = &mut self.in_flight {
            commit.phase = Phase::Aborting(ClientError {
                kind: ErrorKind::Other,
                code: "IllegalGeneration".to_owned(),
                text: reason,
            });
            self.effects.push_back(Effect::AbortCommit);
        }
    }

    /// A step of the commit in flight has ended: starts the next step, or ends the commit.
    pub(super) fn commit_step_ended(&mut self, end: StepEnd, now: Duration) {
        let Some(mut commit) = self.in_flight.take() else {
            return;
        };
        match (&commit.phase, end) {
            (Phase::Delivering, StepEnd::Done) if commit.finished.deliver() => {
                commit.phase = Phase::CommittingOffsets;
                let offsets = Effect::CommitOffsets(commit.offsets.clone());
                self.effects.push_back(offsets);
                self.in_flight = Some(commit);
                return;
            }
            (Phase::Delivering, StepEnd::Done) => {
                commit.phase = Phase::Writing;
                self.in_flight = Some(commit);
                return;
            }
            (Phase::Aborting(reason), StepEnd::Done) => {
                let reason = reason.clone();
                self.aborted(commit, reason, now);
            }
            (_, StepEnd::Done) => self.committed(commit, now),
            (_, StepEnd::Aborted(error)) => self.aborted(commit, error, now),
            (_, StepEnd::Undecided(error)) => self.undecided(&commit, error, now),
        }
        self.awaits_commit = false;
        self.schedule.commit_ended(now);
        for change in std::mem::take(&mut self.deferred) {
            self.change_ownership(change, now);
        }
    }

    fn committed(&mut self, commit: InFlightCommit, now: Duration) {
        let took = now.saturating_sub(commit.began);
        if self.batch.is_some() {
            self.transaction_began = now;
            self.effects.push_back(Effect::BeginTransaction);
        }
        let ledger = Box::new(self.apply_committed(commit.finished, commit.offsets));
        let notice = Notice::Committed { ledger, took };
        self.effects.push_back(Effect::Report(notice));
    }

    /// The batch was aborted. Its records are read again, and so are those of the next batch, which started from its
    /// states.
    fn aborted(&mut self, commit: InFlightCommit, error: ClientError, now: Duration) {
        let next = self.discard_next();
        let Some(error) = self.unless_fatal(error) else {
            return;
        };
        if error.kind == ErrorKind::TimedOut {
            self.halve_batch_limit(commit.finished.records);
        }
        self.report_not_committed(false, error);
        // the next batch first: if both have read from a place, the earlier position is set last and counts
        if let Some(next) = next {
            self.rewind(&next.began_at);
        }
        self.rewind(&commit.finished.began_at);
        self.commit_failed(now);
    }

    /// Drops the open batch, because the batch before it failed. Its own transaction has not begun yet.
    fn discard_next(&mut self) -> Option<Batch> {
        let next = self.batch.take()?;
        self.effects.push_back(Effect::DiscardProduced);
        Some(next)
    }

    /// It is not known whether the batch was committed: positions and states are read from Kafka again.
    fn undecided(&mut self, commit: &InFlightCommit, error: ClientError, now: Duration) {
        self.discard_next();
        let age = now.saturating_sub(commit.transaction_began);
        let Some(error) = self.unless_fatal(error) else {
            return;
        };
        let is_fenced = self.is_fenced(&error, age);
        self.report_not_committed(!is_fenced, error);
        if is_fenced {
            return self.fenced(now);
        }
        self.halve_batch_limit(commit.finished.records);
        self.start_over(now, now);
    }

    /// Whether the error means that another producer has the transactional id. If the transaction is older than its
    /// timeout, it does not: the broker has aborted it, and reports the same error for that.
    fn is_fenced(&self, error: &ClientError, age: Duration) -> bool {
        error.kind == ErrorKind::Fenced && age < self.settings.transaction_timeout
    }

    /// Stops the engine if no retry can help; otherwise returns the error.
    fn unless_fatal(&mut self, error: ClientError) -> Option<ClientError> {
        let reason = error.text.clone();
        if error.kind == ErrorKind::NotAuthorized {
            self.stop(Fatal::NotAuthorized { reason });
            return None;
        }
        if let Some(remedy) = error.kind.remedy_of_record() {
            self.stop(Fatal::RecordNotAccepted { reason, remedy });
            return None;
        }
        Some(error)
    }

    fn report_not_committed(&mut self, is_unknown: bool, error: ClientError) {
        let notice = Notice::NotCommitted { is_unknown, error };
        self.effects.push_back(Effect::Report(notice));
    }

    fn halve_batch_limit(&mut self, records: usize) {
        if records > 0 {
            self.batch_limit = (records / 2).max(1);
        }
    }

    /// Applies a committed batch to the stores and the known offsets. Returns what it adds to the metrics.
    fn apply_committed(&mut self, mut finished: Finished, offsets: Vec<Offset>) -> Ledger {
        if let Some(opened) = finished.breaker_opened.take() {
            self.stop(Fatal::BreakerOpen(opened));
        }
        (self.failed_commits, self.failed_requests) = (0, 0);
        let guarantee = self.settings.policy.processing.guarantee;
        let max_records = self.settings.policy.processing.max_batch_records;
        // a timeout halves the batches; they grow again slowly
        self.batch_limit = (self.batch_limit + self.batch_limit / 16 + 1).min(max_records);
        let mut changes: BTreeMap<i32, Vec<Change<'_>>> = BTreeMap::new();
        for (id, entry) in &mut finished.customers {
            let Some(state) = entry.state.take() else {
                continue;
            };
            changes.entry(entry.partition).or_default().push(Change {
                id: id.as_bytes(),
                state,
                before: entry.before,
            });
        }
        for (partition, changes) in changes {
            // a store that is closed already gets these changes from Kafka when it is opened again
            let (Some(state), Some(store)) = (
                self.assignment.states.get_mut(&partition),
                self.stores.get_mut(&partition),
            ) else {
                continue;
            };
            // markers take an offset too: without them the checkpoint would fall behind by one with each transaction
            state.known_end += changes.len() as i64 + i64::from(state.marker);
            state.marker = guarantee == Guarantee::ExactlyOnce;
            if let Err(error) = store.commit(&changes, state.known_end) {
                self.stop(error.into());
            }
        }
        for (place, position, _) in offsets {
            self.committed.insert(place, position);
            if self.assignment.position(place) == Some(position) {
                self.passed.remove(&place);
            }
        }
        let (ledger, customers) = finished.end();
        self.empty_map = customers;
        ledger
    }

    /// Reads everything again from Kafka: positions from the group's committed offsets, and states from their logs. The
    /// producer is replaced too; when the new one starts, the broker aborts or completes what the old one left open.
    fn start_over(&mut self, renew_producer_at: Duration, now: Duration) {
        let all = self.assignment.places.keys().copied().collect();
        self.assignment.forget_progress();
        self.passed.clear();
        self.restore_wanted = true;
        self.effects.push_back(Effect::Pause(all));
        self.renew_producer_at = Some(renew_producer_at);
        self.commit_failed(now);
    }

    /// The transaction of a dropped batch could not be aborted. A new producer with the same transactional id makes
    /// sure that it is.
    pub(super) fn abort_failed(&mut self, error: &ClientError, now: Duration) {
        if self.fatal.is_some() {
            return;
        }
        let age = now.saturating_sub(self.transaction_began);
        if self.is_fenced(error, age) {
            self.fenced(now);
        } else {
            self.effects.push_back(Effect::RenewProducer);
        }
    }

    /// This engine's producer was fenced. Once, that may be due to an earlier producer of the same instance;
    /// without an instance id the transactional id is random, so no other process has it. With an instance id, twice in
    /// a short time means that another process uses the name. A new producer would fence that process in turn, perhaps
    /// twice, so it is made only after the group has had time to report the other process.
    fn fenced(&mut self, now: Duration) {
        let instance = &self.settings.policy.instance_id;
        let again = self
            .last_fenced
            .is_some_and(|last| now.saturating_sub(last) < FENCED_AGAIN_WITHIN);
        if again && !instance.is_empty() {
            let instance = instance.clone();
            return self.stop(Fatal::FencedTwice { instance });
        }
        self.last_fenced = Some(now);
        self.start_over(now + self.settings.replaced_within, now);
    }
}
