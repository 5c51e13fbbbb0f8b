//! The offset from which a partition is consumed, and whether the group's committed offset can be trusted: somebody
//! else may have committed it, or its topic may have been deleted and recreated since.

use std::collections::BTreeMap;
use std::time::Duration;

use super::assignment::Consumption;
use super::event::PartitionOffsets;
use super::fatal::Fatal;
use super::offset_metadata::OffsetMetadata;
use super::{Engine, Place};
use crate::config::{OnForeignOffset, OnLostOffset};

impl Engine {
    /// Receives the offsets of partitions, as far as they could be read.
    pub(super) fn offsets_fetched(
        &mut self,
        topic_ids: Option<BTreeMap<String, String>>,
        mut answers: Vec<(Place, Option<PartitionOffsets>)>,
        now: Duration,
    ) {
        match topic_ids {
            Some(ids) => self.update_topic_ids(ids),
            None => answers.iter_mut().for_each(|(_, offsets)| *offsets = None),
        }
        let answered = answers.iter().all(|(_, offsets)| offsets.is_some());
        self.request_ended(answered, now);
        if !answered {
            self.note_waiting_read();
        }
        self.find_replaced_inputs(&answers);
        for (place, offsets) in answers {
            if self.assignment.places.get(&place) != Some(&Consumption::Asked) {
                continue;
            }
            let consumption = match offsets {
                None => Consumption::Unknown,
                Some(offsets) => match self.start_of(place, &offsets) {
                    Ok(position) => Consumption::Held { position },
                    Err(fatal) => return self.stop(fatal),
                },
            };
            self.assignment.places.insert(place, consumption);
        }
    }

    /// Receives whether the client could start to consume these partitions; if not, the engine tries again.
    pub(super) fn consume_started(
        &mut self,
        places: &[(Place, i64)],
        succeeded: bool,
        now: Duration,
    ) {
        if !succeeded {
            for &(place, position) in places {
                self.assignment.rewind(place, position);
            }
        }
        self.request_ended(succeeded, now);
    }

    /// The offset of the first record to take of a place.
    fn start_of(&mut self, place: Place, offsets: &PartitionOffsets) -> Result<i64, Fatal> {
        let Some((offset, text)) = &offsets.committed else {
            let replaced = self.replaced_inputs.contains(&place.topic);
            let topic = self.settings.topic_name(place);
            if replaced && !self.may_read_from_start(topic) {
                return Err(self.recreated_error(topic));
            }
            if replaced {
                self.passed.insert(place);
            }
            return Ok(offsets.first);
        };
        let topic = self.settings.topic_name(place).to_owned();
        let is_forwarded = self.settings.is_forwarded(place);
        let metadata = OffsetMetadata::of(*offset, text);
        // without `state-end` a lost state could not be detected, so such an offset counts as foreign
        let own = metadata.filter(|metadata| !is_forwarded || metadata.state_end.is_some());
        let Some(metadata) = own else {
            return self.foreign_start(place, offsets, *offset);
        };
        if self.has_another_id(&topic, metadata.topic_id.as_deref()) {
            if !self.may_read_from_start(&topic) {
                return Err(self.recreated_error(&topic));
            }
            self.passed.insert(place);
            return Ok(offsets.first);
        }
        if is_forwarded {
            let state_topic = &self.settings.state_topic;
            if self.has_another_id(state_topic, metadata.state_topic_id.as_deref()) {
                return Err(self.recreated_error(state_topic));
            }
            if let Some(state) = self.assignment.states.get_mut(&place.partition) {
                state.known_end = state.known_end.max(metadata.state_end.unwrap_or(0));
            }
        }
        self.offset_in_log(place, offsets, *offset)
    }

    /// The start if somebody else committed the offset. The next commit makes it keyfold's own.
    fn foreign_start(
        &mut self,
        place: Place,
        offsets: &PartitionOffsets,
        offset: i64,
    ) -> Result<i64, Fatal> {
        self.passed.insert(place);
        if offset == offsets.first {
            return Ok(offset);
        }
        match self.settings.policy.on_foreign_offset {
            OnForeignOffset::Accept => self.offset_in_log(place, offsets, offset),
            OnForeignOffset::Fail => Err(Fatal::ForeignOffset {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset,
                low: offsets.first,
                high: offsets.end,
            }),
        }
    }

    /// The committed offset, if the log still contains it; otherwise what `kafka.on_lost_offset` says.
    fn offset_in_log(
        &self,
        place: Place,
        offsets: &PartitionOffsets,
        offset: i64,
    ) -> Result<i64, Fatal> {
        if (offsets.first..=offsets.end).contains(&offset) {
            return Ok(offset);
        }
        match self.settings.policy.on_lost_offset {
            OnLostOffset::Earliest => Ok(offsets.first),
            OnLostOffset::Fail => Err(Fatal::LostOffset {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset,
                low: offsets.first,
                high: offsets.end,
            }),
        }
    }
}
