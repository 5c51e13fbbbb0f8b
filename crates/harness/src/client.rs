//! What tests do with a Kafka by themselves, beside the program under test.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::record::{Record, base_record};
use crate::wait::{block_on, wait_until};

pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A topic and a partition.
pub type TopicPartition = (String, i32);

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

impl Isolation {
    /// The value of `isolation.level`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        }
    }
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
        self.create_topics(&[(name.to_owned(), partitions)], settings);
    }

    /// Like [`Client::create_topic`], for topics with the same settings, each given with its number of partitions.
    #[track_caller]
    pub fn create_topics(&self, topics: &[(String, i32)], settings: &[(&str, &str)]) {
        let new = topics.iter().map(|(name, partitions)| {
            let topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(-1));
            let settings = settings.iter();
            settings.fold(topic, |topic, (key, value)| topic.set(key, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let results = self.administer(|admin, options| admin.create_topics(&new, options));
        for result in results.expect("topics can be created") {
            result.unwrap_or_else(|(name, code)| panic!("create topic {name}: {code}"));
        }
        let consumer = self.consumer();
        for (name, partitions) in topics {
            wait_until(REQUEST_LIMIT, "the new topic's leaders", || {
                let metadata = consumer.fetch_metadata(Some(name.as_str()), REQUEST_LIMIT);
                let metadata = metadata.ok()?;
                let topic = metadata.topics().first()?;
                let led = topic.partitions().iter().filter(|p| p.leader() >= 0);
                (led.count() == *partitions as usize).then_some(())
            });
        }
    }

    #[track_caller]
    pub fn delete_topics(&self, names: &[&str]) {
        let results = self.administer(|admin, options| admin.delete_topics(names, options));
        for result in results.expect("topics can be deleted") {
            result.unwrap_or_else(|(name, code)| panic!("delete topic {name}: {code}"));
        }
    }

    /// The number of partitions, or `None` if there is no such topic.
    #[track_caller]
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        count_partitions(&self.consumer(), topic).expect("metadata")
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
        let resource = ResourceSpecifier::Topic(topic);
        let results =
            self.administer(|admin, options| admin.describe_configs([&resource], options));
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
        let results = self.administer(|admin, options| admin.alter_configs([&resource], options));
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
        wait_delivered(&producer);
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

    /// The offsets that a group has committed, by topic and partition. Partitions for which it
    /// has committed none are left out.
    #[track_caller]
    pub fn committed_offsets(&self, group: &str, topics: &[&str]) -> BTreeMap<TopicPartition, i64> {
        let mut config = self.config();
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        // a client that reads committed waits until no open transaction may change any of them, which may never be
        // while instances commit all the time
        config.set("isolation.level", Isolation::ReadUncommitted.name());
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut asked = TopicPartitionList::new();
        for topic in topics {
            let partitions = count_partitions(&consumer, topic).expect("metadata");
            for partition in 0..partitions.unwrap_or(0) {
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
        let_go(consumer);
        offsets_of(&answer).expect("committed offsets")
    }

    /// The first offset and the end offset of every partition. The end counts what is not
    /// committed too.
    #[track_caller]
    pub fn watermarks(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer = self.consumer();
        // a broker that has just come back may not lead yet, so that the leaders are asked for each time
        wait_until(REQUEST_LIMIT, "a topic's watermarks", || {
            let partitions = count_partitions(&consumer, topic).ok()?;
            let watermarks = (0..partitions.unwrap_or(0)).map(|partition| {
                let watermarks = consumer.fetch_watermarks(topic, partition, REQUEST_LIMIT);
                watermarks.ok()
            });
            watermarks.collect()
        })
    }

    /// A client for questions. It is in no group, and sees what is not committed too.
    pub(crate) fn consumer(&self) -> BaseConsumer {
        self.config()
            .set("isolation.level", Isolation::ReadUncommitted.name())
            .create()
            .expect("a client")
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("an admin client")
    }

    /// Asks an admin client for something, and waits for the answer.
    pub(crate) fn administer<F: Future>(
        &self,
        ask: impl FnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> F,
    ) -> F::Output {
        let admin = self.admin();
        let options = AdminOptions::new().request_timeout(Some(REQUEST_LIMIT));
        let answer = block_on(ask(&admin, &options));
        let_go(admin);
        answer
    }
}

/// Drops a client on a thread of its own, because the binding waits for the end of consumers in a group, and of admin
/// clients, in steps of 100 ms.
pub(crate) fn let_go<T: Send + 'static>(client: T) {
    std::thread::spawn(move || drop(client));
}

/// The number of partitions, or `None` if there is no such topic. From then on the client knows who leads them.
pub(crate) fn count_partitions(client: &BaseConsumer, topic: &str) -> KafkaResult<Option<i32>> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST_LIMIT)?;
    let found = metadata.topics().first();
    let found = found.filter(|topic| topic.error().is_none());
    Ok(found.and_then(|topic| i32::try_from(topic.partitions().len()).ok()))
}

/// The offsets of an answer. Partitions for which it has none are left out.
pub(crate) fn offsets_of(
    answer: &TopicPartitionList,
) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let mut offsets = BTreeMap::new();
    for element in answer.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        let told = element.error();
        told.map_err(|error| format!("{topic}[{partition}]: {error}"))?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert((topic.to_owned(), partition), offset);
        }
    }
    Ok(offsets)
}

/// Waits until a producer knows what became of all its records. The binding's own flush looks only every 100 ms.
#[track_caller]
pub(crate) fn wait_delivered<C: ProducerContext>(producer: &BaseProducer<C>) {
    wait_until(2 * REQUEST_LIMIT, "all records to be delivered", || {
        producer.poll(Duration::from_millis(5));
        (producer.in_flight_count() == 0).then_some(())
    });
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
