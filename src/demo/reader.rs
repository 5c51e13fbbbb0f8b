//! Reads the outputs while the processor publishes them, because the demo's broker keeps only the newest records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::Config;
use crate::kafka::client::ClientSettings;

/// The headers of a dead letter that the demo shows.
pub struct DeadLetter {
    /// Topic, partition and offset of the rejected record.
    pub location: String,
    pub code: String,
    pub message: String,
    pub violations: String,
}

/// The newest snapshot of each customer, and the dead letters.
pub struct Reader {
    consumer: BaseConsumer,
    snapshot_topic: String,
    pub snapshots: BTreeMap<String, Option<Vec<u8>>>,
    /// How many snapshots were read, replaced ones included.
    pub snapshots_read: u64,
    /// The locations of the rejected records.
    pub dead_letters: BTreeSet<String>,
    pub last_dead_letter: Option<DeadLetter>,
}

impl Reader {
    pub fn start(config: &Config, partitions: i32) -> KafkaResult<Reader> {
        let mut reader = ClientSettings::from(config).reader();
        reader
            .set("enable.partition.eof", "false")
            .set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer = reader.create()?;
        let mut list = TopicPartitionList::new();
        for topic in [&config.snapshot.topic, &config.dead_letters.topic] {
            for partition in 0..partitions {
                list.add_partition_offset(topic, partition, Offset::Offset(0))?;
            }
        }
        consumer.assign(&list)?;
        Ok(Reader {
            consumer,
            snapshot_topic: config.snapshot.topic.clone(),
            snapshots: BTreeMap::new(),
            snapshots_read: 0,
            dead_letters: BTreeSet::new(),
            last_dead_letter: None,
        })
    }

    /// Reads for the given time.
    pub fn read_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let Some(Ok(message)) = self.consumer.poll(left) else {
                continue;
            };
            if message.topic() == self.snapshot_topic {
                let id = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                self.snapshots
                    .insert(id, message.payload().map(<[u8]>::to_vec));
                self.snapshots_read += 1;
            } else {
                let letter = dead_letter(&message);
                self.dead_letters.insert(letter.location.clone());
                self.last_dead_letter = Some(letter);
            }
        }
    }
}

fn dead_letter(message: &BorrowedMessage<'_>) -> DeadLetter {
    let header = |name: &str| {
        let name = format!("__keyfold.errors.{name}");
        let found = message
            .headers()
            .and_then(|headers| headers.iter().find(|header| header.key == name));
        found
            .and_then(|header| header.value)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .unwrap_or_default()
    };
    DeadLetter {
        location: format!(
            "{}[{}]@{}",
            header("topic"),
            header("partition"),
            header("offset")
        ),
        code: format!("{}/{}", header("stage"), header("code")),
        message: header("message"),
        violations: header("violations"),
    }
}
