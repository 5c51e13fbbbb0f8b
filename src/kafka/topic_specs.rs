//! The topics that keyfold writes to as they should be, and what differs from that.

use std::collections::HashMap;

use crate::config::Config;
use crate::model::record::TOPIC_HEADROOM;

/// How important a setting or a permission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Recommended,
    /// Without it keyfold does not work, or data would be lost: `run` refuses to start.
    Required,
}

/// The settings of a topic by their names.
pub(super) type TopicSettings = HashMap<String, String>;

/// Which values besides the expected one are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Exactly,
    AtLeast,
    AtMost,
}

/// What keyfold expects of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExpectedSetting {
    name: &'static str,
    value: String,
    bound: Bound,
    need: Need,
}

impl ExpectedSetting {
    fn is_met_by(&self, found: &str) -> bool {
        let numbers = found.parse::<i128>().ok().zip(self.value.parse().ok());
        let is_unlimited = self.name.starts_with("retention.") && found == "-1";
        found == self.value
            || match self.bound {
                Bound::Exactly => false,
                Bound::AtLeast => {
                    is_unlimited || numbers.is_some_and(|(found, expected)| found >= expected)
                }
                Bound::AtMost => numbers.is_some_and(|(found, expected)| found <= expected),
            }
    }
}

/// A setting that is not as expected, or a topic that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub topic: String,
    pub what: String,
    /// What fixes it.
    pub remedy: String,
    pub need: Need,
}

/// A topic that keyfold writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicSpec {
    pub name: String,
    settings: Vec<ExpectedSetting>,
    /// Settings that are checked, but not set when the topic is created: the brokers' defaults apply.
    only_checked: Vec<ExpectedSetting>,
}

impl TopicSpec {
    /// Of the topic in which `keyfold dlq` notes what became of dead letters.
    pub(super) fn settled(name: &str) -> TopicSpec {
        TopicSpec {
            name: name.to_owned(),
            settings: compacted(Need::Required).into(),
            only_checked: Vec::new(),
        }
    }

    /// The settings that the topic is created with: of two bounds on one setting the stricter one comes first, and is
    /// used.
    pub(super) fn to_create(&self) -> Vec<(&'static str, &str)> {
        let mut all: Vec<(&'static str, &str)> = Vec::new();
        for setting in &self.settings {
            if all.iter().all(|(name, _)| *name != setting.name) {
                all.push((setting.name, &setting.value));
            }
        }
        all
    }

    /// The settings that are not as they should be: one entry for a setting, with the command that fixes all of it.
    pub(super) fn differences(&self, found: &TopicSettings, servers: &str) -> Vec<Difference> {
        let mut differences: Vec<Difference> = Vec::new();
        let mut named = Vec::new();
        for expected in self.settings.iter().chain(&self.only_checked) {
            let name = expected.name;
            let Some(value) = found.get(name).filter(|value| !expected.is_met_by(value)) else {
                continue;
            };
            // of two bounds on one setting the stricter comes first, and its command fixes both
            if let Some(at) = named.iter().position(|known| *known == name) {
                differences[at].need = differences[at].need.max(expected.need);
                continue;
            }
            named.push(name);
            let bound = match expected.bound {
                Bound::AtLeast => "at least ",
                Bound::Exactly | Bound::AtMost => "",
            };
            differences.push(Difference {
                topic: self.name.clone(),
                what: format!("{name} is {value}, and should be {bound}{}", expected.value),
                remedy: format!(
                    "kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {} --add-config {name}={}",
                    self.name, expected.value
                ),
                need: expected.need,
            });
        }
        differences
    }
}

/// The topics that keyfold writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicSpecs {
    pub state: TopicSpec,
    pub forwarded: TopicSpec,
    pub snapshots: TopicSpec,
    pub dead_letters: TopicSpec,
}

impl TopicSpecs {
    pub(super) fn all(&self) -> [&TopicSpec; 4] {
        [
            &self.state,
            &self.forwarded,
            &self.snapshots,
            &self.dead_letters,
        ]
    }

    /// The topics that belong to keyfold alone.
    pub(super) fn internal(&self) -> [&TopicSpec; 2] {
        [&self.state, &self.forwarded]
    }
}

/// The largest record of a topic that does not say otherwise, in bytes: Kafka's default of `max.message.bytes`.
pub(super) const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;
const FOUR_HOURS: &str = "14400000";
const DAY: &str = "86400000";
const WEEK: &str = "604800000";

fn setting(name: &'static str, bound: Bound, value: &str, need: Need) -> ExpectedSetting {
    ExpectedSetting {
        name,
        value: value.to_owned(),
        bound,
        need,
    }
}

/// The setting of a topic that takes records of this size, in bytes.
fn record_size(bytes: usize, need: Need) -> ExpectedSetting {
    let bytes = (bytes + TOPIC_HEADROOM).to_string();
    setting("max.message.bytes", Bound::AtLeast, &bytes, need)
}

/// The settings of a compacted topic. Compaction leaves out the segment that is written to, so erased data would stay
/// readable in it if it were not closed in time.
fn compacted(need: Need) -> [ExpectedSetting; 3] {
    use Bound::{AtMost, Exactly};
    [
        setting("cleanup.policy", Exactly, "compact", need),
        setting("max.compaction.lag.ms", AtMost, DAY, Need::Recommended),
        setting("segment.ms", AtMost, FOUR_HOURS, Need::Recommended),
    ]
}

impl From<&Config> for TopicSpecs {
    fn from(config: &Config) -> TopicSpecs {
        use Bound::{AtLeast, Exactly};
        use Need::{Recommended, Required};
        let limits = &config.validation;
        let largest = limits.max_record_bytes.max(limits.max_state_bytes);
        // a record as it was consumed, with its key and headers
        let whole = largest.max(limits.max_record_bytes + limits.max_metadata_bytes);
        let of_states = [
            record_size(largest, Recommended),
            record_size(limits.max_state_bytes, Required),
        ];
        let spec = |name: String, settings: Vec<ExpectedSetting>| TopicSpec {
            name,
            settings,
            only_checked: Vec::new(),
        };
        TopicSpecs {
            state: spec(
                config.state_topic(),
                [&compacted(Required)[..], &of_states].concat(),
            ),
            forwarded: spec(
                config.forwarded_topic(),
                vec![
                    setting("cleanup.policy", Exactly, "delete", Required),
                    setting("retention.ms", Exactly, "-1", Required),
                    setting("retention.bytes", Exactly, "-1", Required),
                    record_size(whole, Recommended),
                ],
            ),
            snapshots: {
                // readers that were stopped for a while must still see the tombstone of an erased customer
                let tombstones = setting("delete.retention.ms", AtLeast, WEEK, Recommended);
                let all = [&compacted(Recommended)[..], &[tombstones], &of_states];
                spec(config.snapshot.topic.clone(), all.concat())
            },
            dead_letters: TopicSpec {
                name: config.dead_letters.topic.clone(),
                settings: vec![
                    setting("cleanup.policy", Exactly, "delete", Recommended),
                    record_size(whole, Recommended),
                ],
                // people need time to look into dead letters
                only_checked: vec![
                    setting("retention.ms", AtLeast, DAY, Recommended),
                    setting("retention.bytes", AtLeast, "16777216", Recommended),
                ],
            },
        }
    }
}
