//! What keyfold must know of the cluster before it works on it: whether its topics exist and are as they should be, and
//! whether this client has the permissions that it needs. All problems are found at once, not one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::{CheckError, Cluster, ClusterError};
use super::description::{self, AllowedOperations, Operation, RequestError, TopicDescription};
use super::permissions::{self, Permission, Resource};
use super::retry::{ATTEMPT_TIMEOUT, repeat};
use super::topic_specs::{TopicSpec, TopicSpecs};
use crate::config::Kafka;

pub use super::topic_specs::{Difference, Need};

/// The largest record of a topic that does not say otherwise, in bytes: Kafka's default of `max.message.bytes`.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;
/// How long a command waits for a coordinator.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(5);

/// The topics as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTopics {
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
    /// The same limit for each topic.
    pub const fn all(bytes: usize) -> RecordLimits {
        RecordLimits {
            state: bytes,
            forwarded: bytes,
            snapshots: bytes,
            dead_letters: bytes,
        }
    }

    pub fn least(self) -> usize {
        let inner = self.state.min(self.forwarded);
        inner.min(self.snapshots).min(self.dead_letters)
    }

    pub fn most(self) -> usize {
        let inner = self.state.max(self.forwarded);
        inner.max(self.snapshots).max(self.dead_letters)
    }
}

/// The result of a survey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// The topics as they were found; `None` if one of them is missing or not described.
    pub found: Option<FoundTopics>,
    /// Topics that do not exist.
    pub missing: Vec<Difference>,
    /// Topics that do not exist, or that this client may not describe.
    pub hidden: Vec<String>,
    /// Permissions that this client lacks.
    pub denied: Vec<Permission>,
    /// Settings that are not as they should be.
    pub differences: Vec<Difference>,
    /// What is wrong with the brokers themselves, and what fixes it.
    pub broker_problems: Vec<String>,
}

/// The message about a topic in [`Survey::hidden`].
pub const HIDDEN: &str =
    "it does not exist, or this client may not describe it, which the cluster does not tell apart";

impl Survey {
    /// Whether this client may not read the consumer group.
    pub fn denies_group(&self) -> bool {
        let mut denied = self.denied.iter();
        denied.any(|permission| permission.resource == Resource::Group)
    }

    /// Whether one of these topics was not found.
    fn lacks_any(&self, topics: &[String]) -> bool {
        let missing = self.missing.iter().map(|one| &one.topic);
        missing.chain(&self.hidden).any(|one| topics.contains(one))
    }

    /// The problems that keep keyfold from working, each with what fixes it.
    pub fn refusals(&self, kafka: &Kafka) -> Vec<String> {
        let missing = self.missing.iter();
        let missing =
            missing.map(|one| format!("the topic {}: {}. {}", one.topic, one.what, one.remedy));
        let hidden = self.hidden.iter();
        let hidden = hidden.map(|topic| format!("the topic {topic}: {HIDDEN}"));
        let mut all: Vec<String> = missing.chain(hidden).collect();
        // if a required permission is missing, the recommended ones are listed as well
        if self.denied.iter().any(|one| one.need == Need::Required) {
            let grants: Vec<String> = self.denied.iter().map(|one| one.grant(kafka)).collect();
            let lines = grants.join("\n    ");
            all.push(format!("the cluster refuses this client what it needs; each line grants one permission:\n    {lines}"));
        }
        all.extend(self.broker_problems.iter().cloned());
        let required = self.differences.iter();
        let required = required.filter(|one| one.need == Need::Required);
        all.extend(required.map(|one| {
            format!(
                "the topic {}: {}. To fix it: {}",
                one.topic, one.what, one.remedy
            )
        }));
        all
    }

    /// The problems that do not keep keyfold from working.
    pub fn warnings(&self, kafka: &Kafka) -> Vec<String> {
        let differences = self.differences.iter();
        let differences = differences
            .filter(|one| one.need == Need::Recommended)
            .map(|one| {
                format!(
                    "the topic {}: {}; `keyfold topics` says what fixes it",
                    one.topic, one.what
                )
            });
        let denied = self.denied.iter();
        let denied = denied
            .filter(|one| one.need == Need::Recommended)
            .map(|one| {
                format!("the topic {} grows, for this client may not delete what is done with; this grants it: {}", one.name, one.grant(kafka))
            });
        differences.chain(denied).collect()
    }

