//! A consumer that only makes requests: for the ends of logs, committed offsets and partitions. It reads uncommitted:
//! with the default isolation level the end of a log is the last stable offset, which leaves out committed records
//! after the start of an open transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::client::ClientSettings;
use super::client_log::LastError;
use super::lag_reader::{self, TopicPartition};

/// A bound of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The offset of the first record.
    First,
    /// The offset after the last record.
    End,
}

pub struct QueryClient {
    client: BaseConsumer<LastError>,
}

impl QueryClient {
    pub fn connect(settings: ClientSettings<'_>) -> KafkaResult<QueryClient> {
        QueryClient::create(&QueryClient::config(settings))
    }

    /// A client that repeats a request at once, for one of which an error is the answer that is looked for: librdkafka
    /// takes it for an error that passes, and tells it only after it has asked twice again.
    pub(super) fn impatient(settings: ClientSettings<'_>) -> KafkaResult<QueryClient> {
        let mut client = QueryClient::config(settings);
        client.set("retry.backoff.ms", "1");
        QueryClient::create(&client)
    }

    fn create(client: &ClientConfig) -> KafkaResult<QueryClient> {
        Ok(QueryClient {
            client: client.create_with_context(LastError::default())?,
        })
    }

    fn config(settings: ClientSettings<'_>) -> ClientConfig {
        let mut client = settings.admin();
        client.set("isolation.level", "read_uncommitted");
        // for the offsets that the group has committed; it does not join
        client.set("group.id", settings.application_id);
        client.set("enable.auto.commit", "false");
        // Without a session it still has an effect: if a request waits for the group's coordinator, because this client
        // may not ask for it, closing the client waits for as long as this. The default is 45 s.
        client.set("session.timeout.ms", "1000");
        client
    }

    /// The first offset of a partition, and the offset after its last record. It may take twice `timeout`.
    pub fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> KafkaResult<(i64, i64)> {
        let watermarks = self.client.fetch_watermarks(topic, partition, timeout);
        let Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)) = watermarks else {
            return watermarks;
        };
        // librdkafka also returns this error if the leader that it knows is a broker that is gone, and does not ask
        // another broker for the new leader: rd_kafka_topic_partition_list_get_leaders takes the error for permanent.
        // It drops its metadata of a topic only after three refresh intervals. Fetching the metadata updates the
        // leader.
        self.client.fetch_metadata(Some(topic), timeout)?;
        self.client.fetch_watermarks(topic, partition, timeout)
    }

    /// The first offsets of partitions, or those after their last records. All are asked for together, in one request for
    /// each broker, and those that cannot be read now are left out; if one has no leader, all fail after `wait`.
    pub fn bounds(
        &self,
        bound: Bound,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, i64>> {
        let of = match bound {
            Bound::First => Offset::Beginning,
            Bound::End => Offset::End,
        };
        lag_reader::offsets(&self.client, partitions, of, wait)
    }

    pub(crate) fn client(&self) -> &Client<LastError> {
        self.client.client()
    }

    /// The offsets that the group has committed, even while an open transaction may still change them; `None` for a
    /// partition without one. A client that reads committed waits until all of these partitions have no such
    /// transaction at the same moment, which may never be in a large group that commits all the time.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> KafkaResult<BTreeMap<TopicPartition, Option<i64>>> {
        lag_reader::committed(&self.client, partitions, wait)
    }

    /// The metadata of the group's committed offsets, even while an open transaction may still change them.
    pub fn committed_metadata(
        &self,
        partitions: &[(&str, i32)],
        timeout: Duration,
    ) -> KafkaResult<Vec<String>> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let answer = self.client.committed_offsets(list, timeout)?;
        let elements = answer.elements();
        Ok(elements
            .iter()
            .map(|element| element.metadata().to_owned())
            .collect())
    }

    /// The topics of which the group has committed an offset, of all that this client may see.
    pub fn committed_topics(&self, timeout: Duration) -> KafkaResult<BTreeSet<String>> {
        let metadata = self.client.fetch_metadata(None, timeout)?;
        let mut list = TopicPartitionList::new();
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                list.add_partition(topic.name(), partition.id());
            }
        }
        if list.count() == 0 {
            return Ok(BTreeSet::new());
        }
        let answer = self.client.committed_offsets(list, timeout)?;
        let elements = answer.elements();
        let committed = elements
            .iter()
            .filter(|element| matches!(element.offset(), Offset::Offset(_)));
        Ok(committed
            .map(|element| element.topic().to_owned())
            .collect())
    }

    /// Asks for a committed offset, to see whether this client may.
    pub fn try_committed(&self, topic: &str, timeout: Duration) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        self.client.committed_offsets(list, timeout).map(drop)
    }

    /// The last error of the connection to the cluster, if there was one.
    pub fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let context = self.client.context();
        while let Some(polled) = self.client.poll(Duration::ZERO) {
            if let Err(error) = polled
                && let Some(code) = error.rdkafka_error_code()
            {
                context.note(code, &error.to_string());
            }
        }
        context.last_error()
    }

    /// The number of a topic's partitions; `None` if the topic does not exist.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> KafkaResult<Option<i32>> {
        let metadata = self.client.fetch_metadata(Some(topic), timeout)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let Some(found) = found else {
            return Ok(None);
        };
        match found.error() {
            None => Ok(Some(found.partitions().len() as i32)),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
            Some(error) => Err(KafkaError::MetadataFetch(error.into())),
        }
    }
}
