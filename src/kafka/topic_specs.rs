//! The topics that keyfold writes to as they must be.

use crate::config::Config;
use crate::model::record::TOPIC_HEADROOM;

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    State,
    Forwarded,
    Snapshots,
    DeadLetters,
}

/// What keyfold expects of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSetting {
    pub name: &'static str,
    pub value: String,
    /// At least this number, and not just this value.
    pub at_least: bool,
    /// Without it data would be lost: `run` refuses to start.
    pub vital: bool,
}

impl ExpectedSetting {
    /// Whether a topic with this value is as it should be.
    pub fn holds(&self, found: &str) -> bool {
        let numbers = || {
            Some((
                found.parse::<i128>().ok()?,
                self.value.parse::<i128>().ok()?,
            ))
        };
        let is = |order: fn(&i128, &i128) -> bool| {
            numbers().is_some_and(|(found, expected)| order(&found, &expected))
        };
        found == self.value
            || self.at_least && (is(i128::ge) || self.name.starts_with("retention.") && found == "-1")
            // sooner is as good
            || matches!(self.name, "max.compaction.lag.ms" | "segment.ms") && is(i128::le)
    }
}

/// A topic that keyfold writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub role: Role,
    pub name: String,
    pub settings: Vec<ExpectedSetting>,
    /// What is looked at, but left to the brokers' defaults where the topic is created.
    pub bounds: Vec<ExpectedSetting>,
}

impl TopicSpec {
    /// The settings that the topic is created with: of two bounds on one setting the stricter comes first.
    pub fn to_create(&self) -> Vec<(&'static str, &str)> {
        let mut all: Vec<(&'static str, &str)> = Vec::new();
        for setting in &self.settings {
            if all.iter().all(|(name, _)| *name != setting.name) {
                all.push((setting.name, &setting.value));
            }
        }
        all
    }
}

/// The topics of a configuration: state, forwarded, snapshots, dead letters.
pub fn topic_specs(config: &Config) -> [TopicSpec; 4] {
    let record = config.validation.max_record_bytes;
    let largest = record.max(config.validation.max_state_bytes);
    // whole records go here, with their key and headers
    let whole = largest.max(record + config.validation.max_metadata_bytes);
    let size = |bytes: usize, vital: bool| ExpectedSetting {
        name: "max.message.bytes",
        value: (bytes + TOPIC_HEADROOM).to_string(),
        at_least: true,
        vital,
    };
    let exactly = |name, value: &str, vital| ExpectedSetting {
        name,
        value: value.to_owned(),
        at_least: false,
        vital,
    };
    let day = "86400000";
    let hours = "14400000";
    let week = "604800000";
    [
        TopicSpec {
            role: Role::State,
            name: config.state_topic(),
            settings: vec![
                exactly("cleanup.policy", "compact", true),
                // erased data would stay readable in the segment that is written to
                exactly("max.compaction.lag.ms", day, false),
                exactly("segment.ms", hours, false),
                size(largest, false),
                size(config.validation.max_state_bytes, true),
            ],
            bounds: Vec::new(),
        },
        TopicSpec {
            role: Role::Forwarded,
            name: config.forwarded_topic(),
            settings: vec![
                exactly("cleanup.policy", "delete", true),
                exactly("retention.ms", "-1", true),
                exactly("retention.bytes", "-1", true),
                size(whole, false),
            ],
            bounds: Vec::new(),
        },
        TopicSpec {
            role: Role::Snapshots,
            name: config.snapshot.topic.clone(),
            settings: vec![
                exactly("cleanup.policy", "compact", false),
                exactly("max.compaction.lag.ms", day, false),
                exactly("segment.ms", hours, false),
                // readers that were away must still see the null of an erased customer
                ExpectedSetting {
                    at_least: true,
                    ..exactly("delete.retention.ms", week, false)
                },
                size(largest, false),
                size(config.validation.max_state_bytes, true),
            ],
            bounds: Vec::new(),
        },
        TopicSpec {
            role: Role::DeadLetters,
            name: config.dead_letters.topic.clone(),
            settings: vec![
                exactly("cleanup.policy", "delete", false),
                size(whole, false),
            ],
            // who is to look into them needs time for it
            bounds: [("retention.ms", day), ("retention.bytes", "16777216")]
                .map(|(name, least)| ExpectedSetting {
                    at_least: true,
                    ..exactly(name, least, false)
                })
                .into(),
        },
    ]
}
