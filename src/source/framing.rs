//! The wire formats of schema registry clients: how a value identifies its writer schema (the Confluent wire format).

use std::sync::Arc;

use super::JudgeSettings;
use super::form::MAX_TEXTS;
pub use super::writer_schema::{
    NoSchemas, Purpose, ReaderSchemas, SchemaId, SchemaLookup, WriterSchema,
};
use crate::avro::input::Input;
use crate::avro::{self, Plan};
use crate::config::{Format, KeyFormat, Tombstone};
use crate::json::strict::{self, Plain, Text};
use crate::model::record::{Code, RawRecord, Rejection, Source};

/// The header that holds a schema's GUID when the value has no frame.
pub const GUID_HEADER: &str = "__value_schema_id";

/// The first byte of a frame with a numeric schema id: four bytes, big-endian.
const NUMBERED: u8 = 0;
/// The first byte of a header value with a GUID.
const GUID: u8 = 1;

/// A record's value without its frame.
#[derive(Debug)]
pub enum Payload<'a> {
    Null,
    Json(&'a [u8]),
    /// The plan for the writer schema, and the body.
    Avro(Arc<Plan>, &'a [u8]),
    /// The frame, or the key of a tombstone, already decides that the record is rejected.
    Rejected(Rejection),
    /// The value of a record whose key is read too, and is JSON or Avro; none if the key cannot be decoded.
    WithKey(Option<Key>, Box<Payload<'a>>),
}

/// A key in JSON or Avro.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// The text of a string. It is that text, even if it could be read as JSON.
    Text(String),
    /// The JSON of anything else.
    Json(String),
}

impl Key {
    pub fn as_bytes(&self) -> &[u8] {
        let (Key::Text(text) | Key::Json(text)) = self;
        text.as_bytes()
    }
}

impl<'a> Payload<'a> {
    /// The payload of the value, without that of the key.
    pub fn value(&self) -> &Payload<'a> {
        match self {
            Payload::WithKey(_, value) => value,
            value => value,
        }
    }
}

/// Reads the payload of a source's records.
pub struct PayloadReader<'s> {
    format: Format,
    max_bytes: usize,
    /// Whether the key of a tombstone must have the writer schema `string`.
    checks_keys: bool,
    /// The format of keys that the definition of the source reads, unless they are the text themselves.
    read_keys: Option<KeyFormat>,
    schemas: &'s dyn SchemaLookup,
}

