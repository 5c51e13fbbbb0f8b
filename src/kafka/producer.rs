//! The producer of a worker: one transaction a batch under exactly-once, a flush under at-least-once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings as rd;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::client;
use super::consumer::Membership;
use super::native::{TopicHandle, TransactionError, taken};
use super::offset_sender::OffsetSender;
use crate::failpoint;
use crate::worker::commit::CommitResult;

/// A step of a commit is waited for in slices, so that the worker shows that it is alive.
const SLICE: Duration = Duration::from_secs(1);

/// When nothing was delivered for so long, then what is left fills no request.
const STILL: Duration = Duration::from_millis(10);

/// Notes the first record of a batch that could not be delivered.
#[derive(Default)]
struct Deliveries {
    failed: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

struct Context(Arc<Deliveries>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            let text = format!("{}[{}]: {error}", message.topic(), message.partition());
            self.0.note(code, text);
        }
    }
}

impl Deliveries {
    fn note(&self, code: RDKafkaErrorCode, text: String) {
        if let Ok(mut failed) = self.failed.lock() {
            failed.get_or_insert((code, text));
        }
    }

    fn take(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.failed.lock().ok()?.take()
    }
}

/// A record to send. Without a partition it is chosen by the key, as Java does.
pub struct Record<'a> {
    pub topic: &'a str,
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

/// How the end of a batch went, and why if it did not go well.
pub struct Ended {
    pub result: CommitResult,
    pub reason: Option<(RDKafkaErrorCode, String)>,
}

impl Ended {
    fn committed() -> Ended {
        Ended {
            result: CommitResult::Committed,
            reason: None,
        }
    }

    fn because(result: CommitResult, code: RDKafkaErrorCode, text: impl Into<String>) -> Ended {
        Ended {
            result,
            reason: Some((code, text.into())),
        }
    }
}

pub struct BatchProducer {
    // both dropped before the producer
    topics: RefCell<Vec<(String, Rc<TopicHandle>)>>,
    offsets: Option<OffsetSender>,
    producer: ThreadedProducer<Context>,
    deliveries: Arc<Deliveries>,
    transactional: bool,
    /// Bounds each step of a commit.
    patience: Duration,
    /// Bytes handed over since the batch began.
    handed_over: Cell<usize>,
    /// The bytes that the client sends in one request for a partition.
    request_bytes: usize,
}

impl BatchProducer {
    /// Makes a producer. A transactional one takes over its id: whatever a predecessor left open is decided.
    /// `waiting` is called every second while the cluster lets it wait; false gives up.
    pub fn connect(
        config: &ClientConfig,
        patience: Duration,
        mut waiting: impl FnMut(&KafkaError) -> bool,
    ) -> Result<BatchProducer, KafkaError> {
        let deliveries = Arc::new(Deliveries::default());
        let context = Context(Arc::clone(&deliveries));
        let producer: ThreadedProducer<Context> = config.create_with_context(context)?;
        let transactional = config.get("transactional.id").is_some();
        if transactional {
            while let Err(error) = producer.init_transactions(SLICE) {
                let retriable =
                    matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
                if !retriable || !waiting(&error) {
                    return Err(error);
                }
            }
        }
        let offsets = transactional
            .then(|| OffsetSender::start(producer.clone(), SLICE))
            .transpose()?;
        Ok(BatchProducer {
            topics: RefCell::default(),
            offsets,
            producer,
            deliveries,
            transactional,
            patience,
            handed_over: Cell::new(0),
            request_bytes: config
                .get("batch.size")
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or(usize::MAX),
        })
    }

    /// Begins a batch.
    pub fn begin(&self) {
        self.deliveries.take();
        self.handed_over.set(0);
        if self.transactional
            && let Err(error) = self.producer.begin_transaction()
        {
            self.fail(&error);
        }
    }

