//! Where a place is taken up: what the group's committed offset is worth. One that somebody else committed, or that speaks
//! of a topic which was deleted since, is not taken for keyfold's own.

use std::collections::BTreeMap;

use super::fatal::Fatal;
use super::offset_metadata::OffsetMetadata;
use super::{Place, Worker};
use crate::config::{OnForeignOffset, OnLostOffset};

/// Where a partition stands in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The group's committed offset and its metadata.
    pub committed: Option<(i64, String)>,
    /// The first offset of the log.
    pub low: i64,
    /// The offset behind the last record of the log, uncommitted ones included.
    pub high: i64,
}

const LOST_INPUT: &str = "Set kafka.on_lost_offset = \"earliest\" to go on from the oldest record of the new topic, and keep it until the topic has new records";
const LOST_INTERNAL: &str =
    "Stop all instances and run `keyfold topics reset` to rebuild it from the inputs";

impl Worker {
    /// The ids of topics by their names. To be told before [`Worker::standings`]; a topic without an id is not checked.
    pub fn topic_ids(&mut self, mut ids: BTreeMap<String, String>) {
        // Of a topic that is consumed the id stays for which its positions are: a change is told by `made_anew`.
        for (topic, id) in &self.topic_ids {
            let index = self
                .settings
                .topics
                .iter()
                .position(|one| one.name == *topic);
            let mut places = self.assignment.places.keys();
            if places.any(|&place| {
                Some(place.topic) == index && self.assignment.position(place).is_some()
            }) {
                ids.insert(topic.clone(), id.clone());
            }
        }
        self.topic_ids = ids;
    }

    /// A topic that has another id now than when its committed offsets were read.
    pub fn made_anew(&self, now: &BTreeMap<String, String>) -> Option<Fatal> {
        let (topic, _) = self
            .topic_ids
            .iter()
            .find(|(topic, id)| now.get(*topic).is_some_and(|now| now != *id))?;
        Some(self.anew(topic))
    }

    /// Whether a topic is an input, which may be read from its start again where the configuration says so.
    pub fn may_start_anew(&self, topic: &str) -> bool {
        let settings = &self.settings;
        let topics = settings.topics.iter();
        let is_input = topics
            .filter(|one| one.name == topic)
            .any(|one| one.source.is_some());
        is_input && settings.config.kafka.on_lost_offset == OnLostOffset::Earliest
    }

    fn anew(&self, topic: &str) -> Fatal {
        let topics = self.settings.topics.iter();
        let is_input = topics
            .filter(|one| one.name == topic)
            .any(|one| one.source.is_some());
        Fatal::MadeAnew {
            topic: topic.to_owned(),
            remedy: if is_input { LOST_INPUT } else { LOST_INTERNAL },
        }
    }

    /// The first record to take of a place.
    pub(super) fn start_of(&mut self, place: Place, standing: &Standing) -> Result<i64, Fatal> {
        let Some((offset, text)) = &standing.committed else {
            let replaced = self.replaced_inputs.contains(&place.topic);
            let topic = self.settings.topic_name(place);
            if replaced && !self.may_start_anew(topic) {
                return Err(self.anew(topic));
            }
            if replaced {
                self.passed.insert(place);
            }
            return Ok(standing.low);
        };
        let topic = self.settings.topic_name(place).to_owned();
        let is_forwarded = self.settings.is_forwarded(place);
        let metadata = OffsetMetadata::of(*offset, text);
        // without the state's end the check for a lost state would be off, whoever wrote the rest
        let own = metadata.filter(|metadata| !is_forwarded || metadata.state_end.is_some());
        let Some(metadata) = own else {
            return self.foreign_start(place, standing, *offset);
        };
        if self.is_another(&topic, metadata.topic_id.as_deref()) {
            if !self.may_start_anew(&topic) {
                return Err(self.anew(&topic));
            }
            self.passed.insert(place);
            return Ok(standing.low);
        }
        if is_forwarded {
            let state_topic = &self.settings.state_topic;
            if self.is_another(state_topic, metadata.state_topic_id.as_deref()) {
                return Err(self.anew(state_topic));
            }
            if let Some(state) = self.assignment.states.get_mut(&place.partition) {
                state.known_end = state.known_end.max(metadata.state_end.unwrap_or(0));
            }
        }
        self.within(place, standing, *offset)
    }

    /// The ids of the inputs, to be remembered with the offsets of forwarded partitions.
    pub(super) fn input_ids(&self) -> Vec<(String, String)> {
        let inputs = self.settings.topics.iter();
        let inputs = inputs.filter(|topic| topic.source.is_some());
        inputs
            .filter_map(|topic| {
                Some((topic.name.clone(), self.topic_ids.get(&topic.name)?.clone()))
            })
            .collect()
    }

    /// Finds the inputs that were deleted and created anew though no offset of theirs is left to tell: the brokers forget
    /// a topic's committed offsets when it is deleted.
    pub(super) fn look_at_remembered(&mut self, answers: &[(Place, Option<Standing>)]) {
        let mut remembered: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut tellers = Vec::new();
        for (place, standing) in answers {
            let committed = standing.as_ref().and_then(|one| one.committed.as_ref());
            let metadata = committed.and_then(|(at, text)| OffsetMetadata::of(*at, text));
            if let Some(metadata) = metadata.filter(|metadata| !metadata.inputs.is_empty()) {
                tellers.push(*place);
                for (name, id) in metadata.inputs {
                    remembered.entry(name).or_default().push(id);
                }
            }
        }
        self.replaced_inputs.clear();
        for (index, topic) in self.settings.topics.iter().enumerate() {
            let (Some(ids), Some(now)) =
                (remembered.get(&topic.name), self.topic_ids.get(&topic.name))
            else {
                continue;
            };
            // one partition's offset may be older than another's
            if !ids.contains(now) {
                self.replaced_inputs.insert(index);
            }
        }
        if !self.replaced_inputs.is_empty() {
            // where it goes on, the new ids are remembered with the next commit
            self.passed.extend(tellers);
        }
    }

    /// Whether a topic is not the one that was known by this id.
    fn is_another(&self, topic: &str, then: Option<&str>) -> bool {
        let now = self.topic_ids.get(topic).map(String::as_str);
        matches!((then, now), (Some(then), Some(now)) if then != now)
    }

    /// Somebody else committed the offset. The next commit makes it keyfold's own.
    fn foreign_start(
        &mut self,
        place: Place,
        standing: &Standing,
        offset: i64,
    ) -> Result<i64, Fatal> {
        self.passed.insert(place);
        if offset == standing.low {
            return Ok(offset);
        }
        match self.settings.config.kafka.on_foreign_offset {
            OnForeignOffset::Accept => self.within(place, standing, offset),
            OnForeignOffset::Fail => Err(Fatal::ForeignOffset {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset,
                low: standing.low,
                high: standing.high,
            }),
        }
    }

    /// The committed offset, if it is in its log.
    fn within(&self, place: Place, standing: &Standing, offset: i64) -> Result<i64, Fatal> {
        if (standing.low..=standing.high).contains(&offset) {
            return Ok(offset);
        }
        match self.settings.config.kafka.on_lost_offset {
            OnLostOffset::Earliest => Ok(standing.low),
            OnLostOffset::Fail => Err(Fatal::LostOffset {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset,
                low: standing.low,
                high: standing.high,
            }),
        }
    }
}
