//! What a worker is set up with, and what it calls the partitions that it consumes.

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

/// A partition that is consumed, of the topic with this index in [`Settings::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub topic: usize,
    pub partition: i32,
}

/// A partition of a log that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogPartition {
    /// Of an input or of the forwarded topic.
    Consumed(Place),
    /// Of the state topic.
    State(i32),
}

/// A topic that is consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// The source that it feeds; none for the forwarded topic.
    pub source: Option<Source>,
}

/// The part of the configuration that an engine decides by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Empty: this instance has no name that it comes back with.
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
        }
    }
}

/// What does not change while an engine runs.
pub struct Settings {
    pub policy: Policy,
    /// The inputs, then the forwarded topic.
    pub topics: Vec<Topic>,
    pub state_topic: String,
    /// Partitions of the state topic and of the forwarded topic.
    pub partitions: i32,
    pub snapshot_partitions: i32,
    /// The largest record that the forwarded topic takes, in bytes.
    pub max_forwarded_bytes: usize,
    pub dead_letter_template: DeadLetterTemplate,
    pub limits: Limits,
    pub view: View,
    /// The plans of Avro's writer schemas.
    pub schemas: Arc<dyn SchemaLookup>,
    /// The schema id of snapshots in Avro; none: they are JSON.
    pub snapshot_schema: Option<u32>,
    /// How long a restore may stand still.
    pub restore_patience: Duration,
    /// How long a transaction may live before the broker aborts it.
    pub transaction_timeout: Duration,
    /// Within which time the group tells a worker whose producer was fenced that another process has its name.
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
