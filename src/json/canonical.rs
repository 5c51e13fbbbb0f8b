//! Writes canonical JSON: compact, and with no more escapes than JSON requires (docs/contract.md, section 4).

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::strict::{self, Text};
use crate::model::time::Instant;

/// Appends a text as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    write_utf8(out, text.as_bytes());
}

/// Appends a text that must be UTF-8 as a JSON string.
pub fn write_utf8(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_inside(out, text);
    out.push(b'"');
}

/// Appends the inside of a JSON string.
pub fn write_inside(out: &mut Vec<u8>, text: &[u8]) {
    if needs_escapes(text) {
        write_escaped(out, text);
    } else {
        out.extend_from_slice(text);
    }
}

/// Whether a text has bytes to escape. Most texts are short and have none, so eight bytes are compared at a time.
fn needs_escapes(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words
        .iter()
        .fold(escape_bits(last), |bits, word| bits | escape_bits(*word))
        != 0
}

/// Not 0 if one of the bytes is below 0x20, a quote or a backslash.
fn escape_bits(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_ne_bytes(word);
    // Sets the highest bit of each byte that is less than `than`. A borrow may disturb the bytes above it, but the
    // lowest such byte is always right.
    let below = |word: u64, than: u64| word.wrapping_sub(ONES * than) & !word;
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGH
}

fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut written = 0;
    for (at, &byte) in text.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            0x0c => b"\\f",
            b'\r' => b"\\r",
            0x00..=0x1f => b"\\u00",
            _ => continue,
        };
        out.extend_from_slice(&text[written..at]);
        out.extend_from_slice(escape);
        if escape.len() == 4 {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
        written = at + 1;
    }
    out.extend_from_slice(&text[written..]);
}

/// Appends `,"name":"text"`.
pub fn write_field(out: &mut Vec<u8>, name: &str, text: &str) {
    write_name(out, name);
    write_string(out, text);
}

/// Appends `,"name":"text"` with the text trimmed, if there is one.
pub fn write_trimmed(out: &mut Vec<u8>, name: &str, text: Option<&Text<'_>>) {
    if let Some(text) = text {
        write_field(out, name, text.trim());
    }
}

/// Appends `,"name":"text"` with the text unchanged, if there is one.
pub fn write_kept(out: &mut Vec<u8>, name: &str, text: Option<&Text<'_>>) {
    if let Some(text) = text {
        write_field(out, name, text);
    }
}

/// Appends `,"name":"instant"`.
pub fn write_instant(out: &mut Vec<u8>, name: &str, instant: Instant) {
    write_name(out, name);
    write_instant_text(out, instant);
}

/// Appends `"instant"`.
pub fn write_instant_text(out: &mut Vec<u8>, instant: Instant) {
    out.push(b'"');
    instant.write(out);
    out.push(b'"');
}

/// Appends `,"name":`. Names must not need escapes.
// Inlined, because the names are literals, so the compiler then knows their lengths.
#[inline]
pub fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends `,"name":` and a value that is JSON already.
#[inline]
pub fn write_raw(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    write_name(out, name);
    out.extend_from_slice(json);
}

/// Appends a text that needs no escapes, or is escaped already, as a JSON string.
pub fn write_plain(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    out.push(b'"');
    out.extend_from_slice(text.as_ref());
    out.push(b'"');
}

/// Appends a whole number.
pub fn write_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends an object; `fields` appends its fields, each preceded by a comma.
pub fn write_object(out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    fields(out);
    open_object(out, start);
    out.push(b'}');
}

/// Turns the comma before the first field of an object that begins at `start` into the opening brace.
pub fn open_object(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
}

/// Deserialises any JSON value into its canonical form: keys sorted by bytes at every level, the last of equal keys
/// kept, integers digit by digit (`-0`, which equals 0, is `0`), other numbers as the shortest text of their double.
/// `depth` counts the objects and arrays that enclose it.
#[derive(Clone, Copy)]
pub struct Canonical {
    pub depth: usize,
}

impl<'de> DeserializeSeed<'de> for Canonical {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<u8>, D::Error> {
        // serde_json reads a long integer only as a double, so its digits are looked up in the text.
        let text: &'de RawValue = Deserialize::deserialize(json)?;
        let numbers = Numbers::of(text.get());
        let value = CanonicalValue {
            depth: self.depth,
            numbers: &numbers,
        };
        strict::read(text.get(), value).map_err(D::Error::custom)
    }
}

/// An object whose values are read as [`Canonical`]; its own text is canonical too.
pub struct CanonicalObject;

impl<'de> Visitor<'de> for CanonicalObject {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Vec<u8>, A::Error> {
        // The record's object, and this one.
        sorted_object(fields, Canonical { depth: 2 })
    }
}

