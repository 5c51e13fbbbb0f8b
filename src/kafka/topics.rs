//! The topics that keyfold writes to as they are: what differs from [`super::wanted`], and making them so.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, Quiet};
use super::ends::Ends;
use super::patience::{ATTEMPT, FIRST_ATTEMPT, PATIENCE, PAUSE, Patience, code_of, patiently};
use super::topic_id;
use super::wanted::{Expected, Role, Wanted, wanted};
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
    /// `max.message.bytes` of state, forwarded, snapshots and dead letters.
    pub limits: [usize; 4],
}

/// A failure, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TopicsError(pub String);

/// The cluster, as far as topics go.
pub struct Cluster<'c> {
    config: &'c Config,
    admin: AdminClient<Quiet>,
    ends: Ends,
    runtime: tokio::runtime::Runtime,
}

impl<'c> Cluster<'c> {
    /// Connects; fails where no broker answers, or where one refuses this client. `give_up` is asked while no broker
    /// answers.
    pub fn connect(
        config: &'c Config,
        give_up: impl Fn() -> bool,
    ) -> Result<Cluster<'c>, TopicsError> {
        let setup = |error: KafkaError| {
            TopicsError(format!("can't make a client: {}", client::not_made(&error)))
        };
        let admin: AdminClient<Quiet> = client::admin(config)
            .create_with_context(Quiet::default())
            .map_err(setup)?;
        let cluster = Cluster {
            config,
            admin,
            ends: Ends::connect(config).map_err(setup)?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| TopicsError(format!("can't start a runtime: {error}")))?,
        };
        cluster.wait_for_a_broker(give_up)?;
        Ok(cluster)
    }

    /// A refusal ends the wait at once.
    fn wait_for_a_broker(&self, give_up: impl Fn() -> bool) -> Result<(), TopicsError> {
        let mut patience = Patience::of(FIRST_ATTEMPT);
        loop {
            let began = Instant::now();
            let topic = self.config.snapshot.topic.as_str();
            let asked = self.ends.partitions(topic, FIRST_ATTEMPT);
            let Err(error) = asked else {
                return Ok(());
            };
            // a broker that has an opinion on a topic can be reached
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
                return Ok(());
            }
            let trouble = self.ends.last_trouble();
            let refused = trouble
                .as_ref()
                .is_some_and(|(code, _)| client::is_refusal(*code));
            if refused || patience.ends(began.elapsed()) || give_up() {
                let reason = trouble.map_or_else(|| error.to_string(), |(_, reason)| reason);
                let hint = if refused {
                    "look at the credentials and the security protocol in [kafka.properties]"
                } else {
                    "look at kafka.bootstrap_servers, and whether the brokers can be reached from here; brokers that want TLS or SASL need it in [kafka.properties]"
                };
                let servers = &self.config.kafka.bootstrap_servers;
                return Err(TopicsError(format!(
                    "can't reach Kafka at {servers}: {reason}; {hint}"
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn asked<T>(&self, what: &str, answer: Result<T, KafkaError>) -> Result<T, TopicsError> {
        answer.map_err(|error| {
            let refused = code_of(&error).is_some_and(client::is_refusal);
            let hint = if refused {
                "; the cluster refuses this client: look at the permissions that README lists"
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
            patiently(ask, code_of),
        )
    }

    /// The largest number of partitions of the inputs, all of which must be there.
    fn largest_input(&self) -> Result<i32, TopicsError> {
        let mut largest = 1;
        for (source, settings) in self.config.sources.iter() {
            for topic in &settings.topics {
                let partitions = self.partitions_at_last(topic)?.ok_or_else(|| {
                    TopicsError(format!(
                        "the input topic {topic} of the source {source} does not exist: create it, or take it out of [sources.{source}] in the configuration"
                    ))
                })?;
                largest = largest.max(partitions);
            }
        }
        Ok(largest)
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
        for wanted in wanted(self.config) {
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

    fn create(&self, wanted: &Wanted, partitions: i32) -> Result<(), TopicsError> {
        let replication = self.config.topics.replication_factor.map_or(-1, i32::from);
        let mut topic = NewTopic::new(
            &wanted.name,
            partitions,
            TopicReplication::Fixed(replication),
        );
        // of two bounds on one setting the stricter comes first
        let mut named = Vec::new();
        for setting in &wanted.settings {
            if !named.contains(&setting.name) {
                named.push(setting.name);
                topic = topic.set(setting.name, &setting.value);
            }
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

    fn wait_until(
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

    /// What the cluster calls the state topic: another one after it was deleted and created anew. None where the
    /// brokers are too old to tell.
    pub fn state_topic_id(&self) -> Result<Option<String>, TopicsError> {
        let topic = self.config.state_topic();
        let ask = || topic_id::of(&self.admin, &topic, ATTEMPT);
        patiently(ask, |unanswered| unanswered.code).map_err(|unanswered| {
            let reason = unanswered.reason;
            TopicsError(format!("can't read the id of the topic {topic}: {reason}"))
        })
    }

    /// Reads the topics as they are, and tells what is not as it should be. Fails where one is missing.
    pub fn inspect(&self) -> Result<(Found, Vec<Difference>), TopicsError> {
        self.largest_input()?;
        let all = wanted(self.config);
        let mut partitions = [0; 4];
        for (at, wanted) in all.iter().enumerate() {
            partitions[at] = self.partitions_at_last(&wanted.name)?.ok_or_else(|| {
                TopicsError(format!(
                    "the topic {} does not exist: create it with `keyfold topics`",
                    wanted.name
                ))
            })?;
        }
        let settings = self.settings(&all)?;
        let mut differences = Vec::new();
        let [state, forwarded, snapshot_partitions, _] = partitions;
        if state != forwarded {
            differences.push(Difference {
                topic: all[1].name.clone(),
                what: format!(
                    "it has {forwarded} partitions, and {} has {state}",
                    all[0].name
                ),
                remedy: "stop all instances and run `keyfold topics reset`, which makes both anew and rebuilds the state from the inputs".to_owned(),
                vital: true,
            });
        }
        let mut limits = [0; 4];
        for (at, wanted) in all.iter().enumerate() {
            let found = settings.get(&wanted.name);
            let value = |name: &str| found.and_then(|found| found.get(name));
            limits[at] = value("max.message.bytes")
                .and_then(|value| value.parse().ok())
                .unwrap_or(1_048_588);
            for expected in &wanted.settings {
                if let Some(value) = value(expected.name) {
                    differences.extend(difference(
                        wanted,
                        expected,
                        value,
                        &self.config.kafka.bootstrap_servers,
                    ));
                }
            }
        }
        let found = Found {
            partitions: state,
            snapshot_partitions,
            limits,
        };
        Ok((found, differences))
    }

    fn settings(
        &self,
        topics: &[Wanted],
    ) -> Result<HashMap<String, HashMap<String, String>>, TopicsError> {
        let resources: Vec<_> = topics
            .iter()
            .map(|topic| ResourceSpecifier::Topic(&topic.name))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(ATTEMPT));
        let ask = || {
            let described = self.admin.describe_configs(&resources, &options);
            self.runtime.block_on(described)
        };
        let what = "can't read the settings of the topics";
        let answers = self.asked(what, patiently(ask, code_of))?;
        let mut settings = HashMap::new();
        for (topic, answer) in topics.iter().zip(answers) {
            let found = answer.map_err(|code| {
                let hint = if client::is_refusal(code) {
                    "; it takes the permission DescribeConfigs"
                } else {
                    ""
                };
                TopicsError(format!(
                    "can't read the settings of {}: {code}{hint}",
                    topic.name
                ))
            })?;
            let entries = found
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.name, entry.value?)));
            settings.insert(topic.name.clone(), entries.collect());
        }
        Ok(settings)
    }

    /// Drops the internal topics and the group's offsets, and makes the topics anew. Refuses while the group has
    /// members.
    pub fn reset(&self) -> Result<(), TopicsError> {
        let group = self.config.application_id.as_str();
        let options = options();
        let deleted = self.admin.delete_groups(&[group], &options);
        let what = "can't delete the consumer group";
        for result in self.asked(what, self.runtime.block_on(deleted))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                Err((_, RDKafkaErrorCode::NonEmptyGroup)) => {
                    return Err(TopicsError(format!(
                        "an instance of {group} is running: stop all instances first (one that was killed leaves the group when its session ends)"
                    )));
                }
                Err((_, code)) => return Err(TopicsError(format!("{what} {group}: {code}"))),
            }
        }
        let internal = [self.config.state_topic(), self.config.forwarded_topic()];
        let names = [internal[0].as_str(), internal[1].as_str()];
        let deleted = self.admin.delete_topics(&names, &options);
        let what = "can't delete the internal topics";
        for result in self.asked(what, self.runtime.block_on(deleted))? {
            if let Err((name, code)) = result
                && code != RDKafkaErrorCode::UnknownTopicOrPartition
            {
                return Err(TopicsError(format!("{what}: {name}: {code}")));
            }
        }
        for name in names {
            self.wait_until(what, || Ok(self.partitions(name)?.is_none()))?;
        }
        self.create_missing().map(|_| ())
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

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}

fn difference(
    wanted: &Wanted,
    expected: &Expected,
    found: &str,
    servers: &str,
) -> Option<Difference> {
    let more = if expected.at_least { "at least " } else { "" };
    (!expected.holds(found)).then(|| Difference {
        topic: wanted.name.clone(),
        what: format!(
            "{} is {found}, and should be {more}{}",
            expected.name, expected.value
        ),
        remedy: format!(
            "kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {} --add-config {}={}",
            wanted.name, expected.name, expected.value
        ),
        vital: expected.vital,
    })
}
