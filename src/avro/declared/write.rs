//! Writes the JSON text of a value by its plan.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::decimal;
use super::plan::{Field, Node, NodeId, TextPlan};
use crate::avro::Error;
use crate::avro::input::{Blocks, Input};
use crate::avro::text::{write_date, write_timestamp};
use crate::json::canonical::{write_number, write_string};
use crate::json::strict::MAX_DEPTH;

/// The text may have up to this many times the bytes that the texts in it may have: names of fields are written again
/// for each record.
const MAX_BYTES: usize = 4;
/// How many list items of a value may have an empty encoding.
const MAX_EMPTY_ITEMS: usize = 65_536;

impl TextPlan {
    /// The JSON text of the encoded value; its texts may have up to `max_texts` bytes.
    pub(in crate::avro) fn write(&self, bytes: &[u8], max_texts: usize) -> Result<String, Error> {
        let mut writer = Writer::new(self, bytes, max_texts);
        writer.value(self.root, 0)?;
        writer.input.end()?;
        String::from_utf8(writer.out).map_err(|_| Error::Malformed)
    }
}

pub(super) struct Writer<'p, 'de> {
    plan: &'p TextPlan,
    pub input: Input<'de>,
    pub out: Vec<u8>,
    /// How many bytes were written and taken back, because the reader schema has no such field. They count too.
    discarded: usize,
    max_bytes: usize,
    texts_left: usize,
    empty_items: usize,
}

impl<'p, 'de> Writer<'p, 'de> {
    pub fn new(plan: &'p TextPlan, bytes: &'de [u8], max_texts: usize) -> Writer<'p, 'de> {
        Writer {
            plan,
            input: Input::new(bytes),
            out: Vec::with_capacity(bytes.len().saturating_mul(2)),
            discarded: 0,
            max_bytes: max_texts.saturating_mul(MAX_BYTES),
            texts_left: max_texts,
            empty_items: MAX_EMPTY_ITEMS,
        }
    }

    /// Writes the next value. `depth` counts the objects and arrays around it. Each call writes at least one byte, so
    /// the limit on the text also limits the time.
    pub fn value(&mut self, id: NodeId, depth: usize) -> Result<(), Error> {
        if self.out.len().saturating_add(self.discarded) > self.max_bytes {
            return Err(Error::TooLarge);
        }
        let plan = self.plan;
        match plan.node(id) {
            Node::Record { fields, rest } => self.record(fields, rest, deeper(depth)?),
            Node::Array(item) => self.array(*item, deeper(depth)?),
            Node::Map(value) => self.map(*value, deeper(depth)?),
            Node::Union(branches) => {
                let at = self.input.choose(branches)?;
                // A branch of a union is not a union itself.
                self.value(branches[at], depth)
            }
            Node::Bytes => {
                let bytes = self.input.bytes()?;
                self.bytes(bytes, depth)
            }
            Node::Fixed(size) => {
                let bytes = self.input.take(*size)?;
                self.base64(bytes, depth)
            }
            Node::Decimal { scale, size } => {
                let bytes = match size {
                    Some(size) => self.input.take(*size)?,
                    None => self.input.bytes()?,
                };
                self.decimal(bytes, bytes, *scale as i64, depth)
            }
            Node::BigDecimal => self.big_decimal(depth),
            scalar => self.scalar(scalar),
        }
    }

    fn scalar(&mut self, node: &Node) -> Result<(), Error> {
        match node {
            Node::Null => self.out.extend_from_slice(b"null"),
            Node::Boolean => {
                let text: &[u8] = match self.input.boolean()? {
                    true => b"true",
                    false => b"false",
                };
                self.out.extend_from_slice(text);
            }
            Node::Int => write_number(&mut self.out, self.input.int()?),
            Node::Long => write_number(&mut self.out, self.input.long()?),
            Node::Float => {
                let number = self.input.any_float()?;
                self.number(number, f64::from(number))?;
            }
            Node::Double => {
                let number = self.input.any_double()?;
                self.number(number, number)?;
            }
            Node::Text => {
                let text = self.text()?;
                write_string(&mut self.out, text);
            }
            Node::Uuid => self.uuid()?,
            Node::Enum(symbols) => {
                let at = self.input.choose(symbols)?;
                let symbol = symbols[at].as_deref().ok_or(Error::Unresolved)?;
                self.count_text(symbol.len())?;
                self.out.extend_from_slice(symbol.as_bytes());
            }
            Node::Timestamp(unit) => {
                let count = self.input.long()?;
                self.quoted(|out| write_timestamp(out, *unit, count))?;
            }
            Node::Date => {
                let day = self.input.int()?;
                self.quoted(|out| write_date(out, day))?;
            }
            _ => return Err(Error::Unresolved),
        }
        Ok(())
    }

