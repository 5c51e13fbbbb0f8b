//! A client that asks for the ends of logs. It reads uncommitted: with the default isolation the end is the last
//! stable offset, which misses committed records behind an open transaction.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client;
use super::client_log::LastTrouble;
use crate::config::Config;

pub struct Ends {
    client: BaseConsumer<LastTrouble>,
}

impl Ends {
    pub fn connect(config: &Config) -> KafkaResult<Ends> {
        let mut client = client::admin(config);
        client.set("isolation.level", "read_uncommitted");
        // for the offsets that the group has committed; it does not join
        client.set("group.id", &config.application_id);
        client.set("enable.auto.commit", "false");
        Ok(Ends {
            client: client.create_with_context(LastTrouble::default())?,
        })
    }

    /// The first offset of a partition, and the one behind its last record. It may take twice `wait`.
    pub fn of(&self, topic: &str, partition: i32, wait: Duration) -> KafkaResult<(i64, i64)> {
        let told = self.client.fetch_watermarks(topic, partition, wait);
        let Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)) = told else {
            return told;
        };
        // So the client also says when the leader that it knows of is a broker that is gone, and asks nobody for
        // the new one: rd_kafka_topic_partition_list_get_leaders takes that for permanent. What it knows of a
        // topic it forgets after three intervals of its refresh only.
        self.client.fetch_metadata(Some(topic), wait)?;
        self.client.fetch_watermarks(topic, partition, wait)
    }

    pub fn client(&self) -> &Client<LastTrouble> {
        self.client.client()
    }

    /// The metadata of the offsets that the group has committed of partitions, whether or not a transaction that is open
    /// may still move those.
    pub fn committed(
        &self,
        partitions: &[(&str, i32)],
        wait: Duration,
    ) -> KafkaResult<Vec<String>> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let answer = self.client.committed_offsets(list, wait)?;
        let elements = answer.elements();
        Ok(elements
            .iter()
            .map(|element| element.metadata().to_owned())
            .collect())
    }

    /// The last trouble with the cluster, if there was one.
    pub fn last_trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        let context = self.client.context();
        while let Some(polled) = self.client.poll(Duration::ZERO) {
            if let Err(error) = polled
                && let Some(code) = error.rdkafka_error_code()
            {
                context.note(code, &error.to_string());
            }
        }
        context.last_trouble()
    }

    /// The number of a topic's partitions; none where there is no such topic.
    pub fn partitions(&self, topic: &str, wait: Duration) -> KafkaResult<Option<i32>> {
        let metadata = self.client.fetch_metadata(Some(topic), wait)?;
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
