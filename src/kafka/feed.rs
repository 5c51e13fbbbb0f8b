//! Produces records as an ordinary application would: keyed, partitioned as Java does.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::client;
use crate::config::Config;
use crate::generate::GeneratedRecord;

pub struct Feed {
    producer: BaseProducer,
    sent: u64,
}

/// How long a full queue may stay full, and how long the last records may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Feed {
    pub fn connect(config: &Config) -> KafkaResult<Feed> {
        Ok(Feed {
            producer: client::feed(config).create()?,
            sent: 0,
        })
    }

    /// Hands a record over for delivery; waits while the queue is full.
    pub fn send(&mut self, record: &GeneratedRecord, topic: &str) -> KafkaResult<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut message: BaseRecord<'_, [u8], [u8]> =
                BaseRecord::to(topic).timestamp(record.timestamp);
            message.key = record.key.as_deref();
            message.payload = record.value.as_deref();
            if !record.headers.is_empty() {
                let headers = record.headers.iter();
                let all = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(Header {
                        key,
                        value: Some(value),
                    })
                });
                message.headers = Some(all);
            }
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                    if Instant::now() < deadline =>
                {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(256) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until everything is delivered.
    pub fn flush(&self) -> KafkaResult<()> {
        self.producer.flush(PATIENCE)
    }
}
