//! What tests do with a Kafka by themselves, beside the program under test.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::record::{Consumed, Record, base_record, consumed};
use crate::wait::{block_on, wait_until};

const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A name that no test before or beside this one has used, on a broker that is kept either.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.expect("a clock after 1970").as_millis();
    format!("{prefix}-{millis:x}-{:x}-{count}", std::process::id())
}

/// What a reader sees of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadCommitted,
    ReadUncommitted,
}

/// Connects to one cluster with the properties given. Every call makes its own connection.
#[derive(Clone, Debug)]
pub struct Client {
    properties: BTreeMap<String, String>,
}

impl Client {
    pub fn new(bootstrap: &str) -> Client {
        let properties = [("bootstrap.servers".to_owned(), bootstrap.to_owned())];
        Client {
            properties: properties.into(),
        }
    }

    /// A client of the broker that all tests share.
    pub fn shared() -> Client {
        Client::new(crate::broker::bootstrap())
    }

    /// The same client with further librdkafka properties.
    pub fn with(mut self, properties: &[(&str, String)]) -> Client {
        for (key, value) in properties {
            self.properties.insert((*key).to_owned(), value.clone());
        }
        self
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    /// Creates a topic with the broker's default number of replicas and waits until every partition has a leader.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().request_timeout(Some(REQUEST_LIMIT));
        let results = block_on(self.admin().create_topics([&topic], &options));
        for result in results.expect("topics can be created") {
            result.unwrap_or_else(|(name, code)| panic!("create topic {name}: {code}"));
        }
        let consumer = self.consumer();
        wait_until(REQUEST_LIMIT, "the new topic's leaders", || {
            let metadata = consumer.fetch_metadata(Some(name), REQUEST_LIMIT).ok()?;
            let topic = metadata.topics().first()?;
            let led = topic.partitions().iter().filter(|p| p.leader() >= 0);
            (led.count() == partitions as usize).then_some(())
        });
    }

    #[track_caller]
    pub fn delete_topics(&self, names: &[&str]) {
        let options = AdminOptions::new().request_timeout(Some(REQUEST_LIMIT));
        let results = block_on(self.admin().delete_topics(names, &options));
        for result in results.expect("topics can be deleted") {
            result.unwrap_or_else(|(name, code)| panic!("delete topic {name}: {code}"));
        }
    }

