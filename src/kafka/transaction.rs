//! The transactions of a producer: commit and abort; and, without transactions, the delivery of the produced records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::deliveries::Deliveries;
use super::errors::{client_error, code_of};
use super::native::{TransactionError, taken};
use super::served_producer::ServedProducer;
use crate::engine::client_error::ClientError;
use crate::engine::event::StepEnd;
use crate::failpoint;

/// A step of a commit is waited for in slices of this length, so that a waiting worker shows that it is alive.
pub const SLICE: Duration = Duration::from_secs(1);

/// Once nothing was delivered for this long, the records that are left fill no request.
const IDLE: Duration = Duration::from_millis(10);

/// A request to the producer at the end of a batch.
pub struct Request {
    /// What its transaction is committed with. `None`: there is no transaction, and the batch is only delivered.
    pub transaction: Option<Sent>,
    /// Whether the batch has filled a produce request.
    pub fills_requests: bool,
}

/// What is sent to the group's coordinator within a transaction.
pub struct Sent {
    /// The offsets of the consumed records.
    pub offsets: TopicPartitionList,
    /// The group metadata at the beginning of the batch.
    pub metadata: Arc<ConsumerGroupMetadata>,
}

/// The transactional side of a producer. Only one thread may use it at a time.
pub struct Transactions {
    pub producer: ServedProducer,
    pub deliveries: Arc<Deliveries>,
    /// The timeout of each step of a commit.
    pub step_timeout: Duration,
}

impl Transactions {
    /// Carries out a request. `step` is called when another step begins; each step has the whole `step_timeout`.
    pub fn end(&self, request: &Request, step: &mut dyn FnMut()) -> StepEnd {
        if request.fills_requests {
            self.wait_for_full_requests();
        }
        match &request.transaction {
            Some(sent) => self.commit(sent, step),
            None => {
                step();
                self.deliver()
            }
        }
    }

    /// Waits until all produced records are delivered, without a transaction.
    fn deliver(&self) -> StepEnd {
        let deadline = Instant::now() + self.step_timeout;
        loop {
            // SAFETY: the client is alive.
            let flushed =
                unsafe { rd::rd_kafka_flush(self.producer.client().native_ptr(), millis(SLICE)) };
            if let Some((code, text)) = self.deliveries.take() {
                return self.not_delivered(code, text);
            }
            if flushed == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return StepEnd::Done;
            }
            if Instant::now() >= deadline {
                let code = RDKafkaErrorCode::from(flushed);
                return self.not_delivered(code, format!("flushing: {code}"));
            }
        }
    }

    /// The result of a batch without a transaction that failed with this error.
    pub fn not_delivered(&self, code: RDKafkaErrorCode, text: String) -> StepEnd {
        let error = client_error(code, text);
        match self.producer.client().fatal_error() {
            Some(_) => StepEnd::Undecided(error),
            None => StepEnd::Aborted(error),
        }
    }

    /// Commits the open transaction.
    fn commit(&self, sent: &Sent, step: &mut dyn FnMut()) -> StepEnd {
        if let Some((code, text)) = self.deliveries.take() {
            return self.abort_because(code, text, step);
        }
        step();
        let deadline = Instant::now() + self.step_timeout;
        loop {
            // this call takes a timeout, but does not keep to it
            match self
                .producer
                .send_offsets_to_transaction(&sent.offsets, &sent.metadata, SLICE)
            {
                Ok(()) => break,
                Err(KafkaError::Transaction(error))
                    if error.is_retriable()
                        && !error.txn_requires_abort()
                        && Instant::now() < deadline => {}
                Err(error) => {
                    let code = code_of(&error);
                    return self.abort_because(code, format!("sending offsets: {error}"), step);
                }
            }
        }
        failpoint::reached("offsets-sent");
        step();
        loop {
            // SAFETY: the client is alive; the error is taken over at once.
            let committed = unsafe {
                let wait = millis(SLICE);
                taken(rd::rd_kafka_commit_transaction(
                    self.producer.client().native_ptr(),
                    wait,
                ))
            };
            match committed {
                Ok(()) => return StepEnd::Done,
                Err(error) if error.requires_abort => {
                    let (code, text) = self
                        .deliveries
                        .take()
                        .unwrap_or_else(|| (error.code.into(), error.text));
                    return self.abort_because(code, text, step);
                }
                Err(error) if error.retriable && !error.fatal && Instant::now() < deadline => {}
                Err(error) => return StepEnd::Undecided(undecided(&error)),
            }
        }
    }

    /// Waits while full requests are sent. librdkafka sends one request at a time for a partition, and during a flush
    /// its thread spins until the answer arrives. Therefore the flush is left only the records that fill no request.
    fn wait_for_full_requests(&self) {
        let mut left = self.producer.in_flight_count();
        let mut moved = Instant::now();
        while left > 0 && moved.elapsed() < IDLE {
            std::thread::sleep(Duration::from_millis(1));
            let now_left = self.producer.in_flight_count();
            if now_left != left {
                (left, moved) = (now_left, Instant::now());
            }
        }
    }

    /// Sends the records that fill no request, and does not wait for their delivery.
    pub(super) fn flush_lingering(&self) {
        const FLUSH_TIMEOUT: Duration = Duration::from_millis(1);
        // SAFETY: the client is alive. If the timeout ends before all is delivered, that is no failure.
        unsafe { rd::rd_kafka_flush(self.producer.client().native_ptr(), millis(FLUSH_TIMEOUT)) };
    }

    fn abort_because(
        &self,
        code: RDKafkaErrorCode,
        text: String,
        step: &mut dyn FnMut(),
    ) -> StepEnd {
        step();
        match self.abort(&mut || {}) {
            Ok(()) => StepEnd::Aborted(client_error(code, text)),
            Err(error) => StepEnd::Undecided(ClientError {
                code: format!("{code:?}"),
                text: format!("{text}; aborting: {}", error.text),
                ..undecided(&error)
            }),
        }
    }

    /// Aborts the open transaction. `waiting` is called every second while the cluster has not answered.
    pub fn abort(&self, waiting: &mut dyn FnMut()) -> Result<(), TransactionError> {
        let deadline = Instant::now() + self.step_timeout;
        loop {
            // SAFETY: the client is alive; the error is taken over at once.
            let aborted = unsafe {
                let wait = millis(SLICE);
                taken(rd::rd_kafka_abort_transaction(
                    self.producer.client().native_ptr(),
                    wait,
                ))
            };
            match aborted {
                Err(error) if error.retriable && !error.fatal && Instant::now() < deadline => {
                    waiting();
                }
                ended => return ended,
            }
        }
    }
}

/// An error after which the producer cannot be used any more.
pub fn undecided(error: &TransactionError) -> ClientError {
    client_error(RDKafkaErrorCode::from(error.code), error.text.clone())
}

pub fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}
