//! The steps of a commit at the simulated producer, and what is checked of them.

use std::time::Duration;

use keyfold::engine::client_error::{ClientError, ErrorKind};
use keyfold::engine::event::{Offset, StepEnd};
use keyfold::engine::schedule::MIN_COMMIT_GAP;
use keyfold::engine::{Effect, Event, Notice};

use super::{Shell, Surroundings, client_error};
use crate::group::{self, Standing};
use crate::log::TransactionNumber;
use crate::transactions::{Cluster, Intent, Refused};

/// The next step of the thread that commits.
#[derive(Debug)]
pub enum Commit {
    SendOffsets(Vec<Offset>, Standing),
    Flush,
    End,
    Abort(ClientError),
    /// At least once: what was handed over is delivered.
    Deliver,
    /// What the engine is yet to be told, and the transaction that it is about.
    Ended(StepEnd, Option<TransactionNumber>),
}

impl Commit {
    pub fn is_over(&self) -> bool {
        matches!(self, Commit::Ended(..))
    }

    fn undecided(kind: ErrorKind) -> Commit {
        Commit::Ended(StepEnd::Undecided(client_error(kind)), None)
    }
}

/// When batches begin and end, as seen from outside.
#[derive(Debug, Default)]
pub struct ObservedSchedule {
    batch_began: Duration,
    commit_ended: Duration,
    /// Batches may be smaller than configured after a commit that failed.
    has_failed: bool,
}

impl ObservedSchedule {
    pub fn batch_opened(&mut self, now: Duration) {
        self.batch_began = now;
    }
}

impl Shell {
    /// Has the engine look at the time, and at what there is to write and to commit.
    pub(super) fn turn(&mut self, around: &mut Surroundings<'_>) -> Result<(), String> {
        let room = match around.random.often(around.faults.full) {
            true => around.random.below(4) as usize,
            false => usize::MAX,
        };
        let before = self.engine.open_records();
        let was_committing = self.engine.is_committing();
        let (engine, mut clients, _) = self.engine_and_clients(room, around);
        engine.turn(&mut clients, around.now);
        if before.is_none() {
            // one may have been opened for positions without records
            self.taken.clear();
            self.schedule.batch_opened(around.now);
        }
        if self.engine.is_committing() && !was_committing {
            self.committing = std::mem::take(&mut self.taken);
            self.check_end_of_batch(around)?;
        }
        Ok(())
    }

    /// A batch ends when it is full, when it has had its time, or when nothing is left that it could take and the gap to the
    /// commit before has passed.
    fn check_end_of_batch(&self, around: &Surroundings<'_>) -> Result<(), String> {
        let schedule = &self.schedule;
        let age = around.now.saturating_sub(schedule.batch_began);
        let records = self.committing.len();
        let is_full = schedule.has_failed || records >= around.batch;
        if is_full || age >= self.settings.policy.processing.commit_interval {
            return Ok(());
        }
        if !self.messages.is_empty() {
            return Err(format!(
                "a batch of {records} records ends after {age:?}, though {} records are fetched",
                self.messages.len()
            ));
        }
        let gap = around.now.saturating_sub(schedule.commit_ended);
        if gap < MIN_COMMIT_GAP {
            return Err(format!(
                "a batch of {records} records ends {gap:?} after the commit before it"
            ));
        }
        Ok(())
    }

    /// Carries out an effect that belongs to a commit; what promise is broken, if one is.
    pub(super) fn carry_out_commit(
        &mut self,
        effect: Effect,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match effect {
            Effect::CommitTransaction {
                mut offsets,
                generation,
            } => {
                if around.sabotage.joined_unnamed {
                    let taken = &self.committing;
                    offsets.retain(|(place, ..)| taken.iter().any(|(of, _)| of == place));
                }
                let standing = group::standing_of(&generation);
                self.commit = Some(Commit::SendOffsets(offsets, standing));
            }
            Effect::AbortCommit => {
                self.commit = Some(Commit::Abort(client_error(ErrorKind::Other)))
            }
            Effect::Deliver if around.sabotage.offsets_before_delivery => {
                self.commit = Some(Commit::Ended(StepEnd::Done, None));
            }
            Effect::Deliver => self.commit = Some(Commit::Deliver),
            Effect::CommitOffsets(offsets) => self.commit_offsets(&offsets, around)?,
            Effect::BeginTransaction => {
                self.producer.begin();
                for (log, record) in std::mem::take(&mut self.aside) {
                    self.producer.produce(log, record);
                }
            }
            Effect::DiscardProduced => self.aside.clear(),
            Effect::Report(notice) => return self.check_notice(&notice, around),
            _ => {}
        }
        Ok(())
    }

