//! The permissions that the commands for operators need, beside those of `run` (docs/topics-and-permissions.md).

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::{Cluster, ClusterError};
use super::description::{self, AllowedOperations, Operation};
use super::findings::Survey;
use super::permissions::{self, Permission, Resource};
use super::retry::{ATTEMPT_TIMEOUT, code_of, with_retries};
use super::survey::COORDINATOR_TIMEOUT;
use crate::config::{Config, Tombstone};

/// What a command needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    pub on_topics: Vec<Permission>,
    /// It writes in transactions with this id.
    pub transactional_id: Option<String>,
    /// It is about to take that id over, which stops another command that has it. If not, the id is left alone.
    pub takes_over: bool,
    /// It reads the committed offsets of the group.
    pub group: bool,
}

impl Needed {
    fn on(&mut self, topic: &str, operations: &[Operation]) {
        let permissions = operations
            .iter()
            .map(|one| Permission::on_topic(topic, *one));
        self.on_topics.extend(permissions);
    }

    /// To read dead letters, and which of them are settled.
    pub fn to_read_letters(config: &Config) -> Needed {
        let mut needed = Needed::default();
        needed.on(&config.dead_letters.topic, &[Operation::Read]);
        needed.on(&config.settled_topic(), &[Operation::Read]);
        needed
    }

    /// To settle letters.
    pub fn to_settle_letters(config: &Config) -> Needed {
        use Operation::{DescribeConfigs, Write};
        let mut needed = Needed::to_read_letters(config);
        needed.on(&config.settled_topic(), &[Write, DescribeConfigs]);
        needed.transactional_id = Some(transactional_id(config));
        needed
    }

    /// To send letters to the inputs that they came from.
    pub fn to_replay_letters(config: &Config) -> Needed {
        let topics = config.sources.iter().flat_map(|(_, source)| &source.topics);
        Needed::to_send_letters(config, topics)
    }

    /// To send letters to these inputs.
    pub fn to_send_letters<'t>(
        config: &Config,
        topics: impl IntoIterator<Item = &'t String>,
    ) -> Needed {
        use Operation::{DescribeConfigs, Write};
        let mut needed = Needed::to_settle_letters(config);
        for topic in topics {
            needed.on(topic, &[Write, DescribeConfigs]);
        }
        needed
    }

    /// To read all that may hold a customer's data.
    fn to_read_all(config: &Config) -> Needed {
        let mut needed = Needed::to_read_letters(config);
        let inputs = config.sources.iter().flat_map(|(_, source)| &source.topics);
        for topic in inputs.chain([
            &config.state_topic(),
            &config.forwarded_topic(),
            &config.snapshot.topic,
        ]) {
            needed.on(topic, &[Operation::Read]);
        }
        needed.group = true;
        needed
    }

    /// To see what an erasure must cover, and what is left afterwards.
    pub fn to_look_for_a_customer(config: &Config) -> Needed {
        let mut needed = Needed::to_read_all(config);
        needed.group = false;
        needed
    }

    /// To erase a customer by a null value in one of the topics of the first source that erases.
    pub fn to_erase(config: &Config) -> Needed {
        let mut needed = Needed::to_read_all(config);
        let mut sources = config.sources.iter();
        let erases = sources.find(|(_, source)| source.tombstone == Tombstone::Erase);
        for topic in erases.into_iter().flat_map(|(_, source)| &source.topics) {
            needed.on(topic, &[Operation::Write, Operation::DescribeConfigs]);
        }
        needed
    }

    /// To write a null value to a topic, if one is to be written, and, if that is waited for, to see when it is processed.
    pub fn to_write(topic: Option<&str>, waits: bool) -> Needed {
        let mut needed = Needed {
            group: waits,
            ..Needed::default()
        };
        if let Some(topic) = topic {
            needed.on(topic, &[Operation::Write]);
        }
        needed
    }

    /// To compare what keyfold publishes with its inputs.
    pub fn to_audit(config: &Config) -> Needed {
        let mut needed = Needed::to_read_all(config);
        let settled = config.settled_topic();
        needed.on_topics.retain(|one| one.name != settled);
        needed
    }

    /// All of them together.
    pub fn union(all: &[&Needed]) -> Needed {
        let mut together = Needed::default();
        for needed in all {
            let new = needed.on_topics.iter();
            let new = new.filter(|one| !together.on_topics.contains(one));
            let new: Vec<Permission> = new.cloned().collect();
            together.on_topics.extend(new);
            together.transactional_id = together
                .transactional_id
                .or(needed.transactional_id.clone());
            together.group |= needed.group;
        }
        together
    }

    /// Whether it needs a permission.
    pub fn has(&self, permission: &Permission) -> bool {
        match permission.resource {
            Resource::Topic => {
                let mut all = self.on_topics.iter();
                all.any(|one| one.name == permission.name && one.operation == permission.operation)
            }
            Resource::Group => self.group,
            Resource::TransactionalIds => self.transactional_id.is_some(),
        }
    }

    /// The topics, each once.
    fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = Vec::new();
        for permission in &self.on_topics {
            if !topics.contains(&permission.name.as_str()) {
                topics.push(&permission.name);
            }
        }
        topics
    }
}

impl Cluster {
    /// Which of these permissions this client lacks, as far as the brokers say it. A topic that does not exist denies
    /// nothing.
    pub fn denied(&self, needed: &Needed) -> Result<Vec<Permission>, ClusterError> {
        let mut survey = Survey::default();
        let topics = needed.topics();
        let describe = || {
            let asks = AllowedOperations::Ask;
            description::describe(self.client(), &topics, asks, ATTEMPT_TIMEOUT)
        };
        let described = match topics.is_empty() {
            true => Ok(None),
            false => with_retries(describe, |error| error.code).map(Some),
        };
        let described = described.map_err(|error| {
            ClusterError(format!("cannot look at the permissions: {}", error.reason))
        })?;
        for topic in described.iter().flatten() {
            survey.note_permissions(topic, &needed.on_topics);
        }
        if let Some(id) = &needed.transactional_id {
            let own = needed.takes_over.then_some(id.as_str());
            let denied = permissions::denied_ids(self.requirements(), own, COORDINATOR_TIMEOUT);
            // What else is wrong with them is told when they are used.
            let denied = denied.unwrap_or_default();
            denied.into_iter().for_each(|one| survey.deny(one));
        }
        if needed.group && self.denies_committed() {
            survey.deny(Permission {
                operation: Operation::Describe,
                ..permissions::on_group(&self.requirements().application_id)
            });
        }
        Ok(survey.denied)
    }

    /// Whether this client may not read the committed offsets of the group.
    fn denies_committed(&self) -> bool {
        let refused = Some(RDKafkaErrorCode::GroupAuthorizationFailed);
        let topic = &self.requirements().topics.snapshots.name;
        let Err(error) = self.query().try_committed(topic, COORDINATOR_TIMEOUT) else {
            return false;
        };
        // A client that may not look up the coordinator waits for it in vain.
        let last = self.query().last_error().map(|(code, _)| code);
        code_of(&error) == refused || last == refused
    }
}

/// The transactional id of the commands that settle letters.
pub fn transactional_id(config: &Config) -> String {
    format!("{}-dlq", config.application_id)
}
