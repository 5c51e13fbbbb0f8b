//! The end of a batch, from the moment when it takes no more records until it is known what became of it.
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

/// Time in which a producer that was fenced twice was fenced by another process, and not by an old self.
const FENCED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// How far a commit is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// What the batch writes is handed over, as far as there is room for it.
    Writing,
    /// Exactly once: the transaction is committed with the batch's offsets.
    Committing,
    /// At least once: what was handed over is delivered.
    Delivering,
    /// At least once: the batch's offsets are committed.
    CommittingOffsets,
    /// The transaction is aborted, for this reason.
    Aborting(ClientError),
}

/// A batch that takes no more records, and of which it is not yet known whether it was committed.
#[derive(Debug)]
pub struct InFlightCommit {
    pub(super) finished: Finished,
    offsets: Vec<Offset>,
    /// Of the batch's beginning.
    generation: Option<Generation>,
    /// When the batch took its last record.
    began: Duration,
    transaction_began: Duration,
    phase: Phase,
}

impl Engine {
    /// Whether a batch is in flight: what records lead to is kept aside until it has ended.
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether the batch in flight waits for room at the producer.
    pub fn is_writing(&self) -> bool {
        let phase = self.in_flight.as_ref().map(|commit| &commit.phase);
        phase == Some(&Phase::Writing)
    }

    /// How many snapshots and states of the batch in flight are handed over.
    pub fn written(&self) -> usize {
        let commit = self.in_flight.as_ref();
        commit.map_or(0, |commit| commit.finished.progress.written())
    }

    /// Ends the open batch. Until its commit has ended, records go into the next one, which rests on it.
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

    /// Writes what there is room for, and goes on to the next step when all is written.
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

    /// At least once: snapshots are delivered before states are written, for a state without its snapshot would make the
    /// record, read again after a crash, a repeat that publishes nothing.
    fn deliver(&mut self) {
        if let Some(commit) = &mut self.in_flight {
            commit.phase = Phase::Delivering;
            self.effects.push_back(Effect::Deliver);
        }
    }

    /// A batch is committed only under the membership of its beginning: the group may have given what it read to another
    /// since, and a newer generation would be accepted by the broker.
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

    /// A step of the commit that is in flight has ended.
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
        let ledger = Box::new(self.take_over(commit.finished, commit.offsets));
        let notice = Notice::Committed { ledger, took };
        self.effects.push_back(Effect::Report(notice));
    }

    /// The records of the batch are read again, and so are those of the next, whose transaction has not begun.
    fn aborted(&mut self, commit: InFlightCommit, error: ClientError, now: Duration) {
        let next = self.discard_next();
        let Some(error) = self.unless_fatal(error) else {
            return;
        };
        if error.kind == ErrorKind::TimedOut {
            self.halve_batches(commit.finished.records);
        }
        self.report_not_committed(false, error);
        // first the next one: where both have read of a place, the earlier position counts
        if let Some(next) = next {
            self.rewind(&next.began_at);
        }
        self.rewind(&commit.finished.began_at);
        self.commit_failed(now);
    }

    /// Drops the batch that rests on one which failed; its transaction has not begun.
    fn discard_next(&mut self) -> Option<Batch> {
        let next = self.batch.take()?;
        self.effects.push_back(Effect::DiscardProduced);
        Some(next)
    }

    /// Whether the batch was committed must be read from Kafka.
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
        self.halve_batches(commit.finished.records);
        self.start_over(now, now);
    }

    /// The broker aborts a transaction that outlives its time-out, and tells its producer what it tells one that was fenced:
    /// of a second process that says nothing.
    fn is_fenced(&self, error: &ClientError, age: Duration) -> bool {
        error.kind == ErrorKind::Fenced && age < self.settings.transaction_timeout
    }

    /// The error, unless no later attempt can help: then the engine stops.
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

    fn halve_batches(&mut self, records: usize) {
        if records > 0 {
            self.batch_limit = (records / 2).max(1);
        }
    }

    /// What a committed batch changed becomes what is known, and what it counted is returned.
    fn take_over(&mut self, mut finished: Finished, offsets: Vec<Offset>) -> Ledger {
        if let Some(opened) = finished.breaker_opened.take() {
            self.stop(Fatal::BreakerOpen(opened));
        }
        (self.failed_commits, self.failed_questions) = (0, 0);
        let guarantee = self.settings.policy.processing.guarantee;
        let most = self.settings.policy.processing.max_batch_records;
        // after a time-out the batches grow again, slowly
        self.batch_limit = (self.batch_limit + self.batch_limit / 16 + 1).min(most);
        let mut changes: BTreeMap<i32, Vec<Change<'_>>> = BTreeMap::new();
        for (id, entry) in &finished.customers {
            let Some(state) = &entry.state else {
                continue;
            };
            changes.entry(entry.partition).or_default().push(Change {
                id: id.as_bytes(),
                state: state.clone(),
                before: entry.before,
            });
        }
        for (partition, changes) in changes {
            // what is committed is in Kafka; a store that is not here any more catches it up
            let (Some(held), Some(store)) = (
                self.assignment.states.get_mut(&partition),
                self.stores.get_mut(&partition),
            ) else {
                continue;
            };
            // without the markers a checkpoint would fall behind by one a transaction
            held.known_end += changes.len() as i64 + i64::from(held.marker);
            held.marker = guarantee == Guarantee::ExactlyOnce;
            if let Err(error) = store.commit(&changes, held.known_end) {
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
        self.spare = customers;
        ledger
    }

    /// Everything that is owned is learnt anew from what Kafka has committed: positions from the group, states from their
    /// logs, with a new producer, whose start decides what the old one left open.
    fn start_over(&mut self, renew_producer_at: Duration, now: Duration) {
        let all = self.assignment.places.keys().copied().collect();
        self.assignment.forget_progress();
        self.passed.clear();
        self.restore_wanted = true;
        self.effects.push_back(Effect::Pause(all));
        self.renew_producer_at = Some(renew_producer_at);
        self.commit_failed(now);
    }

    /// The transaction of a batch that was dropped could not be aborted. Nothing of it can become visible any more once
    /// there is a new producer.
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

    /// This engine's producer was fenced. Once, that may be by an old self. A random transactional id can be fenced by nobody
    /// else. If it was another process by this name, then a new producer would fence that one's in turn, perhaps twice, so
    /// it is made only when the group has had the time to tell.
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
