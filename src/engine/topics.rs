//! Topics that were deleted, or deleted and recreated. A recreated topic has another id, and committed offsets are
//! valid only for the id for which they were committed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Effect, Loss, Notice, PartitionOffsets};
use super::fatal::Fatal;
use super::offset_metadata::OffsetMetadata;
use super::{Engine, Event, GroupChange, Place};
use crate::config::OnLostOffset;

const LOST_INPUT: &str = "Set kafka.on_lost_offset = \"earliest\" to go on from the oldest record of the new topic, and keep it until the topic has new records";
const LOST_INTERNAL: &str =
    "Stop all instances and run `keyfold topics reset` to rebuild it from the inputs";

impl Engine {
    /// Receives the topic ids that were read together with committed offsets.
    pub(super) fn update_topic_ids(&mut self, mut ids: BTreeMap<String, String>) {
        // A topic that is consumed keeps the id to which its positions belong: [`Engine::topics_seen`] notices a
        // change.
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

    /// Compares the topic ids that were seen with those that are known here. The ones seen may be older, so they are
    /// read again before the engine acts on a difference.
    pub(super) fn topics_seen(&mut self, ids: &BTreeMap<String, String>, gone: Option<String>) {
        if let Some(topic) = gone {
            self.stop(Fatal::TopicGone { topic });
        } else if self.recreated_topic(ids).is_some() {
            self.effects.push_back(Effect::CheckTopicIds);
        }
    }

    /// If a topic was recreated, the engine stops, unless it is an input and the configuration allows to read it from
    /// its start.
    pub(super) fn topic_ids_checked(&mut self, ids: &BTreeMap<String, String>, now: Duration) {
        let Some(topic) = self.recreated_topic(ids).map(str::to_owned) else {
            return;
        };
        if !self.may_read_from_start(&topic) {
            return self.stop(self.recreated_error(&topic));
        }
        let notice = Notice::TopicRecreated(topic);
        self.effects.push_back(Effect::Report(notice));
        self.handle(Event::Group(GroupChange::Lost(Loss::Client)), now);
    }

    /// A topic whose id differs from the one it had when its committed offsets were read.
    fn recreated_topic(&self, now: &BTreeMap<String, String>) -> Option<&str> {
        let mut known = self.topic_ids.iter();
        let (topic, _) = known.find(|(topic, id)| now.get(*topic).is_some_and(|now| now != *id))?;
        self.joined_group.then_some(topic)
    }

    fn is_input(&self, topic: &str) -> bool {
        let mut topics = self.settings.topics.iter();
        topics.any(|one| one.name == topic && one.source.is_some())
    }

    /// Whether a topic is an input, and the configuration allows to read a recreated input from its start.
    pub(super) fn may_read_from_start(&self, topic: &str) -> bool {
        let on_lost_offset = self.settings.policy.on_lost_offset;
        self.is_input(topic) && on_lost_offset == OnLostOffset::Earliest
    }

    pub(super) fn recreated_error(&self, topic: &str) -> Fatal {
        let remedy = match self.is_input(topic) {
            true => LOST_INPUT,
            false => LOST_INTERNAL,
        };
        Fatal::TopicRecreated {
            topic: topic.to_owned(),
            remedy,
        }
    }

    /// The names and ids of the inputs, which are stored in the metadata of forwarded partitions' offsets.
    pub(super) fn input_ids(&self) -> Vec<(String, String)> {
        let inputs = self.settings.topics.iter();
        let inputs = inputs.filter(|topic| topic.source.is_some());
        inputs
            .filter_map(|topic| {
                Some((topic.name.clone(), self.topic_ids.get(&topic.name)?.clone()))
            })
            .collect()
    }

    /// Finds inputs that were deleted and recreated by the ids in the metadata of forwarded partitions' offsets. The
    /// inputs' own committed offsets do not help, because the brokers delete them together with the topic.
    pub(super) fn find_replaced_inputs(&mut self, answers: &[(Place, Option<PartitionOffsets>)]) {
        let mut remembered: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut places_with_ids = Vec::new();
        for (place, offsets) in answers {
            let committed = offsets.as_ref().and_then(|one| one.committed.as_ref());
            let metadata = committed.and_then(|(at, text)| OffsetMetadata::of(*at, text));
            if let Some(metadata) = metadata.filter(|metadata| !metadata.inputs.is_empty()) {
                places_with_ids.push(*place);
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
            // partitions may remember different ids, because some offsets are older than others
            if !ids.contains(now) {
                self.replaced_inputs.insert(index);
            }
        }
        if !self.replaced_inputs.is_empty() {
            // if the engine continues, the next commit stores the new ids
            self.passed.extend(places_with_ids);
        }
    }

    /// Whether a topic's current id differs from an earlier one; false if either is unknown.
    pub(super) fn has_another_id(&self, topic: &str, then: Option<&str>) -> bool {
        let now = self.topic_ids.get(topic).map(String::as_str);
        matches!((then, now), (Some(then), Some(now)) if then != now)
    }
}
