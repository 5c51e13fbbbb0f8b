//! The cluster: the owner of the query client and the admin client. A process creates them once, and its threads share
//! them.

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client_log::{self, LastError};
use super::description::{self, RequestError, TopicId};
use super::query_client::QueryClient;
use super::requirements::Requirements;
use super::retry::{
    ATTEMPT_TIMEOUT, FIRST_ATTEMPT_TIMEOUT, REQUEST_TIMEOUT, code_of, repeat, with_retries,
};
use super::topic_specs::{DEFAULT_MAX_MESSAGE_BYTES, TopicSettings};

/// A failed request to the cluster. The text also says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClusterError(pub(super) String);

/// Why the cluster could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckError {
    /// No broker answers, or the cluster is not ready yet: a later attempt may succeed.
    Temporary(String),
    /// The cluster refuses this client, and waiting does not change that.
    Refused(String),
}

impl CheckError {
    pub fn reason(self) -> String {
        match self {
            CheckError::Temporary(reason) | CheckError::Refused(reason) => reason,
        }
    }
}

impl From<RequestError> for CheckError {
    fn from(error: RequestError) -> CheckError {
        CheckError::Temporary(error.reason)
    }
}

/// Advice for the case that no broker answers.
pub const CONNECTION_ADVICE: &str = "look at kafka.bootstrap_servers, and whether the brokers can be reached from here; brokers that want TLS or SASL need it in [kafka.properties]";

pub struct Cluster {
    requirements: Requirements,
    admin: AdminClient<LastError>,
    query: QueryClient,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// Creates the clients, and waits until a broker answers. Fails if none answers in time, or if one refuses this
    /// client. `give_up` is called after each attempt without an answer; true ends the wait.
    pub fn connect(
        requirements: Requirements,
        give_up: impl Fn() -> bool,
    ) -> Result<Cluster, ClusterError> {
        let cluster = Cluster::open(requirements)?;
        let ask = || cluster.reach();
        let again = |reached: &Result<(), CheckError>| {
            matches!(reached, Err(CheckError::Temporary(_))) && !give_up()
        };
        match repeat(FIRST_ATTEMPT_TIMEOUT, ask, again) {
            Ok(()) => Ok(cluster),
            Err(CheckError::Refused(reason)) => Err(ClusterError(reason)),
            Err(CheckError::Temporary(reason)) => Err(ClusterError(format!(
                "cannot reach Kafka at {}: {reason}; {CONNECTION_ADVICE}",
                cluster.requirements.servers()
            ))),
        }
    }

