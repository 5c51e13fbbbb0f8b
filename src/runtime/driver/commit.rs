//! Commits batches: carries out the steps of a commit, and reports their results to the engine.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use super::{Driver, Halt};
use crate::engine::client_error::ClientError;
use crate::engine::event::{Offset, StepEnd};
use crate::engine::outbox::Generation;
use crate::engine::{Effect, Engine, Event, Notice};
use crate::failpoint;
use crate::kafka::errors::{client_error, code_of};
use crate::kafka::producer::offset_list;
use crate::kafka::transaction::undecided;
use crate::runtime::outputs::{Aside, KafkaClients};
use crate::serve::metrics::TransactionResult;
use crate::telemetry::reporter::StuckPartitions;

/// The pause while the producer's queue is full: its records are being sent.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(1);

const ABORTING: &str = "an abort waits for the cluster";

impl Driver {
    /// Lets the engine check its timers, and write and commit what is due.
    pub(super) fn turn(&mut self, polled_nothing: bool) {
        let now = self.now();
        let (engine, mut clients, _) = self.engine_and_clients();
        clients.polled_nothing = polled_nothing;
        engine.turn(&mut clients, now);
    }

    /// The engine, the clients that it uses, and the records that a batch has produced while the batch before it is in
    /// flight.
    pub(super) fn engine_and_clients(&mut self) -> (&mut Engine, KafkaClients<'_>, &mut Aside) {
        let clients = KafkaClients {
            settings: &self.parts.settings,
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            memberships: &mut self.memberships,
            aside: None,
            polled: &self.polled,
            polled_nothing: false,
        };
        (&mut self.engine, clients, &mut self.aside)
    }

    /// Waits for the end of the current step of a commit, or continues with its writing; returns whether the commit
    /// made progress.
    pub(super) fn advance_commit(&mut self, wait: Duration) -> bool {
        if self.engine.is_writing() {
            let before = self.engine.written();
            self.turn(false);
            if self.engine.is_writing() && !wait.is_zero() {
                std::thread::sleep(QUEUE_FULL_PAUSE);
            }
            return !self.engine.is_writing() || self.engine.written() != before;
        }
        let ended = match self.step_started {
            true => self.producer.ended(wait),
            false => None,
        };
        let Some(end) = ended else {
            return false;
        };
        self.step_ended(end);
        true
    }

    fn step_ended(&mut self, end: StepEnd) {
        self.step_started = false;
        let now = self.now();
        self.engine.handle(Event::CommitStepEnded(end), now);
    }

    /// Carries out a step of a commit.
    pub(super) fn carry_out_commit(&mut self, effect: Effect) -> Result<(), Halt> {
        self.parts.reporter.begin_blocking_call();
        match effect {
            Effect::CommitTransaction {
                offsets,
                generation,
            } => self.commit_transaction(&offsets, &generation),
            Effect::Deliver => {
                failpoint::reached("batch-written");
                self.producer.start_delivery();
                self.step_started = true;
            }
            Effect::CommitOffsets(offsets) => {
                let end = self.commit_offsets(&offsets);
                self.step_ended(end);
            }
            Effect::AbortCommit => {
                let end = match self.abort() {
                    Ok(()) => StepEnd::Done,
                    Err(error) => StepEnd::Undecided(error),
                };
                self.step_ended(end);
            }
            Effect::BeginTransaction => {
                self.producer.begin();
                self.aside.produce(&self.producer, &self.parts.outputs);
            }
            Effect::DiscardProduced => self.aside.clear(),
            Effect::Abort => {
                self.parts
                    .reporter
                    .metrics()
                    .transaction(TransactionResult::Aborted);
                if let Err(error) = self.abort() {
                    self.explain_client_error("aborting failed", &error);
                    let now = self.now();
                    self.engine.handle(Event::AbortFailed(error), now);
                }
            }
            Effect::RenewProducer => self.renew_producer()?,
            _ => {}
        }
        Ok(())
    }

    fn abort(&mut self) -> Result<(), ClientError> {
        let reporter = &mut self.parts.reporter;
        let aborted = self.producer.abort(&mut || reporter.waiting(ABORTING));
        aborted.map_err(|error| undecided(&error))
    }

    fn commit_transaction(&mut self, offsets: &[Offset], generation: &Generation) {
        failpoint::reached("batch-written");
        let membership = self.memberships.of(generation);
        match (self.offset_list(offsets), membership) {
            (Ok(list), Some(membership)) => {
                self.producer.start_commit(list, membership);
                self.step_started = true;
            }
            (list, _) => {
                let reason = match list {
                    Err(error) => error.to_string(),
                    Ok(_) => "the membership of the batch's beginning is not known".to_owned(),
                };
                let end = match self.abort() {
                    Ok(()) => {
                        let code = RDKafkaErrorCode::IllegalGeneration;
                        StepEnd::Aborted(client_error(code, reason))
                    }
                    Err(error) => StepEnd::Undecided(error),
                };
                self.step_ended(end);
            }
        }
    }

    fn offset_list(&self, offsets: &[Offset]) -> KafkaResult<TopicPartitionList> {
        let settings = &self.parts.settings;
        offset_list(offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        }))
    }

    /// Commits offsets without a transaction; returns how that ended.
    fn commit_offsets(&self, offsets: &[Offset]) -> StepEnd {
        let committed = self
            .offset_list(offsets)
            .and_then(|offsets| self.consumer.commit(&offsets));
        match committed {
            Ok(()) => StepEnd::Done,
            Err(error) => self
                .producer
                .not_delivered(code_of(&error), error.to_string()),
        }
    }

    /// Reports a notice of the engine in the log and the metrics.
    pub(super) fn report_notice(&mut self, notice: Notice) {
        let worker = self.parts.reporter.worker();
        match notice {
            Notice::Committed { ledger, took } => {
                failpoint::reached("committed");
                self.parts.reporter.committed(&ledger, took);
            }
            Notice::NotCommitted { is_unknown, error } => {
                let result = match is_unknown {
                    true => TransactionResult::Unknown,
                    false => TransactionResult::Aborted,
                };
                self.parts.reporter.metrics().transaction(result);
                self.explain_client_error("a batch was not committed", &error);
            }
            Notice::TopicRecreated(topic) => tracing::warn!(
                worker,
                topic,
                "the topic was deleted and recreated; it is read from its start"
            ),
            Notice::Unreadable {
                log,
                offset,
                cause,
                error,
            } => {
                let (topic, partition) = self.engine.name_of(log);
                tracing::error!(
                    worker,
                    topic,
                    partition,
                    offset,
                    code = error.code,
                    reason = error.text,
                    "the partition cannot be read and stands still; {}",
                    cause.remedy()
                );
                self.show_unreadable();
            }
            Notice::ReadableAgain(log) => {
                let (topic, partition) = self.engine.name_of(log);
                tracing::info!(
                    worker,
                    topic,
                    partition,
                    "the partition is read again, or is not this worker's any more"
                );
                self.show_unreadable();
            }
        }
    }

    /// Shows the partitions that cannot be read in `/readyz` and in the metric.
    fn show_unreadable(&mut self) {
        let mut all = self.engine.unreadable();
        let count = all.len();
        let first = all.next().map(|(log, unreadable)| {
            let (topic, partition) = self.engine.name_of(log);
            let (offset, remedy) = (unreadable.offset, unreadable.cause.remedy());
            StuckPartitions {
                count,
                reason: format!("{topic}[{partition}] cannot be read at offset {offset}: {remedy}"),
            }
        });
        self.parts.reporter.stuck(first);
    }
}
