//! The producer of a command that sends records, mostly in transactions, one after the other, and says where each went.
//! It takes its transactional id over from whoever had it: a transaction that a predecessor left open is aborted, and a
//! predecessor that still runs can send nothing any more.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::client_log::{self, creation_error, is_refusal};
use super::errors::code_of;
use super::producer::{Record, headers};
use super::take_over::take_over;

/// One wait for an answer of the brokers.
const SLICE: Duration = Duration::from_secs(1);
/// How often a transaction is tried again that only the one before has made fail.
const MAX_REPEATS: u32 = 3;
/// One wait for an answer while a transaction is aborted.
const ABORT_SLICE: Duration = Duration::from_millis(200);
/// How long a step of a transaction may take.
const STEP: Duration = Duration::from_secs(60);

/// Why records could not be sent. Nothing of the open transaction is seen by anybody, except with
/// [`SendError::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("another command with the same transactional id has taken over")]
    Fenced,
    #[error(
        "{0}; the cluster refuses this client: look at the permissions that docs/topics-and-permissions.md lists"
    )]
    Refused(String),
    /// The broker takes no such timestamp.
    #[error("{0}")]
    Timestamp(String),
    /// A topic does not take one of the records, for another reason. Others may have failed because of it.
    #[error("{0}")]
    Record(String),
    /// It was not tried, because an earlier failure has to be put right first: it may be tried again.
    #[error("{0}")]
    Again(String),
    #[error("{0}")]
    Failed(String),
    #[error("the brokers did not say whether the last transaction was committed: {0}")]
    Unknown(String),
}

impl SendError {
    /// Whether others of the records may be sent without the one that was refused.
    pub fn is_of_a_record(&self) -> bool {
        matches!(self, SendError::Timestamp(_) | SendError::Record(_))
    }
}

/// Where a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The number that the record was sent with.
    pub tag: usize,
    pub partition: i32,
    /// None: the broker did not say it, because it had written the record in an earlier attempt.
    pub offset: Option<i64>,
}

#[derive(Default)]
struct Reports {
    delivered: Vec<Delivered>,
    /// The first failure, in the place of one that only follows from another.
    failed: Option<(RDKafkaErrorCode, String)>,
}

#[derive(Default)]
struct Context(Mutex<Reports>);

impl Context {
    fn with<T>(&self, change: impl FnOnce(&mut Reports) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A transaction that failed is told by the command, unless it makes the best of it.
        let level = match facility {
            "TXNERR" => RDKafkaLogLevel::Debug,
            _ => level,
        };
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        self.with(|reports| match result {
            Ok(message) => reports.delivered.push(Delivered {
                tag,
                partition: message.partition(),
                offset: Some(message.offset()).filter(|offset| *offset >= 0),
            }),
            Err((error, message)) => {
                let (code, topic) = (code_of(error), message.topic());
                let text = format!("{topic}[{}]: {error}", message.partition());
                let known = reports.failed.as_ref();
                if known
                    .is_none_or(|(known, _)| is_a_consequence(*known) && !is_a_consequence(code))
                {
                    reports.failed = Some((code, text));
                }
            }
        });
    }
}

pub struct OneShotProducer {
    producer: BaseProducer<Context>,
}

impl OneShotProducer {
    /// Takes the transactional id of the configuration over. `waiting` is called every second while the brokers do not
    /// answer; false gives up.
    pub fn take_over(
        config: &ClientConfig,
        waiting: impl FnMut(&KafkaError) -> bool,
    ) -> Result<OneShotProducer, SendError> {
        let producer: BaseProducer<Context> = config
            .create_with_context(Context::default())
            .map_err(|error| SendError::Failed(creation_error(&error)))?;
        take_over(&producer, waiting).map_err(|error| explained(&error))?;
        Ok(OneShotProducer { producer })
    }

    /// A producer without a transactional id, for [`OneShotProducer::deliver`].
    pub fn idempotent(config: &ClientConfig) -> Result<OneShotProducer, SendError> {
        let producer = config.create_with_context(Context::default());
        Ok(OneShotProducer {
            producer: producer.map_err(|error| SendError::Failed(creation_error(&error)))?,
        })
    }

    /// Sends records outside of a transaction, and waits until all are acknowledged. Returns where they went.
    ///
    /// # Errors
    /// If one was not acknowledged; it may have been written all the same.
    pub fn deliver<'r>(
        &self,
        records: impl IntoIterator<Item = (Record<'r>, Option<i64>)>,
    ) -> Result<Vec<Delivered>, SendError> {
        self.producer.context().with(std::mem::take);
        self.produce(records)?;
        self.flush()?;
        Ok(self.producer.context().with(std::mem::take).delivered)
    }

