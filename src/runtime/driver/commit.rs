//! When a batch is committed, and how.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, MIN_COMMIT_GAP, refused};
use crate::config::Guarantee;
use crate::failpoint;
use crate::kafka::client;
use crate::kafka::producer::offset_list;
use crate::kafka::transaction::{Ended, SLICE, is_timeout};
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

/// A commit that is under way.
pub(super) struct UnderWay {
    /// When the batch ended, and the commit began.
    began: Instant,
    transaction_began: Instant,
    written: Written,
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
        let under_way = UnderWay {
            began,
            transaction_began: self.transaction_began,
            written,
        };
        match self.end_batch(&under_way.written) {
            Some(ended) => self.take_in(under_way, ended),
            None => {
                self.committing = Some(under_way);
                Ok(())
            }
        }
    }

    /// Takes in how the commit ended that is under way, if it has ended.
    pub(super) fn look_at_commit(&mut self) -> Result<(), Halt> {
        if self.committing.is_some()
            && let Some(ended) = self.producer.ended(Duration::ZERO)
            && let Some(under_way) = self.committing.take()
        {
            return self.take_in(under_way, ended);
        }
        Ok(())
    }

    /// Waits for the end of the commit that is under way, if there is one, and takes in how it ended.
    pub(super) fn await_commit(&mut self) -> Result<(), Halt> {
        let Some(under_way) = self.committing.take() else {
            return Ok(());
        };
        let ended = loop {
            match self.producer.ended(SLICE) {
                Some(ended) => break ended,
                None => self.parts.reporter.waiting(COMMITTING),
            }
        };
        self.take_in(under_way, ended)
    }

    fn take_in(&mut self, under_way: UnderWay, mut ended: Ended) -> Result<(), Halt> {
        let age = under_way.transaction_began.elapsed();
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
        let took = under_way.began.elapsed();
        if let Some(ledger) = self.worker.ended(under_way.written, ended.result, now) {
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

    /// How the batch ended; none where its commit is under way now.
    fn end_batch(&mut self, written: &Written) -> Option<Ended> {
        let membership = self.membership.take();
        let settings = &self.parts.settings;
        let offsets = written.offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        });
        let list = match offset_list(offsets) {
            Ok(list) => list,
            Err(error) => return Some(self.give_up(&error.to_string())),
        };
        if settings.config.processing.guarantee == Guarantee::AtLeastOnce {
            return Some(self.end_without_transaction(&list));
        }
        let Some(membership) = membership else {
            let reason = "this instance was no member of the group when the batch began";
            return Some(self.give_up(reason));
        };
        if self.consumer.standing().as_ref() != Some(&membership.standing) {
            return Some(self.give_up("the group has moved on since the batch began"));
        }
        self.producer.start_commit(list, &membership);
        None
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

    fn end_without_transaction(&mut self, list: &rdkafka::TopicPartitionList) -> Ended {
        let reporter = &mut self.parts.reporter;
        let flushed = self.producer.flush(&mut || reporter.waiting(COMMITTING));
        let committed = flushed.and_then(|()| {
            self.consumer.commit(list).map_err(|error| {
                let code = error.rdkafka_error_code();
                (code.unwrap_or(RDKafkaErrorCode::Unknown), error.to_string())
            })
        });
        let Err(failed) = committed else {
            return Ended {
                result: CommitResult::Committed,
                reason: None,
            };
        };
        let result = if self.producer.broken().is_some() {
            CommitResult::Unknown
        } else {
            CommitResult::Aborted {
                timed_out: is_timeout(failed.0),
            }
        };
        Ended {
            result,
            reason: Some(failed),
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
