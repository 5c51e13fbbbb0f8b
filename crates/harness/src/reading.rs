//! Reading topics from their beginning to their end.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::client::{Client, Isolation, REQUEST_LIMIT, count_partitions, let_go, unique};
use crate::record::{Consumed, consumed};
use crate::wait::wait_until;

impl Client {
    /// Reads a topic from its beginning to its end, sorted by partition and offset. The end of a
    /// committed reading lies before the first open transaction.
    #[track_caller]
    pub fn read_all(&self, topic: &str, isolation: Isolation) -> Vec<Consumed> {
        // The client gives up on a beginning that it cannot find: a broker that has just come back
        // does not lead yet, or keyfold has deleted forwarded records meanwhile.
        wait_until(REQUEST_LIMIT, "the beginning of a topic", || {
            self.read_unless_moved(topic, isolation)
        })
    }

    /// Like [`Client::read_all`], for topics that are read side by side, with what is committed only.
    pub fn read_side_by_side(&self, topics: &[String]) -> Vec<Vec<Consumed>> {
        thread::scope(|scope| {
            let readers = topics
                .iter()
                .map(|topic| scope.spawn(move || self.read_all(topic, Isolation::ReadCommitted)));
            // all of them are started before one is waited for
            let readers: Vec<_> = readers.collect();
            let read = readers.into_iter().map(|reader| match reader.join() {
                Ok(records) => records,
                Err(panic) => resume_unwind(panic),
            });
            read.collect()
        })
    }

    /// Like [`Client::read_all`]; none if the beginning of a partition was not to be found.
    fn read_unless_moved(&self, topic: &str, isolation: Isolation) -> Option<Vec<Consumed>> {
        let mut config = self.config();
        config.set("group.id", unique("keyfold-test-reader"));
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        config.set("fetch.wait.max.ms", "50");
        config.set("fetch.queue.backoff.ms", "2");
        config.set("isolation.level", isolation.name());
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let records = read_with(&consumer, topic);
        let_go(consumer);
        records
    }
}

/// Reads a topic with a consumer that has not read yet; none if the beginning of a partition was not to be found.
fn read_with(consumer: &BaseConsumer, topic: &str) -> Option<Vec<Consumed>> {
    // A consumer that is to find the beginning of a partition, and does not know its leader, waits for half a second.
    // With this answer it knows the leaders.
    let partitions = count_partitions(consumer, topic).expect("metadata");
    let partitions = partitions.unwrap_or_else(|| panic!("no topic {topic}"));
    let all = (0..partitions).map(|partition| (topic.to_owned(), partition, Offset::Beginning));
    let assignment: TopicPartitionList = all.collect();
    consumer.assign(&assignment).expect("an assignment");
    let mut open: Vec<i32> = (0..partitions).collect();
    let mut records = Vec::new();
    let mut progress = Instant::now();
    while !open.is_empty() {
        assert!(
            progress.elapsed() < REQUEST_LIMIT,
            "reading {topic}: nothing for {REQUEST_LIMIT:?}, partitions {open:?} not at their end"
        );
        match consumer.poll(Duration::from_millis(200)) {
            None => continue,
            Some(Ok(message)) => records.push(consumed(&message)),
            Some(Err(KafkaError::PartitionEOF(ended))) => open.retain(|p| *p != ended),
            Some(Err(error)) if passes(&error) => continue,
            Some(Err(error)) if is_moved(&error) => return None,
            Some(Err(error)) => panic!("reading {topic}: {error}"),
        }
        progress = Instant::now();
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Some(records)
}

/// Whether the position is not in the log (any more), or was not to be found.
fn is_moved(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
}

/// Whether librdkafka tries again by itself.
fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}
