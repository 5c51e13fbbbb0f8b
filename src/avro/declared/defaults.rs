//! The defaults of a reader schema. They are written as a writer would write them, and then read like any value.

use apache_avro::Schema;
use serde_json::Value;

use super::types::Types;
use crate::avro::snapshot::write_long;
use crate::avro::writer_schema::{Underlying, underlying};

/// The most bytes of a default's texts, so that it cannot be much larger than its schema.
pub(super) const MAX_TEXTS: usize = 1_048_576;
/// How deeply a default may nest. Records within it may have defaults of their own.
const MAX_DEPTH: usize = 128;

/// A default in Avro. None if it does not fit its type.
pub(super) fn encoded<'s>(types: &Types<'s>, schema: &'s Schema, value: &Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(types, schema, value, MAX_DEPTH, &mut bytes)?;
    Some(bytes)
}

/// Writes a default in Avro. None if it does not fit its type; what was written then is of no use.
fn encode<'s>(
    types: &Types<'s>,
    schema: &'s Schema,
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    if out.len() > MAX_TEXTS {
        return None;
    }
    match types.definition(schema).ok()? {
        Schema::Union(union) => {
            let start = out.len();
            let mut branches = union.variants().iter().enumerate();
            branches.find_map(|(at, branch)| {
                out.truncate(start);
                write_long(out, at as i64);
                encode(types, branch, value, depth, out)
            })
        }
        Schema::Record(record) => {
            let members = value.as_object()?;
            let original = types.original(&record.name).ok()?;
            for (field, of_reader) in original.fields.iter().zip(&record.fields) {
                let value = members.get(&field.name).or(field.default.as_ref())?;
                encode(types, &of_reader.schema, value, depth, out)?;
            }
            Some(())
        }
        Schema::Array(array) => {
            let items = value.as_array()?;
            count(items.len(), out);
            for item in items {
                encode(types, &array.items, item, depth, out)?;
            }
            out.push(0);
            Some(())
        }
        Schema::Map(map) => {
            let members = value.as_object()?;
            count(members.len(), out);
            for (name, value) in members {
                write_bytes(out, name.as_bytes());
                encode(types, &map.types, value, depth, out)?;
            }
            out.push(0);
            Some(())
        }
        Schema::Enum(symbols) => {
            let text = value.as_str()?;
            let original = types.original(&symbols.name).ok()?;
            let at = original.symbols.iter().position(|symbol| symbol == text)?;
            write_long(out, at as i64);
            Some(())
        }
        other => scalar(other, value, out),
    }
}

fn scalar(schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match (schema, underlying(schema)) {
        (Schema::Null, _) => value.as_null()?,
        (Schema::Boolean, _) => out.push(u8::from(value.as_bool()?)),
        (Schema::Float, _) => out.extend_from_slice(&(value.as_f64()? as f32).to_le_bytes()),
        (Schema::Double, _) => out.extend_from_slice(&value.as_f64()?.to_le_bytes()),
        (_, Underlying::Int) => write_long(out, i32::try_from(value.as_i64()?).ok()?.into()),
        (_, Underlying::Long) => write_long(out, value.as_i64()?),
        (_, Underlying::Text) => write_bytes(out, value.as_str()?.as_bytes()),
        (_, Underlying::Bytes) => write_bytes(out, &bytes_of(value)?),
        (_, Underlying::Fixed(size)) => {
            let bytes = bytes_of(value).filter(|bytes| bytes.len() == size)?;
            out.extend_from_slice(&bytes);
        }
        (_, Underlying::Enum(_) | Underlying::Composite) => return None,
    }
    Some(())
}

/// The bytes of a default are the characters U+0000 to U+00FF.
fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    let characters = value.as_str()?.chars();
    characters.map(|char| u8::try_from(char).ok()).collect()
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// The head of the only block of a list, if it has items.
fn count(items: usize, out: &mut Vec<u8>) {
    if items > 0 {
        write_long(out, items as i64);
    }
}
