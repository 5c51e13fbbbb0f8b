//! What a record has outside of its value: its key, its timestamp and its headers.

use super::found::Got;
use crate::definition::Place;
use crate::model::record::{Header, RawRecord};
use crate::model::time::Instant;

/// What a record has outside of its value.
#[derive(Clone, Copy)]
pub(super) struct Outside<'r> {
    pub key: Option<&'r str>,
    /// The record's timestamp, if it is usable.
    pub at: Option<Instant>,
    pub headers: &'r [Header<'r>],
}

impl<'r> Outside<'r> {
    pub fn of(
        record: &RawRecord<'r>,
        headers: &'r [Header<'r>],
        at: Option<Instant>,
    ) -> Outside<'r> {
        Outside {
            key: record.key.and_then(|key| std::str::from_utf8(key).ok()),
            at,
            headers,
        }
    }

    /// What is at a place outside of a record's value.
    pub fn at_place(&self, place: &'r Place) -> Option<Got<'r>> {
        match place {
            Place::Key => Some(Got::Outer(self.key?)),
            Place::Timestamp => Some(Got::Moment(self.at?)),
            Place::Header(name) => Some(Got::Outer(self.header(name)?)),
            Place::Here(_) | Place::Record(_) | Place::Row(_) => None,
        }
    }

    /// The text of the last header of a name.
    pub fn header(&self, name: &str) -> Option<&'r str> {
        let (_, value) = self.headers.iter().rfind(|(known, _)| *known == name)?;
        std::str::from_utf8((*value)?).ok()
    }
}
