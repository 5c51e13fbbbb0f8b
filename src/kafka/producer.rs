//! The producer of a worker: one transaction for each batch under exactly-once, a flush under at-least-once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::committer::Committer;
use super::consumer::Membership;
use super::deliveries::{Context, Deliveries};
use super::errors::code_of;
use super::native::{TopicHandle, TransactionError};
use super::served_producer::ServedProducer;
use super::take_over::take_over;
use super::transaction::{Request, Sent, Transactions};
use crate::engine::event::StepEnd;

/// If the queue has been full for this long, it does not only wait for the broker's next answer: its records may
/// linger, so they are flushed.
const FLUSH_FULL_QUEUE_AFTER: Duration = Duration::from_millis(100);

/// The most bytes of keys and headers that may wait to be sent. librdkafka's limit of its queue counts values only.
const MAX_UNCOUNTED_BYTES: usize = 8 * 1024 * 1024;

/// A record to produce. Without a partition, the partition is chosen by the key, as Java's producer does.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub topic: &'a str,
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

pub struct BatchProducer {
    // both dropped before the client
    topics: RefCell<Vec<(String, Rc<TopicHandle>)>>,
    committer: Committer,
    transactional: bool,
    client: Arc<Transactions>,
    /// Bytes produced since the batch began.
    produced_bytes: Cell<usize>,
    /// Bytes of keys and headers produced since the queue was last empty.
    uncounted_bytes: Cell<usize>,
    /// Since when there is no room in the client's queue.
    full_since: Cell<Option<Instant>>,
    /// The most bytes that the client sends in one request for a partition.
    request_bytes: usize,
}

impl BatchProducer {
    /// Creates a producer. A transactional one takes over its transactional id: a transaction that a predecessor left
    /// open is committed or aborted. `waiting` is called every second while the cluster has not answered; false gives
    /// up.
    pub fn connect(
        config: &ClientConfig,
        step_timeout: Duration,
        waiting: impl FnMut(&KafkaError) -> bool,
    ) -> Result<BatchProducer, KafkaError> {
        let deliveries = Arc::new(Deliveries::default());
        let context = Context(Arc::clone(&deliveries));
        let producer = ServedProducer::create(config, context)?;
        let transactional = config.get("transactional.id").is_some();
        if transactional {
            take_over(&producer, waiting)?;
        }
        let client = Arc::new(Transactions {
            producer,
            deliveries,
            step_timeout,
        });
        Ok(BatchProducer {
            topics: RefCell::default(),
            committer: Committer::start(Arc::clone(&client))?,
            transactional,
            client,
            produced_bytes: Cell::new(0),
            uncounted_bytes: Cell::new(0),
            full_since: Cell::new(None),
            request_bytes: config
                .get("batch.size")
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or(usize::MAX),
        })
    }

    /// Begins a batch.
    pub fn begin(&self) {
        self.client.deliveries.take();
        self.produced_bytes.set(0);
        self.full_since.set(None);
        if self.is_transactional()
            && let Err(error) = self.client.producer.begin_transaction()
        {
            self.fail(&error);
        }
    }

    fn fail(&self, error: &KafkaError) {
        let deliveries = &self.client.deliveries;
        deliveries.note(code_of(error), error.to_string());
    }

