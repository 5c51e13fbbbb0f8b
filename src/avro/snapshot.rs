//! The published snapshot as Avro, by `schemas/customer-snapshot.avsc`.
//!
//! It is converted from the snapshot's JSON text, whose fields have the order of the schema: so the same state gives
//! the same bytes here too. Arrays and maps are written as one block each; maps keep the order of the text, which is
//! sorted.

mod read;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::schema::Name;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::PlanError;
use super::writer_schema::WriterSchema;
use crate::json::strict::Text;
use crate::model::time::{Date, Instant};
use crate::model::varint;
pub use read::decode;

/// The text of the schema, as it is registered.
pub const SCHEMA: &str = include_str!("../../schemas/customer-snapshot.avsc");

/// The full name of the schema's record.
pub const NAME: &str = "keyfold.snapshot.CustomerSnapshot";

/// The field of the declared sources, whose names stand directly in the JSON object around it.
const DECLARED: &str = "declared";

static RECORD: LazyLock<Result<SnapshotType, PlanError>> = LazyLock::new(|| {
    let schema = WriterSchema::parse(SCHEMA, &[])?;
    SnapshotType::of(schema.root(), &schema.names())
});

/// Why a snapshot cannot be encoded. A test ensures that this does not happen to snapshots of this build.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("the snapshot's Avro schema: {0}")]
    Schema(#[from] PlanError),
    #[error("the snapshot does not follow its Avro schema")]
    Snapshot,
}

/// Appends a snapshot as Avro, without the wire-format frame. `json` is the text of the snapshot. After an error,
/// nothing has been appended.
pub fn encode(json: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let of = RECORD.as_ref().map_err(Clone::clone)?;
    let start = out.len();
    let mut json = serde_json::Deserializer::from_slice(json);
    let written = Encode { of, out }.deserialize(&mut json);
    written.and_then(|()| json.end()).map_err(|_| {
        out.truncate(start);
        EncodeError::Snapshot
    })
}

/// A type of the schema.
#[derive(Debug)]
enum SnapshotType {
    Text,
    Int,
    Boolean,
    Timestamp,
    Date,
    /// The JSON text of a value of any type.
    Json,
    Array(Box<SnapshotType>),
    Map(Box<SnapshotType>),
    Record(Vec<SnapshotField>),
    /// A record whose last field is a map: it takes the members of the JSON object that are no other fields.
    Open(Vec<SnapshotField>, Box<SnapshotType>),
}

#[derive(Debug)]
struct SnapshotField {
    name: String,
    /// A union of null and the type, in this order.
    optional: bool,
    of: SnapshotType,
}

impl SnapshotType {
    fn of(schema: &Schema, names: &HashMap<Name, &Schema>) -> Result<SnapshotType, PlanError> {
        let unexpected = || PlanError::new("it has an unexpected type");
        match schema {
            Schema::String => Ok(SnapshotType::Text),
            Schema::Int | Schema::Long => Ok(SnapshotType::Int),
            Schema::Boolean => Ok(SnapshotType::Boolean),
            Schema::TimestampMicros => Ok(SnapshotType::Timestamp),
            Schema::Date => Ok(SnapshotType::Date),
            Schema::Array(array) => Ok(SnapshotType::Array(Box::new(SnapshotType::of(
                &array.items,
                names,
            )?))),
            // The only map of texts is that of the attributes.
            Schema::Map(map) if *map.types == Schema::String => {
                Ok(SnapshotType::Map(Box::new(SnapshotType::Json)))
            }
            Schema::Map(map) => Ok(SnapshotType::Map(Box::new(SnapshotType::of(
                &map.types, names,
            )?))),
            Schema::Ref { name } => {
                SnapshotType::of(names.get(name).ok_or_else(unexpected)?, names)
            }
            Schema::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let (optional, schema) = match &field.schema {
                        Schema::Union(union) => match union.variants() {
                            [Schema::Null, schema] => (true, schema),
                            _ => return Err(unexpected()),
                        },
                        schema => (false, schema),
                    };
                    Ok(SnapshotField {
                        name: field.name.clone(),
                        optional,
                        of: SnapshotType::of(schema, names)?,
                    })
                });
                Ok(SnapshotType::of_fields(
                    fields.collect::<Result<_, PlanError>>()?,
                ))
            }
            _ => Err(unexpected()),
        }
    }
}

impl SnapshotType {
    /// The type of a record with these fields.
    fn of_fields(mut fields: Vec<SnapshotField>) -> SnapshotType {
        match fields.pop() {
            Some(SnapshotField {
                name,
                of: SnapshotType::Map(values),
                ..
            }) if name == DECLARED => SnapshotType::Open(fields, values),
            last => {
                fields.extend(last);
                SnapshotType::Record(fields)
            }
        }
    }
}

