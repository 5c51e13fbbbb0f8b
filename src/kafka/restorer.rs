//! Reads partitions of the state topic, committed records only, to restore the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::ClientSettings;
use super::native::{Messages, Queue};

pub struct Restorer {
    // dropped before the consumer, whose drop would otherwise wait for the queue
    queue: Queue,
    consumer: BaseConsumer<DefaultConsumerContext>,
    topic: String,
    reading: BTreeSet<i32>,
    /// Partitions that are no longer read. This client cannot read them again, see [`Queue::take_partition`].
    abandoned: BTreeSet<i32>,
}

impl Restorer {
    pub fn connect(settings: ClientSettings<'_>, state_topic: String) -> KafkaResult<Restorer> {
        let consumer: BaseConsumer<DefaultConsumerContext> = settings.reader().create()?;
        // SAFETY: the queue is dropped before the consumer.
        let queue = unsafe { Queue::new(consumer.client().native_ptr()) }
            .ok_or_else(|| KafkaError::ClientCreation("no queue for the records".to_owned()))?;
        Ok(Restorer {
            queue,
            consumer,
            topic: state_topic,
            reading: BTreeSet::new(),
            abandoned: BTreeSet::new(),
        })
    }

    /// Whether [`Restorer::read`] accepts these partitions; if not, a new reader must be created.
    pub fn can_read(&self, from: &[(i32, i64)]) -> bool {
        !from.iter().any(|(at, _)| self.abandoned.contains(at))
    }

    /// Reads these partitions and no others. Those that are not being read yet are read from these offsets.
    pub fn read(&mut self, from: &[(i32, i64)]) -> KafkaResult<()> {
        let from: BTreeMap<i32, i64> = from.iter().copied().collect();
        let mut done = TopicPartitionList::new();
        for &partition in self.reading.iter().filter(|at| !from.contains_key(at)) {
            done.add_partition(&self.topic, partition);
            self.abandoned.insert(partition);
        }
        self.reading.retain(|at| from.contains_key(at));
        if done.count() > 0 {
            self.consumer.incremental_unassign(&done)?;
        }
        let mut new = TopicPartitionList::new();
        for (&partition, &offset) in &from {
            if !self.reading.insert(partition) {
                continue;
            }
            new.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
            // SAFETY: the queue is one of this client.
            unsafe {
                let client = self.consumer.client().native_ptr();
                self.queue.take_partition(client, &self.topic, partition);
            }
        }
        if new.count() > 0 {
            self.consumer.incremental_assign(&new)?;
        }
        Ok(())
    }

    /// Waits for records, and for ends of logs.
    pub fn poll(&self, wait: Duration, into: &mut Messages) {
        self.queue.poll(wait, into);
        // handles the client's other events
        self.consumer.poll(Duration::ZERO);
    }
}
