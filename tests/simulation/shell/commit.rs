//! The steps of a commit at the simulated producer, and the checks of when and what the engine commits.

use std::time::Duration;

use keyfold::engine::client_error::{ClientError, ErrorKind};
use keyfold::engine::event::{Offset, StepEnd};
use keyfold::engine::schedule::MIN_COMMIT_GAP;
use keyfold::engine::{CommittedState, Effect, Event, Notice};

use super::{Shell, StepContext, client_error};
use crate::group::{self, Membership};
use crate::log::TransactionNumber;
use crate::transactions::{Cluster, Intent, Refused};

/// The next step of the thread that commits.
#[derive(Debug)]
pub enum Commit {
    SendOffsets(Vec<Offset>, Membership),
    Flush,
    End,
    Abort(ClientError),
    /// At-least-once: waits until all that was handed over is delivered.
    Deliver,
    /// How the step ended, which the engine does not know yet, and the number of the transaction.
    Ended(StepEnd, Option<TransactionNumber>),
}

impl Commit {
    pub fn has_ended(&self) -> bool {
        matches!(self, Commit::Ended(..))
    }

    fn undecided(kind: ErrorKind) -> Commit {
        Commit::Ended(StepEnd::Undecided(client_error(kind)), None)
    }
}

/// When batches begin and end, as observed from outside the engine.
#[derive(Debug, Default)]
pub struct ObservedSchedule {
    batch_began: Duration,
    commit_ended: Duration,
    /// Whether a commit has failed: after that, batches may be smaller than configured.
    has_failed: bool,
}

impl ObservedSchedule {
    pub fn batch_opened(&mut self, now: Duration) {
        self.batch_began = now;
    }
}

impl Shell {
    /// Calls [`keyfold::engine::Engine::turn`], and checks that a batch that ends was allowed to end.
    pub(super) fn turn(&mut self, context: &mut StepContext<'_>) -> Result<(), String> {
        let room = match context.random.chance(context.faults.full) {
            true => context.random.below(4) as usize,
            false => usize::MAX,
        };
        let before = self.engine.open_records();
        let was_committing = self.engine.is_committing();
        let (engine, mut clients, _) = self.engine_and_clients(room, context);
        engine.turn(&mut clients, context.now);
        if before.is_none() {
            // the engine may have opened a batch for positions without records
            self.taken.clear();
            self.schedule.batch_opened(context.now);
        }
        if self.engine.is_committing() && !was_committing {
            self.committing = std::mem::take(&mut self.taken);
            self.check_end_of_batch(context)?;
        }
        Ok(())
    }

    /// A batch may end when it is full, when it is old enough, counted from the end of the previous commit, or when no
    /// record is left and the minimum gap to that commit has passed.
    fn check_end_of_batch(&self, context: &StepContext<'_>) -> Result<(), String> {
        let schedule = &self.schedule;
        let since = schedule.batch_began.max(schedule.commit_ended);
        let age = context.now.saturating_sub(since);
        let records = self.committing.len();
        let is_full = schedule.has_failed || records >= context.batch;
        if is_full || age >= self.settings.policy.processing.commit_interval {
            return Ok(());
        }
        if !self.messages.is_empty() {
            return Err(format!(
                "a batch of {records} records ends after {age:?}, though {} records are fetched",
                self.messages.len()
            ));
        }
        let gap = context.now.saturating_sub(schedule.commit_ended);
        if gap < MIN_COMMIT_GAP {
            return Err(format!(
                "a batch of {records} records ends {gap:?} after the commit before it"
            ));
        }
        Ok(())
    }

