//! Reads what the processor publishes, while it does: the demo's broker keeps little.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::Config;
use crate::kafka::client;

/// A dead letter's headers, as far as the demo shows them.
#[derive(Debug, Clone)]
pub struct Letter {
    pub place: String,
    pub code: String,
    pub message: String,
    pub violations: String,
}

/// The newest snapshot of each customer, and the dead letters.
pub struct Reader {
    consumer: BaseConsumer,
    snapshot_topic: String,
    pub snapshots: BTreeMap<String, Option<Vec<u8>>>,
    pub read: u64,
    pub letters: BTreeSet<String>,
    pub last_letter: Option<Letter>,
}

impl Reader {
    pub fn start(config: &Config, partitions: i32) -> KafkaResult<Reader> {
        let mut reader = client::reader(config);
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
            read: 0,
            letters: BTreeSet::new(),
            last_letter: None,
        })
    }

    /// Reads for a while.
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
                self.read += 1;
            } else {
                let letter = letter(&message);
                self.letters.insert(letter.place.clone());
                self.last_letter = Some(letter);
            }
        }
    }
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
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
    Letter {
        place: format!(
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
