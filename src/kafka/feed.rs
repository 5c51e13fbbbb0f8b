//! Produces records as an ordinary application would, partitioned by key as Java's producer does, and counts which of
//! them were delivered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyfold_generate::GeneratedRecord;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::client::ClientSettings;
use super::client_log;

pub struct Feed {
    producer: BaseProducer<DeliveryCounter>,
    sent: u64,
}

/// Producing fails if the queue stays full for this long, or, at the end, if no record is delivered for this long.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one wait for delivery reports takes.
const POLL: Duration = Duration::from_millis(100);

/// How many of the produced records were delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub delivered: u64,
    /// How many records were not delivered, by topic and reason.
    pub failed: BTreeMap<(String, String), u64>,
    /// Topics that take no record at all: they do not exist, or the cluster refuses this client.
    pub unavailable: Vec<String>,
    /// Records without a delivery report, because no broker has answered in time.
    pub unconfirmed: u64,
}

impl Tally {
    pub fn all_delivered(&self) -> bool {
        self.failed.is_empty() && self.unconfirmed == 0
    }

    fn note(&mut self, topic: &str, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
        let is_unavailable = code.is_some_and(|code| {
            client_log::is_refusal(code)
                || matches!(
                    code,
                    RDKafkaErrorCode::UnknownTopic
                        | RDKafkaErrorCode::UnknownTopicOrPartition
                        | RDKafkaErrorCode::InvalidTopic
                )
        });
        if is_unavailable && !self.unavailable.iter().any(|known| known == topic) {
            self.unavailable.push(topic.to_owned());
        }
        *self.failed.entry((topic.to_owned(), reason)).or_default() += 1;
    }
}

/// Says what was not delivered, and why.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failed.values().sum();
        let (lost, all) = (failed, self.delivered + failed + self.unconfirmed);
        write!(f, "of {all} records {} were delivered", self.delivered)?;
        if lost > 0 {
            write!(f, ", and {lost} were not:")?;
            for (at, ((topic, reason), count)) in self.failed.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(f, "{comma} {count} to {topic} ({reason})")?;
            }
        }
        if self.unconfirmed > 0 {
            let (count, seconds) = (self.unconfirmed, STALL_TIMEOUT.as_secs());
            write!(
                f,
                ", and of {count} it is not known: no broker has confirmed any for {seconds} s"
            )?;
        }
        Ok(())
    }
}

/// Counts the delivery reports in librdkafka's callbacks.
#[derive(Default)]
struct DeliveryCounter(Mutex<Tally>);

impl DeliveryCounter {
    fn with<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for DeliveryCounter {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for DeliveryCounter {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.with(|tally| match result {
            Ok(_) => tally.delivered += 1,
            Err((error, message)) => tally.note(message.topic(), error),
        });
    }
}

impl Feed {
    pub fn connect(settings: ClientSettings<'_>) -> KafkaResult<Feed> {
        Ok(Feed {
            producer: settings
                .feed()
                .create_with_context(DeliveryCounter::default())?,
            sent: 0,
        })
    }

    /// Produces a record; waits while the queue is full. A record that the client refuses counts as not delivered.
    ///
    /// # Errors
    /// The queue stays full.
    pub fn send<S>(&mut self, record: &GeneratedRecord<S>, topic: &str) -> KafkaResult<()> {
        let deadline = Instant::now() + STALL_TIMEOUT;
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
                Err((error, _)) if !is_full(&error) => {
                    let counter = self.producer.context();
                    counter.with(|tally| tally.note(topic, &error));
                    break;
                }
                Err((error, _)) if Instant::now() >= deadline => return Err(error),
                Err(_) => self.producer.poll(Duration::from_millis(10)),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(256) {
            self.poll();
        }
        Ok(())
    }

    /// Counts what was delivered since the last call.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until there is a delivery report for every record, or until none arrives for a while; returns the counts
    /// of all records.
    pub fn finish(&self) -> Tally {
        let mut progress = Instant::now();
        let mut tally = self.tally();
        while tally.unconfirmed > 0 && progress.elapsed() < STALL_TIMEOUT {
            // The flush also sends records that still linger. Its timeout says no more than the tally.
            let _ = self.producer.flush(POLL);
            let now = self.tally();
            if now.unconfirmed != tally.unconfirmed {
                progress = Instant::now();
            }
            tally = now;
        }
        tally
    }

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        let mut tally = self.producer.context().with(|tally| tally.clone());
        let known = tally.delivered + tally.failed.values().sum::<u64>();
        tally.unconfirmed = self.sent.saturating_sub(known);
        tally
    }
}

fn is_full(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_shows_what_was_not_delivered_and_why() {
        let mut tally = Tally {
            delivered: 7,
            ..Tally::default()
        };
        assert!(tally.all_delivered());
        let refused = KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed);
        let large = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
        tally.note("a", &refused);
        tally.note("a", &refused);
        tally.note("b", &large);
        assert!(!tally.all_delivered());
        assert_eq!(tally.unavailable, ["a"]);
        let text = tally.to_string();
        assert!(text.starts_with("of 10 records 7 were delivered, and 3 were not: 2 to a ("));
        assert!(text.contains("), 1 to b ("), "{text}");
        tally.unconfirmed = 5;
        assert!(
            tally
                .to_string()
                .starts_with("of 15 records 7 were delivered")
        );
    }
}