    /// Produces a record, and waits until there is room for it. A failure is reported when the batch ends.
    pub fn send(&self, record: &Record<'_>) {
        while !self.offer(record) {
            // the queue is bounded, and its records are being sent
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Produces a record if there is room for it; returns whether there was. A failure is reported when the batch ends,
    /// and so is a queue that has been full for too long.
    pub fn offer(&self, record: &Record<'_>) -> bool {
        if self.uncounted_bytes.get() >= MAX_UNCOUNTED_BYTES {
            if self.client.producer.in_flight_count() == 0 {
                self.uncounted_bytes.set(0);
            } else if self.may_wait() {
                self.client.flush_lingering();
                return false;
            }
        }
        match self.produce(record) {
            Ok(()) => {
                let headers = record.headers.iter();
                let headers =
                    headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
                let key_and_headers = record.key.map_or(0, <[u8]>::len) + headers.sum::<usize>();
                let bytes = key_and_headers + record.value.map_or(0, <[u8]>::len);
                self.uncounted_bytes
                    .set(self.uncounted_bytes.get() + key_and_headers);
                self.produced_bytes.set(self.produced_bytes.get() + bytes);
                self.full_since.set(None);
            }
            Err(RDKafkaErrorCode::QueueFull) if self.may_wait() => return false,
            Err(code) => {
                let reason = format!("{}: {code}", record.topic);
                self.client.deliveries.note(code, reason);
            }
        }
        true
    }

    /// Whether the caller may wait for room in a full queue: false once it has been full for too long.
    fn may_wait(&self) -> bool {
        let since = self.full_since.get().unwrap_or_else(Instant::now);
        self.full_since.set(Some(since));
        if since.elapsed() >= FLUSH_FULL_QUEUE_AFTER {
            // all records in it may be lingering, to fill their requests
            self.client.flush_lingering();
        }
        since.elapsed() < self.client.step_timeout
    }

    fn produce(&self, record: &Record<'_>) -> Result<(), RDKafkaErrorCode> {
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
        let sent = self.client.producer.send(message);
        sent.map_err(|(error, _)| code_of(&error))
    }

    /// The client's handle of a topic, which is created once.
    fn topic(&self, name: &str) -> Option<Rc<TopicHandle>> {
        let mut topics = self.topics.borrow_mut();
        if let Some((_, topic)) = topics.iter().find(|(known, _)| known == name) {
            return Some(Rc::clone(topic));
        }
        // SAFETY: the topics are dropped before the producer.
        let topic = unsafe { TopicHandle::new(self.client.producer.client().native_ptr(), name) }?;
        let topic = Rc::new(topic);
        topics.push((name.to_owned(), Rc::clone(&topic)));
        Some(topic)
    }

    /// Starts to commit the transaction with the offsets of the consumed records, under the membership of its
    /// beginning. Nothing else may be done with this producer before the commit has [`ended`](Self::ended).
    pub fn start_commit(&self, offsets: TopicPartitionList, membership: &Membership) {
        let metadata = Arc::clone(&membership.metadata);
        self.start(Some(Sent { offsets, metadata }));
    }

    /// Starts to wait until all produced records are delivered, without a transaction. Nothing else may be done with
    /// this producer before the wait has [`ended`](Self::ended).
    pub fn start_delivery(&self) {
        self.start(None);
    }

    fn start(&self, transaction: Option<Sent>) {
        self.committer.begin(Request {
            transaction,
            fills_requests: self.fills_requests(),
        });
    }

    /// How the commit or wait ended; `None` if it has not ended within `wait`.
    pub fn ended(&self, wait: Duration) -> Option<StepEnd> {
        self.committer.ended(wait)
    }

    fn fills_requests(&self) -> bool {
        self.produced_bytes.get() >= self.request_bytes
    }

    /// Aborts the transaction. `waiting` is called every second while the cluster has not answered.
    pub fn abort(&self, waiting: &mut dyn FnMut()) -> Result<(), TransactionError> {
        if !self.is_transactional() {
            return Ok(());
        }
        self.client.abort(waiting)
    }

    pub fn is_transactional(&self) -> bool {
        self.transactional
    }

    /// The result of a batch without a transaction that failed with this error.
    pub fn not_delivered(&self, code: RDKafkaErrorCode, text: String) -> StepEnd {
        self.client.not_delivered(code, text)
    }
}

/// A list of headers for the client.
pub(super) fn headers(list: &[(String, Option<Vec<u8>>)]) -> OwnedHeaders {
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
