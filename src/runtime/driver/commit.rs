//! When a batch is committed, and how.

use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode;

use super::{ABORTING, Driver, Halt, MIN_COMMIT_GAP, refused};
use crate::config::Guarantee;
use crate::failpoint;
use crate::kafka::client;
use crate::kafka::producer::{Ended, is_timeout, offset_list};
use crate::runtime::outputs::KafkaOutbox;
use crate::worker::commit::{CommitResult, Written};
use crate::worker::fatal::Fatal;

const COMMITTING: &str = "a commit waits for the cluster";

impl Driver {
    pub(super) fn commit_if_due(&mut self, drained: bool) -> Result<(), Halt> {
        if self.worker.open_records().is_none() {
            return Ok(());
        }
        let due = self.worker.is_full()
            || self.is_old_enough()
            || (drained && self.committed_at.elapsed() >= MIN_COMMIT_GAP);
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
            && (age >= processing.backlog_commit_interval || !self.has_backlog())
    }

    /// Whether more records wait than the batch holds, as far as the client knows.
    fn has_backlog(&self) -> bool {
        let held = self.worker.open_records().unwrap_or(0) as i64;
        let mut waiting = 0;
        for (place, position) in self.worker.positions() {
            let topic = self.parts.settings.topic_name(place);
            let ends = self.consumer.cached_ends(topic, place.partition);
            if let (Some(position), Some((_, end))) = (position, ends) {
                waiting += end.saturating_sub(position).max(0);
            }
        }
        waiting > held
    }

    pub(super) fn commit(&mut self) -> Result<(), Halt> {
        let began = Instant::now();
        let mut outbox = KafkaOutbox {
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            membership: &mut self.membership,
        };
        let Some(written) = self.worker.finish(&mut outbox) else {
            return Ok(());
        };
        self.parts.reporter.calls();
        failpoint::reached("batch-written");
        let mut ended = self.end_batch(&written);
        let age = self.batch_began.elapsed();
        let longest = client::transaction_timeout(self.config());
        ended.result = ended.result.at_age(age, longest);
        if ended.result == CommitResult::Committed {
            failpoint::reached("committed");
        }
        self.membership = None;
        self.committed_at = Instant::now();
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
        if let Some(ledger) = self.worker.ended(written, ended.result, now) {
            self.parts.reporter.committed(&ledger, began.elapsed());
        }
        Ok(())
    }

    fn end_batch(&mut self, written: &Written) -> Ended {
        let settings = &self.parts.settings;
        let offsets = written.offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        });
        let list = match offset_list(offsets) {
            Ok(list) => list,
            Err(error) => return self.give_up(&error.to_string()),
        };
        if settings.config.processing.guarantee == Guarantee::AtLeastOnce {
            return self.end_without_transaction(&list);
        }
        let Some(membership) = &self.membership else {
            return self.give_up("this instance was no member of the group when the batch began");
        };
        if self.consumer.standing().as_ref() != Some(&membership.standing) {
            return self.give_up("the group has moved on since the batch began");
        }
        let reporter = &mut self.parts.reporter;
        let mut waiting = || reporter.waiting(COMMITTING);
        self.producer.commit(&list, membership, &mut waiting)
    }

    /// Aborts a batch that must not be committed.
    fn give_up(&mut self, reason: &str) -> Ended {
        let reporter = &mut self.parts.reporter;
        let result = match self.producer.abort(&mut || reporter.waiting(ABORTING)) {
            Ok(()) => CommitResult::Aborted { timed_out: false },
            Err(_) => CommitResult::Unknown,
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
