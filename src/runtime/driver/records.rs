//! Taking records, and what is said of partitions in their place.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, MAX_WAIT, MIN_COMMIT_GAP};
use crate::kafka::native::{Message, Messages};
use crate::runtime::outputs::KafkaOutbox;
use crate::worker::Place;
use crate::worker::origin::Header;
use crate::worker::record::Delivered;

impl Driver {
    pub(super) fn take_records(&mut self, messages: &mut Messages) -> Result<(), Halt> {
        let wait = if self.restorer.is_some() {
            Duration::ZERO
        } else if self.worker.open_records().is_some() {
            MIN_COMMIT_GAP
                .saturating_sub(self.committed_at.elapsed())
                .max(Duration::from_millis(1))
        } else if self.is_writing() {
            Duration::from_millis(1)
        } else if self.committing.is_some() {
            MIN_COMMIT_GAP
        } else {
            MAX_WAIT
        };
        self.consumer.poll(wait, messages);
        let mut lost = Vec::new();
        for message in messages.iter() {
            if let Some(error) = message.error() {
                lost.extend(self.partition_trouble(message, error.into())?);
                continue;
            }
            let Some(topic) = self.topic_of(message) else {
                continue;
            };
            let record = Consumed { message, topic };
            let mut outbox = KafkaOutbox {
                consumer: &self.consumer,
                producer: &self.producer,
                topics: &self.parts.outputs,
                membership: &mut self.membership,
                aside: self.committing.is_some().then_some(&mut self.aside),
            };
            let was_open = self.worker.open_records().is_some();
            self.worker.record(&record, &mut outbox);
            if !was_open {
                self.batch_began = Instant::now();
                self.transaction_began = self.batch_began;
            }
            // what is left of this poll is passed over if a batch is aborted: nothing may be taken up again before
            // it is through
            if self.worker.is_full() {
                self.commit()?;
            } else if self.aside.is_full() {
                self.await_commit()?;
            }
        }
        if let Some(place) = lost.first() {
            // the client has stopped fetching the partition, and would refuse to seek in it
            let topic = self.parts.settings.topic_name(*place).to_owned();
            messages.clear();
            let reason = format!("a position in {topic}[{}] is lost", place.partition);
            return self.rejoin(RDKafkaErrorCode::AutoOffsetReset, &reason);
        }
        self.act()
    }

    fn topic_of(&mut self, message: &Message) -> Option<usize> {
        let handle = message.topic_handle();
        if let Some(&topic) = self.handles.get(&handle) {
            return Some(topic);
        }
        let name = message.topic();
        let topics = &self.parts.settings.topics;
        let topic = topics.iter().position(|topic| topic.name == name)?;
        self.handles.insert(handle, topic);
        Some(topic)
    }

    /// A place whose next record is gone, if that is the trouble.
    fn partition_trouble(
        &mut self,
        message: &Message,
        code: RDKafkaErrorCode,
    ) -> Result<Option<Place>, Halt> {
        let reason = message.error_text();
        if matches!(
            code,
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange
        ) {
            // the worker asks again where the partition stands, and decides
            let partition = message.partition();
            let topic = self.topic_of(message);
            return Ok(topic.map(|topic| Place { topic, partition }));
        }
        self.trouble(code, &reason).map(|()| None)
    }
}

/// A record as the worker sees it.
struct Consumed<'m> {
    message: &'m Message,
    topic: usize,
}

impl Delivered for Consumed<'_> {
    fn place(&self) -> Place {
        Place {
            topic: self.topic,
            partition: self.message.partition(),
        }
    }

    fn offset(&self) -> i64 {
        self.message.offset()
    }

    fn timestamp(&self) -> Option<i64> {
        self.message.timestamp()
    }

    fn key(&self) -> Option<&[u8]> {
        self.message.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.message.payload()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.message.headers()
    }
}
