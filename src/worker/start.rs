//! Where a partition is taken up: at the group's committed offset, if that is keyfold's own and still in the log.

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

/// Whether keyfold itself committed an offset with these metadata. Of a forwarded partition they must tell the state's
/// end too: without that the check for a lost state would be off, whoever wrote them.
pub fn is_own(metadata: Option<&OffsetMetadata>, is_forwarded: bool) -> bool {
    metadata.is_some_and(|metadata| !is_forwarded || metadata.state_end.is_some())
}

impl Worker {
    /// The first record to take of a place.
    pub(super) fn start_of(&mut self, place: Place, standing: &Standing) -> Result<i64, Fatal> {
        let Some((offset, metadata)) = &standing.committed else {
            return Ok(standing.low);
        };
        let metadata = OffsetMetadata::parse(metadata);
        let is_forwarded = self.settings.is_forwarded(place);
        if is_forwarded
            && let Some(state) = self.assignment.states.get_mut(&place.partition)
            && let Some(end) = metadata.as_ref().and_then(|metadata| metadata.state_end)
        {
            state.known_end = state.known_end.max(end);
        }
        if !(standing.low..=standing.high).contains(offset) {
            return self.lost_offset(place, *offset, standing);
        }
        // from the first offset on nothing is passed over, whoever says so
        if is_own(metadata.as_ref(), is_forwarded) || *offset == standing.low {
            return Ok(*offset);
        }
        match self.settings.config.kafka.on_foreign_offset {
            OnForeignOffset::Accept => Ok(*offset),
            OnForeignOffset::Fail => Err(Fatal::ForeignOffset {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset: *offset,
            }),
        }
    }

    /// Where to go on when the committed offset is not in the log any more.
    fn lost_offset(&self, place: Place, offset: i64, standing: &Standing) -> Result<i64, Fatal> {
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
