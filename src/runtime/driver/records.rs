//! Taking records, and what is said of partitions in their place.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, MAX_WAIT, stuck};
use crate::engine::Place;
use crate::engine::arrived::Delivered;
use crate::engine::origin::Header;
use crate::engine::schedule::MIN_COMMIT_GAP;
use crate::kafka::native::Message;
use crate::runtime::outputs::KafkaOutbox;
use crate::source::metadata::Metadata;

/// How long records are taken before the group, the clock and a stop are looked at.
const TURN: Duration = Duration::from_millis(50);

/// Whether a record may be a batch whose elements, each with all headers, are more than may be kept aside.
fn may_grow(message: &Message) -> bool {
    const SMALL: usize = 4096;
    const SMALLEST_ELEMENT: usize = 16;
    const MOST: usize = 8 * 1024 * 1024;
    let value = message.payload().map_or(0, <[u8]>::len);
    if value < SMALL {
        return false;
    }
    let metadata = message.metadata().bytes;
    (value / SMALLEST_ELEMENT).saturating_mul(metadata + 256) > MOST
}

impl Driver {
    /// Takes records for a while: those that were polled and not taken yet, or else new ones; whether a poll found none.
    /// What is left when the time is over is taken in the next turn, behind whatever else there is to do.
    pub(super) fn take_records(&mut self) -> Result<bool, Halt> {
        let mut found_none = false;
        if self.polled.is_empty() {
            let wait = self.wait();
            self.consumer.poll(wait, &mut self.polled);
            found_none = self.polled.is_empty();
        }
        let mut lost = None;
        let until = Instant::now() + TURN;
        while let Some(message) = self.polled.take() {
            if let Some(error) = message.error() {
                let place = self.partition_trouble(&message, error.into())?;
                lost = lost.or(place);
            } else {
                self.take_record(&message)?;
            }
            // nothing is taken up behind a place that is lost: those that are left come again
            if Instant::now() >= until && lost.is_none() {
                break;
            }
        }
        if let Some((place, reason)) = lost {
            // the client has stopped fetching the partition, and would refuse to seek in it
            let topic = self.parts.settings.topic_name(place);
            let partition = place.partition;
            let reason = format!("a position in {topic}[{partition}] is lost: {reason}");
            self.rejoin(RDKafkaErrorCode::AutoOffsetReset, &reason)?;
            return Ok(found_none);
        }
        self.act()?;
        Ok(found_none)
    }

    /// How long to wait for records.
    fn wait(&self) -> Duration {
        if self.restorer.is_some() {
            Duration::ZERO
        } else if self.worker.open_records().is_some() {
            let gap = self.worker.gap_left(self.now());
            gap.max(Duration::from_millis(1))
        } else if self.is_writing() {
            Duration::from_millis(1)
        } else if self.committing.is_some() {
            MIN_COMMIT_GAP
        } else {
            MAX_WAIT
        }
    }

    fn take_record(&mut self, message: &Message) -> Result<(), Halt> {
        let Some(topic) = self.topic_of(message) else {
            return Ok(());
        };
        if self.committing.is_some() && may_grow(message) {
            // aside is no room for what it may lead to
            self.await_commit()?;
        }
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
            self.batch_opened();
        }
        // if a batch is aborted, what was polled of its places is passed over until they are taken up again
        if self.worker.is_full() {
            self.commit()?;
        } else if self.aside.is_full() {
            self.await_commit()?;
        }
        Ok(())
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

    /// A place whose next record is gone, if that is the trouble, and what the client says of it.
    fn partition_trouble(
        &mut self,
        message: &Message,
        code: RDKafkaErrorCode,
    ) -> Result<Option<(Place, String)>, Halt> {
        if code == RDKafkaErrorCode::PartitionEOF {
            if let Some(topic) = self.topic_of(message) {
                let partition = message.partition();
                let place = Place { topic, partition };
                self.worker.reached_end(place, message.offset());
            }
            return Ok(None);
        }
        let reason = message.error_text();
        if matches!(
            code,
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange
        ) {
            // the worker asks again where the partition stands, and decides
            let partition = message.partition();
            let topic = self.topic_of(message);
            return Ok(topic.map(|topic| (Place { topic, partition }, reason)));
        }
        if stuck::is_unreadable(code)
            && let Some(topic) = self.topic_of(message)
        {
            let partition = message.partition();
            let place = Place { topic, partition };
            if let Some(position) = self.worker.unreadable(place) {
                let topic = message.topic();
                self.is_stuck(&topic, partition, position, code, &reason);
            }
            return Ok(None);
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

    fn metadata(&self) -> Metadata {
        self.message.metadata()
    }
}