    /// Adds a missing permission. Read, Write and Delete imply Describe, which is therefore not listed besides them.
    fn deny(&mut self, permission: Permission) {
        let of_same =
            |one: &Permission| one.resource == permission.resource && one.name == permission.name;
        let implies_describe = |one: &Permission| {
            let operations = [Operation::Read, Operation::Write, Operation::Delete];
            one.need == Need::Required && operations.contains(&one.operation)
        };
        let describes = |one: &Permission| one.operation == Operation::Describe;
        if implies_describe(&permission) {
            self.denied.retain(|one| !(of_same(one) && describes(one)));
        }
        let mut known = self.denied.iter();
        let is_implied =
            describes(&permission) && known.any(|one| of_same(one) && implies_describe(one));
        if !is_implied && !self.denied.contains(&permission) {
            self.denied.push(permission);
        }
    }
}

impl Cluster {
    /// Checks the topics, and this client's permissions on them.
    fn survey_topics(&self) -> Result<Survey, CheckError> {
        let mut survey = Survey::default();
        let needed = permissions::on_topics(self.requirements());
        let mut names: Vec<&str> = Vec::new();
        for permission in &needed {
            if !names.contains(&permission.name.as_str()) {
                names.push(&permission.name);
            }
        }
        let described = description::describe(
            self.client(),
            &names,
            AllowedOperations::Ask,
            ATTEMPT_TIMEOUT,
        )?;
        for topic in &described {
            let of_topic = needed.iter().filter(|one| one.name == topic.name);
            match topic.partitions {
                Ok(_) => {
                    let lacking = of_topic.filter(|one| {
                        let allowed = topic.allowed.as_ref();
                        allowed.is_some_and(|allowed| !allowed.contains(&one.operation))
                    });
                    lacking.for_each(|one| survey.deny(one.clone()));
                }
                Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    survey.missing.push(self.missing(&topic.name, &described));
                }
                Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    survey.hidden.push(topic.name.clone());
                    of_topic.for_each(|one| survey.deny(one.clone()));
                }
                Err(code) => {
                    let reason = format!("the topic {}: {code}", topic.name);
                    return Err(CheckError::Temporary(reason));
                }
            }
        }
        self.survey_settings(&described, &mut survey)?;
        self.survey_inputs(&described, &mut survey)?;
        Ok(survey)
    }

    /// The survey for a command, which gives up after a while. The group and the transactional ids are checked only if
    /// their coordinators answer. Topics that were just `created` are waited for: the brokers learn of them one after
    /// the other, and any of them may answer.
    pub fn survey_with_retries(&self, created: &[String]) -> Result<Survey, ClusterError> {
        let ask = || self.survey_topics();
        let again = |answer: &Result<Survey, CheckError>| match answer {
            Ok(survey) => survey.lacks_any(created),
            Err(CheckError::Temporary(_)) => true,
            Err(CheckError::Refused(_)) => false,
        };
        let mut survey = repeat(ATTEMPT_TIMEOUT, ask, again).map_err(|error| {
            let reason = error.reason();
            ClusterError(format!("cannot look at the topics: {reason}"))
        })?;
        let requirements = self.requirements();
        let group = &requirements.application_id;
        let on_group = permissions::missing_on_group(self.query(), group, COORDINATOR_TIMEOUT);
        let on_ids =
            permissions::missing_on_transactional_ids(requirements, None, COORDINATOR_TIMEOUT);
        for missing in [on_group, self.without_timeout(on_ids, &mut survey)] {
            match missing {
                Ok(lacking) => lacking.into_iter().for_each(|one| survey.deny(one)),
                Err(error) => {
                    tracing::debug!(reason = error.reason, "a permission is not known");
                }
            }
        }
        Ok(survey)
    }

    /// Also checks this client's permissions on its group and its transactional ids, of which `own` is one.
    pub fn survey(&self, own: &str, timeout: Duration) -> Result<Survey, CheckError> {
        let mut survey = self.survey_topics()?;
        let requirements = self.requirements();
        let group = &requirements.application_id;
        let on_group = permissions::missing_on_group(self.query(), group, timeout)?;
        let on_ids = permissions::missing_on_transactional_ids(requirements, Some(own), timeout);
        let on_ids = self.without_timeout(on_ids, &mut survey)?;
        on_group
            .into_iter()
            .chain(on_ids)
            .for_each(|one| survey.deny(one));
        Ok(survey)
    }

    /// Reports a transaction timeout that the brokers refuse as a problem of the brokers: it is no missing permission,
    /// and waiting does not help.
    fn without_timeout(
        &self,
        on_ids: Result<Vec<Permission>, RequestError>,
        survey: &mut Survey,
    ) -> Result<Vec<Permission>, RequestError> {
        match on_ids {
            Err(RequestError {
                code: Some(RDKafkaErrorCode::InvalidTransactionTimeout),
                ..
            }) => {
                let allowed = self.broker_setting("transaction.max.timeout.ms");
                let clients = self.requirements().clients();
                let problem = clients.transaction_timeout_refused(allowed.as_deref());
                survey.broker_problems.push(problem);
                Ok(Vec::new())
            }
            result => result,
        }
    }

    /// Finds inputs whose records have another timestamp than their producers set, if this client may read the
    /// settings.
    fn survey_inputs(
        &self,
        described: &[TopicDescription],
        survey: &mut Survey,
    ) -> Result<(), CheckError> {
        let requirements = self.requirements();
        let is_readable = |topic: &&TopicDescription| {
            let allowed = topic.allowed.as_ref();
            topic.partitions.is_ok()
                && requirements.source_of(&topic.name).is_some()
                && allowed.is_none_or(|allowed| allowed.contains(&Operation::DescribeConfigs))
        };
        let inputs = described.iter().filter(is_readable);
        let inputs: Vec<&str> = inputs.map(|topic| topic.name.as_str()).collect();
        let answers = self.settings(&inputs)?;
        for (topic, settings) in inputs.into_iter().zip(answers) {
            let kind = settings.and_then(|mut settings| settings.remove("message.timestamp.type"));
            if kind.as_deref() == Some("LogAppendTime") {
                let servers = requirements.servers();
                survey.differences.push(Difference {
                    topic: topic.to_owned(),
                    what: "message.timestamp.type is LogAppendTime, and should be CreateTime: the order of console and publisher customers, null values and max_future_skew go by a record's timestamp, and an old record that is produced again counts as new".to_owned(),
                    remedy: format!("kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {topic} --add-config message.timestamp.type=CreateTime"),
                    need: Need::Recommended,
                });
            }
        }
        Ok(())
    }

    /// Checks the settings and the partitions of the topics that keyfold writes to.
    fn survey_settings(
        &self,
        described: &[TopicDescription],
        survey: &mut Survey,
    ) -> Result<(), CheckError> {
        let specs = &self.requirements().topics;
        let is_missing = |name: &str| survey.missing.iter().any(|missing| missing.topic == name);
        let existing = specs
            .all()
            .into_iter()
            .filter(|spec| !is_missing(&spec.name));
        let existing: Vec<&TopicSpec> = existing.collect();
        let names: Vec<&str> = existing.iter().map(|spec| spec.name.as_str()).collect();
        let answers = self.settings(&names)?;
        let mut settings_of = BTreeMap::new();
        for (spec, answer) in existing.into_iter().zip(answers) {
            let describe_configs = Permission::on_topic(&spec.name, Operation::DescribeConfigs);
            let Some(settings) = answer else {
                survey.deny(describe_configs);
                continue;
            };
            if survey.hidden.contains(&spec.name) {
                survey.denied.retain(|denied| *denied != describe_configs);
            }
            let servers = self.requirements().servers();
            let differences = spec.differences(&settings, servers);
            survey.differences.extend(differences);
            settings_of.insert(spec.name.as_str(), settings);
        }
        let partitions = |spec: &TopicSpec| {
            let found = described.iter().find(|found| found.name == spec.name);
            found.and_then(|found| found.partitions.ok())
        };
        let (Some(state), Some(forwarded)) =
            (partitions(&specs.state), partitions(&specs.forwarded))
        else {
            return Ok(());
        };
        survey
            .differences
            .extend(partition_difference(specs, state, forwarded));
        let all_are_known = settings_of.len() == specs.all().len();
        if let Some(snapshot_partitions) = partitions(&specs.snapshots).filter(|_| all_are_known) {
            let limit = |spec: &TopicSpec| {
                let settings = settings_of.get(spec.name.as_str());
                let bytes = settings.and_then(|settings| settings.get("max.message.bytes"));
                let bytes = bytes.and_then(|bytes| bytes.parse().ok());
                bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)
            };
            survey.found = Some(FoundTopics {
                partitions: state,
                snapshot_partitions,
                limits: RecordLimits {
                    state: limit(&specs.state),
                    forwarded: limit(&specs.forwarded),
                    snapshots: limit(&specs.snapshots),
                    dead_letters: limit(&specs.dead_letters),
                },
            });
        }
        Ok(())
    }
}

/// Checks that the state topic and the forwarded topic have the same number of partitions.
fn partition_difference(specs: &TopicSpecs, state: i32, forwarded: i32) -> Option<Difference> {
    (state != forwarded).then(|| Difference {
        topic: specs.forwarded.name.clone(),
        what: format!(
            "it has {forwarded} partitions, and {} has {state}",
            specs.state.name
        ),
        remedy: "stop all instances and run `keyfold topics reset`, which recreates both and rebuilds the state from the inputs".to_owned(),
        need: Need::Required,
    })
}