fn sorted_object<'de, A, S>(mut fields: A, value: S) -> Result<Vec<u8>, A::Error>
where
    A: MapAccess<'de>,
    S: DeserializeSeed<'de, Value = Vec<u8>> + Copy,
{
    let mut sorted = std::collections::BTreeMap::new();
    while let Some(name) = fields.next_key::<Text<'de>>()? {
        sorted.insert(name.0, fields.next_value_seed(value)?);
    }
    let mut out = b"{".to_vec();
    for (name, text) in sorted {
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(&mut out, &name);
        out.push(b':');
        out.extend_from_slice(&text);
    }
    out.push(b'}');
    Ok(out)
}

/// The numbers of a JSON text that are not 64-bit integers, in their order: serde_json reads the same ones as doubles,
/// in the same order.
struct Numbers<'a> {
    left: Cell<&'a str>,
}

impl<'a> Numbers<'a> {
    fn of(text: &'a str) -> Numbers<'a> {
        Numbers {
            left: Cell::new(text),
        }
    }

    fn next(&self) -> Option<&'a str> {
        let text = self.left.get();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let start = at;
            at += 1;
            match byte {
                b'"' => at = after_string(bytes, at),
                b'-' | b'0'..=b'9' => {
                    let more =
                        |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    at += bytes[at..].iter().take_while(|byte| more(byte)).count();
                    let number = &text[start..at];
                    if !is_of_64_bits(number) {
                        self.left.set(&text[at..]);
                        return Some(number);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The position after the end of a string whose inside begins at `at`.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    bytes.len()
}

/// Whether serde_json reads the number as an integer; it reads `-0` as a double.
fn is_of_64_bits(number: &str) -> bool {
    number.parse::<u64>().is_ok() || number != "-0" && number.parse::<i64>().is_ok()
}

#[derive(Clone, Copy)]
struct CanonicalValue<'n, 'a> {
    depth: usize,
    numbers: &'n Numbers<'a>,
}

impl CanonicalValue<'_, '_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = strict::deeper(self.depth)?;
        Ok(CanonicalValue { depth, ..self })
    }
}

fn written<N: serde::Serialize, E: Error>(number: N) -> Result<Vec<u8>, E> {
    serde_json::to_vec(&number).map_err(E::custom)
}

impl<'de> DeserializeSeed<'de> for CanonicalValue<'_, '_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<u8>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CanonicalValue<'_, '_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(b"null".to_vec())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<u8>, E> {
        Ok(value.to_string().into_bytes())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<u8>, E> {
        written(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<u8>, E> {
        written(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Vec<u8>, E> {
        match self.numbers.next() {
            Some("-0") => Ok(b"0".to_vec()),
            Some(text) if !text.contains(['.', 'e', 'E']) => Ok(text.as_bytes().to_vec()),
            _ => written(number),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let mut out = Vec::with_capacity(text.len() + 2);
        write_string(&mut out, text);
        Ok(out)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let item = self.deeper()?;
        let mut out = b"[".to_vec();
        while let Some(text) = items.next_element_seed(item)? {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&text);
        }
        out.push(b']');
        Ok(out)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Vec<u8>, A::Error> {
        let value = self.deeper()?;
        sorted_object(fields, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_written_as_serde_json_does(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }
    }

    #[test]
    fn canonical_values_are_sorted_and_numbers_shortest() {
        let text = r#" {"b": [1.50, 1e2, -0, 18446744073709551615, 18446744073709551616, null],
                        "a": {"é": 1, "z": "\u00e9\u0007/", "z": 2}, "": true} "#;
        let canonical = crate::json::strict::read(text, Canonical { depth: 0 }).unwrap();
        assert_eq!(
            String::from_utf8(canonical).unwrap(),
            r#"{"":true,"a":{"z":2,"é":1},"b":[1.5,100.0,0,18446744073709551615,18446744073709551616,null]}"#
        );
    }

    #[test]
    fn integers_are_kept_digit_by_digit_however_long() {
        let long = "9".repeat(308);
        let text = format!(
            r#"{{"a1": {long}, "b-2e5": [-{long}, {{"c\\\"7": [-9223372036854775808, -9223372036854775809]}}, "8.5"],
            "d": 12345678901234567890.5, "e": [1e3, -0.0, 1.0], "a1": 89310410106543789301, "f": 1e-400}}"#
        );
        let canonical = crate::json::strict::read(&text, Canonical { depth: 0 }).unwrap();
        assert_eq!(
            String::from_utf8(canonical).unwrap(),
            format!(
                r#"{{"a1":89310410106543789301,"b-2e5":[-{long},{{"c\\\"7":[-9223372036854775808,-9223372036854775809]}},"8.5"],"d":1.2345678901234567e+19,"e":[1000.0,-0.0,1.0],"f":0.0}}"#
            )
        );
        let beyond = "9".repeat(309);
        for bad in [&beyond, &format!("[-{beyond}]"), "1e309"] {
            assert!(crate::json::strict::read(bad, Canonical { depth: 0 }).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_number_is_an_integer_of_64_bits_where_serde_json_says_so(
            number in r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        ) {
            let read: serde_json::Value = serde_json::from_str(&number).unwrap();
            prop_assert_eq!(is_of_64_bits(&number), !read.is_f64());
        }
    }
}
