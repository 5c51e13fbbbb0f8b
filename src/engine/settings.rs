//! The settings of an engine, and its names for the partitions that it reads.

use std::sync::Arc;
use std::time::Duration;

use super::dead_letter::DeadLetterTemplate;
use crate::config::{OnForeignOffset, OnLostOffset, Processing, Sources, Validation};
use crate::customer::bounded::Limits;
use crate::customer::snapshot::View;
use crate::model::record::Source;
use crate::source::JudgeSettings;
use crate::source::framing::SchemaLookup;
use crate::store::Stores;

/// A consumed partition. `topic` is the index of its topic in [`Settings::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub topic: usize,
    pub partition: i32,
}

/// A partition that the engine reads, by consuming or by restoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogPartition {
    /// A partition of an input or of the forwarded topic.
    Consumed(Place),
    /// A partition of the state topic.
    State(i32),
}

/// A topic that is consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// The source of its records; none for the forwarded topic, which has records of all sources.
    pub source: Option<Source>,
}

/// The part of the configuration on which the engine's decisions depend.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Empty if the instance has no stable name.
    pub instance_id: String,
    pub sources: Sources,
    pub validation: Validation,
    pub processing: Processing,
    pub on_lost_offset: OnLostOffset,
    pub on_foreign_offset: OnForeignOffset,
}

impl<'p> From<&'p Policy> for JudgeSettings<'p> {
    fn from(policy: &'p Policy) -> JudgeSettings<'p> {
        JudgeSettings {
            sources: &policy.sources,
            validation: &policy.validation,
            is_forwarded: false,
            has_text_key: false,
        }
    }
}

/// All that an engine needs and that does not change while it runs.
#[derive(Clone)]
pub struct Settings {
    pub policy: Policy,
    /// The inputs, then the forwarded topic.
    pub topics: Vec<Topic>,
    pub state_topic: String,
    /// The number of partitions of the state topic and of the forwarded topic.
    pub partitions: i32,
    pub snapshot_partitions: i32,
    /// The largest record that the forwarded topic takes, in bytes.
    pub max_forwarded_bytes: usize,
    pub dead_letter_template: DeadLetterTemplate,
    pub limits: Limits,
    pub view: View,
    /// Looks up how to read values of an Avro writer schema.
    pub schemas: Arc<dyn SchemaLookup>,
    /// The schema id of snapshots in Avro; none if snapshots are JSON.
    pub snapshot_schema: Option<u32>,
    /// How long a restore may make no progress, and how long a store may stay in use by its previous owner.
    pub restore_patience: Duration,
    /// The transaction timeout, after which the broker aborts a transaction.
    pub transaction_timeout: Duration,
    /// How long to wait before a fenced producer is replaced: within this time the group reports if another process has
    /// this instance's id.
    pub replaced_within: Duration,
    pub stores: Arc<dyn Stores>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("topics", &self.topics)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The partition of the forwarded topic with this number.
    pub fn forwarded(&self, partition: i32) -> Place {
        Place {
            topic: self.topics.len() - 1,
            partition,
        }
    }

    pub fn is_forwarded(&self, place: Place) -> bool {
        place.topic + 1 == self.topics.len()
    }

    pub fn topic_name(&self, place: Place) -> &str {
        self.topics
            .get(place.topic)
            .map_or("", |topic| topic.name.as_str())
    }
}
