//! When a batch is committed, and how.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, MIN_COMMIT_GAP, refused};
use crate::config::Guarantee;
use crate::failpoint;
use crate::kafka::client;
use crate::kafka::producer::offset_list;
use crate::kafka::transaction::{Ended, SLICE};
use crate::runtime::outputs::KafkaOutbox;
use crate::worker::commit::{CommitResult, Written};
use crate::worker::fatal::Fatal;

const ABORTING: &str = "an abort waits for the cluster";
const COMMITTING: &str = "a commit waits for the cluster";

/// Offsets behind what was taken: of all places, and of the one with the most.
#[derive(Default)]
struct Waiting {
    all: i64,
    longest: i64,
}

/// A batch that has ended, and is not committed yet.
pub(super) struct Ending {
    /// When it ended, and its commit began.
    began: Instant,
    transaction_began: Instant,
    written: Written,
}

/// What its commit waits for.
pub(super) enum Step {
    Transaction,
    /// Without a transaction: the delivery of the snapshots.
    Snapshots(TopicPartitionList),
    /// And then that of the states, behind which the offsets are committed.
    States(TopicPartitionList),
}

impl Driver {
    /// A batch is committed when its time has come, and the commit of the one before has ended; until then it grows.
    pub(super) fn commit_if_due(&mut self, polled_nothing: bool) -> Result<(), Halt> {
        if self.worker.open_records().is_none() || self.committing.is_some() {
            return Ok(());
        }
        let due = self.worker.is_full()
            || self.is_old_enough()
            || (self.committed_at.elapsed() >= MIN_COMMIT_GAP && self.is_drained(polled_nothing));
        if due {
            self.commit()?;
            self.act()?;
        }
        Ok(())
    }

    /// Whether the open batch has had its time, which is longer while there is a backlog.
    fn is_old_enough(&self) -> bool {
        let processing = &self.config().processing;
        let age = self.batch_began.elapsed();
        age >= processing.commit_interval
            && (age >= processing.backlog_commit_interval || self.waiting().all <= self.held())
    }

    /// Whether there is nothing to wait for, as far as the client knows.
    fn is_drained(&self, polled_nothing: bool) -> bool {
        if !self.consumer.is_drained() {
            return false;
        }
        let waiting = self.waiting();
        // what is left of a log may be a transaction's marker, or many that were aborted
        waiting.longest <= 1 || polled_nothing && waiting.all <= self.held()
    }

    /// Records in the open batch.
    fn held(&self) -> i64 {
        self.worker.open_records().unwrap_or(0) as i64
    }

