//! Reads partitions of the state topic, committed records only, to restore the store.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client;
use super::native::{Messages, Queue};
use crate::config::Config;

pub struct Restorer {
    // dropped before the consumer, which would wait for it
    queue: Queue,
    consumer: BaseConsumer<DefaultConsumerContext>,
    topic: String,
}

impl Restorer {
    pub fn connect(config: &Config) -> KafkaResult<Restorer> {
        let consumer: BaseConsumer<DefaultConsumerContext> = client::reader(config).create()?;
        // SAFETY: the queue is dropped before the consumer.
        let queue = unsafe { Queue::new(consumer.client().native_ptr()) }
            .ok_or_else(|| KafkaError::ClientCreation("no queue for the records".to_owned()))?;
        Ok(Restorer {
            queue,
            consumer,
            topic: config.state_topic(),
        })
    }

    /// Reads these partitions and no others, from these offsets.
    pub fn read(&self, from: &[(i32, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(from.len());
        for &(partition, offset) in from {
            list.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
            // SAFETY: the queue is one of this client.
            unsafe {
                let client = self.consumer.client().native_ptr();
                self.queue.take_partition(client, &self.topic, partition);
            }
        }
        self.consumer.assign(&list)
    }

    /// Waits for records, and for the word that a partition's end is reached.
    pub fn poll(&self, wait: Duration, into: &mut Messages) {
        self.queue.poll(wait, into);
        // serves what else the client has to say
        self.consumer.poll(Duration::ZERO);
    }
}