    /// At least once: offsets are committed behind the delivery of all that was produced.
    fn commit_offsets(
        &mut self,
        offsets: &[Offset],
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        if self.producer.undelivered() > 0 {
            return Err("offsets are committed before what was produced is delivered".into());
        }
        let standing = self.member.standing();
        let accepted = standing.is_some_and(|standing| around.cluster.group.accepts(standing));
        let end = match accepted && !around.random.often(around.faults.no_answer) {
            true => {
                around
                    .cluster
                    .commit_offsets(offsets, self.committing.clone())?;
                StepEnd::Done
            }
            false => StepEnd::Aborted(client_error(ErrorKind::Other)),
        };
        self.producer.over();
        self.commit = Some(Commit::Ended(end, None));
        Ok(())
    }

    /// Tells the engine how the step of the commit ended, if it has; whether it had.
    pub(super) fn tell_commit_end(&mut self, around: &mut Surroundings<'_>) -> bool {
        match self.commit.take() {
            Some(Commit::Ended(end, number)) => {
                self.ended = (number, self.committing.len() as u64);
                let is_final = !matches!(end, StepEnd::Done) || self.producer.is_over();
                self.schedule.has_failed |= !matches!(end, StepEnd::Done);
                if is_final {
                    self.producer.over();
                    self.schedule.commit_ended = around.now;
                }
                self.engine.handle(Event::CommitStepEnded(end), around.now);
                true
            }
            other => {
                self.commit = other;
                false
            }
        }
    }

    /// A batch counts if it was committed, with all its records, and otherwise it does not.
    fn check_notice(&self, notice: &Notice, around: &Surroundings<'_>) -> Result<(), String> {
        let guessed = around.sabotage.guess_committed || around.sabotage.guess_aborted;
        let has_transactions = super::is_transactional(&self.settings);
        let (number, taken) = self.ended;
        let was_committed = number.is_some_and(|number| around.cluster.was_committed(number));
        let counted: Option<u64> = match notice {
            Notice::Committed { ledger, .. } => Some(ledger.outcomes.values().sum()),
            Notice::NotCommitted { .. } => None,
            _ => return Ok(()),
        };
        if guessed {
            return Ok(());
        }
        if has_transactions && counted.is_some() != was_committed && number.is_some() {
            return Err("a batch counts that was not committed, or the other way round".into());
        }
        match counted {
            Some(counted) if counted != taken => {
                Err(format!("a ledger counts {counted} of {taken} records"))
            }
            _ => Ok(()),
        }
    }

    /// A step of the thread that commits.
    pub(super) fn commit_step(&mut self, around: &mut Surroundings<'_>) {
        self.commit = self.commit.take().map(|commit| match commit {
            Commit::SendOffsets(offsets, standing) => self.send_offsets(offsets, standing, around),
            Commit::Flush => self.flush(around),
            Commit::End => self.end(around),
            Commit::Abort(error) => self.abort_commit(error, around),
            Commit::Deliver => self.deliver(around),
            ended @ Commit::Ended(..) => ended,
        });
    }