    /// How much is left of the logs behind what was taken, as far as the client knows.
    fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for (place, position) in self.worker.positions() {
            let topic = self.parts.settings.topic_name(place);
            let ends = self.consumer.cached_ends(topic, place.partition);
            if let (Some(position), Some((_, end))) = (position, ends) {
                let left = end.saturating_sub(position).max(0);
                waiting.all += left;
                waiting.longest = waiting.longest.max(left);
            }
        }
        waiting
    }

    /// Ends the open batch: writes what it has to write, and begins to commit it.
    pub(super) fn commit(&mut self) -> Result<(), Halt> {
        self.await_commit()?;
        if self.worker.open_records().is_none() {
            // it was dropped with the one before
            return Ok(());
        }
        let began = Instant::now();
        let mut outbox = KafkaOutbox {
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            membership: &mut self.membership,
            aside: None,
        };
        let Some(written) = self.worker.finish(&mut outbox) else {
            return Ok(());
        };
        self.parts.reporter.calls();
        failpoint::reached("batch-written");
        let begun = self.begin_commit(&written);
        let ending = Ending {
            began,
            transaction_began: self.transaction_began,
            written,
        };
        match begun {
            Ok(step) => {
                self.committing = Some((ending, step));
                Ok(())
            }
            Err(ended) => self.take_in(ending, ended),
        }
    }

    /// Goes on with the commit that is under way, as far as it has come.
    pub(super) fn look_at_commit(&mut self) -> Result<(), Halt> {
        if self.committing.is_some()
            && let Some(ended) = self.producer.ended(Duration::ZERO)
            && let Some((ending, step)) = self.committing.take()
        {
            return self.go_on(ending, step, ended);
        }
        Ok(())
    }

    /// Waits for the end of the commit that is under way, if there is one, and takes in how it ended.
    pub(super) fn await_commit(&mut self) -> Result<(), Halt> {
        while self.committing.is_some() {
            match self.producer.ended(SLICE) {
                Some(ended) => {
                    if let Some((ending, step)) = self.committing.take() {
                        self.go_on(ending, step, ended)?;
                    }
                }
                None => self.parts.reporter.waiting(COMMITTING),
            }
        }
        Ok(())
    }

    /// What the commit waited for has ended: takes up its next step, or takes in how it ended.
    fn go_on(&mut self, ending: Ending, step: Step, ended: Ended) -> Result<(), Halt> {
        let delivered = ended.result == CommitResult::Committed;
        let ended = match step {
            Step::Snapshots(offsets) if delivered => {
                self.worker.write_states(&mut KafkaOutbox {
                    consumer: &self.consumer,
                    producer: &self.producer,
                    topics: &self.parts.outputs,
                    membership: &mut self.membership,
                    aside: None,
                });
                self.producer.start_delivery();
                self.committing = Some((ending, Step::States(offsets)));
                return Ok(());
            }
            Step::States(offsets) if delivered => self.commit_offsets(&offsets),
            _ => ended,
        };
        self.take_in(ending, ended)
    }

    /// Takes in how the commit of a batch ended.
    fn take_in(&mut self, ending: Ending, mut ended: Ended) -> Result<(), Halt> {
        let age = ending.transaction_began.elapsed();
        ended.result = self.judged_by_age(ended.result, age);
        self.committed_at = Instant::now();
        if ended.result == CommitResult::Committed {
            failpoint::reached("committed");
            if self.worker.open_records().is_some() {
                self.producer.begin();
                self.transaction_began = Instant::now();
                self.aside.produce(&self.producer, &self.parts.outputs);
            }
        } else {
            // the batch behind it is dropped
            self.membership = None;
            self.aside.clear();
        }
        if let Some((code, reason)) = &ended.reason {
            if client::is_refusal(*code) {
                return Err(refused(reason).into());
            }
            if let Some(fatal) = never_fits(*code, reason) {
                return Err(fatal.into());
            }
            let result = match ended.result {
                CommitResult::Unknown => "unknown",
                _ => "aborted",
            };
            self.parts.reporter.metrics().transaction(result);
            self.explain("a batch was not committed", *code, reason);
        }
        let now = self.now();
        let took = ending.began.elapsed();
        if let Some(ledger) = self.worker.ended(ending.written, ended.result, now) {
            self.parts.reporter.committed(&ledger, took);
        }
        Ok(())
    }

    /// What a result says of a transaction of this age.
    fn judged_by_age(&self, result: CommitResult, age: Duration) -> CommitResult {
        result.at_age(age, client::transaction_timeout(self.config()))
    }

    /// Aborts the open transaction, whose batch the worker has dropped.
    pub(super) fn abort_dropped(&mut self) {
        self.parts.reporter.metrics().transaction("aborted");
        self.membership = None;
        let reporter = &mut self.parts.reporter;
        let aborted = self.producer.abort(&mut || reporter.waiting(ABORTING));
        if let Err(error) = aborted {
            self.explain("aborting failed", error.code.into(), &error.text);
            let age = self.transaction_began.elapsed();
            let result = self.judged_by_age(Ended::badly(&error).result, age);
            let now = self.now();
            self.worker.abort_failed(result, now);
        }
    }

    /// Begins to commit a batch; what is waited for first, or how it ended where it must not be committed.
    fn begin_commit(&mut self, written: &Written) -> Result<Step, Ended> {
        let membership = self.membership.take();
        let settings = &self.parts.settings;
        let offsets = written.offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        });
        let list = match offset_list(offsets) {
            Ok(list) => list,
            Err(error) => return Err(self.give_up(&error.to_string())),
        };
        if settings.config.processing.guarantee == Guarantee::AtLeastOnce {
            self.producer.start_delivery();
            return Ok(Step::Snapshots(list));
        }
        let Some(membership) = membership else {
            let reason = "this instance was no member of the group when the batch began";
            return Err(self.give_up(reason));
        };
        if self.consumer.standing().as_ref() != Some(&membership.standing) {
            return Err(self.give_up("the group has moved on since the batch began"));
        }
        self.producer.start_commit(list, &membership);
        Ok(Step::Transaction)
    }

    /// Aborts a batch that must not be committed.
    fn give_up(&mut self, reason: &str) -> Ended {
        let reporter = &mut self.parts.reporter;
        let result = match self.producer.abort(&mut || reporter.waiting(ABORTING)) {
            Ok(()) => CommitResult::Aborted { timed_out: false },
            Err(error) => Ended::badly(&error).result,
        };
        Ended {
            result,
            reason: Some((RDKafkaErrorCode::IllegalGeneration, reason.to_owned())),
        }
    }

    /// Commits offsets without a transaction.
    fn commit_offsets(&self, offsets: &TopicPartitionList) -> Ended {
        match self.consumer.commit(offsets) {
            Ok(()) => Ended::committed(),
            Err(error) => {
                let code = error
                    .rdkafka_error_code()
                    .unwrap_or(RDKafkaErrorCode::Unknown);
                self.producer.not_delivered(code, error.to_string())
            }
        }
    }
}

/// A record that a topic takes at no time: trying again does not help.
fn never_fits(code: RDKafkaErrorCode, reason: &str) -> Option<Fatal> {
    let what = match code {
        RDKafkaErrorCode::MessageSizeTooLarge => "raise the topic's max.message.bytes",
        RDKafkaErrorCode::InvalidRecord => {
            "its settings do not allow the record; `keyfold topics` says what they must be"
        }
        RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopic => {
            "the topic or its partition is gone"
        }
        RDKafkaErrorCode::PolicyViolation => "a policy of the cluster forbids it",
        _ => return None,
    };
    Some(Fatal::Service(format!(
        "a record can't be written ({reason}): {what}. Nothing of its batch was committed"
    )))
}
