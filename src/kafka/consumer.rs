//! A member of the consumer group. It records rebalances for the worker. After each rebalance all its partitions are
//! paused, the kept ones too. They are consumed only from the offsets that the worker names.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings as rd;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata, RebalanceProtocol,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::client_log;
use super::native::{Messages, Queue};
use crate::engine::outbox::Generation;

/// Partitions by topic name.
pub type Partitions = Vec<(String, i32)>;

/// A change of what this member owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebalance {
    Assigned(Partitions),
    Revoked(Partitions),
}

/// An event of the group. The worker handles it after the poll that delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    Rebalance(Rebalance),
    /// An error from which librdkafka recovers by itself.
    Trouble(RDKafkaErrorCode, String),
    /// This client cannot continue and must be replaced by a new one.
    Broken(RDKafkaErrorCode, String),
}

struct Context {
    events: Mutex<Vec<GroupEvent>>,
    /// The queue of the [`GroupConsumer`] that owns this context's client; null once that is dropped.
    queue: AtomicPtr<Queue>,
}

impl Context {
    fn push(&self, event: GroupEvent) {
        if let Ok(mut list) = self.events.lock() {
            list.push(event);
        }
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        // SAFETY: the queue is alive while the pointer is not null, see `GroupConsumer::drop`.
        if let Some(queue) = unsafe { self.queue.load(Ordering::Acquire).as_ref() } {
            forward(queue, consumer, partitions);
        }
        // Pause the partitions at once: the worker names the offsets when it knows them. The offset given here must be
        // a number: librdkafka looks a logical offset up, and if that answer arrives after the seek, it looks up again.
        // That would move the position to the logical offset, past the records before it.
        partitions.set_all_offsets(Offset::Offset(0))?;
        // No fetch may start at this offset.
        consumer.pause(partitions)?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions)?,
            _ => consumer.assign(partitions)?,
        }
        consumer.pause(partitions)
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> KafkaResult<()> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
            _ => consumer.unassign(),
        }
    }

    /// Pauses the partitions that this member keeps, before librdkafka resumes them. During a rebalance librdkafka
    /// stops fetching them, and then resumes where it believes that records were consumed up to. That position may be
    /// after records that were not consumed: librdkafka counts the end of a log as a record if it is consumed together
    /// with others (librdkafka before 2.13, its issue 4844), and it counts a seek only once a record was consumed after
    /// it.
    fn pause_kept(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.pause(&consumer.assignment()?),
            // this protocol revokes all partitions in a rebalance, so none is kept
            _ => Ok(()),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.push(GroupEvent::Trouble(code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let names = names(partitions);
        let paused = self.pause_kept(consumer);
        let (done, rebalance) = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => (
                self.assign(consumer, partitions),
                Rebalance::Assigned(names),
            ),
            _ => (self.revoke(consumer, partitions), Rebalance::Revoked(names)),
        };
        self.push(GroupEvent::Rebalance(rebalance));
        if let Err(error) = paused.and(done) {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            self.push(GroupEvent::Broken(code, format!("rebalancing: {error}")));
        }
    }
}

/// Forwards the partitions' records to the queue.
fn forward(queue: &Queue, consumer: &BaseConsumer<Context>, partitions: &TopicPartitionList) {
    for element in partitions.elements() {
        // SAFETY: every queue here is one of its consumer's client.
        unsafe {
            let client = consumer.client().native_ptr();
            queue.take_partition(client, element.topic(), element.partition());
        }
    }
}

