//! The topics that keyfold writes to as they are: what differs from [`super::topic_specs`], and making them so.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client;
use super::client_log::{self, LastTrouble};
use super::description::{self, Trouble};
use super::ends::Ends;
use super::retry::{ATTEMPT, FIRST_ATTEMPT, PATIENCE, PAUSE, RetryBudget, code_of, with_retries};
use super::topic_specs::{Role, TopicSpec, topic_specs};
use crate::config::Config;

/// A setting that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub topic: String,
    pub what: String,
    /// What mends it.
    pub remedy: String,
    pub vital: bool,
}

/// The topics as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Partitions of the state topic.
    pub partitions: i32,
    pub snapshot_partitions: i32,
    pub limits: RecordLimits,
}

/// The largest record that each topic takes (`max.message.bytes`), in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLimits {
    pub state: usize,
    pub forwarded: usize,
    pub snapshots: usize,
    pub dead_letters: usize,
}

impl RecordLimits {
    /// The same for each topic.
    pub const fn all(bytes: usize) -> RecordLimits {
        RecordLimits {
            state: bytes,
            forwarded: bytes,
            snapshots: bytes,
            dead_letters: bytes,
        }
    }

    pub(super) fn of_mut(&mut self, role: Role) -> &mut usize {
        match role {
            Role::State => &mut self.state,
            Role::Forwarded => &mut self.forwarded,
            Role::Snapshots => &mut self.snapshots,
            Role::DeadLetters => &mut self.dead_letters,
        }
    }

    fn bytes(self) -> [usize; 4] {
        [
            self.state,
            self.forwarded,
            self.snapshots,
            self.dead_letters,
        ]
    }

    pub fn least(self) -> usize {
        self.bytes().into_iter().fold(usize::MAX, usize::min)
    }

    pub fn most(self) -> usize {
        self.bytes().into_iter().fold(0, usize::max)
    }
}

/// A failure, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TopicsError(pub String);

/// The settings of a topic by their names.
pub(super) type Settings = HashMap<String, String>;

/// What may be wrong where no broker answers.
pub const LOOK_AT: &str = "look at kafka.bootstrap_servers, and whether the brokers can be reached from here; brokers that want TLS or SASL need it in [kafka.properties]";

