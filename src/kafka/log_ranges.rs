//! Which offsets the logs of topics hold.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client::{ClientSettings, Isolation};
use super::client_log::{creation_error, is_refusal};
use super::lag_reader::{LagReader, TopicPartition};
use super::retry::{ATTEMPT_TIMEOUT, code_of, with_retries};
use crate::exit::Failure;

/// A range of offsets in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub topic: String,
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset after the last one.
    pub end: i64,
}

impl Range {
    /// The number of offsets, not all of which need to hold a record.
    pub fn offsets(&self) -> u64 {
        self.end.saturating_sub(self.from).max(0).unsigned_abs()
    }
}

/// Why logs could not be read. The text says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error(
        "the topic {0} does not exist, or this client lacks the permission to see it: look at its name in the configuration, and at the permissions in docs/topics-and-permissions.md"
    )]
    NoTopic(String),
    #[error(
        "cannot read {what}: {reason}; the cluster refuses this client: look at the permissions that docs/topics-and-permissions.md lists"
    )]
    Refused { what: String, reason: String },
    #[error("cannot read {what}: {reason}; look at whether the brokers can be reached from here")]
    Unreachable { what: String, reason: String },
    #[error("cannot read {topic}[{partition}] from offset {offset} on: {reason}")]
    Unreadable {
        topic: String,
        partition: i32,
        offset: i64,
        reason: String,
    },
    #[error("cannot make a client: {0}")]
    Client(String),
}

impl ReadError {
    pub(super) fn of_client(error: &KafkaError) -> ReadError {
        ReadError::Client(creation_error(error))
    }

    fn of(what: &str, error: &KafkaError) -> ReadError {
        let (what, reason) = (what.to_owned(), error.to_string());
        match code_of(error) {
            Some(code) if is_refusal(code) => ReadError::Refused { what, reason },
            _ => ReadError::Unreachable { what, reason },
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure::Service(error.to_string())
    }
}

/// Asks for the ends of logs, and for offsets by time.
pub struct LogQuery {
    client: LagReader,
}

impl LogQuery {
    /// With [`Isolation::Committed`] the end of a log is the offset of the first open transaction, where there is one;
    /// with [`Isolation::Uncommitted`] it is the end of all that was written.
    pub fn connect(
        settings: ClientSettings<'_>,
        isolation: Isolation,
    ) -> Result<LogQuery, ReadError> {
        let client = LagReader::connect_as(settings, isolation);
        Ok(LogQuery {
            client: client.map_err(|error| ReadError::of_client(&error))?,
        })
    }

    /// What the partitions of topics hold now, in the order of the topics.
    pub fn ranges(&self, topics: &[&str]) -> Result<Vec<Range>, ReadError> {
        let mut all = Vec::new();
        for topic in topics {
            let partitions = 0..self.partitions(topic)?;
            all.extend(partitions.map(|partition| ((*topic).to_owned(), partition)));
        }
        // The start is asked last: the log may be cut meanwhile, and then the range begins where the log does.
        let ends = self.asked(&all, LagReader::end_offsets)?;
        let starts = self.asked(&all, LagReader::start_offsets)?;
        let ranges = all.into_iter().map(|place| {
            let (from, end) = (starts[&place], ends[&place]);
            let (topic, partition) = place;
            Range {
                topic,
                partition,
                from: from.min(end),
                end,
            }
        });
        Ok(ranges.collect())
    }

    /// Lets ranges begin at the first record with this timestamp, in milliseconds, or a later one.
    pub fn begin_at(&self, ranges: &mut [Range], millis: i64) -> Result<(), ReadError> {
        let places: Vec<TopicPartition> = places(ranges);
        let since = self.asked(&places, |client, places, wait| {
            client.offsets_since(places, millis, wait)
        })?;
        for (range, place) in ranges.iter_mut().zip(places) {
            range.from = since[&place].clamp(range.from, range.end);
        }
        Ok(())
    }

    /// The first offsets of the partitions of ranges now.
    pub(super) fn starts(&self, ranges: &[Range]) -> Result<Vec<i64>, ReadError> {
        let places = places(ranges);
        let starts = self.asked(&places, LagReader::start_offsets)?;
        Ok(places.iter().map(|place| starts[place]).collect())
    }

    /// The offsets that the group has committed, for partitions that have one.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, ReadError> {
        let committed = self.asked(partitions, LagReader::committed)?;
        let known = committed.into_iter();
        Ok(known
            .filter_map(|(place, offset)| Some((place, offset?)))
            .collect())
    }

    /// The number of a topic's partitions.
    pub fn partitions(&self, topic: &str) -> Result<i32, ReadError> {
        let what = format!("the partitions of {topic}");
        let client = self.client.client();
        let ask = || client.fetch_metadata(Some(topic), ATTEMPT_TIMEOUT);
        let metadata = with_retries(ask, code_of).map_err(|error| ReadError::of(&what, &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let Some(found) = found else {
            return Err(ReadError::NoTopic(topic.to_owned()));
        };
        match found.error() {
            None => Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                Err(ReadError::NoTopic(topic.to_owned()))
            }
            Some(code) => {
                let error = KafkaError::MetadataFetch(RDKafkaErrorCode::from(code));
                Err(ReadError::of(&what, &error))
            }
        }
    }

    /// Asks for something of each partition; an answer must name all of them.
    fn asked<T>(
        &self,
        partitions: &[TopicPartition],
        ask: impl Fn(
            &LagReader,
            &[TopicPartition],
            Duration,
        ) -> Result<BTreeMap<TopicPartition, T>, KafkaError>,
    ) -> Result<BTreeMap<TopicPartition, T>, ReadError> {
        let what = match partitions {
            [] => return Ok(BTreeMap::new()),
            [(topic, _), ..] => format!("the offsets of {topic}"),
        };
        let complete = || {
            let answer = ask(&self.client, partitions, ATTEMPT_TIMEOUT)?;
            match partitions.iter().all(|place| answer.contains_key(place)) {
                true => Ok(answer),
                // the leader of a partition is not known for a moment
                false => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::RequestTimedOut)),
            }
        };
        let answer = with_retries(complete, code_of);
        answer.map_err(|error| ReadError::of(&what, &error))
    }
}

fn places(ranges: &[Range]) -> Vec<TopicPartition> {
    let places = ranges.iter();
    places
        .map(|range| (range.topic.clone(), range.partition))
        .collect()
}