fn names(partitions: &TopicPartitionList) -> Partitions {
    partitions
        .elements()
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

/// The identity of this member in the group. The coordinator refuses offsets that are sent with an outdated one.
pub struct Membership {
    pub metadata: Arc<ConsumerGroupMetadata>,
    pub generation: Generation,
}

/// The committed offset of a partition, if there is one, with its metadata.
pub type Committed = Option<(i64, String)>;

pub struct GroupConsumer {
    // dropped before the consumer, whose drop would otherwise wait for the queue
    queue: Box<Queue>,
    consumer: BaseConsumer<Context>,
    /// Events from the client's own queue, such as errors.
    events: Vec<GroupEvent>,
}

impl GroupConsumer {
    /// Creates a client and joins the group.
    pub fn join(config: &ClientConfig, topics: &[&str]) -> KafkaResult<GroupConsumer> {
        let context = Context {
            events: Mutex::default(),
            queue: AtomicPtr::default(),
        };
        let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
        // SAFETY: the queue is dropped before the consumer.
        let queue = unsafe { Queue::new(consumer.client().native_ptr()) };
        let mut queue =
            Box::new(queue.ok_or_else(|| {
                KafkaError::ClientCreation("no queue for the records".to_owned())
            })?);
        consumer
            .context()
            .queue
            .store(&raw mut *queue, Ordering::Release);
        consumer.subscribe(topics)?;
        Ok(GroupConsumer {
            queue,
            consumer,
            events: Vec::new(),
        })
    }

    /// Leaves the group, and waits for that for at most `timeout`. Must be called before another member with the same
    /// instance id is created.
    pub fn leave(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        if let Err(error) = self.consumer.close_queue() {
            tracing::debug!(%error, "leaving the group");
            return;
        }
        while !self.consumer.closed() && Instant::now() < until {
            self.consumer.poll(Duration::from_millis(50));
        }
    }

    /// Gives this member's place in the group up, and waits for that for at most `timeout`. A static member whose client
    /// only ends keeps its place until its session ends, because librdkafka tells the group nothing then (KIP-345); one
    /// that unsubscribes is removed from it. Under KIP-848 librdkafka tells the group in both cases that the member will
    /// come back.
    ///
    /// Returns whether this was a member, and has told the group. The answer is waited for when the client ends.
    pub fn give_up(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        if self.generation().is_none() {
            return false;
        }
        self.consumer.unsubscribe();
        while self.generation().is_some() && Instant::now() < until {
            // the client first takes its partitions away from the callback of rebalances
            self.consumer.poll(Duration::from_millis(50));
        }
        self.generation().is_none()
    }

    /// Waits until this is a member of the group, for at most `timeout`. Returns whether it is.
    pub fn wait_joined(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        while self.generation().is_none() && Instant::now() < until {
            self.consumer.poll(Duration::from_millis(50));
        }
        self.generation().is_some()
    }

    /// Polls the client's own queue, and returns the events of the group. Records never arrive on that queue.
    pub fn serve(&mut self) -> Vec<GroupEvent> {
        while let Some(polled) = self.consumer.poll(Duration::ZERO) {
            let event = match polled {
                Ok(_) => GroupEvent::Broken(
                    RDKafkaErrorCode::InvalidMessage,
                    "a record came past its queue".to_owned(),
                ),
                Err(KafkaError::MessageConsumptionFatal(code)) => {
                    GroupEvent::Broken(code, code.to_string())
                }
                Err(error) => {
                    let code = error.rdkafka_error_code();
                    GroupEvent::Trouble(
                        code.unwrap_or(RDKafkaErrorCode::Unknown),
                        error.to_string(),
                    )
                }
            };
            self.events.push(event);
        }
        let mut all = std::mem::take(&mut self.events);
        if let Ok(mut events) = self.consumer.context().events.lock() {
            all.append(&mut events);
        }
        all
    }

    /// Whether no record waits to be polled.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// Waits for records.
    pub fn poll(&self, wait: Duration, into: &mut Messages) {
        self.queue.poll(wait, into);
    }

    /// The identity of this member now; `None` while it is not a member.
    pub fn membership(&self) -> Option<Membership> {
        // Read the generation first: if the metadata is newer, the comparison at the commit detects it.
        let generation = self.generation()?;
        let metadata = Arc::new(self.consumer.group_metadata()?);
        Some(Membership {
            metadata,
            generation,
        })
    }

    /// The generation of this member; `None` while this client is not a member.
    pub fn generation(&self) -> Option<Generation> {
        // SAFETY: the client is alive; the metadata is destroyed here, after its texts were copied.
        unsafe {
            let metadata =
                rd::rd_kafka_consumer_group_metadata(self.consumer.client().native_ptr());
            if metadata.is_null() {
                return None;
            }
            let number = rd::rd_kafka_consumer_group_metadata_generation_id(metadata);
            let member = rd::rd_kafka_consumer_group_metadata_member_id(metadata);
            let member_id = if member.is_null() {
                String::new()
            } else {
                std::ffi::CStr::from_ptr(member)
                    .to_string_lossy()
                    .into_owned()
            };
            rd::rd_kafka_consumer_group_metadata_destroy(metadata);
            (number >= 0 && !member_id.is_empty()).then_some(Generation { number, member_id })
        }
    }

    /// The committed offsets of partitions. A partition whose offset cannot be read now is left out.
    pub fn committed(
        &self,
        partitions: &[(&str, i32)],
        wait: Duration,
    ) -> KafkaResult<HashMap<(String, i32), Committed>> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let answer = self.consumer.committed_offsets(list, wait)?;
        let elements = answer.elements();
        let answered = elements.iter().filter(|element| element.error().is_ok());
        Ok(answered
            .map(|element| {
                let committed = match element.offset() {
                    Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
                    _ => None,
                };
                ((element.topic().to_owned(), element.partition()), committed)
            })
            .collect())
    }

    /// Stops consuming partitions.
    pub fn pause(&self, partitions: &[(&str, i32)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        self.consumer.pause(&list)
    }

    /// Consumes partitions from these offsets.
    pub fn consume(&self, from: &[(&str, i32, i64)], wait: Duration) -> KafkaResult<()> {
        let sought = self.seek(from, wait)?;
        // If a partition was revoked and then assigned again, librdkafka carries out the stop later, and thereby
        // removes the forwarding that the assignment set up. After the seek the partition has started again and is
        // still paused, so the forwarding can be set up again.
        forward(&self.queue, &self.consumer, &sought);
        self.consumer.resume(&sought)?;
        // A seek wakes librdkafka's fetcher thread, but a resume does not: if the thread looked at the partitions
        // between the first seek and the resume, it would sleep for a second before it sees that they are no longer
        // paused.
        self.seek(from, wait)?;
        Ok(())
    }

    fn seek(&self, from: &[(&str, i32, i64)], wait: Duration) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(from.len());
        for (topic, partition, offset) in from {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
        }
        let sought = self.consumer.seek_partitions(list, wait)?;
        for element in sought.elements() {
            element.error()?;
        }
        Ok(sought)
    }

    /// Commits offsets without a transaction.
    pub fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.commit(offsets, CommitMode::Sync)
    }

    /// The first offset of a partition and the offset after the last readable record, as the client last received them.
    pub fn cached_ends(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        // SAFETY: the client is alive.
        unsafe { super::native::cached_ends(self.consumer.client().native_ptr(), topic, partition) }
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        // closing the consumer still calls the rebalance callback, which must not use the queue any more
        let context = self.consumer.context();
        context.queue.store(ptr::null_mut(), Ordering::Release);
    }
}
