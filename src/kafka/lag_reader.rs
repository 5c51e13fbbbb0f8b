//! A consumer that measures the group's lag: its committed offsets, the ends of the logs, and the age of the record
//! that it would read next. It is not a member of the group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{ClientSettings, Isolation};
use super::client_log::LastError;

/// A topic and a partition.
pub type TopicPartition = (String, i32);

pub struct LagReader {
    client: BaseConsumer<LastError>,
}

impl LagReader {
    pub fn connect(settings: ClientSettings<'_>) -> KafkaResult<LagReader> {
        LagReader::connect_as(settings, Isolation::Committed)
    }

    /// Like [`LagReader::connect`]. With [`Isolation::Uncommitted`] the end of a log is its high watermark.
    pub fn connect_as(
        settings: ClientSettings<'_>,
        isolation: Isolation,
    ) -> KafkaResult<LagReader> {
        let mut client = settings.reader();
        client.set("isolation.level", isolation.name());
        for (name, value) in [
            // Only one record is needed, and the brokers return whole batches, so one batch is enough.
            ("fetch.message.max.bytes", "1"),
            ("queued.min.messages", "1"),
        ] {
            client.set(name, value);
        }
        client.remove("max.partition.fetch.bytes");
        Ok(LagReader {
            client: client.create_with_context(LastError::default())?,
        })
    }

    /// Discards the client's queued events, which would otherwise accumulate.
    pub fn drop_events(&self) {
        while self.client.poll(Duration::ZERO).is_some() {}
    }

    /// See [`committed`]; with [`Isolation::Committed`], offsets that no open transaction may still change.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, Option<i64>>> {
        committed(&self.client, partitions, wait)
    }

    /// The end offsets: those after the last readable records.
    pub fn end_offsets(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
        self.offsets(partitions, Offset::End, wait)
    }

    /// The start offsets: those of the first records.
    pub fn start_offsets(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
        self.offsets(partitions, Offset::Beginning, wait)
    }

    /// The first offsets whose record has this timestamp, in milliseconds, or a later one; the end of the log where no
    /// record has.
    pub fn offsets_since(
        &self,
        partitions: &[TopicPartition],
        millis: i64,
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
        let mut found = self.offsets(partitions, Offset::Offset(millis), wait)?;
        let without: Vec<TopicPartition> = partitions
            .iter()
            .filter(|partition| !found.contains_key(*partition))
            .cloned()
            .collect();
        found.extend(self.end_offsets(&without, wait)?);
        Ok(found)
    }

    pub(super) fn client(&self) -> &BaseConsumer<LastError> {
        &self.client
    }

    fn offsets(
        &self,
        partitions: &[TopicPartition],
        of: Offset,
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
        offsets(&self.client, partitions, of, wait)
    }

    /// The timestamp of the first record from an offset on, in milliseconds; `None` if there is no record, if it has no
    /// timestamp, or if it cannot be read.
    pub fn timestamp_from(
        &self,
        (topic, partition): &TopicPartition,
        offset: i64,
        wait: Duration,
    ) -> Option<i64> {
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
                // the end of the log, or a batch that cannot be read
                Some(Err(_)) => break,
            }
        }
        // the client discards the other records that it fetched
        let _ = self.client.assign(&TopicPartitionList::new());
        found
    }
}

/// The offsets that a client's group has committed; `None` for a partition without one. Partitions whose offset cannot be
/// read now are left out.
pub(super) fn committed(
    client: &BaseConsumer<LastError>,
    partitions: &[TopicPartition],
    wait: Duration,
) -> KafkaResult<BTreeMap<TopicPartition, Option<i64>>> {
    let list = list(partitions, Offset::Invalid)?;
    let answer = client.committed_offsets(list, wait)?;
    Ok(answered(&answer, |offset| match offset {
        Offset::Offset(offset) => Some(Some(offset)),
        _ => Some(None),
    }))
}

/// Offsets of partitions: the first ones ([`Offset::Beginning`]), those after the last records ([`Offset::End`]), or those of
/// a time in milliseconds, in the place of which the request accepts the other two. One request for each broker. Partitions
/// whose offset cannot be read now are left out; if one has no leader, all fail after `wait`.
pub(super) fn offsets(
    client: &BaseConsumer<LastError>,
    partitions: &[TopicPartition],
    of: Offset,
    wait: Duration,
) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let answer = client.offsets_for_times(list(partitions, of)?, wait)?;
    Ok(answered(&answer, |offset| match offset {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }))
}

fn list(partitions: &[TopicPartition], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

fn answered<T>(
    answer: &TopicPartitionList,
    read: impl Fn(Offset) -> Option<T>,
) -> BTreeMap<TopicPartition, T> {
    let elements = answer.elements();
    let answered = elements.iter().filter(|element| element.error().is_ok());
    answered
        .filter_map(|element| {
            let key = (element.topic().to_owned(), element.partition());
            Some((key, read(element.offset())?))
        })
        .collect()
}