impl<'s> PayloadReader<'s> {
    pub fn new<'c>(
        settings: impl Into<JudgeSettings<'c>>,
        source: Source,
        schemas: &'s dyn SchemaLookup,
    ) -> PayloadReader<'s> {
        let settings = settings.into();
        let definition = match source {
            Source::Declared(_) => settings.sources.plan(source).map(|plan| &plan.definition),
            _ => None,
        };
        // Its key is never an id then.
        let null_says_nothing =
            definition.is_some_and(|definition| definition.envelope.null_says_nothing());
        let read_keys = settings.sources.format_of_read_keys(source);
        let source = settings.sources.get(source);
        let is_avro = source.is_some_and(|source| source.key_format == KeyFormat::Avro);
        PayloadReader {
            format: source.map_or(Format::Json, |source| source.format),
            max_bytes: settings.validation.max_record_bytes,
            checks_keys: schemas.is_available()
                && is_avro
                && !null_says_nothing
                && source.is_some_and(|source| source.tombstone != Tombstone::Reject),
            read_keys: read_keys.filter(|format| *format != KeyFormat::Text),
            schemas,
        }
    }

    /// For values that are JSON without a frame, regardless of the source's format.
    #[must_use]
    pub fn plain_json(self) -> PayloadReader<'s> {
        let format = Format::Json;
        PayloadReader { format, ..self }
    }

    /// The writer schemas that must be known to read a record. For `guid` see [`PayloadReader::read`].
    pub fn needed<'a>(
        &self,
        record: &RawRecord<'a>,
        guid: impl FnOnce() -> Option<&'a [u8]>,
    ) -> [Option<(Purpose, SchemaId)>; 2] {
        let framed = match record.value {
            Some(value) if self.format == Format::Avro && value.len() <= self.max_bytes => {
                framed(value, guid())
            }
            _ => None,
        };
        let reads_key = match record.value {
            None => self.checks_keys,
            Some(value) => self.read_keys == Some(KeyFormat::Avro) && value.len() <= self.max_bytes,
        };
        let key = record.key.filter(|_| reads_key).and_then(numbered);
        [
            framed.map(|(id, _)| (record.source.into(), id)),
            key.map(|(id, _)| (Purpose::Keys, id)),
        ]
    }

    /// Removes the frame from a record's value. `guid` returns the value of [`GUID_HEADER`], and is called only if the
    /// header matters. None: a writer schema is not known yet.
    pub fn read<'a>(
        &self,
        record: &RawRecord<'a>,
        guid: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Option<Payload<'a>> {
        let value = self.read_value(record, guid)?;
        let Some(format) = self.read_keys else {
            return Some(value);
        };
        if matches!(value, Payload::Null | Payload::Rejected(_)) {
            return Some(value);
        }
        let key = match (format, record.key) {
            (_, None) => None,
            (KeyFormat::Avro, Some(key)) => match numbered(key) {
                Some((id, body)) => self.read_key(id, body)?,
                None => None,
            },
            (KeyFormat::Json | KeyFormat::Text, Some(key)) => key_of_json(key),
        };
        Some(Payload::WithKey(key, Box::new(value)))
    }

    fn read_value<'a>(
        &self,
        record: &RawRecord<'a>,
        guid: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Option<Payload<'a>> {
        let Some(value) = record.value else {
            return self.read_null(record);
        };
        // Do not ask the registry for a value that is rejected in any case.
        if value.len() > self.max_bytes {
            return Some(Payload::Rejected(Rejection::new(Code::TooLarge)));
        }
        Some(match self.format {
            Format::Json => Payload::Json(value),
            Format::JsonRegistry => Payload::Json(numbered(value).map_or(value, |(_, body)| body)),
            Format::Avro => {
                let Some((id, body)) = framed(value, guid()) else {
                    let message = "the value has no frame that names its writer schema: it begins with neither 0 and a schema id of four bytes, nor is there a header __value_schema_id with a GUID";
                    return Some(Payload::Rejected(Rejection::with_message(
                        Code::InvalidAvro,
                        message,
                    )));
                };
                match self.schemas.writer_schema(record.source.into(), id)? {
                    WriterSchema::Plan(plan) => Payload::Avro(plan, body),
                    WriterSchema::Unknown => {
                        Payload::Rejected(Rejection::new(Code::UnknownSchemaId))
                    }
                    WriterSchema::Unusable(why) => unusable(id, &why),
                    WriterSchema::PlainString => unusable(id, "it is of strings"),
                }
            }
        })
    }

    /// A key in Avro. The inner none: it cannot be decoded. The record is then judged as one without a key,
    /// because it may say its id itself.
    fn read_key(&self, id: SchemaId, body: &[u8]) -> Option<Option<Key>> {
        let max_texts = self.max_bytes.saturating_mul(MAX_TEXTS);
        Some(match self.schemas.writer_schema(Purpose::Keys, id)? {
            WriterSchema::Plan(plan) => {
                let json = avro::to_json(&plan, body, max_texts).ok();
                json.and_then(|json| key_of_json(json.as_bytes()))
            }
            WriterSchema::PlainString => string(body).map(Key::Text),
            WriterSchema::Unknown | WriterSchema::Unusable(_) => None,
        })
    }

    /// A key that was written with another schema than `string` may decode as a string, and would erase the wrong
    /// customer. If no schema can be looked up, the frame is trusted.
    fn read_null(&self, record: &RawRecord<'_>) -> Option<Payload<'static>> {
        let key = record.key.filter(|_| self.checks_keys);
        // A key without a frame is rejected later, when the customer id is read from it.
        let Some((id, _)) = key.and_then(numbered) else {
            return Some(Payload::Null);
        };
        let why = match self.schemas.writer_schema(Purpose::Keys, id)? {
            WriterSchema::PlainString => return Some(Payload::Null),
            WriterSchema::Unknown => "is not in the schema registry",
            WriterSchema::Plan(_) | WriterSchema::Unusable(_) => "is not string",
        };
        let message = format!("the writer schema {id} of the key of a null value {why}");
        Some(Payload::Rejected(Rejection::with_message(
            Code::InvalidKey,
            message,
        )))
    }
}

fn unusable(id: SchemaId, why: &str) -> Payload<'static> {
    let message = format!("the writer schema {id} cannot be read as the source's schema: {why}");
    Payload::Rejected(Rejection::with_message(Code::InvalidAvro, message))
}

/// The schema and the body of an Avro value. The header takes precedence, because a value with this header has no
/// frame.
fn framed<'a>(value: &'a [u8], guid: Option<&[u8]>) -> Option<(SchemaId, &'a [u8])> {
    let by_guid = guid
        .and_then(|header| header.strip_prefix(&[GUID]))
        .and_then(|guid| guid.try_into().ok())
        .map(|guid| (SchemaId::Guid(guid), value));
    by_guid.or_else(|| numbered(value))
}

/// The numeric schema id, and the bytes after the frame.
pub fn numbered(value: &[u8]) -> Option<(SchemaId, &[u8])> {
    let (id, body) = value.strip_prefix(&[NUMBERED])?.split_first_chunk()?;
    Some((SchemaId::Number(u32::from_be_bytes(*id)), body))
}

/// The text of an Avro string.
fn string(body: &[u8]) -> Option<String> {
    let mut input = Input::new(body);
    let text = input.text().ok()?;
    input.end().ok()?;
    Some(text.to_owned())
}

fn key_of_json(key: &[u8]) -> Option<Key> {
    let json = std::str::from_utf8(key).ok()?;
    match strict::read(json, Plain::<Text<'_>>) {
        Ok(Text(text)) => Some(Key::Text(text.into_owned())),
        Err(_) => (strict::check(json).is_ok()).then(|| Key::Json(json.to_owned())),
    }
}

/// The frame before the body of a value with a numeric schema id.
pub fn frame(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [NUMBERED, a, b, c, d]
}

#[cfg(test)]
mod tests;