    /// Carries out an effect that belongs to a commit. The error is the broken promise.
    pub(super) fn carry_out_commit(
        &mut self,
        effect: Effect,
        context: &mut StepContext<'_>,
    ) -> Result<(), String> {
        match effect {
            Effect::CommitTransaction {
                mut offsets,
                generation,
            } => {
                if context.sabotage.joined_unnamed {
                    let taken = &self.committing;
                    offsets.retain(|(place, ..)| taken.iter().any(|(of, _)| of == place));
                }
                let membership = group::membership_of(&generation);
                self.commit = Some(Commit::SendOffsets(offsets, membership));
            }
            Effect::AbortCommit => {
                self.commit = Some(Commit::Abort(client_error(ErrorKind::Other)))
            }
            Effect::Deliver if context.sabotage.offsets_before_delivery => {
                self.commit = Some(Commit::Ended(StepEnd::Done, None));
            }
            Effect::Deliver => self.commit = Some(Commit::Deliver),
            Effect::CommitOffsets(offsets) => self.commit_offsets(&offsets, context)?,
            Effect::BeginTransaction => {
                self.producer.begin();
                for (log, record) in std::mem::take(&mut self.aside) {
                    self.producer.produce(log, record);
                }
            }
            Effect::DiscardProduced => self.aside.clear(),
            Effect::Report(notice) => return self.check_notice(&notice, context),
            _ => {}
        }
        Ok(())
    }

    /// At-least-once: offsets may be committed only after all that was produced is delivered.
    fn commit_offsets(
        &mut self,
        offsets: &[Offset],
        context: &mut StepContext<'_>,
    ) -> Result<(), String> {
        if self.producer.undelivered() > 0 {
            return Err("offsets are committed before what was produced is delivered".into());
        }
        let membership = self.member.membership();
        let accepted =
            membership.is_some_and(|membership| context.cluster.group.accepts(membership));
        let end = match accepted && !context.random.chance(context.faults.no_answer) {
            true => {
                context
                    .cluster
                    .commit_offsets(offsets, self.committing.clone())?;
                StepEnd::Done
            }
            false => StepEnd::Aborted(client_error(ErrorKind::Other)),
        };
        self.producer.reset();
        self.commit = Some(Commit::Ended(end, None));
        Ok(())
    }

    /// Reports to the engine how the step of the commit ended, if it has ended. Returns whether it has.
    pub(super) fn report_commit_end(&mut self, context: &mut StepContext<'_>) -> bool {
        match self.commit.take() {
            Some(Commit::Ended(end, number)) => {
                self.last_ended = (number, self.committing.len() as u64);
                let is_final = !matches!(end, StepEnd::Done) || self.producer.is_idle();
                self.schedule.has_failed |= !matches!(end, StepEnd::Done);
                if is_final {
                    self.producer.reset();
                    self.schedule.commit_ended = context.now;
                }
                self.engine.handle(Event::CommitStepEnded(end), context.now);
                true
            }
            other => {
                self.commit = other;
                false
            }
        }
    }