    /// Creates the clients, without waiting for a broker.
    pub fn open(requirements: Requirements) -> Result<Cluster, ClusterError> {
        let setup = |error: KafkaError| {
            let reason = client_log::creation_error(&error);
            ClusterError(format!("cannot make a client: {reason}"))
        };
        let clients = requirements.clients();
        let admin = clients.admin();
        let admin = admin.create_with_context(LastError::default());
        Ok(Cluster {
            admin: admin.map_err(setup)?,
            query: QueryClient::connect(clients).map_err(setup)?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| ClusterError(format!("cannot start a runtime: {error}")))?,
            requirements,
        })
    }

    /// Asks once whether a broker answers.
    pub fn reach(&self) -> Result<(), CheckError> {
        let topic = &self.requirements.topics.snapshots.name;
        let Err(error) = self.query.partitions(topic, FIRST_ATTEMPT_TIMEOUT) else {
            return Ok(());
        };
        // a broker that refuses access to a topic can be reached
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            return Ok(());
        }
        let last = self.query.last_error();
        let refused = last
            .as_ref()
            .is_some_and(|(code, reason)| client_log::refuses(*code, reason));
        let reason = last.map_or_else(|| error.to_string(), |(_, reason)| reason);
        if refused {
            return Err(CheckError::Refused(format!(
                "cannot reach Kafka at {}: {reason}; look at the credentials and the security protocol in [kafka.properties]",
                self.requirements.servers()
            )));
        }
        Err(CheckError::Temporary(reason))
    }

    pub(super) fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    pub(super) fn admin(&self) -> &AdminClient<LastError> {
        &self.admin
    }

    pub(super) fn client(&self) -> &Client<LastError> {
        self.admin.inner()
    }

    pub(crate) fn query(&self) -> &QueryClient {
        &self.query
    }

    /// Waits for an answer of the admin client; `what` begins the error message.
    pub(super) fn wait_for<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, KafkaError>>,
    ) -> Result<T, ClusterError> {
        explained(what, self.runtime.block_on(answer))
    }

    /// The number of a topic's partitions; `None` if the topic does not exist.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>, ClusterError> {
        let what = format!("cannot describe the topic {topic}");
        explained(&what, self.query.partitions(topic, REQUEST_TIMEOUT))
    }

    /// Like [`Cluster::partitions`], but repeats the request over another connection if one breaks.
    pub(super) fn partitions_with_retries(&self, topic: &str) -> Result<Option<i32>, ClusterError> {
        let what = format!("cannot describe the topic {topic}");
        let ask = || self.query.partitions(topic, ATTEMPT_TIMEOUT);
        explained(&what, with_retries(ask, code_of))
    }

    /// The topics that the group has read, and that no configured source reads any more.
    pub fn topics_without_source(&self) -> Result<Vec<String>, ClusterError> {
        let ask = || self.query.committed_topics(ATTEMPT_TIMEOUT);
        let what = "cannot read which topics the group has read";
        let read = explained(what, with_retries(ask, code_of))?;
        let requirements = &self.requirements;
        let forwarded = &requirements.topics.forwarded.name;
        let is_known =
            |topic: &String| topic == forwarded || requirements.source_of(topic).is_some();
        Ok(read.into_iter().filter(|topic| !is_known(topic)).collect())
    }

    /// The id of the state topic. `None` if the brokers are too old to have topic ids.
    pub fn state_topic_id(&self) -> Result<Option<String>, ClusterError> {
        self.topic_id(&self.requirements.topics.state.name)
    }

    /// The id of a topic. `None` if the brokers are too old to have topic ids.
    pub fn topic_id(&self, topic: &str) -> Result<Option<String>, ClusterError> {
        let ask = || {
            let ids = description::topic_ids(self.client(), &[topic], ATTEMPT_TIMEOUT)?;
            match ids.into_iter().next() {
                Some(TopicId::Known(id)) => Ok(Some(id)),
                Some(TopicId::Unsupported) => Ok(None),
                Some(TopicId::NoTopic(error) | TopicId::Failed(error)) => Err(error),
                None => Err(RequestError::from("the answer names no topic")),
            }
        };
        with_retries(ask, |error| error.code).map_err(|error| {
            let reason = error.reason;
            ClusterError(format!("cannot read the id of the topic {topic}: {reason}"))
        })
    }

    /// The settings of topics, in the order of `topics`. `None` if a topic's settings cannot be read. The binding drops
    /// the reason (rust-rdkafka 0.39, `DescribeConfigsFuture`); for a topic that exists, it is a missing permission.
    pub(super) fn settings(
        &self,
        topics: &[&str],
    ) -> Result<Vec<Option<TopicSettings>>, CheckError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resources: Vec<_> = topics
            .iter()
            .map(|topic| ResourceSpecifier::Topic(topic))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(ATTEMPT_TIMEOUT));
        let described = self.admin.describe_configs(&resources, &options);
        let answers = self.runtime.block_on(described).map_err(|error| {
            CheckError::Temporary(format!("cannot read the settings of the topics: {error}"))
        })?;
        let settings = answers.into_iter().map(|answer| {
            let entries = answer.ok()?.entries.into_iter();
            let by_name: TopicSettings = entries
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
            (!by_name.is_empty()).then_some(by_name)
        });
        Ok(settings.collect())
    }

    /// The largest record that a topic takes, in bytes; the brokers' default if it cannot be read.
    pub fn max_record_bytes(&self, topic: &str) -> Result<usize, CheckError> {
        let settings = self.settings(&[topic])?.pop().flatten();
        let bytes = settings.and_then(|settings| settings.get("max.message.bytes")?.parse().ok());
        Ok(bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES))
    }

    /// A setting of a broker. `None` if it cannot be read: few clients have the permission.
    pub(super) fn broker_setting(&self, name: &str) -> Option<String> {
        let topic = self.requirements.topics.snapshots.name.as_str();
        let metadata = self.client().fetch_metadata(Some(topic), ATTEMPT_TIMEOUT);
        let broker = ResourceSpecifier::Broker(metadata.ok()?.brokers().first()?.id());
        let options = AdminOptions::new().request_timeout(Some(ATTEMPT_TIMEOUT));
        let described = self.admin.describe_configs([&broker], &options);
        let answer = self.runtime.block_on(described).ok()?.pop()?.ok()?;
        answer.get(name)?.value.clone()
    }

    /// Deletes the records of the forwarded topic before these offsets.
    pub fn delete_forwarded(&self, before: &[(i32, i64)]) -> Result<Deletion, ClusterError> {
        let topic = &self.requirements.topics.forwarded.name;
        let mut list = TopicPartitionList::with_capacity(before.len());
        for &(partition, offset) in before {
            let added = list.add_partition_offset(topic, partition, Offset::Offset(offset));
            explained("cannot name an offset", added)?;
        }
        let options = options();
        let deleted = self.admin.delete_records(&list, &options);
        let answer = self.wait_for("cannot delete forwarded records", deleted)?;
        let is_refused = answer.elements().iter().any(|one| one.error().is_err());
        Ok(if is_refused {
            Deletion::Refused
        } else {
            Deletion::Done
        })
    }
}

/// Whether the cluster deleted records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Done,
    Refused,
}

fn explained<T>(what: &str, answer: Result<T, KafkaError>) -> Result<T, ClusterError> {
    answer.map_err(|error| {
        let refused = code_of(&error).is_some_and(client_log::is_refusal);
        let hint = if refused {
            "; the cluster refuses this client: look at the permissions that docs/topics-and-permissions.md lists"
        } else {
            ""
        };
        ClusterError(format!("{what}: {error}{hint}"))
    })
}

pub(super) fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_TIMEOUT))
        .operation_timeout(Some(REQUEST_TIMEOUT))
}
