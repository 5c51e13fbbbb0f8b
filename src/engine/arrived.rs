//! A record as it arrived: its source, its value without the schema frame, and what a forwarded record or a dead letter
//! needs of it.

use crate::model::record::{Label, RawRecord, Source};
use crate::source::framing::{GUID_HEADER, Payload, PayloadReader};
use crate::source::metadata::Metadata;

use super::dead_letter::most_forwarded_bytes;
use super::origin::{Header, NotForwarded, Omitted, Origin, Unwrapped};
use super::received::frame;
use super::{Place, Settings};

/// A record as it was consumed. The headers are read only where they are needed, because reading them costs time.
pub trait Delivered {
    fn place(&self) -> Place;
    fn offset(&self) -> i64;
    /// Milliseconds since 1970; none if the record has no timestamp.
    fn timestamp(&self) -> Option<i64>;
    fn key(&self) -> Option<&[u8]>;
    fn value(&self) -> Option<&[u8]>;
    fn headers(&self) -> Vec<Header<'_>>;
    /// The sizes of the record's key and headers.
    fn metadata(&self) -> Metadata {
        let headers = self.headers();
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
        Metadata::of(self.key(), headers)
    }
}

/// What is still needed of a record after its verdict, to forward it or to write its dead letter.
pub(super) struct Context<'a> {
    pub label: Label,
    pub origin: Origin,
    pub forwarded_to: Option<i32>,
    /// The bytes of the value before its body, which name the writer schema; empty if there are none.
    pub frame: &'a [u8],
    pub value: Option<&'a [u8]>,
    /// The headers of the original record, without those that keyfold added when it forwarded the record.
    pub headers: Vec<Header<'a>>,
}

/// A record together with its source.
pub(super) struct Arrived<'a, D> {
    pub delivered: &'a D,
    pub label: Label,
    pub raw: RawRecord<'a>,
    /// The origin of a forwarded record, and how many of the record's headers belong to that origin. None for a record
    /// of an input: its origin is made only if it is forwarded or rejected.
    pub origin: Option<(Origin, usize)>,
    /// Only for a record of an input. The sizes of a forwarded record were checked before it was forwarded.
    pub metadata: Option<Metadata>,
}

impl<'a, D: Delivered> Arrived<'a, D> {
    /// # Errors
    /// If the record is from the forwarded topic, but keyfold did not write it, or it is of a source that is not
    /// configured any more.
    pub fn new(delivered: &'a D, settings: &Settings) -> Result<Arrived<'a, D>, NotForwarded> {
        let place = delivered.place();
        let input = settings
            .topics
            .get(place.topic)
            .and_then(|topic| topic.source);
        let (label, raw, origin) = match input {
            Some(source) => {
                let raw = RawRecord {
                    source,
                    timestamp: delivered.timestamp(),
                    key: delivered.key(),
                    value: delivered.value(),
                };
                (Label::Source(source), raw, None)
            }
            None => {
                let headers = delivered.headers();
                let Unwrapped { origin, key, own } =
                    Unwrapped::of(&headers, &settings.policy.sources)?;
                let raw = RawRecord {
                    source: origin.source,
                    timestamp: origin.timestamp,
                    // the forwarded record's own key is the customer id; validation needs the original key, which has
                    // the source's `key_format`
                    key,
                    value: delivered.value(),
                };
                let own = own.len();
                (Label::Forwarded, raw, Some((origin, own)))
            }
        };
        let metadata = origin.is_none().then(|| delivered.metadata());
        Ok(Arrived {
            delivered,
            label,
            raw,
            origin,
            metadata,
        })
    }

    /// The value without its frame; none while its writer schema is not known.
    pub fn open(&self, settings: &Settings) -> Option<Payload<'a>> {
        let max_metadata_bytes = settings.policy.validation.max_metadata_bytes;
        let rejection = self
            .metadata
            .and_then(|sizes| sizes.rejection(max_metadata_bytes));
        if let Some(rejection) = rejection {
            return Some(Payload::Rejected(rejection));
        }
        let guid = || {
            let headers = self.delivered.headers();
            let found = headers.iter().rev().find(|(name, _)| *name == GUID_HEADER);
            found.and_then(|(_, value)| *value)
        };
        let mut reader = PayloadReader::new(&settings.policy, self.raw.source, &*settings.schemas);
        if let Some((origin, _)) = &self.origin
            && origin.omitted.form
        {
            reader = reader.plain_json();
        }
        reader.read(&self.raw, guid)
    }

    /// The headers that the record is judged by, as they were where it was read first. Empty if its source needs none.
    pub fn judged_headers(&self, settings: &Settings) -> Vec<Header<'a>> {
        let Source::Declared(_) = self.raw.source else {
            return Vec::new();
        };
        let plan = settings.policy.sources.plan(self.raw.source);
        if !plan.is_some_and(|plan| plan.needs_headers()) {
            return Vec::new();
        }
        let mut headers = self.delivered.headers();
        if let Some((_, own)) = &self.origin {
            headers.truncate(*own);
        }
        headers
    }

    /// Whether the forwarded topic can take the record. This is checked even if the customer's state partition is owned
    /// here, because the verdict must not depend on the assignment.
    pub fn fits(&self, customer: &str, settings: &Settings) -> bool {
        self.metadata.is_none_or(|metadata| {
            let value = self.raw.value.map_or(0, <[u8]>::len);
            most_forwarded_bytes(metadata, customer, value) <= settings.max_forwarded_bytes
        })
    }

    /// The place and the offset where the record was read first, if that topic is still an input; otherwise those of
    /// the forwarded record.
    pub fn place(&self, settings: &Settings) -> (Place, i64) {
        let here = (self.delivered.place(), self.delivered.offset());
        let origin = self.origin.as_ref();
        let first = origin.and_then(|(origin, _)| place_of(origin, settings));
        first.unwrap_or(here)
    }

    pub fn context(self, opened: &Payload<'_>, settings: &Settings) -> Context<'a> {
        let place = self.delivered.place();
        let value = self.raw.value;
        let frame = frame(value, opened);
        let mut headers = self.delivered.headers();
        let forwarded_to = self.origin.is_some().then_some(place.partition);
        let origin = match self.origin {
            Some((origin, own)) => {
                headers.truncate(own);
                origin
            }
            None => Origin {
                source: self.raw.source,
                topic: settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset: self.delivered.offset(),
                timestamp: self.raw.timestamp,
                key: self.raw.key.map(<[u8]>::to_vec),
                omitted: Omitted::default(),
            },
        };
        Context {
            label: self.label,
            forwarded_to,
            origin,
            frame,
            value,
            headers,
        }
    }
}

/// The place and the offset of an origin, if its topic is still an input.
pub(super) fn place_of(origin: &Origin, settings: &Settings) -> Option<(Place, i64)> {
    let mut topics = settings.topics.iter();
    let topic = topics.position(|topic| topic.name == origin.topic)?;
    let partition = origin.partition;
    Some((Place { topic, partition }, origin.offset))
}