pub(super) fn write_long(out: &mut Vec<u8>, number: i64) {
    // Zig-zag encoding: small numbers are short whatever their sign.
    varint::put(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_long(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

/// Ends an array or a map that began at `start`: inserts the count before its items, as one block.
fn close_blocks(out: &mut Vec<u8>, start: usize, items: i64) {
    if items > 0 {
        let mut count = Vec::with_capacity(10);
        write_long(&mut count, items);
        out.splice(start..start, count);
    }
    out.push(0);
}

/// Appends the next JSON value as Avro.
struct Encode<'t, 'o> {
    of: &'t SnapshotType,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Encode<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if matches!(self.of, SnapshotType::Json) {
            let text: &'de RawValue = serde::Deserialize::deserialize(json)?;
            write_text(self.out, text.get());
            return Ok(());
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Encode<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the schema says")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        match self.of {
            SnapshotType::Boolean => self.out.push(u8::from(value)),
            _ => return Err(E::custom("no boolean")),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        match (self.of, i64::try_from(number)) {
            (SnapshotType::Int, Ok(number)) => write_long(self.out, number),
            _ => return Err(E::custom("no number in range")),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match self.of {
            SnapshotType::Text => write_text(self.out, text),
            SnapshotType::Timestamp => {
                let at = Instant::parse(text).ok_or_else(|| E::custom("no timestamp"))?;
                write_long(self.out, at.micros());
            }
            SnapshotType::Date => {
                let date = Date::parse(text).ok_or_else(|| E::custom("no date"))?;
                write_long(self.out, date.epoch_day());
            }
            _ => return Err(E::custom("no text")),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut json: A) -> Result<(), A::Error> {
        let SnapshotType::Array(of) = self.of else {
            return Err(A::Error::custom("no array"));
        };
        let start = self.out.len();
        let out = self.out;
        let mut items = 0;
        while json.next_element_seed(Encode { of, out })?.is_some() {
            items += 1;
        }
        close_blocks(out, start, items);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut json: A) -> Result<(), A::Error> {
        let out = self.out;
        match self.of {
            SnapshotType::Map(of) => {
                let start = out.len();
                let mut items = 0;
                while let Some(name) = json.next_key::<Text<'de>>()? {
                    write_text(out, &name);
                    json.next_value_seed(Encode { of, out })?;
                    items += 1;
                }
                close_blocks(out, start, items);
                Ok(())
            }
            SnapshotType::Open(fields, values) => open(fields, values, json, out),
            SnapshotType::Record(fields) => {
                let mut fields = fields.iter();
                while let Some(name) = json.next_key::<Text<'de>>()? {
                    let field = absent_until::<A::Error>(&mut fields, Some(&name), out)?;
                    if let Some(field) = field {
                        write_field(field, &mut json, out)?;
                    }
                }
                absent_until::<A::Error>(&mut fields, None, out).map(drop)
            }
            _ => Err(A::Error::custom("no object")),
        }
    }
}

/// Writes a record, and behind its fields the map of what is no field. In the JSON object these come last too.
fn open<'de, A: MapAccess<'de>>(
    fields: &[SnapshotField],
    values: &SnapshotType,
    mut json: A,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let mut fields = fields.iter();
    let mut items = 0;
    let mut start = None;
    while let Some(name) = json.next_key::<Text<'_>>()? {
        if start.is_none() && fields.as_slice().iter().any(|field| field.name == *name) {
            if let Some(field) = absent_until::<A::Error>(&mut fields, Some(&name), out)? {
                write_field(field, &mut json, out)?;
            }
            continue;
        }
        if start.is_none() {
            absent_until::<A::Error>(&mut fields, None, out)?;
            start = Some(out.len());
        }
        write_text(out, &name);
        json.next_value_seed(Encode { of: values, out })?;
        items += 1;
    }
    absent_until::<A::Error>(&mut fields, None, out)?;
    let start = start.unwrap_or(out.len());
    close_blocks(out, start, items);
    Ok(())
}

/// Writes the field whose value comes next.
fn write_field<'de, A: MapAccess<'de>>(
    field: &SnapshotField,
    json: &mut A,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let SnapshotField { optional, of, .. } = field;
    if *optional {
        write_long(out, 1);
    }
    json.next_value_seed(Encode { of, out })
}

/// Writes nulls for the missing fields before the field with that name, or up to the end.
fn absent_until<'t, E: serde::de::Error>(
    fields: &mut std::slice::Iter<'t, SnapshotField>,
    name: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<Option<&'t SnapshotField>, E> {
    for field in fields.by_ref() {
        if name == Some(&field.name) {
            return Ok(Some(field));
        }
        if !field.optional {
            return Err(E::custom("a field is missing"));
        }
        write_long(out, 0);
    }
    match name {
        None => Ok(None),
        Some(_) => Err(E::custom("a field is unknown or out of order")),
    }
}
