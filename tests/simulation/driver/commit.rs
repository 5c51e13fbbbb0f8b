//! The end of a batch, step by step.

use std::time::Duration;

use keyfold::engine::commit::{CommitResult, Written};
use keyfold::engine::schedule::{Backlog, Fetched};
use keyfold::engine::writing::CommitStep;

use super::{Commit, Driver, Step, Surroundings, Then};
use crate::client::SimulatedOutbox;
use crate::faults::Sabotage;
use crate::log::TransactionNumber;
use crate::transactions::{Cluster, Intent, LogId, Refused};

/// What the client knows of records that are not taken.
struct Known {
    is_empty: bool,
    polled_nothing: bool,
    backlog: Backlog,
}

impl Fetched for Known {
    fn is_empty(&self) -> bool {
        self.is_empty
    }

    fn polled_nothing(&self) -> bool {
        self.polled_nothing
    }

    fn backlog(&self) -> Backlog {
        self.backlog
    }
}

impl Driver {
    pub(super) fn commit_if_due(&mut self, drained: bool, around: &mut Surroundings<'_>) {
        self.step = Step::Serve;
        if self.worker.passed_are_due(around.now) {
            self.open_passed(around.now);
        }
        let known = Known {
            is_empty: self.messages.is_empty(),
            polled_nothing: drained,
            backlog: self.backlog(around.cluster),
        };
        if self.commit.is_none() && self.worker.commit_is_due(&known, around.now) {
            self.finish(around);
        }
    }

    /// How much is left of the logs behind what was taken.
    fn backlog(&self, cluster: &Cluster) -> Backlog {
        let mut backlog = Backlog::default();
        for (place, position) in self.worker.positions() {
            let log = cluster.look(LogId::Place(place));
            if let (Some(position), Some(log)) = (position, log) {
                let left = (log.stable() - position).max(0);
                backlog.all += left;
                backlog.longest = backlog.longest.max(left);
            }
        }
        backlog
    }

    /// Opens a batch without records, for positions that wait to be committed.
    fn open_passed(&mut self, now: Duration) {
        let mut outbox = SimulatedOutbox {
            member: &self.member,
            producer: &mut self.producer,
            membership: &mut self.membership,
            aside: None,
            room: usize::MAX,
            forwarded: self.settings.topics.len() - 1,
            timestamp: 0,
        };
        self.worker.open_passed(&mut outbox);
        self.taken.clear();
        self.worker.batch_opened(now);
    }

    /// Ends the open batch, unless it was dropped with the one before it.
    pub(super) fn finish(&mut self, around: &mut Surroundings<'_>) {
        self.step = self.behind();
        if self.worker.open_records().is_none() {
            return;
        }
        let Some(mut written) = self.worker.finish() else {
            return;
        };
        self.committed = std::mem::take(&mut self.taken);
        self.committer = self.membership.take();
        if around.sabotage.joined_unnamed {
            let taken = &self.committed;
            written
                .offsets
                .retain(|(place, ..)| taken.iter().any(|(of, _)| of == place));
        }
        self.write(written, around);
    }

    /// Writes the batch that has ended as far as there is room, and when that is all, begins to commit it.
    pub(super) fn write(&mut self, written: Written, around: &mut Surroundings<'_>) {
        let mut outbox = SimulatedOutbox {
            member: &self.member,
            producer: &mut self.producer,
            membership: &mut self.membership,
            aside: None,
            room: match around.random.often(around.faults.full) {
                true => around.random.below(4) as usize,
                false => usize::MAX,
            },
            forwarded: self.settings.topics.len() - 1,
            timestamp: 0,
        };
        let step = self.worker.commit_step(&mut outbox);
        let moved_on = self.committer.is_none() || self.member.standing() != self.committer;
        self.commit = Some(match step {
            CommitStep::Room { .. } => Commit::Write(written),
            CommitStep::Transaction if !moved_on => Commit::SendOffsets(written),
            _ => Commit::Abort(written, false),
        });
    }

    /// Where a batch that ends leaves off: in the midst of a poll, or behind it.
    fn behind(&self) -> Step {
        match self.within_poll {
            true => Step::Take,
            false => Step::Act(Then::Serve),
        }
    }

    /// A step of the thread that commits.
    pub(super) fn commit_step(&mut self, around: &mut Surroundings<'_>) {
        self.commit = self.commit.take().map(|commit| match commit {
            Commit::SendOffsets(written) => self.send_offsets(written, around),
            Commit::Flush(written) => self.flush(written, around),
            Commit::End(written) => self.end(written, around),
            Commit::Abort(written, timed_out) => self.abort(written, timed_out, around),
            waits @ (Commit::Write(_) | Commit::Ended(..)) => waits,
        });
    }