    fn record(&mut self, fields: &[Field], rest: &str, depth: usize) -> Result<(), Error> {
        self.out.push(b'{');
        let start = self.out.len();
        for field in fields {
            let before = self.out.len();
            if let Some(name) = &field.name {
                self.comma(start);
                self.out.extend_from_slice(name.as_bytes());
                self.value(field.node, depth)?;
            } else {
                self.value(field.node, depth)?;
                self.discarded = self.discarded.saturating_add(self.out.len() - before);
                self.out.truncate(before);
            }
        }
        if !rest.is_empty() {
            self.comma(start);
            self.count_text(rest.len())?;
            self.out.extend_from_slice(rest.as_bytes());
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, item: NodeId, depth: usize) -> Result<(), Error> {
        self.out.push(b'[');
        let start = self.out.len();
        let mut blocks = Blocks::default();
        while blocks.advance(&mut self.input)? {
            let left = self.input.left();
            self.comma(start);
            self.value(item, depth)?;
            // A few bytes may announce very many items without bytes.
            if self.input.left() == left {
                self.empty_items = self.empty_items.checked_sub(1).ok_or(Error::Malformed)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, value: NodeId, depth: usize) -> Result<(), Error> {
        self.out.push(b'{');
        let start = self.out.len();
        let mut blocks = Blocks::default();
        while blocks.advance(&mut self.input)? {
            self.comma(start);
            let name = self.text()?;
            write_string(&mut self.out, name);
            self.out.push(b':');
            self.value(value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Separates a part of an object or an array, whose first part begins at `start`, from the part before.
    fn comma(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push(b',');
        }
    }

    /// Counts a text against the limit before it is copied.
    fn count_text(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.texts_left.checked_sub(bytes);
        self.texts_left = left.ok_or(Error::TooMuchText)?;
        Ok(())
    }

    fn text(&mut self) -> Result<&'de str, Error> {
        let text = self.input.text()?;
        self.count_text(text.len())?;
        Ok(text)
    }

    fn number<N: serde::Serialize>(&mut self, number: N, value: f64) -> Result<(), Error> {
        let text: &[u8] = if value.is_nan() {
            b"\"NaN\""
        } else if value == f64::INFINITY {
            b"\"Infinity\""
        } else if value == f64::NEG_INFINITY {
            b"\"-Infinity\""
        } else {
            return serde_json::to_writer(&mut self.out, &number).map_err(|_| Error::Malformed);
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8], depth: usize) -> Result<(), Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.count_text(text.len())?;
                write_string(&mut self.out, text);
                Ok(())
            }
            Err(_) => self.base64(bytes, depth),
        }
    }

    fn base64(&mut self, bytes: &[u8], depth: usize) -> Result<(), Error> {
        deeper(depth)?;
        let text = BASE64_STANDARD.encode(bytes);
        self.count_text(text.len())?;
        self.out.extend_from_slice(b"{\"base64\":\"");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\"}");
        Ok(())
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        self.out.push(b'"');
        let start = self.out.len();
        write(&mut self.out);
        self.count_text(self.out.len() - start)?;
        self.out.push(b'"');
        Ok(())
    }

    fn uuid(&mut self) -> Result<(), Error> {
        const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
        let bytes = self.input.take(16)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.quoted(|out| {
            let mut rest = digits.as_bytes();
            for length in GROUPS {
                let (group, after) = rest.split_at(length.min(rest.len()));
                rest = after;
                out.extend_from_slice(group);
                if !rest.is_empty() {
                    out.push(b'-');
                }
            }
        })
    }

    /// Writes a number, or its bytes if JSON does not have it.
    fn decimal(
        &mut self,
        bytes: &[u8],
        unscaled: &[u8],
        scale: i64,
        depth: usize,
    ) -> Result<(), Error> {
        let start = self.out.len();
        match decimal::write(&mut self.out, unscaled, scale) {
            true => self.count_text(self.out.len() - start),
            false => self.base64(bytes, depth),
        }
    }

    /// The unscaled value as bytes, and its scale as an int.
    fn big_decimal(&mut self, depth: usize) -> Result<(), Error> {
        const MAX_SCALE: i32 = 1_000;
        let bytes = self.input.bytes()?;
        let mut parts = Input::new(bytes);
        let unscaled = parts.bytes()?;
        let scale = parts.int()?;
        parts.end()?;
        match scale <= MAX_SCALE {
            true => self.decimal(bytes, unscaled, i64::from(scale), depth),
            false => self.base64(bytes, depth),
        }
    }
}

/// The depth inside an object or an array that is itself at `depth`.
pub(super) fn deeper(depth: usize) -> Result<usize, Error> {
    match depth < MAX_DEPTH {
        true => Ok(depth + 1),
        false => Err(Error::Malformed),
    }
}
