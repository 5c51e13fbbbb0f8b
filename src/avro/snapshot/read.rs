//! Reads a published snapshot back: from Avro by [`super::SCHEMA`] to the JSON text that it was made of.

use serde_json::value::RawValue;

use super::{RECORD, SnapshotField, SnapshotType};
use crate::json::canonical::{
    open_object, write_instant_text, write_number, write_plain, write_string,
};
use crate::model::time::{Date, Instant};
use crate::model::varint;

/// The first and the last time that a snapshot can show, in microseconds since 1970.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The JSON text of a snapshot without its wire-format frame; none if it does not follow the schema.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let of = RECORD.as_ref().ok()?;
    let mut reader = Reader {
        input: bytes,
        out: Vec::with_capacity(2 * bytes.len()),
    };
    reader.value(of)?;
    reader.input.is_empty().then_some(reader.out)
}

struct Reader<'a> {
    input: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn long(&mut self) -> Option<i64> {
        let (number, rest) = varint::read(self.input)?;
        self.input = rest;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.long()?).ok()?;
        let (text, rest) = self.input.split_at_checked(length)?;
        self.input = rest;
        std::str::from_utf8(text).ok()
    }

    fn value(&mut self, of: &SnapshotType) -> Option<()> {
        match of {
            SnapshotType::Text => {
                let text = self.text()?;
                write_string(&mut self.out, text);
            }
            SnapshotType::Int => {
                let number = self.long()?;
                write_number(&mut self.out, number);
            }
            SnapshotType::Boolean => {
                let (value, rest) = self.input.split_first()?;
                self.input = rest;
                let text: &[u8] = match value {
                    0 => b"false",
                    1 => b"true",
                    _ => return None,
                };
                self.out.extend_from_slice(text);
            }
            SnapshotType::Timestamp => {
                let micros = self.long().filter(|micros| TIMES.contains(micros))?;
                write_instant_text(&mut self.out, Instant::from_micros(micros));
            }
            SnapshotType::Date => {
                let day = i32::try_from(self.long()?).ok()?;
                write_plain(&mut self.out, Date::from_epoch_day(day)?.bytes());
            }
            SnapshotType::Json => {
                let text: &RawValue = serde_json::from_str(self.text()?).ok()?;
                self.out.extend_from_slice(text.get().as_bytes());
            }
            SnapshotType::Array(of) => {
                let start = self.out.len();
                self.blocks(|reader| {
                    reader.out.push(b',');
                    reader.value(of)
                })?;
                match self.out.get_mut(start) {
                    Some(comma) => *comma = b'[',
                    None => self.out.push(b'['),
                }
                self.out.push(b']');
            }
            SnapshotType::Map(of) => self.object(|reader| reader.members(of))?,
            SnapshotType::Record(fields) => self.object(|reader| reader.fields(fields))?,
            SnapshotType::Open(fields, values) => self.object(|reader| {
                reader.fields(fields)?;
                reader.members(values)
            })?,
        }
        Some(())
    }

    /// Writes an object; `members` writes a comma before each member.
    fn object(&mut self, members: impl FnOnce(&mut Reader<'a>) -> Option<()>) -> Option<()> {
        let start = self.out.len();
        members(self)?;
        open_object(&mut self.out, start);
        self.out.push(b'}');
        Some(())
    }

    fn fields(&mut self, fields: &[SnapshotField]) -> Option<()> {
        for field in fields {
            let is_there = !field.optional
                || match self.long()? {
                    0 => false,
                    1 => true,
                    _ => return None,
                };
            if is_there {
                self.name(&field.name);
                self.value(&field.of)?;
            }
        }
        Some(())
    }

    fn members(&mut self, of: &SnapshotType) -> Option<()> {
        self.blocks(|reader| {
            let name = reader.text()?;
            reader.name(name);
            reader.value(of)
        })
    }

    fn name(&mut self, name: &str) {
        self.out.push(b',');
        write_string(&mut self.out, name);
        self.out.push(b':');
    }

    /// Reads the items of an array or a map.
    fn blocks(&mut self, mut item: impl FnMut(&mut Reader<'a>) -> Option<()>) -> Option<()> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Some(());
            }
            if count < 0 {
                // the bytes of the block follow
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                // every item has a byte at least, or this would not end
                if self.input.is_empty() {
                    return None;
                }
                item(self)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/examples/golden");
        let mut snapshots = 0;
        let mut folders = vec![std::path::PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                for line in std::fs::read_to_string(path).unwrap().lines() {
                    let mut avro = Vec::new();
                    let value = line
                        .split_once("\"value\":")
                        .and_then(|(_, value)| value.strip_suffix('}'))
                        .unwrap_or(line);
                    if encode(value.as_bytes(), &mut avro).is_err() {
                        continue;
                    }
                    snapshots += 1;
                    let read = decode(&avro).unwrap();
                    assert_eq!(String::from_utf8(read).unwrap(), value);
                    for end in 0..avro.len() {
                        assert_eq!(decode(&avro[..end]), None);
                    }
                    avro.push(0);
                    assert_eq!(decode(&avro), None);
                }
            }
        }
        assert!(snapshots > 3, "{snapshots}");
    }
}
