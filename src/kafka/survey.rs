//! All that is to be known of the cluster before keyfold works on it: whether its topics are there and as they must be,
//! and whether this client may do what it has to. What is wrong is found at once, and not one by one.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::client;
use super::description::{self, Described, Operation, Trouble, Unanswered};
use super::permissions::{self, Permission};
use super::retry::{ATTEMPT, PAUSE, RetryBudget};
use super::topic_specs::{TopicSpec, topic_specs};
use super::topics::{Cluster, Difference, Found, RecordLimits, TopicsError, difference};
use crate::config::Config;

/// The largest record of a topic that does not say otherwise, in bytes: Kafka's default of `max.message.bytes`.
const KAFKAS_LIMIT: usize = 1_048_588;
/// How long a command waits for a coordinator.
const COORDINATOR: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// The topics as they are; none where one of them is missing or not described.
    pub found: Option<Found>,
    /// Topics that are not there.
    pub missing: Vec<Difference>,
    /// Topics that are not there, or that this client may not describe.
    pub hidden: Vec<String>,
    /// Permissions that this client lacks.
    pub denied: Vec<Permission>,
    /// Settings that are not as they should be.
    pub differences: Vec<Difference>,
    /// What is wrong with the brokers themselves, with what mends it.
    pub unfit: Vec<String>,
}

impl Survey {
    /// Whether one of these topics is not there.
    fn lacks_any(&self, topics: &[String]) -> bool {
        let missing = self.missing.iter().map(|one| &one.topic);
        missing.chain(&self.hidden).any(|one| topics.contains(one))
    }

    /// What keeps keyfold from working, each with what mends it.
    pub fn refusals(&self, config: &Config) -> Vec<String> {
        let mut all: Vec<String> = self
            .missing
            .iter()
            .map(|missing| {
                format!(
                    "the topic {}: {}. {}",
                    missing.topic, missing.what, missing.remedy
                )
            })
            .collect();
        all.extend(self.hidden.iter().map(|topic| {
            format!("the topic {topic}: it does not exist, or this client may not describe it, which the cluster does not tell apart")
        }));
        // where one is missing that keyfold can't work without, the others are told as well
        let is_refused = self.denied.iter().any(|one| one.vital);
        let denied: Vec<String> = self
            .denied
            .iter()
            .filter(|_| is_refused)
            .map(|one| one.grant(config))
            .collect();
        if !denied.is_empty() {
            let lines = denied.join("\n    ");
            all.push(format!("the cluster refuses this client what it needs; each line grants one permission:\n    {lines}"));
        }
        all.extend(self.unfit.iter().cloned());
        let vital = self.differences.iter().filter(|one| one.vital);
        all.extend(vital.map(|one| {
            format!(
                "the topic {}: {}. To mend it: {}",
                one.topic, one.what, one.remedy
            )
        }));
        all
    }

    /// What does not keep it from working.
    pub fn warnings(&self, config: &Config) -> Vec<String> {
        let mut all: Vec<String> = self
            .differences
            .iter()
            .filter(|one| !one.vital)
            .map(|one| {
                format!(
                    "the topic {}: {}; `keyfold topics` says what mends it",
                    one.topic, one.what
                )
            })
            .collect();
        let denied = self.denied.iter().filter(|one| !one.vital);
        all.extend(denied.map(|one| {
            format!("the topic {} grows, for this client may not delete what is done with; this grants it: {}", one.name, one.grant(config))
        }));
        all
    }

    /// Whoever may read, write or delete may also describe: that is not granted beside them.
    fn lacks(&mut self, permission: Permission) {
        let of_same =
            |one: &Permission| one.resource == permission.resource && one.name == permission.name;
        let implies = |operation: Operation| {
            matches!(
                operation,
                Operation::Read | Operation::Write | Operation::Delete
            )
        };
        let describes = |operation: Operation| operation == Operation::Describe;
        if permission.vital && implies(permission.operation) {
            self.denied
                .retain(|one| !(of_same(one) && describes(one.operation)));
        }
        let is_implied = describes(permission.operation)
            && self
                .denied
                .iter()
                .any(|one| of_same(one) && one.vital && implies(one.operation));
        if !is_implied && !self.denied.contains(&permission) {
            self.denied.push(permission);
        }
    }
}

