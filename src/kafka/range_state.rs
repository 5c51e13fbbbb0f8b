//! How far a range of offsets was read.

use rdkafka::error::RDKafkaErrorCode;

use super::client_log::is_refusal;
use super::log_ranges::{Range, ReadError};

/// Whether ranges are read side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All at once, as fast as it goes.
    SideBySide,
    /// One after the other, in the order that they are given in.
    OneByOne,
}

/// How far a range was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeState {
    pub range: Range,
    /// All records before this offset were given to the caller, or are lost.
    pub position: i64,
    /// How many of the range's offsets were taken by retention before they could be read.
    pub lost: u64,
    /// The log was read to the first open transaction, which lies before the range's end.
    pub(super) at_end: bool,
    /// The client fetches it.
    pub(super) is_fetched: bool,
}

impl RangeState {
    pub(super) fn new(range: Range) -> RangeState {
        RangeState {
            position: range.from,
            lost: 0,
            at_end: false,
            is_fetched: false,
            range,
        }
    }

    pub fn is_done(&self) -> bool {
        self.position >= self.range.end
    }
}

impl RangeState {
    pub(super) fn error(&self, reason: String) -> ReadError {
        ReadError::Unreadable {
            topic: self.range.topic.clone(),
            partition: self.range.partition,
            offset: self.position,
            reason,
        }
    }

    pub(super) fn unreadable(&self, code: RDKafkaErrorCode, reason: String) -> ReadError {
        let reason = match reason.is_empty() {
            true => code.to_string(),
            false => reason,
        };
        match code {
            code if is_refusal(code) => ReadError::Refused {
                what: self.range.topic.clone(),
                reason,
            },
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition => ReadError::NoTopic(self.range.topic.clone()),
            _ => self.error(reason),
        }
    }
}