/// The clients that ask and administrate. A process makes them once, and its threads share them.
pub struct Cluster {
    config: Config,
    admin: AdminClient<LastTrouble>,
    ends: Ends,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// Connects; fails where no broker answers, or where one refuses this client. `give_up` is asked while no broker
    /// answers.
    pub fn connect(config: &Config, give_up: impl Fn() -> bool) -> Result<Cluster, TopicsError> {
        let cluster = Cluster::open(config)?;
        let mut budget = RetryBudget::of(FIRST_ATTEMPT);
        loop {
            let began = Instant::now();
            match cluster.reach() {
                Ok(()) => return Ok(cluster),
                Err(Trouble::Refused(reason)) => return Err(TopicsError(reason)),
                Err(Trouble::Away(reason)) if budget.ends(began.elapsed()) || give_up() => {
                    let servers = &config.kafka.bootstrap_servers;
                    return Err(TopicsError(format!(
                        "can't reach Kafka at {servers}: {reason}; {LOOK_AT}"
                    )));
                }
                Err(Trouble::Away(_)) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Makes the clients, without waiting for a broker.
    pub fn open(config: &Config) -> Result<Cluster, TopicsError> {
        let setup = |error: KafkaError| {
            TopicsError(format!(
                "can't make a client: {}",
                client_log::not_made(&error)
            ))
        };
        let admin: AdminClient<LastTrouble> = client::admin(config)
            .create_with_context(LastTrouble::default())
            .map_err(setup)?;
        Ok(Cluster {
            config: config.clone(),
            admin,
            ends: Ends::connect(config).map_err(setup)?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| TopicsError(format!("can't start a runtime: {error}")))?,
        })
    }

    /// Asks once whether a broker answers. A refusal ends the wait for one.
    pub fn reach(&self) -> Result<(), Trouble> {
        let topic = self.config.snapshot.topic.as_str();
        let Err(error) = self.ends.partitions(topic, FIRST_ATTEMPT) else {
            return Ok(());
        };
        // a broker that has an opinion on a topic can be reached
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            return Ok(());
        }
        let trouble = self.ends.last_trouble();
        let refused = trouble
            .as_ref()
            .is_some_and(|(code, reason)| client_log::refuses(*code, reason));
        let reason = trouble.map_or_else(|| error.to_string(), |(_, reason)| reason);
        if refused {
            let servers = &self.config.kafka.bootstrap_servers;
            return Err(Trouble::Refused(format!(
                "can't reach Kafka at {servers}: {reason}; look at the credentials and the security protocol in [kafka.properties]"
            )));
        }
        Err(Trouble::Away(reason))
    }

    pub(super) fn admin(&self) -> &AdminClient<LastTrouble> {
        &self.admin
    }

    /// Waits for an answer of the admin client.
    pub(super) fn block_on<T>(&self, asked: impl Future<Output = T>) -> T {
        self.runtime.block_on(asked)
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// The client that asks.
    pub fn client(&self) -> &Client<LastTrouble> {
        self.admin.inner()
    }

    pub(super) fn asked<T>(
        &self,
        what: &str,
        answer: Result<T, KafkaError>,
    ) -> Result<T, TopicsError> {
        answer.map_err(|error| {
            let refused = code_of(&error).is_some_and(client_log::is_refusal);
            let hint = if refused {
                "; the cluster refuses this client: look at the permissions that docs/topics-and-permissions.md lists"
            } else {
                ""
            };
            TopicsError(format!("{what}: {error}{hint}"))
        })
    }

    /// The number of a topic's partitions; none where there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>, TopicsError> {
        self.asked(
            &format!("can't describe the topic {topic}"),
            self.ends.partitions(topic, PATIENCE),
        )
    }

    /// The same, asked again where the way to the brokers broke.
    fn partitions_at_last(&self, topic: &str) -> Result<Option<i32>, TopicsError> {
        let ask = || self.ends.partitions(topic, ATTEMPT);
        self.asked(
            &format!("can't describe the topic {topic}"),
            with_retries(ask, code_of),
        )
    }

    /// The largest number of partitions of the inputs, all of which must be there.
    fn largest_input(&self) -> Result<i32, TopicsError> {
        let mut largest = 1;
        let mut missing = Vec::new();
        for (_, settings) in self.config.sources.iter() {
            for topic in &settings.topics {
                match self.partitions_at_last(topic)? {
                    Some(partitions) => largest = largest.max(partitions),
                    None => missing.push(self.missing(topic, &[])),
                }
            }
        }
        if missing.is_empty() {
            return Ok(largest);
        }
        let all = missing
            .iter()
            .map(|missing| format!("{}. {}", missing.what, missing.remedy));
        Err(TopicsError(all.collect::<Vec<_>>().join("\n")))
    }

    /// Creates the topics that are missing; their names and partitions.
    pub fn create_missing(&self) -> Result<Vec<(String, i32)>, TopicsError> {
        let largest = self.largest_input()?;
        let topics = &self.config.topics;
        let wished = topics
            .partitions
            .and_then(|wished| i32::try_from(wished).ok());
        let internal = [self.config.state_topic(), self.config.forwarded_topic()];
        let mut created = Vec::new();
        for wanted in topic_specs(&self.config) {
            if self.partitions(&wanted.name)?.is_some() {
                continue;
            }
            // an internal topic that is there decides for the other one
            let mut partitions = wished.unwrap_or(largest);
            if matches!(wanted.role, Role::State | Role::Forwarded) {
                for other in &internal {
                    if let Some(found) = self.partitions(other)? {
                        partitions = found;
                    }
                }
            }
            self.create(&wanted, partitions)?;
            created.push((wanted.name, partitions));
        }
        Ok(created)
    }

    fn create(&self, wanted: &TopicSpec, partitions: i32) -> Result<(), TopicsError> {
        let replication = self.config.topics.replication_factor.map_or(-1, i32::from);
        let mut topic = NewTopic::new(
            &wanted.name,
            partitions,
            TopicReplication::Fixed(replication),
        );
        for (name, value) in wanted.to_create() {
            topic = topic.set(name, value);
        }
        let what = format!("can't create the topic {}", wanted.name);
        let options = options();
        let created = self.admin.create_topics([&topic], &options);
        let results = self.asked(&what, self.runtime.block_on(created))?;
        for result in results {
            if let Err((name, code)) = result
                && code != RDKafkaErrorCode::TopicAlreadyExists
            {
                return Err(TopicsError(format!(
                    "can't create the topic {name}: {code}"
                )));
            }
        }
        // a topic without leaders yet is on its way
        self.wait_until(&what, || {
            Ok(matches!(self.partitions(&wanted.name), Ok(Some(_))))
        })
    }

    pub(super) fn wait_until(
        &self,
        what: &str,
        done: impl Fn() -> Result<bool, TopicsError>,
    ) -> Result<(), TopicsError> {
        let deadline = Instant::now() + PATIENCE;
        while !done()? {
            if Instant::now() >= deadline {
                return Err(TopicsError(format!(
                    "{what}: the cluster did not do so in time"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What the cluster calls the state topic: another one after it was deleted and recreated. None where the
    /// brokers are too old to tell.
    pub fn state_topic_id(&self) -> Result<Option<String>, TopicsError> {
        let topic = self.config.state_topic();
        let ask = || description::id(&self.admin, &topic, ATTEMPT);
        with_retries(ask, |unanswered| unanswered.code).map_err(|unanswered| {
            let reason = unanswered.reason;
            TopicsError(format!("can't read the id of the topic {topic}: {reason}"))
        })
    }

    /// The settings of topics, in their order. None where they are not told: the binding drops the reason (rust-rdkafka
    /// 0.39, `DescribeConfigsFuture`), but of a topic that is there it is that this client may not ask.
    pub(super) fn settings(&self, topics: &[&str]) -> Result<Vec<Option<Settings>>, Trouble> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resources = topics.iter().map(|topic| ResourceSpecifier::Topic(topic));
        let resources: Vec<_> = resources.collect();
        let options = AdminOptions::new().request_timeout(Some(ATTEMPT));
        let described = self.admin.describe_configs(&resources, &options);
        let answers = self.runtime.block_on(described);
        let answers = answers.map_err(|error| {
            Trouble::Away(format!("can't read the settings of the topics: {error}"))
        })?;
        let settings = answers.into_iter().map(|answer| {
            let entries = answer.ok()?.entries.into_iter();
            let told: Settings = entries
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
            (!told.is_empty()).then_some(told)
        });
        Ok(settings.collect())
    }

    /// A setting of a broker. None where it is not told: few clients may ask.
    pub(super) fn broker_setting(&self, name: &str) -> Option<String> {
        let topic = self.config.snapshot.topic.as_str();
        let metadata = self.client().fetch_metadata(Some(topic), ATTEMPT).ok()?;
        let broker = ResourceSpecifier::Broker(metadata.brokers().first()?.id());
        let options = AdminOptions::new().request_timeout(Some(ATTEMPT));
        let described = self.admin.describe_configs([&broker], &options);
        let answer = self.runtime.block_on(described).ok()?.pop()?.ok()?;
        answer.get(name)?.value.clone()
    }

    /// Deletes the records of the forwarded topic before these offsets. Whether the cluster allows it.
    pub fn delete_forwarded(&self, before: &[(i32, i64)]) -> Result<bool, TopicsError> {
        let topic = self.config.forwarded_topic();
        let mut list = TopicPartitionList::with_capacity(before.len());
        for &(partition, offset) in before {
            let added = list.add_partition_offset(&topic, partition, Offset::Offset(offset));
            self.asked("can't name an offset", added)?;
        }
        let options = options();
        let deleted = self.admin.delete_records(&list, &options);
        let what = "can't delete forwarded records";
        let answer = self.asked(what, self.runtime.block_on(deleted))?;
        let refused = answer
            .elements()
            .iter()
            .any(|element| element.error().is_err());
        Ok(!refused)
    }
}

pub(super) fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}

/// What is not as it should be: one entry for a setting, with the command that mends all of it.
pub(super) fn difference(
    wanted: &TopicSpec,
    found: &HashMap<String, String>,
    servers: &str,
) -> Vec<Difference> {
    let mut differences: Vec<Difference> = Vec::new();
    let mut named = Vec::new();
    for expected in wanted.settings.iter().chain(&wanted.bounds) {
        let name = expected.name;
        let Some(value) = found.get(name).filter(|value| !expected.holds(value)) else {
            continue;
        };
        // of two bounds on one setting the stricter comes first, and mends both
        if let Some(at) = named.iter().position(|known| *known == name) {
            differences[at].vital |= expected.vital;
            continue;
        }
        named.push(name);
        let more = if expected.at_least { "at least " } else { "" };
        differences.push(Difference {
            topic: wanted.name.clone(),
            what: format!("{name} is {value}, and should be {more}{}", expected.value),
            remedy: format!(
                "kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {} --add-config {name}={}",
                wanted.name, expected.value
            ),
            vital: expected.vital,
        });
    }
    differences
}
