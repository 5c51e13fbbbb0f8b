//! What a survey of the cluster finds, and what of it keeps keyfold from working.

use super::description::Operation;
use super::permissions::{Permission, Resource, refusal};
use super::topic_specs::{Difference, Need};
use crate::config::Kafka;
use crate::model::record::Source;

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

/// A topic that was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTopic {
    pub name: String,
    /// The source that reads it; none: keyfold writes to it.
    pub source: Option<Source>,
    pub partitions: i32,
    /// Whether its settings could be read.
    pub has_settings: bool,
}

/// A permission of which it is not known whether this client has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPermission {
    pub permission: Permission,
    pub reason: String,
}

/// The result of a survey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// The topics that were described.
    pub topics: Vec<DescribedTopic>,
    /// The permissions that were asked for.
    pub asked: Vec<Permission>,
    /// Those of them of which no answer came.
    pub unknown: Vec<UnknownPermission>,
    /// Partitions without a leader or with too few replicas.
    pub placement: Vec<Difference>,
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
    pub(super) fn lacks_any(&self, topics: &[String]) -> bool {
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
            all.push(refusal(&self.denied, kafka));
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
        let placement = self.placement.iter();
        let placement =
            placement.map(|one| format!("the topic {}: {}; {}", one.topic, one.what, one.remedy));
        let denied = self.denied.iter();
        let denied = denied
            .filter(|one| one.need == Need::Recommended)
            .map(|one| {
                format!("the topic {} grows, for this client may not delete what is done with; this grants it: {}", one.name, one.grant(kafka))
            });
        differences.chain(placement).chain(denied).collect()
    }

    /// Notes a permission of which it is not known whether this client has it.
    pub(super) fn do_not_know(&mut self, permission: &Permission, reason: &str) {
        self.unknown.push(UnknownPermission {
            permission: permission.clone(),
            reason: reason.to_owned(),
        });
    }

    /// Notes whether the settings of a topic could be read.
    pub(super) fn note_settings(&mut self, topic: &str, could_be_read: bool) {
        let mut topics = self.topics.iter_mut();
        if let Some(topic) = topics.find(|one| one.name == topic) {
            topic.has_settings = could_be_read;
        }
    }

    /// Adds a missing permission. Read, Write and Delete imply Describe, which is therefore not listed besides them.
    pub(super) fn deny(&mut self, permission: Permission) {
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