    fn fail(&self, error: &KafkaError) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        self.deliveries.note(code, error.to_string());
    }

    /// Hands a record over for delivery. A failure shows when the batch ends.
    pub fn send(&self, record: &Record<'_>) {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        self.handed_over.set(self.handed_over.get() + bytes);
        let mut deadline = None;
        loop {
            let code = match self.hand_over(record) {
                Ok(()) => return,
                Err(code) => code,
            };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.patience);
            if code != RDKafkaErrorCode::QueueFull || Instant::now() >= deadline {
                return self
                    .deliveries
                    .note(code, format!("{}: {code}", record.topic));
            }
            // the queue is bounded; what is in it is on its way
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn hand_over(&self, record: &Record<'_>) -> Result<(), RDKafkaErrorCode> {
        if record.headers.is_empty()
            && let Some(partition) = record.partition
            && let Some(topic) = self.topic(record.topic)
        {
            return topic.produce(partition, record.key, record.value);
        }
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic);
        message.key = record.key;
        message.payload = record.value;
        message.partition = record.partition;
        if !record.headers.is_empty() {
            message.headers = Some(headers(record.headers));
        }
        self.producer.send(message).map_err(|(error, _)| {
            error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)
        })
    }

    /// The client's handle of a topic, which is looked up once.
    fn topic(&self, name: &str) -> Option<Rc<TopicHandle>> {
        let mut topics = self.topics.borrow_mut();
        if let Some((_, topic)) = topics.iter().find(|(known, _)| known == name) {
            return Some(Rc::clone(topic));
        }
        // SAFETY: the topics are dropped before the producer.
        let topic = unsafe { TopicHandle::new(self.producer.client().native_ptr(), name) }?;
        let topic = Rc::new(topic);
        topics.push((name.to_owned(), Rc::clone(&topic)));
        Some(topic)
    }

    /// Commits the transaction with the offsets of what was read, under the membership of its beginning.
    ///
    /// `waiting` is called every second while the cluster lets it wait.
    pub fn commit(
        &self,
        offsets: &TopicPartitionList,
        membership: &Membership,
        waiting: &mut dyn FnMut(),
    ) -> Ended {
        self.let_requests_go(waiting);
        if let Some((code, text)) = self.deliveries.take() {
            return self.abort_because(code, text, waiting);
        }
        let deadline = Instant::now() + self.patience;
        loop {
            let metadata = &membership.metadata;
            let sender = self.offsets.as_ref();
            let sent = sender.and_then(|to| to.send(offsets, metadata, deadline, waiting));
            let Some(sent) = sent else {
                let code = RDKafkaErrorCode::OperationTimedOut;
                let text = "sending offsets: the client does not come back";
                return Ended::because(CommitResult::Unknown, code, text);
            };
            match sent {
                Ok(()) => break,
                Err(KafkaError::Transaction(error))
                    if error.is_retriable()
                        && !error.txn_requires_abort()
                        && Instant::now() < deadline =>
                {
                    waiting();
                }
                Err(error) => {
                    let code = error
                        .rdkafka_error_code()
                        .unwrap_or(RDKafkaErrorCode::Unknown);
                    return self.abort_because(code, format!("sending offsets: {error}"), waiting);
                }
            }
        }
        failpoint::reached("offsets-sent");
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
                Ok(()) => return Ended::committed(),
                Err(error) if error.requires_abort => {
                    let (code, text) = self
                        .deliveries
                        .take()
                        .unwrap_or_else(|| (error.code.into(), error.text));
                    return self.abort_because(code, text, waiting);
                }
                Err(error) if error.retriable && !error.fatal && Instant::now() < deadline => {
                    waiting();
                }
                Err(error) => return ended_badly(&error),
            }
        }
    }

    /// Waits while full requests go out. The client sends one request at a time for a partition, and while it
    /// flushes, its thread spins until the answer is there; so it is let flush only what fills no request.
    fn let_requests_go(&self, waiting: &mut dyn FnMut()) {
        if self.handed_over.get() < self.request_bytes {
            return;
        }
        let mut left = self.producer.in_flight_count();
        let (mut moved, mut began) = (Instant::now(), Instant::now());
        while left > 0 && moved.elapsed() < STILL {
            std::thread::sleep(Duration::from_micros(500));
            if began.elapsed() > SLICE {
                waiting();
                began = Instant::now();
            }
            let now_left = self.producer.in_flight_count();
            if now_left != left {
                (left, moved) = (now_left, Instant::now());
            }
        }
    }

    fn abort_because(
        &self,
        code: RDKafkaErrorCode,
        text: String,
        waiting: &mut dyn FnMut(),
    ) -> Ended {
        let timed_out = is_timeout(code);
        match self.abort(waiting) {
            Ok(()) => Ended::because(CommitResult::Aborted { timed_out }, code, text),
            Err(error) => {
                let mut ended = ended_badly(&error);
                ended.reason = Some((code, format!("{text}; aborting: {}", error.text)));
                ended
            }
        }
    }

    /// Aborts the transaction.
    pub fn abort(&self, waiting: &mut dyn FnMut()) -> Result<(), TransactionError> {
        if !self.transactional {
            return Ok(());
        }
        let deadline = Instant::now() + self.patience;
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

    pub fn is_transactional(&self) -> bool {
        self.transactional
    }

    /// Waits until what was handed over is delivered. False: it was not, and the end of the batch fails with the
    /// reason.
    pub fn deliver(&self) -> bool {
        match self.flush(&mut || {}) {
            Ok(()) => true,
            Err((code, text)) => {
                self.deliveries.note(code, text);
                false
            }
        }
    }

    /// Waits until everything is delivered, without a transaction.
    pub fn flush(&self, waiting: &mut dyn FnMut()) -> Result<(), (RDKafkaErrorCode, String)> {
        self.let_requests_go(waiting);
        let deadline = Instant::now() + self.patience;
        loop {
            // SAFETY: the client is alive.
            let flushed =
                unsafe { rd::rd_kafka_flush(self.producer.client().native_ptr(), millis(SLICE)) };
            if let Some(failed) = self.deliveries.take() {
                return Err(failed);
            }
            if flushed == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let code = RDKafkaErrorCode::from(flushed);
                return Err((code, format!("flushing: {code}")));
            }
            waiting();
        }
    }

    /// The client's fatal error, if it has one.
    pub fn broken(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.producer.client().fatal_error()
    }
}

fn ended_badly(error: &TransactionError) -> Ended {
    let code = RDKafkaErrorCode::from(error.code);
    let result = if is_fencing(code) {
        CommitResult::Fenced
    } else {
        CommitResult::Unknown
    };
    Ended::because(result, code, error.text.clone())
}

/// Whether another producer has taken over the transactional id.
pub fn is_fencing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
    )
}

pub fn is_timeout(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
    )
}

fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}

fn headers(list: &[(String, Option<Vec<u8>>)]) -> OwnedHeaders {
    let all = OwnedHeaders::new_with_capacity(list.len());
    list.iter().fold(all, |all, (key, value)| {
        all.insert(Header {
            key,
            value: value.as_ref(),
        })
    })
}

/// A list of offsets with their metadata.
pub fn offset_list<'a>(
    offsets: impl Iterator<Item = (&'a str, i32, i64, &'a str)>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, offset, metadata) in offsets {
        let mut element = list.add_partition(topic, partition);
        element.set_offset(rdkafka::Offset::Offset(offset))?;
        element.set_metadata(metadata);
    }
    Ok(list)
}