    /// A batch must count in the metrics, with all its records, exactly if it was committed.
    fn check_notice(&self, notice: &Notice, context: &StepContext<'_>) -> Result<(), String> {
        let guessed = context.sabotage.guess_committed || context.sabotage.guess_aborted;
        let has_transactions = super::is_transactional(&self.settings);
        let (number, taken) = self.last_ended;
        let was_committed = number.is_some_and(|number| context.cluster.was_committed(number));
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

    /// Takes a step of the thread that commits.
    pub(super) fn commit_step(&mut self, context: &mut StepContext<'_>) {
        self.commit = self.commit.take().map(|commit| match commit {
            Commit::SendOffsets(offsets, membership) => {
                self.send_offsets(offsets, membership, context)
            }
            Commit::Flush => self.flush(context),
            Commit::End => self.end(context),
            Commit::Abort(error) => self.abort_commit(error, context),
            Commit::Deliver => self.deliver(context),
            ended @ Commit::Ended(..) => ended,
        });
    }

    fn send_offsets(
        &mut self,
        offsets: Vec<Offset>,
        mut membership: Membership,
        context: &mut StepContext<'_>,
    ) -> Commit {
        if context.sabotage.metadata_at_commit {
            let Some(now) = self.member.membership() else {
                return Commit::Abort(client_error(ErrorKind::Other));
            };
            membership = now;
        }
        if let Some(kind) = self.producer.failed {
            return Commit::Abort(client_error(kind));
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let sent = context
            .cluster
            .send_offsets(id, epoch, membership, &offsets, context.now);
        match sent {
            Ok(()) => Commit::Flush,
            Err(Refused::Busy) => Commit::SendOffsets(offsets, membership),
            Err(_) => Commit::Abort(client_error(ErrorKind::Other)),
        }
    }

    /// Delivers a record, or lets the delivery fail.
    fn deliver_one(&mut self, context: &mut StepContext<'_>) {
        if self.committing.len() > context.faults.longest_batch {
            self.producer.fail(ErrorKind::TimedOut);
        } else if context.random.chance(context.faults.failed_delivery) {
            self.producer.fail(match context.random.chance(5000) {
                true => ErrorKind::TimedOut,
                false => ErrorKind::Other,
            });
        } else {
            let choice = context.random.draw();
            self.producer.deliver(context.cluster, choice, context.now);
        }
    }

    fn flush(&mut self, context: &mut StepContext<'_>) -> Commit {
        if let Some(kind) = self.producer.failed {
            return Commit::Abort(client_error(kind));
        }
        if self.producer.undelivered() == 0 {
            return Commit::End;
        }
        self.deliver_one(context);
        Commit::Flush
    }

    /// Delivers a record without a transaction, until all are delivered.
    fn deliver(&mut self, context: &mut StepContext<'_>) -> Commit {
        if let Some(kind) = self.producer.failed {
            return Commit::Ended(StepEnd::Aborted(client_error(kind)), None);
        }
        if self.producer.undelivered() == 0 {
            return Commit::Ended(StepEnd::Done, None);
        }
        self.deliver_one(context);
        Commit::Deliver
    }

    /// Notes what the audit needs to know of the batch if its commit is decided.
    fn note_intent(&mut self, cluster: &Cluster) {
        let mut intent = Intent {
            taken: self.committing.clone(),
            produced: self.producer.produced,
            ..Intent::default()
        };
        for record in cluster.states_of(self.producer.id) {
            let key = record.key.clone().unwrap_or_default();
            let id = String::from_utf8_lossy(&key).into_owned();
            let base = match self.engine.state_of(&id) {
                CommittedState::Known(state) => Some(state.to_vec()),
                CommittedState::Unknown | CommittedState::NotReady => None,
                CommittedState::Unreadable(error) => panic!("a store in memory: {error}"),
            };
            intent.bases.insert(key, base);
        }
        self.intent = intent;
    }

    fn end(&mut self, context: &mut StepContext<'_>) -> Commit {
        self.note_intent(context.cluster);
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let mut lost = context.faults.lost_commit;
        if context.random.chance(context.faults.lost_answer) {
            // true: the answer is lost; false: the request is lost
            lost = Some(context.random.chance(5000));
        }
        let unknown = || match (
            context.sabotage.guess_committed,
            context.sabotage.guess_aborted,
        ) {
            (true, _) => Commit::Ended(StepEnd::Done, None),
            (_, true) => Commit::Ended(StepEnd::Aborted(client_error(ErrorKind::TimedOut)), None),
            _ => Commit::undecided(ErrorKind::TimedOut),
        };
        if lost == Some(false) {
            self.producer.reset();
            return unknown();
        }
        let intent = self.intent.clone();
        match context.cluster.end(id, epoch, Some(intent)) {
            Ok(_) if lost.is_some() => {
                self.producer.reset();
                unknown()
            }
            Ok(number) => {
                self.producer.reset();
                Commit::Ended(StepEnd::Done, number)
            }
            Err(Refused::Busy) => Commit::End,
            Err(_) => Commit::undecided(ErrorKind::Fenced),
        }
    }

    fn abort_commit(&mut self, error: ClientError, context: &mut StepContext<'_>) -> Commit {
        self.producer.purge();
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        match context.cluster.end(id, epoch, None) {
            Ok(_) if context.random.chance(context.faults.lost_answer) => {
                Commit::undecided(ErrorKind::TimedOut)
            }
            Ok(_) => Commit::Ended(StepEnd::Aborted(error), None),
            Err(Refused::Busy) => Commit::Abort(error),
            Err(_) => Commit::undecided(ErrorKind::Fenced),
        }
    }
}
