//! Processes the polled messages: records, and errors of partitions in their place.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::partitions::unreadable_cause;
use super::{Driver, Halt, TURN_DURATION};
use crate::engine::LogPartition;
use crate::engine::arrived::Delivered;
use crate::engine::origin::Header;
use crate::engine::{Event, Place};
use crate::kafka::errors::client_error;
use crate::kafka::native::Message;
use crate::source::metadata::Metadata;

impl Driver {
    /// Processes records for a while: those that were polled before and not processed yet, or else new ones; returns
    /// whether a poll found none. What is left when the time is over is processed in the next turn, after the other
    /// work.
    pub(super) fn take_records(&mut self) -> Result<bool, Halt> {
        let mut polled_nothing = false;
        if self.polled.is_empty() {
            let wait = match self.restorer {
                Some(_) => Duration::ZERO,
                None => self.engine.poll_wait(self.now()),
            };
            self.consumer.poll(wait, &mut self.polled);
            polled_nothing = self.polled.is_empty();
            self.engine
                .prefetch(self.polled.iter().filter_map(Message::key));
        }
        let mut now = self.now();
        let until = now + TURN_DURATION;
        while !self.polled.is_empty() {
            // Before a message is taken: the effects may consume its partition from an earlier offset, and then drop what
            // was polled of it. A message that is already taken would be processed behind a gap.
            if self.make_room()? {
                now = self.now();
            }
            let Some(message) = self.polled.take() else {
                break;
            };
            if let Some(error) = message.error() {
                self.handle_partition_event(&message, error.into())?;
            } else if !self.take_record(&message, now) {
                self.polled.put_back(message);
            }
            now = self.now();
            if now >= until {
                break;
            }
        }
        self.carry_out_effects()?;
        Ok(polled_nothing)
    }

    /// Gives a record to the engine; returns false if the commit in flight must end first.
    fn take_record(&mut self, message: &Message, now: Duration) -> bool {
        let Some(topic) = self.topic_of(message) else {
            return true;
        };
        let record = Consumed { message, topic };
        let (engine, mut clients, aside) = self.engine_and_clients();
        if engine.is_committing() {
            clients.aside = Some(aside);
        }
        // After an abort, records of its partitions that were already polled are skipped until the partitions are
        // consumed again.
        engine.record(&record, &mut clients, now)
    }

    /// Ends a batch that is full, and waits for the commit in flight if necessary, until the engine accepts a record.
    /// Returns whether that took time.
    fn make_room(&mut self) -> Result<bool, Halt> {
        if self.engine.takes_records() {
            return Ok(false);
        }
        let mut progressed_at = Instant::now();
        while !self.engine.takes_records() {
            self.turn(false);
            self.carry_out_effects()?;
            if !self.engine.takes_records() {
                self.wait_for_commit(&mut progressed_at);
            }
        }
        Ok(true)
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

    /// Handles an error, or the end of a log, that the client reports for a partition in place of a record.
    fn handle_partition_event(
        &mut self,
        message: &Message,
        code: RDKafkaErrorCode,
    ) -> Result<(), Halt> {
        let (now, reason) = (self.now(), message.error_text());
        let (partition, offset) = (message.partition(), message.offset());
        let place = self
            .topic_of(message)
            .map(|topic| Place { topic, partition });
        match (code, place) {
            (RDKafkaErrorCode::PartitionEOF, None) => {}
            (_, None) => self.handle_client_error(code, &reason)?,
            (RDKafkaErrorCode::PartitionEOF, Some(place)) => {
                self.engine.handle(Event::EndReached { place, offset }, now);
            }
            (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, Some(_)) => {
                // The client has stopped fetching the partition, and would refuse a seek in it. The engine reads the
                // partition's offsets again, and decides.
                let topic = message.topic();
                let reason = format!("the position in {topic}[{partition}] is lost: {reason}");
                return self.handle_client_loss(RDKafkaErrorCode::AutoOffsetReset, &reason);
            }
            (code, Some(place)) => match unreadable_cause(code) {
                Some(cause) => {
                    let unreadable = Event::Unreadable {
                        log: LogPartition::Consumed(place),
                        offset,
                        cause,
                        error: client_error(code, reason),
                    };
                    self.engine.handle(unreadable, now);
                }
                None => self.handle_client_error(code, &reason)?,
            },
        }
        Ok(())
    }
}

/// A consumed record as the engine sees it.
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
