//! A client that looks how far a group is behind, and how old the record is that it would read next. It is no member of
//! the group, and takes nothing from it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client;
use super::client_log::LastTrouble;
use crate::config::Config;

/// A topic and a partition.
pub type Key = (String, i32);

pub struct Onlooker {
    client: BaseConsumer<LastTrouble>,
}

impl Onlooker {
    pub fn connect(config: &Config) -> KafkaResult<Onlooker> {
        let mut client = client::reader(config);
        for (name, value) in [
            // one record is looked at, and a batch comes as a whole, so one batch is enough
            ("fetch.message.max.bytes", "1"),
            ("queued.min.messages", "1"),
        ] {
            client.set(name, value);
        }
        client.remove("max.partition.fetch.bytes");
        Ok(Onlooker {
            client: client.create_with_context(LastTrouble::default())?,
        })
    }

    /// Takes in what the client has to say: it would keep all of it.
    pub fn serve(&self) {
        while self.client.poll(Duration::ZERO).is_some() {}
    }

    /// The offsets that the group has committed, where it has; partitions that can't be told now are left out.
    pub fn committed(
        &self,
        partitions: &[Key],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<Key, Option<i64>>> {
        let list = at(partitions, Offset::Invalid)?;
        let answer = self.client.committed_offsets(list, wait)?;
        Ok(told(&answer, |offset| match offset {
            Offset::Offset(offset) => Some(Some(offset)),
            _ => Some(None),
        }))
    }

    /// The offsets behind the last records that may be read.
    pub fn ends(&self, partitions: &[Key], wait: Duration) -> KafkaResult<BTreeMap<Key, i64>> {
        self.offsets(partitions, Offset::End, wait)
    }

    /// The first offsets.
    pub fn begins(&self, partitions: &[Key], wait: Duration) -> KafkaResult<BTreeMap<Key, i64>> {
        self.offsets(partitions, Offset::Beginning, wait)
    }

    /// The question for the offsets of a time takes these two in the place of one.
    fn offsets(
        &self,
        partitions: &[Key],
        of: Offset,
        wait: Duration,
    ) -> KafkaResult<BTreeMap<Key, i64>> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answer = self.client.offsets_for_times(at(partitions, of)?, wait)?;
        Ok(told(&answer, |offset| match offset {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
    }

    /// The timestamp of the first record from an offset on, in milliseconds; none where there is no record, where it has
    /// none, or where it can't be read.
    pub fn oldest(&self, (topic, partition): &Key, offset: i64, wait: Duration) -> Option<i64> {
        let mut list = TopicPartitionList::with_capacity(1);
        let from = Offset::Offset(offset);
        list.add_partition_offset(topic, *partition, from).ok()?;
        self.client.assign(&list).ok()?;
        let until = Instant::now() + wait;
        let mut found = None;
        while Instant::now() < until {
            match self.client.poll(Duration::from_millis(20)) {
                None => {}
                Some(Ok(record)) => {
                    let same = record.topic() == topic && record.partition() == *partition;
                    if same && record.offset() >= offset {
                        found = record.timestamp().to_millis().filter(|time| *time >= 0);
                        break;
                    }
                }
                // the end of the log, or a batch that can't be read
                Some(Err(_)) => break,
            }
        }
        // the client forgets what it fetched beyond
        let _ = self.client.assign(&TopicPartitionList::new());
        found
    }
}

fn at(partitions: &[Key], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

fn told<T>(answer: &TopicPartitionList, read: impl Fn(Offset) -> Option<T>) -> BTreeMap<Key, T> {
    let elements = answer.elements();
    let answered = elements.iter().filter(|element| element.error().is_ok());
    answered
        .filter_map(|element| {
            let key = (element.topic().to_owned(), element.partition());
            Some((key, read(element.offset())?))
        })
        .collect()
}