    /// Sends records in one transaction, and commits it. Each is tagged with its place among them; its timestamp is
    /// given, or that of now. Returns where they went.
    ///
    /// # Errors
    /// If it was not committed: nobody sees any of the records, except with [`SendError::Unknown`].
    pub fn send<'r>(
        &self,
        records: impl IntoIterator<Item = (Record<'r>, Option<i64>)> + Clone,
    ) -> Result<Vec<Delivered>, SendError> {
        for _ in 0..MAX_REPEATS {
            match self.send_once(records.clone()) {
                Err(SendError::Again(reason)) => {
                    tracing::debug!(reason, "a transaction is tried again");
                }
                sent => return sent,
            }
        }
        self.send_once(records)
    }

    fn send_once<'r>(
        &self,
        records: impl IntoIterator<Item = (Record<'r>, Option<i64>)>,
    ) -> Result<Vec<Delivered>, SendError> {
        self.producer.context().with(std::mem::take);
        self.producer
            .begin_transaction()
            .map_err(|error| explained(&error))?;
        let sent = self.produce(records).and_then(|()| self.flush());
        if let Err(error) = sent {
            self.abort();
            return Err(error);
        }
        self.commit()?;
        Ok(self.producer.context().with(std::mem::take).delivered)
    }

    fn produce<'r>(
        &self,
        records: impl IntoIterator<Item = (Record<'r>, Option<i64>)>,
    ) -> Result<(), SendError> {
        for (tag, (record, timestamp)) in records.into_iter().enumerate() {
            let deadline = Instant::now() + STEP;
            loop {
                let mut message: BaseRecord<'_, [u8], [u8], usize> =
                    BaseRecord::with_opaque_to(record.topic, tag);
                message.key = record.key;
                message.payload = record.value;
                message.partition = record.partition;
                message.timestamp = timestamp;
                if !record.headers.is_empty() {
                    message.headers = Some(headers(record.headers));
                }
                match self.producer.send(message) {
                    Ok(()) => break,
                    Err((error, _))
                        if code_of(&error) == RDKafkaErrorCode::QueueFull
                            && Instant::now() < deadline =>
                    {
                        self.producer.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(explained(&error)),
                }
            }
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until all records are delivered.
    fn flush(&self) -> Result<(), SendError> {
        let deadline = Instant::now() + STEP;
        loop {
            let flushed = self.producer.flush(SLICE);
            let failed = self
                .producer
                .context()
                .with(|reports| reports.failed.take());
            if let Some((code, text)) = failed {
                return Err(of_code(code, text));
            }
            match flushed {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() < deadline => {}
                Err(error) => return Err(explained(&error)),
            }
        }
    }

    fn commit(&self) -> Result<(), SendError> {
        let deadline = Instant::now() + STEP;
        loop {
            match self.producer.commit_transaction(SLICE) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                    let text = format!("the transaction was not committed: {error}");
                    self.abort();
                    return Err(of_code(error.code(), text));
                }
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && !error.is_fatal() && Instant::now() < deadline => {}
                Err(error) => {
                    return Err(match explained(&error) {
                        SendError::Fenced => SendError::Fenced,
                        other => SendError::Unknown(other.to_string()),
                    });
                }
            }
        }
    }

    /// What fails here is aborted by the brokers after a while, or by the next one that takes the id over.
    fn abort(&self) {
        let deadline = Instant::now() + STEP;
        loop {
            match self.producer.abort_transaction(ABORT_SLICE) {
                Ok(()) => return,
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && Instant::now() < deadline =>
                {
                    // The abort waits for the reports of all records, which are seen by polling only.
                    let _ = self.producer.flush(ABORT_SLICE);
                }
                Err(error) => {
                    tracing::debug!(%error, "aborting a transaction");
                    return;
                }
            }
        }
    }
}

fn explained(error: &KafkaError) -> SendError {
    of_code(code_of(error), error.to_string())
}

fn of_code(code: RDKafkaErrorCode, text: String) -> SendError {
    match code {
        RDKafkaErrorCode::Fenced
        | RDKafkaErrorCode::ProducerFenced
        | RDKafkaErrorCode::InvalidProducerEpoch => SendError::Fenced,
        RDKafkaErrorCode::InvalidTimestamp => SendError::Timestamp(text),
        // The client notices at the next transaction that a refused record has left a gap in its sequence numbers.
        RDKafkaErrorCode::OutOfOrderSequenceNumber
        | RDKafkaErrorCode::PurgeQueue
        | RDKafkaErrorCode::PurgeInflight => SendError::Again(text),
        code if is_of_a_record(code) => SendError::Record(text),
        code if is_refusal(code) => SendError::Refused(text),
        _ => SendError::Failed(text),
    }
}

/// Whether a record failed only because another one did.
fn is_a_consequence(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::InvalidDifferentRecord
            | RDKafkaErrorCode::PurgeQueue
            | RDKafkaErrorCode::PurgeInflight
    )
}

/// Whether a topic refuses a record, and waiting does not change that.
fn is_of_a_record(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidDifferentRecord
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::UnsupportedForMessageFormat
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
    )
}
