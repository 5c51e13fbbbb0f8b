//! The wire formats of schema registry clients: how a value identifies its writer schema (the Confluent wire format).

use std::fmt;
use std::sync::Arc;

use super::JudgeSettings;
use crate::avro::Plan;
use crate::config::{Format, KeyFormat, Tombstone};
use crate::model::record::{Code, RawRecord, Rejection, Source};

/// The header that holds a schema's GUID when the value has no frame.
pub const GUID_HEADER: &str = "__value_schema_id";

/// The first byte of a frame with a numeric schema id: four bytes, big-endian.
const NUMBERED: u8 = 0;
/// The first byte of a header value with a GUID.
const GUID: u8 = 1;

/// How a value identifies its writer schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaId {
    Number(u32),
    Guid([u8; 16]),
}

/// The number, or the GUID as RFC 9562 writes it.
impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaId::Number(number) => write!(f, "{number}"),
            SchemaId::Guid(bytes) => {
                let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
                let (a, rest) = digits.split_at(8);
                let (b, rest) = rest.split_at(4);
                let (c, rest) = rest.split_at(4);
                let (d, e) = rest.split_at(4);
                write!(f, "{a}-{b}-{c}-{d}-{e}")
            }
        }
    }
}

/// What is known about a writer schema for a source.
#[derive(Debug, Clone)]
pub enum WriterSchema {
    Plan(Arc<Plan>),
    /// The registry says that there is no such schema: `unknown_schema_id`.
    Unknown,
    /// No value of this schema can be read for this source, for the given reason: `invalid_avro`.
    Unusable(Arc<str>),
    /// The schema `string`: a key may have it, but not a value of a source.
    PlainString,
}

impl WriterSchema {
    /// Compiles the text of a schema for a source. `references` are the texts of the schemas that it refers to; each
    /// comes after those that it refers to itself.
    pub fn compile(source: Source, schema: &str, references: &[&str]) -> WriterSchema {
        if Plan::is_of_text(schema, references) {
            return WriterSchema::PlainString;
        }
        match Plan::compile(source, schema, references) {
            Ok(plan) => WriterSchema::Plan(Arc::new(plan)),
            Err(error) => WriterSchema::Unusable(error.to_string().into()),
        }
    }
}

/// Where writer schemas are looked up.
pub trait SchemaLookup: Send + Sync {
    /// None: the answer is not known yet, and the record has to wait for it.
    fn writer_schema(&self, source: Source, id: SchemaId) -> Option<WriterSchema>;

    /// Whether there is a registry, or a folder of schemas, to ask. There need not be one if no format is Avro.
    fn is_available(&self) -> bool {
        true
    }
}

/// The schema lookup of a configuration without Avro.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl SchemaLookup for NoSchemas {
    fn writer_schema(&self, _: Source, _: SchemaId) -> Option<WriterSchema> {
        Some(WriterSchema::Unknown)
    }

    fn is_available(&self) -> bool {
        false
    }
}

/// A record's value without its frame.
#[derive(Debug)]
pub enum Payload<'a> {
    Null,
    Json(&'a [u8]),
    /// The plan for the writer schema, and the body.
    Avro(Arc<Plan>, &'a [u8]),
    /// The frame, or the key of a tombstone, already decides that the record is rejected.
    Rejected(Rejection),
}

/// Reads the payload of a source's records.
pub struct PayloadReader<'s> {
    format: Format,
    max_bytes: usize,
    /// Whether the key of a tombstone must have the writer schema `string`.
    checks_keys: bool,
    schemas: &'s dyn SchemaLookup,
}

