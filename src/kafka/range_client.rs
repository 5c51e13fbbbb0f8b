//! The client of a reader of ranges, with the partitions that it fetches.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{ClientSettings, Isolation};
use super::client_log::LastError;
use super::log_ranges::ReadError;
use super::native::{Message, Messages, Queue};
use super::range_state::{Order, RangeState};

pub(super) struct RangeClient {
    // dropped before the consumer, whose drop would otherwise wait for the queue
    queue: Queue,
    consumer: BaseConsumer<LastError>,
    /// The indices of ranges, by topic handle and partition.
    known: ahash::HashMap<(usize, i32), usize>,
}

impl RangeClient {
    pub fn connect(
        settings: ClientSettings<'_>,
        isolation: Isolation,
    ) -> Result<RangeClient, ReadError> {
        let client = settings.range_reader(isolation);
        let consumer: BaseConsumer<LastError> = client
            .create_with_context(LastError::default())
            .map_err(|error| ReadError::of_client(&error))?;
        // SAFETY: the queue is dropped before the consumer.
        let queue = unsafe { Queue::new(consumer.client().native_ptr()) }
            .ok_or_else(|| ReadError::Client("no queue for the records".to_owned()))?;
        Ok(RangeClient {
            queue,
            consumer,
            known: ahash::HashMap::default(),
        })
    }

    pub fn poll(&self, wait: Duration, into: &mut Messages) {
        self.queue.poll(wait, into);
        // handles the client's other events
        while self.consumer.poll(Duration::ZERO).is_some() {}
    }

    pub fn range_of(&mut self, message: &Message, states: &[RangeState]) -> Option<usize> {
        let key = (message.topic_handle(), message.partition());
        if let Some(at) = self.known.get(&key) {
            return Some(*at);
        }
        let topic = message.topic();
        let at = states
            .iter()
            .position(|state| state.range.partition == key.1 && state.range.topic == topic)?;
        self.known.insert(key, at);
        Some(at)
    }

    /// Stops fetching ranges that are done, and begins with those whose turn it is.
    pub fn fetch(&self, states: &mut [RangeState], order: Order) -> Result<(), ReadError> {
        let failed = |error: rdkafka::error::KafkaError| ReadError::Client(error.to_string());
        let mut done = TopicPartitionList::new();
        for state in states.iter_mut() {
            if state.is_fetched && state.is_done() {
                state.is_fetched = false;
                done.add_partition(&state.range.topic, state.range.partition);
            }
        }
        if done.count() > 0 {
            self.consumer.incremental_unassign(&done).map_err(failed)?;
        }
        let mut new = TopicPartitionList::new();
        for state in states.iter_mut().filter(|state| !state.is_done()) {
            if !state.is_fetched {
                state.is_fetched = true;
                self.add(state, &mut new)?;
            }
            if order == Order::OneByOne {
                break;
            }
        }
        if new.count() > 0 {
            self.consumer.incremental_assign(&new).map_err(failed)?;
        }
        Ok(())
    }

    fn add(&self, state: &RangeState, new: &mut TopicPartitionList) -> Result<(), ReadError> {
        let (topic, partition) = (&state.range.topic, state.range.partition);
        let from = Offset::Offset(state.position);
        new.add_partition_offset(topic, partition, from)
            .map_err(|error| state.error(error.to_string()))?;
        // SAFETY: the queue is one of this client.
        unsafe {
            let client = self.consumer.client().native_ptr();
            self.queue.take_partition(client, topic, partition);
        }
        Ok(())
    }
}
