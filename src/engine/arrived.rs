//! A record as it arrived: whose it is, its value out of its frame, and what is needed of it on the way out.

use crate::model::record::{Label, RawRecord};
use crate::source::framing::{GUID_HEADER, Payload, PayloadReader};
use crate::source::metadata::Metadata;

use super::dead_letter::most_forwarded_bytes;
use super::origin::{Header, Omitted, Origin, Unwrapped};
use super::{Place, Settings};

/// A record as it was consumed. The headers are asked for only where they are needed.
pub trait Delivered {
    fn place(&self) -> Place;
    fn offset(&self) -> i64;
    /// Milliseconds since 1970; none where the record carries none.
    fn timestamp(&self) -> Option<i64>;
    fn key(&self) -> Option<&[u8]>;
    fn value(&self) -> Option<&[u8]>;
    fn headers(&self) -> Vec<Header<'_>>;
    /// The sizes of its key and headers.
    fn metadata(&self) -> Metadata {
        let headers = self.headers();
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
        Metadata::of(self.key(), headers)
    }
}

/// What is needed of a record behind its verdict.
pub(super) struct Context<'a> {
    pub label: Label,
    pub origin: Origin,
    pub forwarded_to: Option<i32>,
    /// What stands before the value's body.
    pub frame: &'a [u8],
    pub value: Option<&'a [u8]>,
    /// Those that the origin had.
    pub headers: Vec<Header<'a>>,
}

/// A record with the source that it comes from.
pub(super) struct Arrived<'a, D> {
    pub delivered: &'a D,
    pub label: Label,
    pub raw: RawRecord<'a>,
    /// The origin of a forwarded record, and how many of its headers that had. An input's record needs it only on the
    /// way out.
    pub origin: Option<(Origin, usize)>,
    /// Of an input's record. One that was forwarded was judged before.
    pub metadata: Option<Metadata>,
}

impl<'a, D: Delivered> Arrived<'a, D> {
    /// None: a record of the forwarded topic that keyfold has not forwarded.
    pub fn new(delivered: &'a D, settings: &Settings) -> Option<Arrived<'a, D>> {
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
                let Unwrapped { origin, key, own } = Unwrapped::of(&headers)?;
                let raw = RawRecord {
                    source: origin.source,
                    timestamp: origin.timestamp,
                    // its own key is the customer id; the origin's is of the source's `key_format`
                    key,
                    value: delivered.value(),
                };
                let own = own.len();
                (Label::Forwarded, raw, Some((origin, own)))
            }
        };
        let metadata = origin.is_none().then(|| delivered.metadata());
        Some(Arrived {
            delivered,
            label,
            raw,
            origin,
            metadata,
        })
    }

    /// The value out of its frame; none while its writer schema is not known.
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

    /// Whether the forwarded topic takes it. That is asked wherever its customer's home is, for the verdict must not
    /// depend on it.
    pub fn fits(&self, customer: &str, settings: &Settings) -> bool {
        self.metadata.is_none_or(|metadata| {
            let value = self.raw.value.map_or(0, <[u8]>::len);
            most_forwarded_bytes(metadata, customer, value) <= settings.max_forwarded_bytes
        })
    }

    /// Where it was read first, as far as that is a topic that is consumed here.
    pub fn place(&self, settings: &Settings) -> (Place, i64) {
        let here = (self.delivered.place(), self.delivered.offset());
        let Some((origin, _)) = &self.origin else {
            return here;
        };
        let topic = settings
            .topics
            .iter()
            .position(|topic| topic.name == origin.topic);
        topic.map_or(here, |topic| {
            let partition = origin.partition;
            (Place { topic, partition }, origin.offset)
        })
    }

    pub fn context(self, opened: &Payload<'_>, settings: &Settings) -> Context<'a> {
        let place = self.delivered.place();
        let value = self.raw.value;
        let body = match opened {
            Payload::Avro(_, body) => body.len(),
            _ => value.map_or(0, <[u8]>::len),
        };
        let frame = value.and_then(|value| value.get(..value.len().saturating_sub(body)));
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
            frame: frame.unwrap_or_default(),
            value,
            headers,
        }
    }
}
