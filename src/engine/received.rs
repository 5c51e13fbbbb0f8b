//! A record as the commands for operators read it, which are no workers: what the processor's verdict on it is. It is
//! the verdict of [`super::record`], apart from what depends on the customer's state.

use super::dead_letter::{most_forwarded_bytes, record_bytes};
use super::origin::{Header, Omitted, Origin, Unwrapped};
use super::split::Share;
use crate::config::Config;
use crate::model::record::{Code, RawRecord, Rejection, Source};
use crate::source::framing::{
    GUID_HEADER, Payload, PayloadReader, Purpose, SchemaId, SchemaLookup,
};
use crate::source::metadata::Metadata;
use crate::source::{self, JudgeSettings, Judged, Verdict};

/// A record with its source. A forwarded one is as it was where it was read first.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Where it was read first.
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub raw: RawRecord<'a>,
    /// Its own, without those that keyfold added when it forwarded the record.
    pub headers: &'a [Header<'a>],
    /// What was left out when it was forwarded; none for a record of an input.
    pub forwarded: Option<Omitted>,
}

impl<'a> Received<'a> {
    /// A record of the forwarded topic, with its own value and headers. `origin` is the record's, as
    /// [`Unwrapped::of`] has read it.
    pub fn forwarded(unwrapped: &'a Unwrapped<'a, 'a>, value: Option<&'a [u8]>) -> Received<'a> {
        let origin = &unwrapped.origin;
        Received {
            topic: &origin.topic,
            partition: origin.partition,
            offset: origin.offset,
            raw: RawRecord {
                source: origin.source,
                timestamp: origin.timestamp,
                key: unwrapped.key,
                value,
            },
            headers: unwrapped.own,
            forwarded: Some(origin.omitted),
        }
    }

    /// Its value's reader, and the rejection of key and headers that are too large.
    fn reader<'s>(
        &self,
        config: &Config,
        schemas: &'s dyn SchemaLookup,
    ) -> Result<PayloadReader<'s>, Rejection> {
        // The sizes of a forwarded record were checked before it was forwarded.
        if self.forwarded.is_none()
            && let Some(rejection) = self
                .metadata()
                .rejection(config.validation.max_metadata_bytes)
        {
            return Err(rejection);
        }
        let reader = PayloadReader::new(config, self.raw.source, schemas);
        Ok(match self.forwarded {
            Some(omitted) if omitted.form => reader.plain_json(),
            _ => reader,
        })
    }

    /// The writer schemas that must be known to judge it.
    pub fn needed(
        &self,
        config: &Config,
        schemas: &dyn SchemaLookup,
    ) -> [Option<(Purpose, SchemaId)>; 2] {
        match self.reader(config, schemas) {
            Ok(reader) => reader.needed(&self.raw, || self.guid()),
            Err(_) => [None, None],
        }
    }

    /// Its value without the frame; none while a writer schema is not known.
    pub fn open(&self, config: &Config, schemas: &dyn SchemaLookup) -> Option<Payload<'a>> {
        match self.reader(config, schemas) {
            Ok(reader) => reader.read(&self.raw, || self.guid()),
            Err(rejection) => Some(Payload::Rejected(rejection)),
        }
    }

    /// Judges it; `max_forwarded_bytes` is the largest record that the forwarded topic takes.
    pub fn judge<'p>(
        &self,
        payload: &'p Payload<'p>,
        config: &Config,
        max_forwarded_bytes: usize,
    ) -> Judged<'p>
    where
        'a: 'p,
    {
        let settings = JudgeSettings {
            is_forwarded: self.forwarded.is_some(),
            ..JudgeSettings::from(config)
        };
        let headers = match self.raw.source {
            Source::Declared(_) => self.headers,
            _ => &[],
        };
        let Judged { verdict, warnings } =
            source::judge_payload(&self.raw, payload, headers, settings);
        let verdict = match self.forwarded {
            Some(_) => verdict,
            None => self.fitted(verdict, payload, config, max_forwarded_bytes),
        };
        Judged { verdict, warnings }
    }

    /// Rejects what does not fit into the forwarded topic. The processor does so wherever it reads the record, because a
    /// verdict must not depend on the assignment.
    fn fitted<'p>(
        &self,
        verdict: Verdict<'p>,
        payload: &Payload<'_>,
        config: &Config,
        max_bytes: usize,
    ) -> Verdict<'p> {
        match verdict {
            Verdict::Valid(contribution) => {
                let value = self.raw.value.map_or(0, <[u8]>::len);
                let customer = &contribution.customer;
                match most_forwarded_bytes(self.metadata(), customer, value) > max_bytes {
                    true => Verdict::Rejected(too_large_to_forward()),
                    false => Verdict::Valid(contribution),
                }
            }
            Verdict::Batch {
                mut elements,
                mut rejection,
            } => {
                let plan = config.sources.plan(self.raw.source);
                let definition = plan.map(|plan| &plan.definition);
                let shared = Share::of(&self.origin(), self.headers, &elements, definition);
                let mut share = match shared {
                    Ok(share) => share,
                    Err(too_large) => return Verdict::Rejected(too_large),
                };
                let frame = frame(self.raw.value, payload);
                elements.retain(|element| {
                    let value = share.take(element, frame);
                    let headers = share.origin.wrap(&share.headers);
                    let key = Some(element.contribution.customer.as_bytes());
                    let fits = record_bytes(key, Some(&value), &headers) <= max_bytes;
                    if !fits {
                        rejection.get_or_insert_with(too_large_to_forward);
                    }
                    fits
                });
                Verdict::Batch {
                    elements,
                    rejection,
                }
            }
            other => other,
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            source: self.raw.source,
            topic: self.topic.to_owned(),
            partition: self.partition,
            offset: self.offset,
            timestamp: self.raw.timestamp,
            key: self.raw.key.map(<[u8]>::to_vec),
            omitted: Omitted::default(),
        }
    }

    fn metadata(&self) -> Metadata {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
        Metadata::of(self.raw.key, headers)
    }

    fn guid(&self) -> Option<&'a [u8]> {
        let mut headers = self.headers.iter().rev();
        headers.find(|(name, _)| *name == GUID_HEADER)?.1
    }
}

/// The bytes of a value before its body, which name the writer schema.
pub(super) fn frame<'a>(value: Option<&'a [u8]>, payload: &Payload<'_>) -> &'a [u8] {
    let body = match payload.value() {
        Payload::Avro(_, body) => body.len(),
        _ => value.map_or(0, <[u8]>::len),
    };
    let frame = value.and_then(|value| value.get(..value.len().saturating_sub(body)));
    frame.unwrap_or_default()
}

/// The rejection of a record that is too large for the forwarded topic.
pub(super) fn too_large_to_forward() -> Rejection {
    Rejection::with_message(
        Code::TooLarge,
        "the record with its headers does not fit into the forwarded topic",
    )
}
