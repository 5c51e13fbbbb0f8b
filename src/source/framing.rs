//! The frames of the schema registry's clients: how a value names its writer schema (the Confluent wire format).

use std::fmt;
use std::sync::Arc;

use crate::avro::Plan;
use crate::config::Format;
use crate::model::record::{Code, RawRecord, Rejection, Source};

use super::Value;

/// The header that holds a schema's GUID, where the value is not framed.
pub const GUID_HEADER: &str = "__value_schema_id";

/// The first byte of a frame with a schema id of four bytes, big-endian.
const NUMBERED: u8 = 0;
/// The first byte of a header with a GUID.
const GUID: u8 = 1;

/// How a value names its writer schema.
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

/// What is known of a writer schema for a source.
#[derive(Debug, Clone)]
pub enum Known {
    Plan(Arc<Plan>),
    /// The registry says that there is none: `unknown_schema_id`.
    Missing,
    /// There is one, but no value of it can be read for this source: `invalid_avro`, and why.
    Unusable(Arc<str>),
    /// Its values are strings: what a key is, and no source's value.
    Text,
}

/// Where the plans of writer schemas come from.
pub trait Schemas: Send + Sync {
    /// None: it is not known yet but being asked for, and the record must wait.
    fn known(&self, source: Source, id: SchemaId) -> Option<Known>;

    /// Whether there is a place to look up schemas in. Where no format is Avro there need not be one.
    fn is_there(&self) -> bool {
        true
    }
}

/// For a configuration without Avro.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl Schemas for NoSchemas {
    fn known(&self, _: Source, _: SchemaId) -> Option<Known> {
        Some(Known::Missing)
    }

    fn is_there(&self) -> bool {
        false
    }
}

/// A record's value out of its frame.
#[derive(Debug)]
pub enum Opened<'a> {
    Null,
    Json(&'a [u8]),
    /// The plan of the writer schema, and the body.
    Avro(Arc<Plan>, &'a [u8]),
    /// It can't be read.
    Bad(Rejection),
}

impl<'a> Opened<'a> {
    /// Takes the value of a record out of the frame that its source's format asks for. `guid` is the value of
    /// [`GUID_HEADER`], asked for only where it counts. None: the writer schema is not known yet.
    pub fn open(
        record: &RawRecord<'a>,
        guid: impl FnOnce() -> Option<&'a [u8]>,
        format: Format,
        max_bytes: usize,
        schemas: &dyn Schemas,
    ) -> Option<Opened<'a>> {
        let Some(value) = record.value else {
            return Some(Opened::Null);
        };
        // nothing is asked of the registry for a value that is rejected anyhow
        if value.len() > max_bytes {
            return Some(Opened::Bad(Rejection::new(Code::TooLarge)));
        }
        Some(match format {
            Format::Json => Opened::Json(value),
            Format::JsonRegistry => Opened::Json(numbered(value).map_or(value, |(_, body)| body)),
            Format::Avro => {
                let Some((id, body)) = framed(value, guid()) else {
                    let message = "the value has no frame that names its writer schema: it begins with neither 0 and a schema id of four bytes, nor is there a header __value_schema_id with a GUID";
                    return Some(Opened::Bad(Rejection::with_message(
                        Code::InvalidAvro,
                        message,
                    )));
                };
                match schemas.known(record.source, id)? {
                    Known::Plan(plan) => Opened::Avro(plan, body),
                    Known::Missing => Opened::Bad(Rejection::new(Code::UnknownSchemaId)),
                    Known::Unusable(why) => unusable(id, &why),
                    Known::Text => unusable(id, "it is of strings"),
                }
            }
        })
    }

    /// The value, if there is one that can be judged.
    pub fn value(&'a self) -> Result<Value<'a>, Option<&'a Rejection>> {
        match self {
            Opened::Null => Err(None),
            Opened::Bad(rejection) => Err(Some(rejection)),
            Opened::Json(bytes) => Ok(Value::Json(bytes)),
            Opened::Avro(plan, body) => Ok(Value::Avro(plan, body)),
        }
    }
}

fn unusable(id: SchemaId, why: &str) -> Opened<'static> {
    let message = format!("the writer schema {id} can't be read as the source's schema: {why}");
    Opened::Bad(Rejection::with_message(Code::InvalidAvro, message))
}

/// The schema and the body of a value of Avro. The header comes first, for a value beside it has no frame.
fn framed<'a>(value: &'a [u8], guid: Option<&[u8]>) -> Option<(SchemaId, &'a [u8])> {
    let by_guid = guid
        .and_then(|header| header.strip_prefix(&[GUID]))
        .and_then(|guid| guid.try_into().ok())
        .map(|guid| (SchemaId::Guid(guid), value));
    by_guid.or_else(|| numbered(value))
}

/// The schema's number, and what stands behind the frame.
pub fn numbered(value: &[u8]) -> Option<(SchemaId, &[u8])> {
    let (id, body) = value.strip_prefix(&[NUMBERED])?.split_first_chunk()?;
    Some((SchemaId::Number(u32::from_be_bytes(*id)), body))
}

/// The frame that goes before the body of a value with a numbered schema.
pub fn frame(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [NUMBERED, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(value: &'static [u8], header: Option<&'static [u8]>, format: Format) -> String {
        let record = RawRecord {
            source: Source::LoyaltyCustomers,
            timestamp: None,
            key: None,
            value: Some(value),
        };
        let opened = Opened::open(&record, || header, format, 30, &NoSchemas);
        match opened.unwrap() {
            Opened::Bad(rejection) => format!("{:?}", rejection.code),
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
        let json = |text: &'static [u8]| format!("{:?}", Opened::Json(text));
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
        // a header of another kind does not count
        let header = Some(&GUID_OF_ONES[..16]);
        assert_eq!(opened(b"x", header, Format::Avro), code(Code::InvalidAvro));
        assert_eq!(opened(&[0; 31], None, Format::Avro), code(Code::TooLarge));
        assert_eq!(
            numbered(&frame(0x0102_0304)),
            Some((SchemaId::Number(0x0102_0304), &[][..]))
        );
    }
}