impl<'s> PayloadReader<'s> {
    pub fn new<'c>(
        settings: impl Into<JudgeSettings<'c>>,
        source: Source,
        schemas: &'s dyn SchemaLookup,
    ) -> PayloadReader<'s> {
        let settings = settings.into();
        let source = settings.sources.get(source);
        PayloadReader {
            format: source.map_or(Format::Json, |source| source.format),
            max_bytes: settings.validation.max_record_bytes,
            checks_keys: schemas.is_available()
                && source.is_some_and(|source| {
                    source.key_format == KeyFormat::Avro && source.tombstone != Tombstone::Reject
                }),
            schemas,
        }
    }

    /// For values that are JSON without a frame, regardless of the source's format.
    #[must_use]
    pub fn plain_json(self) -> PayloadReader<'s> {
        let format = Format::Json;
        PayloadReader { format, ..self }
    }

    /// The writer schema that must be known to read a record. For `guid` see [`PayloadReader::read`].
    pub fn schema_id<'a>(
        &self,
        record: &RawRecord<'a>,
        guid: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Option<SchemaId> {
        let framed = match record.value {
            None => record.key.filter(|_| self.checks_keys).and_then(numbered),
            Some(value) if self.format == Format::Avro && value.len() <= self.max_bytes => {
                framed(value, guid())
            }
            Some(_) => None,
        };
        framed.map(|(id, _)| id)
    }

    /// Removes the frame from a record's value. `guid` returns the value of [`GUID_HEADER`], and is called only if the
    /// header matters. None: the writer schema is not known yet.
    pub fn read<'a>(
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
                match self.schemas.writer_schema(record.source, id)? {
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

    /// A key that was written with another schema than `string` may decode as a string, and would erase the wrong
    /// customer. If no schema can be looked up, the frame is trusted.
    fn read_null(&self, record: &RawRecord<'_>) -> Option<Payload<'static>> {
        let key = record.key.filter(|_| self.checks_keys);
        // A key without a frame is rejected later, when the customer id is read from it.
        let Some((id, _)) = key.and_then(numbered) else {
            return Some(Payload::Null);
        };
        let why = match self.schemas.writer_schema(record.source, id)? {
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

/// The frame before the body of a value with a numeric schema id.
pub fn frame(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [NUMBERED, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SourceConfig};

    fn opened(value: &'static [u8], header: Option<&'static [u8]>, format: Format) -> String {
        let record = RawRecord {
            source: Source::LoyaltyCustomers,
            timestamp: None,
            key: None,
            value: Some(value),
        };
        let settings = SourceConfig {
            format,
            ..SourceConfig::of(record.source)
        };
        let mut config = Config {
            sources: [(record.source, settings)].into_iter().collect(),
            ..Config::default()
        };
        config.validation.max_record_bytes = 30;
        let reader = PayloadReader::new(&config, record.source, &NoSchemas);
        match reader.read(&record, || header).unwrap() {
            Payload::Rejected(rejection) => format!("{:?}", rejection.code),
            opened => format!("{opened:?}"),
        }
    }

    #[test]
    fn ids_as_people_write_them() {
        assert_eq!(SchemaId::Number(17).to_string(), "17");
        let guid = SchemaId::Guid(std::array::from_fn(|at| at as u8));
        assert_eq!(guid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn frames() {
        const GUID_OF_ONES: &[u8] = &[1; 17];
        let code = |code: Code| format!("{code:?}");
        let json = |text: &'static [u8]| format!("{:?}", Payload::Json(text));
        let framed: &[u8] = b"\0\0\0\0\x07{}";
        assert_eq!(opened(b"{}", None, Format::Json), json(b"{}"));
        assert_eq!(opened(framed, None, Format::Json), json(framed));
        assert_eq!(opened(b"{}", None, Format::JsonRegistry), json(b"{}"));
        assert_eq!(opened(framed, None, Format::JsonRegistry), json(b"{}"));
        assert_eq!(
            opened(b"\0\0\0", None, Format::JsonRegistry),
            json(b"\0\0\0")
        );
        for bad in [b"".as_slice(), b"\0", b"\0\0\0\0", b"\x01\0\0\0\x01", b"{}"] {
            assert_eq!(opened(bad, None, Format::Avro), code(Code::InvalidAvro));
        }
        let unknown = code(Code::UnknownSchemaId);
        assert_eq!(opened(b"\0\0\0\0\x07", None, Format::Avro), unknown);
        assert_eq!(opened(b"x", Some(GUID_OF_ONES), Format::Avro), unknown);
        // A header of another kind is ignored.
        let header = Some(&GUID_OF_ONES[..16]);
        assert_eq!(opened(b"x", header, Format::Avro), code(Code::InvalidAvro));
        assert_eq!(opened(&[0; 31], None, Format::Avro), code(Code::TooLarge));
        assert_eq!(
            numbered(&frame(0x0102_0304)),
            Some((SchemaId::Number(0x0102_0304), &[][..]))
        );
    }

    /// Schema 1 is `string`, schema 2 is not, schema 3 does not exist, and the others are not known yet.
    struct SomeSchemas;

    impl SchemaLookup for SomeSchemas {
        fn writer_schema(&self, _: Source, id: SchemaId) -> Option<WriterSchema> {
            match id {
                SchemaId::Number(1) => Some(WriterSchema::PlainString),
                SchemaId::Number(2) => Some(WriterSchema::Unusable("it is of numbers".into())),
                SchemaId::Number(3) => Some(WriterSchema::Unknown),
                _ => None,
            }
        }
    }

    #[test]
    fn the_writer_schema_of_a_key_of_avro_must_be_string() {
        let source = Source::LoyaltyCustomers;
        let with = |key_format, tombstone| {
            let settings = SourceConfig {
                key_format,
                tombstone,
                ..SourceConfig::of(source)
            };
            Config {
                sources: [(source, settings)].into_iter().collect(),
                ..Config::default()
            }
        };
        let checked =
            |config: &Config, id: u8, value: Option<&'static [u8]>, schemas: &dyn SchemaLookup| {
                let key = [0, 0, 0, 0, id, 4, b'c', b'1'];
                let record = RawRecord {
                    source,
                    timestamp: Some(0),
                    key: Some(&key),
                    value,
                };
                let reader = PayloadReader::new(config, source, schemas);
                Some(match reader.read(&record, || None)? {
                    Payload::Rejected(rejection) => Err((rejection.code, rejection.message)),
                    _ => Ok(()),
                })
            };
        let wrong = |text: &str| {
            let message = format!("the writer schema {text}");
            Some(Err((Code::InvalidKey, message)))
        };
        // With `text`, no schema is looked up.
        let config = with(KeyFormat::Text, Tombstone::Erase);
        assert_eq!(checked(&config, 4, None, &SomeSchemas), Some(Ok(())));
        let config = with(KeyFormat::Avro, Tombstone::Erase);
        assert_eq!(checked(&config, 1, None, &SomeSchemas), Some(Ok(())));
        let not_string = "2 of the key of a null value is not string";
        assert_eq!(checked(&config, 2, None, &SomeSchemas), wrong(not_string));
        let missing = "3 of the key of a null value is not in the schema registry";
        assert_eq!(checked(&config, 3, None, &SomeSchemas), wrong(missing));
        assert_eq!(checked(&config, 4, None, &SomeSchemas), None);
        // Nor for a value, nor without a registry, nor for a record that is rejected in any case.
        assert_eq!(checked(&config, 4, Some(b"{}"), &SomeSchemas), Some(Ok(())));
        assert_eq!(checked(&config, 2, None, &NoSchemas), Some(Ok(())));
        let config = with(KeyFormat::Avro, Tombstone::Reject);
        assert_eq!(checked(&config, 4, None, &SomeSchemas), Some(Ok(())));
    }
}