    /// The number of partitions, or `None` if there is no such topic.
    #[track_caller]
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        let metadata = self.consumer().fetch_metadata(Some(topic), REQUEST_LIMIT);
        let metadata = metadata.expect("metadata");
        let topic = metadata.topics().first()?;
        if topic.error().is_some() {
            return None;
        }
        i32::try_from(topic.partitions().len()).ok()
    }

    /// The number of brokers that the cluster counts itself.
    #[track_caller]
    pub fn brokers(&self) -> usize {
        let metadata = self.consumer().fetch_metadata(None, REQUEST_LIMIT);
        metadata.expect("metadata").brokers().len()
    }

    /// A topic's settings, with the defaults.
    #[track_caller]
    pub fn topic_settings(&self, topic: &str) -> BTreeMap<String, String> {
        let options = AdminOptions::new().request_timeout(Some(REQUEST_LIMIT));
        let resource = ResourceSpecifier::Topic(topic);
        let results = block_on(self.admin().describe_configs([&resource], &options));
        let mut settings = BTreeMap::new();
        for result in results.expect("settings can be read") {
            let resource = result.unwrap_or_else(|code| panic!("settings of {topic}: {code}"));
            for entry in resource.entries {
                settings.insert(entry.name, entry.value.unwrap_or_default());
            }
        }
        settings
    }

    /// Sets settings of a topic; those that are not named get the brokers' defaults.
    #[track_caller]
    pub fn set_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let mut resource = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (key, value) in settings {
            resource = resource.set(key, value);
        }
        let options = AdminOptions::new().request_timeout(Some(REQUEST_LIMIT));
        let results = block_on(self.admin().alter_configs([&resource], &options));
        for result in results.expect("settings can be changed") {
            result.unwrap_or_else(|(_, code)| panic!("settings of {topic}: {code}"));
        }
    }

    /// Produces the records in their order and waits until all are acknowledged.
    #[track_caller]
    pub fn produce(&self, records: &[Record]) {
        let producer: BaseProducer<Deliveries> = self
            .producer_config()
            .create_with_context(Deliveries::default())
            .expect("a producer");
        for record in records {
            let mut base = base_record(record);
            while let Err((error, same)) = producer.send(base) {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                assert!(full, "produce to {}: {error}", record.topic);
                producer.poll(Duration::from_millis(50));
                base = same;
            }
            producer.poll(Duration::ZERO);
        }
        producer.flush(2 * REQUEST_LIMIT).expect("all is delivered");
        let failures = producer.context().failures.lock().expect("no panic before");
        assert!(failures.is_empty(), "not delivered: {failures:?}");
    }

    /// The configuration of a producer like that of Java's client.
    pub fn producer_config(&self) -> ClientConfig {
        let mut config = self.config();
        config.set("partitioner", "murmur2_random");
        config.set("enable.idempotence", "true");
        config.set("message.max.bytes", "16777216");
        config.set("linger.ms", "5");
        config
    }

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

    /// Like [`Client::read_all`]; none if the beginning of a partition was not to be found.
    #[track_caller]
    fn read_unless_moved(&self, topic: &str, isolation: Isolation) -> Option<Vec<Consumed>> {
        let mut config = self.config();
        config.set("group.id", unique("keyfold-test-reader"));
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        config.set("fetch.wait.max.ms", "50");
        config.set("fetch.queue.backoff.ms", "2");
        config.set(
            "isolation.level",
            match isolation {
                Isolation::ReadCommitted => "read_committed",
                Isolation::ReadUncommitted => "read_uncommitted",
            },
        );
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let partitions = self.partitions(topic);
        let partitions = partitions.unwrap_or_else(|| panic!("no topic {topic}"));
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an assignment");
        }
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

    /// The offsets that a group has committed, by topic and partition. Partitions for which it
    /// has committed none are left out.
    #[track_caller]
    pub fn committed_offsets(&self, group: &str, topics: &[&str]) -> BTreeMap<(String, i32), i64> {
        let mut config = self.config();
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        // a client that reads committed waits until no open transaction may change any of them, which may never be
        // while instances commit all the time
        config.set("isolation.level", "read_uncommitted");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut asked = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..self.partitions(topic).unwrap_or(0) {
                asked.add_partition(topic, partition);
            }
        }
        // the group's coordinator may have moved with a broker that is gone
        let answer = wait_until(REQUEST_LIMIT, "the group's coordinator", || {
            let answer = consumer.committed_offsets(asked.clone(), REQUEST_LIMIT);
            let moved = answer.as_ref().is_err_and(|error| {
                matches!(
                    error.rdkafka_error_code(),
                    Some(
                        RDKafkaErrorCode::NotCoordinator
                            | RDKafkaErrorCode::CoordinatorNotAvailable
                            | RDKafkaErrorCode::CoordinatorLoadInProgress
                    )
                )
            });
            (!moved).then(|| answer.expect("committed offsets"))
        });
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            element.error().expect("a committed offset");
            if let Offset::Offset(offset) = element.offset() {
                committed.insert((element.topic().to_owned(), element.partition()), offset);
            }
        }
        committed
    }

    /// The first offset and the end offset of every partition. The end counts what is not
    /// committed too.
    #[track_caller]
    pub fn watermarks(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer = self.consumer();
        let partitions = 0..self.partitions(topic).unwrap_or(0);
        let watermarks = partitions.map(|partition| {
            // a broker that has just come back may not lead yet
            wait_until(REQUEST_LIMIT, "a partition's watermarks", || {
                consumer
                    .fetch_watermarks(topic, partition, REQUEST_LIMIT)
                    .ok()
            })
        });
        watermarks.collect()
    }

    fn consumer(&self) -> BaseConsumer {
        self.config()
            .set("isolation.level", "read_uncommitted")
            .create()
            .expect("a client")
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("an admin client")
    }
}

/// Notes the records that could not be delivered.
#[derive(Default)]
struct Deliveries {
    failures: Mutex<Vec<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Err((error, message)) = result {
            let failure = format!("{}: {error}", message.topic());
            self.failures.lock().expect("no panic before").push(failure);
        }
    }
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
