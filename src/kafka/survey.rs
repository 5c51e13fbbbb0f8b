//! What keyfold must know of the cluster before it works on it: whether its topics exist and are as they should be, and
//! whether this client has the permissions that it needs. All problems are found at once, not one by one.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::{CheckError, Cluster, ClusterError};
use super::description::{self, AllowedOperations, Operation, RequestError, TopicDescription};
use super::permissions::{self, Permission};
use super::placement;
use super::retry::{ATTEMPT_TIMEOUT, repeat};
use super::side_by_side::joined;
use super::topic_specs::{DEFAULT_MAX_MESSAGE_BYTES, TopicSpec, TopicSpecs};

pub use super::findings::{DescribedTopic, FoundTopics, HIDDEN, RecordLimits, Survey};
pub use super::topic_specs::{Difference, Need};

/// Why the permissions on a topic may not be known.
const TOO_OLD: &str =
    "the brokers are too old to say what a client may do with a topic (before Kafka 2.3)";
/// How long a command waits for a coordinator.
pub(super) const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(5);

/// The permissions that are missing on a resource.
type Missing = Result<Vec<Permission>, RequestError>;

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
            survey.note_permissions(topic, &needed);
            match topic.partitions {
                Ok(partitions) => survey.topics.push(DescribedTopic {
                    name: topic.name.clone(),
                    source: self.requirements().source_of(&topic.name),
                    partitions,
                    has_settings: false,
                }),
                Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    survey.missing.push(self.missing(&topic.name, &described));
                }
                Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    survey.hidden.push(topic.name.clone());
                }
                Err(code) => {
                    let reason = format!("the topic {}: {code}", topic.name);
                    return Err(CheckError::Temporary(reason));
                }
            }
        }
        survey.asked = needed;
        self.survey_settings(&described, &mut survey)?;
        self.survey_inputs(&described, &mut survey)?;
        Ok(survey)
    }

    /// The survey for a command, which gives up after a while. The group and the transactional ids are checked only if
    /// their coordinators answer. Topics that were just `created` are waited for: the brokers learn of them one after
    /// the other, and any of them may answer.
    pub fn survey_with_retries(&self, created: &[String]) -> Result<Survey, ClusterError> {
        let topics = || self.survey_topics_with_retries(created);
        let (survey, on_group, on_ids) = self.ask_all(None, COORDINATOR_TIMEOUT, topics);
        let mut survey = survey?;
        let on_ids = self.without_timeout(on_ids, &mut survey);
        let requirements = self.requirements();
        let of_group = vec![permissions::on_group(&requirements.application_id)];
        let of_ids = permissions::on_transactional_ids(requirements);
        for (asked, missing) in [(of_group, on_group), (of_ids, on_ids)] {
            match missing {
                Ok(lacking) => lacking.into_iter().for_each(|one| survey.deny(one)),
                Err(error) => {
                    let reason = &error.reason;
                    tracing::debug!(reason, "a permission is not known");
                    asked.iter().for_each(|one| survey.do_not_know(one, reason));
                }
            }
            survey.asked.extend(asked);
        }
        Ok(survey)
    }

    fn survey_topics_with_retries(&self, created: &[String]) -> Result<Survey, ClusterError> {
        let ask = || self.survey_topics();
        let again = |answer: &Result<Survey, CheckError>| match answer {
            Ok(survey) => survey.lacks_any(created),
            Err(CheckError::Temporary(_)) => true,
            Err(CheckError::Refused(_)) => false,
        };
        repeat(ATTEMPT_TIMEOUT, ask, again).map_err(|error| {
            let reason = error.reason();
            ClusterError(format!("cannot look at the topics: {reason}"))
        })
    }

    /// Also checks this client's permissions on its group and its transactional ids, of which `own` is one.
    pub fn survey(&self, own: &str, timeout: Duration) -> Result<Survey, CheckError> {
        let topics = || self.survey_topics();
        let (survey, on_group, on_ids) = self.ask_all(Some(own), timeout, topics);
        let mut survey = survey?;
        let on_group = on_group?;
        let on_ids = self.without_timeout(on_ids, &mut survey)?;
        on_group
            .into_iter()
            .chain(on_ids)
            .for_each(|one| survey.deny(one));
        Ok(survey)
    }

    /// Asks the coordinators of the group and of the transactional ids for the permissions that are missing, and meanwhile
    /// for the topics: side by side, because each of the three mostly waits for answers, and a start waits for all.
    fn ask_all<T>(
        &self,
        own: Option<&str>,
        timeout: Duration,
        topics: impl FnOnce() -> T,
    ) -> (T, Missing, Missing) {
        let requirements = self.requirements();
        thread::scope(|scope| {
            let on_group = scope.spawn(|| permissions::missing_on_group(requirements, timeout));
            let on_ids = scope
                .spawn(|| permissions::missing_on_transactional_ids(requirements, own, timeout));
            (topics(), joined(on_group), joined(on_ids))
        })
    }

    /// Reports a transaction timeout that the brokers refuse as a problem of the brokers: it is no missing permission,
    /// and waiting does not help.
    fn without_timeout(&self, on_ids: Missing, survey: &mut Survey) -> Missing {
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
            survey.note_settings(topic, settings.is_some());
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
            survey.note_settings(&spec.name, answer.is_some());
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
        for topic in described {
            let settings = settings_of.get(topic.name.as_str());
            let least = settings.and_then(|settings| settings.get("min.insync.replicas"));
            let least = least.and_then(|least| least.parse().ok());
            let found = placement::differences(topic, least, self.requirements().servers());
            survey.placement.extend(found);
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

impl Survey {
    /// Notes which of the needed permissions on a topic this client lacks, as the topic's description says it.
    pub(super) fn note_permissions(&mut self, topic: &TopicDescription, needed: &[Permission]) {
        let of_topic = needed.iter().filter(|one| one.name == topic.name);
        match (&topic.partitions, &topic.allowed) {
            (Ok(_), Some(allowed)) => of_topic
                .filter(|one| !allowed.contains(&one.operation))
                .for_each(|one| self.deny(one.clone())),
            (Ok(_), None) => of_topic.for_each(|one| self.do_not_know(one, TOO_OLD)),
            (Err(RDKafkaErrorCode::TopicAuthorizationFailed), _) => {
                of_topic.for_each(|one| self.deny(one.clone()));
            }
            (Err(_), _) => {}
        }
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
