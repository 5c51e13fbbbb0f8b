//! The end of a batch, step by step.

use keyfold::worker::commit::{CommitResult, Written};

use super::{Driver, Step, Surroundings, Then};
use crate::client::SimulatedOutbox;
use crate::faults::Sabotage;
use crate::log::TransactionNumber;
use crate::transactions::{Cluster, Intent, Refused};

impl Driver {
    pub(super) fn commit_if_due(&mut self, drained: bool, around: &mut Surroundings<'_>) {
        self.step = Step::Serve;
        if self.worker.open_records().is_none() {
            return;
        }
        let interval = self.settings.config.processing.commit_interval;
        if self.worker.is_full() || around.now >= self.batch_began + interval || drained {
            self.finish();
        }
    }

    pub(super) fn finish(&mut self) {
        let mut outbox = SimulatedOutbox {
            member: &self.member,
            producer: &mut self.producer,
            membership: &mut self.membership,
            forwarded: self.settings.topics.len() - 1,
            timestamp: 0,
        };
        if let Some(written) = self.worker.finish(&mut outbox) {
            self.step = Step::SendOffsets(written);
        }
    }

    pub(super) fn send_offsets(&mut self, mut written: Written, around: &mut Surroundings<'_>) {
        if around.sabotage.joined_unnamed {
            let taken = &self.taken;
            written
                .offsets
                .retain(|(place, ..)| taken.iter().any(|(of, _)| of == place));
        }
        if around.sabotage.metadata_at_commit {
            self.membership = self.member.standing();
        }
        let Some(standing) = self.membership else {
            self.step = Step::Abort(written, false);
            return;
        };
        if self.member.standing() != Some(standing) {
            self.step = Step::Abort(written, false);
            return;
        }
        if let Some(timed_out) = self.producer.failed {
            self.step = Step::Abort(written, timed_out);
            return;
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let offsets = &written.offsets;
        let sent = around
            .cluster
            .send_offsets(id, epoch, standing, offsets, around.now);
        self.step = match sent {
            Ok(()) => Step::Flush(written),
            Err(Refused::Busy) => Step::SendOffsets(written),
            Err(_) => Step::Abort(written, false),
        };
    }

    pub(super) fn flush(&mut self, written: Written, around: &mut Surroundings<'_>) {
        if let Some(timed_out) = self.producer.failed {
            self.step = Step::Abort(written, timed_out);
            return;
        }
        if self.producer.undelivered() == 0 {
            self.step = Step::End(written);
            return;
        }
        if self.taken.len() > around.faults.longest_batch {
            self.producer.fail(true);
        } else if around.random.often(around.faults.failed_delivery) {
            self.producer.fail(around.random.often(5000));
        } else {
            let choice = around.random.draw();
            self.producer.deliver(around.cluster, choice, around.now);
        }
        self.step = Step::Flush(written);
    }

    /// What the audit is told of the batch, should its commit be decided.
    fn intend(&mut self, cluster: &Cluster) {
        let mut intent = Intent {
            taken: self.taken.clone(),
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

    pub(super) fn end(&mut self, written: Written, around: &mut Surroundings<'_>) {
        self.intend(around.cluster);
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let mut lost = around.faults.lost_commit;
        if around.random.often(around.faults.lost_answer) {
            // the request or its answer is lost
            lost = Some(around.random.often(5000));
        }
        if lost == Some(false) {
            self.step = guess(written, around.sabotage);
            return;
        }
        let intent = self.intent.clone();
        self.step = match around.cluster.end(id, epoch, Some(intent)) {
            Ok(_) if lost.is_some() => guess(written, around.sabotage),
            Ok(number) => Step::Ended(written, CommitResult::Committed, number),
            Err(Refused::Busy) => Step::End(written),
            Err(_) => Step::Ended(written, CommitResult::Fenced, None),
        };
    }

    pub(super) fn abort(
        &mut self,
        written: Written,
        timed_out: bool,
        around: &mut Surroundings<'_>,
    ) {
        self.producer.purge();
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        let result = match around.cluster.end(id, epoch, None) {
            Ok(_) if around.random.often(around.faults.lost_answer) => CommitResult::Unknown,
            Ok(_) => CommitResult::Aborted { timed_out },
            Err(Refused::Busy) => {
                self.step = Step::Abort(written, timed_out);
                return;
            }
            Err(_) => CommitResult::Fenced,
        };
        self.step = Step::Ended(written, result, None);
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
        self.membership = None;
        self.producer.over();
        let ledger = self.worker.ended(written, result, around.now);
        if ledger.is_some() != committed && !guessed {
            return Err("a batch counts that was not committed, or the other way round".into());
        }
        if let Some(ledger) = ledger {
            let counted: u64 = ledger.outcomes.values().sum();
            if counted != self.taken.len() as u64 && !guessed {
                return Err(format!(
                    "a ledger counts {counted} of {} records",
                    self.taken.len()
                ));
            }
        }
        self.step = if self.within_poll {
            Step::Take
        } else {
            Step::Act(Then::Serve)
        };
        Ok(())
    }
}

/// The answer is lost: the driver does not know; a sabotaged one guesses.
fn guess(written: Written, sabotage: &Sabotage) -> Step {
    let result = if sabotage.guess_committed {
        CommitResult::Committed
    } else if sabotage.guess_aborted {
        CommitResult::Aborted { timed_out: true }
    } else {
        CommitResult::Unknown
    };
    Step::Ended(written, result, None)
}
