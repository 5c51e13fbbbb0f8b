//! A member of the consumer group. Rebalances are noted for the worker; behind each of them all partitions are paused, those
//! that are kept too, and are consumed only from the offsets that the worker names.

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

/// What the group told, to be taken in after the poll that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    Rebalance(Rebalance),
    /// Trouble that the client gets over by itself.
    Trouble(RDKafkaErrorCode, String),
    /// This client cannot go on and must be made anew.
    Broken(RDKafkaErrorCode, String),
}

struct Context {
    told: Mutex<Vec<GroupEvent>>,
    /// The queue of the [`GroupConsumer`] that holds this context's client; null when it is gone.
    queue: AtomicPtr<Queue>,
}

impl Context {
    fn tell(&self, told: GroupEvent) {
        if let Ok(mut list) = self.told.lock() {
            list.push(told);
        }
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        // SAFETY: the queue is alive while the pointer is not null, see `GroupConsumer::drop`.
        if let Some(queue) = unsafe { self.queue.load(Ordering::Acquire).as_ref() } {
            take(queue, consumer, partitions);
        }
        // Paused at once: the worker names the offsets when it knows them. The one given here must be a number:
        // a logical one is looked up, and an answer that comes after the seek makes the client look up again,
        // which would carry it off to that place and past the records before it.
        partitions.set_all_offsets(Offset::Offset(0))?;
        // No fetch may go out from there.
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

    /// Pauses what this member has, before the client goes on with it. For a rebalance the client holds it back, and then
    /// goes on where it believes that the records were taken to. That may lie behind some that were not: it counts the end
    /// of a log for a record where it is taken with others (librdkafka before 2.13, its issue 4844), and a position that was
    /// sought only once a record was taken there.
    fn pause_kept(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.pause(&consumer.assignment()?),
            // of what it had, nothing is kept
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
            self.tell(GroupEvent::Trouble(code, reason.to_owned()));
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
        self.tell(GroupEvent::Rebalance(rebalance));
        if let Err(error) = paused.and(done) {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            self.tell(GroupEvent::Broken(code, format!("rebalancing: {error}")));
        }
    }
}

/// Has the partitions' records come to the queue.
fn take(queue: &Queue, consumer: &BaseConsumer<Context>, partitions: &TopicPartitionList) {
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

/// Who this member is to the group. Offsets sent under one that is no longer in force are refused.
pub struct Membership {
    pub metadata: Arc<ConsumerGroupMetadata>,
    pub generation: Generation,
}

/// The committed offset of a partition, if there is one, with its metadata.
pub type Committed = Option<(i64, String)>;

pub struct GroupConsumer {
    // dropped before the consumer, which would wait for it
    queue: Box<Queue>,
    consumer: BaseConsumer<Context>,
    /// Errors of partitions that came in the place of records are told here.
    told: Vec<GroupEvent>,
}

impl GroupConsumer {
    /// Makes a client and joins the group.
    pub fn join(config: &ClientConfig, topics: &[&str]) -> KafkaResult<GroupConsumer> {
        let context = Context {
            told: Mutex::default(),
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
            told: Vec::new(),
        })
    }

    /// Leaves the group, or waits until `patience` ends. To be called before another member is made that has the
    /// same instance id.
    pub fn leave(&self, patience: Duration) {
        let until = Instant::now() + patience;
        if let Err(error) = self.consumer.close_queue() {
            tracing::debug!(%error, "leaving the group");
            return;
        }
        while !self.consumer.closed() && Instant::now() < until {
            self.consumer.poll(Duration::from_millis(50));
        }
    }

    /// Serves the group; what it told. Records never come this way.
    pub fn serve(&mut self) -> Vec<GroupEvent> {
        while let Some(polled) = self.consumer.poll(Duration::ZERO) {
            let told = match polled {
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
            self.told.push(told);
        }
        let mut all = std::mem::take(&mut self.told);
        if let Ok(mut told) = self.consumer.context().told.lock() {
            all.append(&mut told);
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

    /// Who this member is now; none while it is not one.
    pub fn membership(&self) -> Option<Membership> {
        // the generation first: should the metadata be newer, then the comparison at the commit tells
        let generation = self.generation()?;
        let metadata = Arc::new(self.consumer.group_metadata()?);
        Some(Membership {
            metadata,
            generation,
        })
    }

    /// The generation of this member; none while this client is no member.
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

    /// The committed offsets of partitions. A partition that cannot be told now is left out.
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
        let told = elements.iter().filter(|element| element.error().is_ok());
        Ok(told
            .map(|element| {
                let committed = match element.offset() {
                    Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
                    _ => None,
                };
                ((element.topic().to_owned(), element.partition()), committed)
            })
            .collect())
    }

    /// Takes no more records from partitions.
    pub fn pause(&self, partitions: &[(&str, i32)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        self.consumer.pause(&list)
    }

    /// Takes records from partitions, from these offsets on.
    pub fn consume(&self, from: &[(&str, i32, i64)], wait: Duration) -> KafkaResult<()> {
        let sought = self.seek(from, wait)?;
        // Where a partition was taken away and came back, its stop, which the client carries out later, has undone
        // what the assignment set up. Now that it was sought in, it has started anew; and it is still paused.
        take(&self.queue, &self.consumer, &sought);
        self.consumer.resume(&sought)?;
        // The client's thread that fetches is woken by a seek, but not by a resume: if it looked at the partitions in
        // between, it sleeps for a second before it sees that they are paused no more.
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

    /// The first offset of a partition and the one behind the last that may be read, as last heard.
    pub fn cached_ends(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        // SAFETY: the client is alive.
        unsafe { super::native::cached_ends(self.consumer.client().native_ptr(), topic, partition) }
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        // closing the consumer still serves rebalances
        let context = self.consumer.context();
        context.queue.store(ptr::null_mut(), Ordering::Release);
    }
}
