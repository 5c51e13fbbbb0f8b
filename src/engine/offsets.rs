//! Which offsets a batch commits.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Offset;
use super::fatal::Fatal;
use super::offset_metadata::OffsetMetadata;
use super::{Engine, Place};

impl Engine {
    /// The offsets that the open batch commits:
    ///
    /// - of every place that it took records of;
    /// - of the forwarded partition of every state partition that it joined into, even if it took no record there. The
    ///   group coordinator fences only the partitions that are named here, and the next owner waits only for pending
    ///   offsets of these;
    /// - of the places whose position has moved without a record ([`super::passed`]).
    pub(super) fn offsets(&mut self) -> Option<Vec<Offset>> {
        let batch = self.batch.as_ref()?;
        let settings = &self.settings;
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        for entry in batch.customers.values().filter(|entry| entry.changed) {
            *ends.entry(entry.partition).or_default() += 1;
        }
        let mut places: Vec<Place> = batch.began_at.keys().copied().collect();
        for &partition in &batch.joined {
            let place = settings.forwarded(partition);
            if !batch.began_at.contains_key(&place) {
                places.push(place);
            }
        }
        let included: BTreeSet<Place> = places.iter().copied().collect();
        places.extend(
            self.passed_places()
                .filter(|place| !included.contains(place)),
        );
        let mut offsets = Vec::with_capacity(places.len());
        for place in places {
            let Some(position) = self.assignment.position(place) else {
                let name = settings.topic_name(place).to_owned();
                self.stop(Fatal::Bug(format!(
                    "a batch has touched {name}[{}] without knowing its position",
                    place.partition
                )));
                return None;
            };
            let id_of = |topic: &str| self.topic_ids.get(topic).cloned();
            let is_forwarded = settings.is_forwarded(place);
            let state_end = is_forwarded.then(|| {
                let state = self.assignment.states.get(&place.partition);
                let end = state.map_or(0, |state| state.known_end);
                end + ends.get(&place.partition).unwrap_or(&0)
            });
            let writer = self.takeover.writer.as_ref();
            let metadata = OffsetMetadata {
                topic_id: id_of(settings.topic_name(place)),
                offset: Some(position),
                inputs: match is_forwarded {
                    true => self.input_ids(),
                    false => Vec::new(),
                },
                state_topic_id: is_forwarded.then(|| id_of(&settings.state_topic)).flatten(),
                state_end,
                writer: writer.map(|writer| writer.transactional_id.clone()),
            };
            offsets.push((place, position, metadata.to_string()));
        }
        Some(offsets)
    }
}