impl Cluster {
    /// Looks at the topics, and at what this client may do with them.
    pub fn survey_topics(&self) -> Result<Survey, Trouble> {
        let mut survey = Survey::default();
        let needed = permissions::on_topics(self.config());
        let mut names: Vec<&str> = Vec::new();
        for permission in &needed {
            if !names.contains(&permission.name.as_str()) {
                names.push(&permission.name);
            }
        }
        let described = description::describe(self.client(), &names, true, ATTEMPT)?;
        for topic in &described {
            let of_topic = needed.iter().filter(|one| one.name == topic.name);
            match topic.partitions {
                Ok(_) => {
                    let lacking = of_topic.filter(|one| {
                        let allowed = topic.allowed.as_ref();
                        allowed.is_some_and(|allowed| !allowed.contains(&one.operation))
                    });
                    lacking.for_each(|one| survey.lacks(one.clone()));
                }
                Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    survey.missing.push(self.missing(&topic.name, &described));
                }
                Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    survey.hidden.push(topic.name.clone());
                    of_topic.for_each(|one| survey.lacks(one.clone()));
                }
                Err(code) => {
                    return Err(Trouble::Away(format!("the topic {}: {code}", topic.name)));
                }
            }
        }
        self.survey_settings(&described, &mut survey)?;
        self.survey_inputs(&described, &mut survey)?;
        Ok(survey)
    }

    /// The same for a command, which gives up after a while. The group and the transactional ids are looked at as far
    /// as their coordinators answer. Topics that were `created` just now are waited for: the brokers learn of them one
    /// after the other, and any of them may answer.
    pub fn survey_patiently(&self, created: &[String]) -> Result<Survey, TopicsError> {
        let mut budget = RetryBudget::of(ATTEMPT);
        let mut survey = loop {
            let began = Instant::now();
            match self.survey_topics() {
                Ok(survey) if survey.lacks_any(created) && !budget.ends(began.elapsed()) => {
                    std::thread::sleep(PAUSE);
                }
                Ok(survey) => break survey,
                Err(Trouble::Away(_)) if !budget.ends(began.elapsed()) => {
                    std::thread::sleep(PAUSE);
                }
                Err(Trouble::Away(reason) | Trouble::Refused(reason)) => {
                    return Err(TopicsError(format!("can't look at the topics: {reason}")));
                }
            }
        };
        let config = self.config();
        let on_group = permissions::on_group(self.ends(), config, COORDINATOR);
        let on_ids = permissions::on_transactional_ids(config, None, COORDINATOR);
        for told in [on_group, self.allowed_for_so_long(on_ids, &mut survey)] {
            match told {
                Ok(lacking) => lacking.into_iter().for_each(|one| survey.lacks(one)),
                Err(unanswered) => {
                    tracing::debug!(reason = unanswered.reason, "a permission is not known");
                }
            }
        }
        Ok(survey)
    }

    /// Looks also at what this client may do with its group and its transactional ids, of which `own` is one.
    pub fn survey(&self, own: &str, patience: Duration) -> Result<Survey, Trouble> {
        let mut survey = self.survey_topics()?;
        let config = self.config();
        let on_group = permissions::on_group(self.ends(), config, patience)?;
        let on_ids = permissions::on_transactional_ids(config, Some(own), patience);
        let on_ids = self.allowed_for_so_long(on_ids, &mut survey)?;
        on_group
            .into_iter()
            .chain(on_ids)
            .for_each(|one| survey.lacks(one));
        Ok(survey)
    }

    /// A refusal because transactions may last too long is no question of permissions, and none that waiting answers.
    fn allowed_for_so_long(
        &self,
        on_ids: Result<Vec<Permission>, Unanswered>,
        survey: &mut Survey,
    ) -> Result<Vec<Permission>, Unanswered> {
        match on_ids {
            Err(Unanswered {
                code: Some(RDKafkaErrorCode::InvalidTransactionTimeout),
                ..
            }) => {
                let allowed = self.broker_setting("transaction.max.timeout.ms");
                let unfit = client::transaction_too_long(self.config(), allowed.as_deref());
                survey.unfit.push(unfit);
                Ok(Vec::new())
            }
            told => told,
        }
    }

    /// Inputs whose records have another time than their producers gave them, as far as this client may know.
    fn survey_inputs(&self, described: &[Described], survey: &mut Survey) -> Result<(), Trouble> {
        let config = self.config();
        let is_told = |topic: &&Described| {
            let allowed = topic.allowed.as_ref();
            topic.partitions.is_ok()
                && config.sources.source_of(&topic.name).is_some()
                && allowed.is_none_or(|allowed| allowed.contains(&Operation::DescribeConfigs))
        };
        let inputs = described.iter().filter(is_told);
        let inputs: Vec<&str> = inputs.map(|topic| topic.name.as_str()).collect();
        let answers = self.settings(&inputs)?;
        for (topic, settings) in inputs.into_iter().zip(answers) {
            let kind = settings.and_then(|mut settings| settings.remove("message.timestamp.type"));
            if kind.as_deref() == Some("LogAppendTime") {
                let servers = &config.kafka.bootstrap_servers;
                survey.differences.push(Difference {
                    topic: topic.to_owned(),
                    what: "message.timestamp.type is LogAppendTime, and should be CreateTime: the order of console and publisher customers, null values and max_future_skew go by a record's timestamp, and an old record that is produced again counts as new".to_owned(),
                    remedy: format!("kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {topic} --add-config message.timestamp.type=CreateTime"),
                    vital: false,
                });
            }
        }
        Ok(())
    }

    fn survey_settings(&self, described: &[Described], survey: &mut Survey) -> Result<(), Trouble> {
        let all = topic_specs(self.config());
        let is_missing = |name: &str| survey.missing.iter().any(|missing| missing.topic == name);
        let asked: Vec<&TopicSpec> = all
            .iter()
            .filter(|topic| !is_missing(&topic.name))
            .collect();
        let names: Vec<&str> = asked.iter().map(|topic| topic.name.as_str()).collect();
        let answers = self.settings(&names)?;
        let mut limits = RecordLimits::all(KAFKAS_LIMIT);
        let mut is_told = asked.len() == all.len();
        for (topic, answer) in asked.into_iter().zip(answers) {
            let permission = |operation| Permission::topic(&topic.name, operation);
            let Some(settings) = answer else {
                is_told = false;
                survey.lacks(permission(Operation::DescribeConfigs));
                continue;
            };
            if survey.hidden.contains(&topic.name) {
                let known = permission(Operation::DescribeConfigs);
                survey.denied.retain(|denied| *denied != known);
            }
            if let Some(value) = settings.get("max.message.bytes")
                && let Ok(bytes) = value.parse()
            {
                *limits.of_mut(topic.role) = bytes;
            }
            let servers = &self.config().kafka.bootstrap_servers;
            survey
                .differences
                .extend(difference(topic, &settings, servers));
        }
        let partitions = all.each_ref().map(|topic| {
            let found = described.iter().find(|found| found.name == topic.name);
            found.and_then(|found| found.partitions.as_ref().ok().copied())
        });
        if let [Some(state), Some(forwarded), snapshots, _] = partitions {
            survey.differences.extend(uneven(&all, state, forwarded));
            if let (Some(snapshot_partitions), true) = (snapshots, is_told) {
                survey.found = Some(Found {
                    partitions: state,
                    snapshot_partitions,
                    limits,
                });
            }
        }
        Ok(())
    }

    /// A topic that is not there, with the command that creates it.
    pub(super) fn missing(&self, name: &str, described: &[Described]) -> Difference {
        let config = self.config();
        let servers = &config.kafka.bootstrap_servers;
        let create = |partitions: &str| {
            format!(
                "kafka-topics.sh --bootstrap-server {servers} --create --topic {name} --partitions {partitions}"
            )
        };
        let source = config
            .sources
            .iter()
            .find(|(_, source)| source.topics.iter().any(|topic| topic == name));
        if let Some((source, _)) = source {
            let what = format!("the input topic {name} of the source {source} does not exist");
            let remedy = format!(
                "Create it ({}), or take it out of [sources.{source}] in the configuration",
                create("<partitions>")
            );
            return Difference {
                topic: name.to_owned(),
                what,
                remedy,
                vital: true,
            };
        }
        let largest = described
            .iter()
            .filter(|topic| config.sources.source_of(&topic.name).is_some())
            .filter_map(|topic| topic.partitions.as_ref().ok())
            .max();
        let wished = config.topics.partitions.map(|wished| wished.to_string());
        let partitions = wished
            .or_else(|| largest.map(i32::to_string))
            .unwrap_or_else(|| "<partitions>".to_owned());
        let mut command = create(&partitions);
        for wanted in topic_specs(config)
            .iter()
            .filter(|wanted| wanted.name == name)
        {
            for (setting, value) in wanted.to_create() {
                command.push_str(&format!(" --config {setting}={value}"));
            }
        }
        Difference {
            topic: name.to_owned(),
            what: "it does not exist".to_owned(),
            remedy: format!("`keyfold topics` creates it, or this: {command}"),
            vital: true,
        }
    }
}

/// State and forwarded topic have the same number of partitions.
fn uneven(all: &[TopicSpec; 4], state: i32, forwarded: i32) -> Option<Difference> {
    (state != forwarded).then(|| Difference {
        topic: all[1].name.clone(),
        what: format!("it has {forwarded} partitions, and {} has {state}", all[0].name),
        remedy: "stop all instances and run `keyfold topics reset`, which makes both anew and rebuilds the state from the inputs".to_owned(),
        vital: true,
    })
}