    fn send_offsets(&mut self, written: Written, around: &mut Surroundings<'_>) -> Commit {
        if around.sabotage.metadata_at_commit {
            self.committer = self.member.standing();
        }
        let Some(standing) = self.committer else {
            return Commit::Abort(written, false);
        };
        if let Some(timed_out) = self.producer.failed {
            return Commit::Abort(written, timed_out);
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let offsets = &written.offsets;
        let sent = around
            .cluster
            .send_offsets(id, epoch, standing, offsets, around.now);
        match sent {
            Ok(()) => Commit::Flush(written),
            Err(Refused::Busy) => Commit::SendOffsets(written),
            Err(_) => Commit::Abort(written, false),
        }
    }

    fn flush(&mut self, written: Written, around: &mut Surroundings<'_>) -> Commit {
        if let Some(timed_out) = self.producer.failed {
            return Commit::Abort(written, timed_out);
        }
        if self.producer.undelivered() == 0 {
            return Commit::End(written);
        }
        if self.committed.len() > around.faults.longest_batch {
            self.producer.fail(true);
        } else if around.random.often(around.faults.failed_delivery) {
            self.producer.fail(around.random.often(5000));
        } else {
            let choice = around.random.draw();
            self.producer.deliver(around.cluster, choice, around.now);
        }
        Commit::Flush(written)
    }

    /// What the audit is told of the batch, should its commit be decided.
    fn intend(&mut self, cluster: &Cluster) {
        let mut intent = Intent {
            taken: self.committed.clone(),
            produced: self.producer.produced,
            ..Intent::default()
        };
        for record in cluster.states_of(self.producer.id) {
            let key = record.key.clone().unwrap_or_default();
            let id = String::from_utf8_lossy(&key).into_owned();
            let base = self.worker.state_of(&id);
            let base = base.and_then(|state| state.expect("a store in memory"));
            let base = base.map(|state| state.to_vec());
            intent.bases.insert(key, base);
        }
        self.intent = intent;
    }

    fn end(&mut self, written: Written, around: &mut Surroundings<'_>) -> Commit {
        self.intend(around.cluster);
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let mut lost = around.faults.lost_commit;
        if around.random.often(around.faults.lost_answer) {
            // the request or its answer is lost
            lost = Some(around.random.often(5000));
        }
        if lost == Some(false) {
            return guess(written, around.sabotage);
        }
        let intent = self.intent.clone();
        match around.cluster.end(id, epoch, Some(intent)) {
            Ok(_) if lost.is_some() => guess(written, around.sabotage),
            Ok(number) => Commit::Ended(written, CommitResult::Committed, number),
            Err(Refused::Busy) => Commit::End(written),
            Err(_) => Commit::Ended(written, CommitResult::Fenced, None),
        }
    }

    fn abort(
        &mut self,
        written: Written,
        timed_out: bool,
        around: &mut Surroundings<'_>,
    ) -> Commit {
        self.producer.purge();
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let result = match around.cluster.end(id, epoch, None) {
            Ok(_) if around.random.often(around.faults.lost_answer) => CommitResult::Unknown,
            Ok(_) => CommitResult::Aborted { timed_out },
            Err(Refused::Busy) => {
                return Commit::Abort(written, timed_out);
            }
            Err(_) => CommitResult::Fenced,
        };
        Commit::Ended(written, result, None)
    }

    pub(super) fn ended(
        &mut self,
        written: Written,
        result: CommitResult,
        number: Option<TransactionNumber>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let guessed = around.sabotage.guess_committed || around.sabotage.guess_aborted;
        let committed = number.is_some_and(|number| around.cluster.was_committed(number));
        self.producer.over();
        if result == CommitResult::Committed {
            if self.worker.open_records().is_some() {
                self.producer.begin();
                for (log, record) in std::mem::take(&mut self.aside) {
                    self.producer.produce(log, record);
                }
            }
        } else {
            // the batch behind it is dropped
            self.membership = None;
            self.aside.clear();
        }
        let ledger = self.worker.ended(written, result, around.now);
        if ledger.is_some() != committed && !guessed {
            return Err("a batch counts that was not committed, or the other way round".into());
        }
        if let Some(ledger) = ledger {
            let counted: u64 = ledger.outcomes.values().sum();
            let taken = self.committed.len();
            if counted != taken as u64 && !guessed {
                return Err(format!("a ledger counts {counted} of {taken} records"));
            }
        }
        Ok(())
    }
}

/// The answer is lost: the driver does not know; a sabotaged one guesses.
fn guess(written: Written, sabotage: &Sabotage) -> Commit {
    let result = if sabotage.guess_committed {
        CommitResult::Committed
    } else if sabotage.guess_aborted {
        CommitResult::Aborted { timed_out: true }
    } else {
        CommitResult::Unknown
    };
    Commit::Ended(written, result, None)
}
