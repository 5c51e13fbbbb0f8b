//! The transactions of a producer: how one is committed, and how it is aborted; and, without transactions, how what was
//! handed over is delivered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::deliveries::{Context, Deliveries};
use super::errors::{client_error, code_of};
use super::native::{TransactionError, taken};
use crate::engine::client_error::ClientError;
use crate::engine::event::StepEnd;
use crate::failpoint;

/// A step of a commit is waited for in slices, so that a worker that waits for it shows that it is alive.
pub const SLICE: Duration = Duration::from_secs(1);

/// When nothing was delivered for so long, then what is left fills no request.
const STILL: Duration = Duration::from_millis(10);

/// What is asked of the producer at the end of a batch.
pub struct Request {
    /// What its transaction is committed with. None: there is no transaction, and it is delivered only.
    pub transaction: Option<Sent>,
    /// Whether the batch has filled a request.
    pub fills_requests: bool,
}

/// What goes to the group's coordinator with a transaction.
pub struct Sent {
    /// The offsets of what was read.
    pub offsets: TopicPartitionList,
    /// The membership of the batch's beginning.
    pub metadata: Arc<ConsumerGroupMetadata>,
}

/// A producer, as far as its transactions go. Only one thread may use it at a time.
pub struct Transactions {
    pub producer: ThreadedProducer<Context>,
    pub deliveries: Arc<Deliveries>,
    /// Bounds each step of a commit.
    pub step_timeout: Duration,
}

impl Transactions {
    /// Carries out what is asked. `step` is called when another step begins, which has the whole of `step_timeout` again.
    pub fn end(&self, request: &Request, step: &mut dyn FnMut()) -> StepEnd {
        if request.fills_requests {
            self.let_requests_go();
        }
        match &request.transaction {
            Some(sent) => self.commit(sent, step),
            None => {
                step();
                self.deliver()
            }
        }
    }

    /// Waits until everything that was handed over is delivered, without a transaction.
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

    /// How a batch without a transaction ended that failed with this error.
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
            // takes a time-out, and does not keep to it
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

    /// Waits while full requests go out. The client sends one request at a time for a partition, and while it
    /// flushes, its thread spins until the answer is there; so it is let flush only what fills no request.
    fn let_requests_go(&self) {
        let mut left = self.producer.in_flight_count();
        let mut moved = Instant::now();
        while left > 0 && moved.elapsed() < STILL {
            std::thread::sleep(Duration::from_micros(500));
            let now_left = self.producer.in_flight_count();
            if now_left != left {
                (left, moved) = (now_left, Instant::now());
            }
        }
    }

    /// Lets go out what fills no request, and does not wait for its delivery.
    pub(super) fn let_all_go(&self) {
        const BRIEFLY: Duration = Duration::from_millis(1);
        // SAFETY: the client is alive. That it has not delivered all within that time is no failure.
        unsafe { rd::rd_kafka_flush(self.producer.client().native_ptr(), millis(BRIEFLY)) };
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

    /// Aborts the open transaction. `waiting` is called every second while the cluster lets it wait.
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

/// An error after which nothing can be done with the producer.
pub fn undecided(error: &TransactionError) -> ClientError {
    client_error(RDKafkaErrorCode::from(error.code), error.text.clone())
}

pub fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}