    fn send_offsets(
        &mut self,
        offsets: Vec<Offset>,
        mut standing: Standing,
        around: &mut Surroundings<'_>,
    ) -> Commit {
        if around.sabotage.metadata_at_commit {
            let Some(now) = self.member.standing() else {
                return Commit::Abort(client_error(ErrorKind::Other));
            };
            standing = now;
        }
        if let Some(kind) = self.producer.failed {
            return Commit::Abort(client_error(kind));
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let sent = around
            .cluster
            .send_offsets(id, epoch, standing, &offsets, around.now);
        match sent {
            Ok(()) => Commit::Flush,
            Err(Refused::Busy) => Commit::SendOffsets(offsets, standing),
            Err(_) => Commit::Abort(client_error(ErrorKind::Other)),
        }
    }

    /// Delivers the next record, or lets that fail.
    fn deliver_one(&mut self, around: &mut Surroundings<'_>) {
        if self.committing.len() > around.faults.longest_batch {
            self.producer.fail(ErrorKind::TimedOut);
        } else if around.random.often(around.faults.failed_delivery) {
            self.producer.fail(match around.random.often(5000) {
                true => ErrorKind::TimedOut,
                false => ErrorKind::Other,
            });
        } else {
            let choice = around.random.draw();
            self.producer.deliver(around.cluster, choice, around.now);
        }
    }

    fn flush(&mut self, around: &mut Surroundings<'_>) -> Commit {
        if let Some(kind) = self.producer.failed {
            return Commit::Abort(client_error(kind));
        }
        if self.producer.undelivered() == 0 {
            return Commit::End;
        }
        self.deliver_one(around);
        Commit::Flush
    }

    /// Without a transaction.
    fn deliver(&mut self, around: &mut Surroundings<'_>) -> Commit {
        if let Some(kind) = self.producer.failed {
            return Commit::Ended(StepEnd::Aborted(client_error(kind)), None);
        }
        if self.producer.undelivered() == 0 {
            return Commit::Ended(StepEnd::Done, None);
        }
        self.deliver_one(around);
        Commit::Deliver
    }

    /// What the audit is told of the batch, should its commit be decided.
    fn intend(&mut self, cluster: &Cluster) {
        let mut intent = Intent {
            taken: self.committing.clone(),
            produced: self.producer.produced,
            ..Intent::default()
        };
        for record in cluster.states_of(self.producer.id) {
            let key = record.key.clone().unwrap_or_default();
            let id = String::from_utf8_lossy(&key).into_owned();
            let base = self.engine.state_of(&id);
            let base = base.and_then(|state| state.expect("a store in memory"));
            let base = base.map(|state| state.to_vec());
            intent.bases.insert(key, base);
        }
        self.intent = intent;
    }

    fn end(&mut self, around: &mut Surroundings<'_>) -> Commit {
        self.intend(around.cluster);
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let mut lost = around.faults.lost_commit;
        if around.random.often(around.faults.lost_answer) {
            // the request or its answer is lost
            lost = Some(around.random.often(5000));
        }
        let unknown = || match (
            around.sabotage.guess_committed,
            around.sabotage.guess_aborted,
        ) {
            (true, _) => Commit::Ended(StepEnd::Done, None),
            (_, true) => Commit::Ended(StepEnd::Aborted(client_error(ErrorKind::TimedOut)), None),
            _ => Commit::undecided(ErrorKind::TimedOut),
        };
        if lost == Some(false) {
            self.producer.over();
            return unknown();
        }
        let intent = self.intent.clone();
        match around.cluster.end(id, epoch, Some(intent)) {
            Ok(_) if lost.is_some() => {
                self.producer.over();
                unknown()
            }
            Ok(number) => {
                self.producer.over();
                Commit::Ended(StepEnd::Done, number)
            }
            Err(Refused::Busy) => Commit::End,
            Err(_) => Commit::undecided(ErrorKind::Fenced),
        }
    }

    fn abort_commit(&mut self, error: ClientError, around: &mut Surroundings<'_>) -> Commit {
        self.producer.purge();
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        match around.cluster.end(id, epoch, None) {
            Ok(_) if around.random.often(around.faults.lost_answer) => {
                Commit::undecided(ErrorKind::TimedOut)
            }
            Ok(_) => Commit::Ended(StepEnd::Aborted(error), None),
            Err(Refused::Busy) => Commit::Abort(error),
            Err(_) => Commit::undecided(ErrorKind::Fenced),
        }
    }
}
