//! Writing canonical JSON: compact, escaping only what JSON must have escaped (the contract, section 4).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::wire::{MAX_DEPTH, Text};
use crate::time::Instant;

/// Appends a text as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    write_utf8(out, text.as_bytes());
}

/// Appends a text that is known to be UTF-8 as a JSON string.
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

/// Hardly any text does, and most are short: eight bytes are looked at at a time.
fn needs_escapes(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words
        .iter()
        .fold(escape_bits(last), |bits, word| bits | escape_bits(*word))
        != 0
}

/// Not 0 where one of the bytes is below 0x20, a quote or a backslash.
fn escape_bits(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_ne_bytes(word);
    // the highest bit of a byte that is less than another one, at the least of the lowest such byte
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

/// Appends `,"name":"text"` with the text as it came, if there is one.
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

/// Appends `,"name":`. Names need no escapes.
pub fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Turns the comma before the first field of an object that begins at `start` into the opening brace.
pub fn open_object(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
}

/// Any value in canonical form: keys sorted by bytes at every level and the last of equal ones kept, integers
/// of 64 bits as they are, other numbers as the shortest text of their double. `depth` counts the objects and
/// arrays around it.
#[derive(Clone, Copy)]
pub struct Canonical {
    pub depth: usize,
}

impl Canonical {
    fn deeper<E: Error>(self) -> Result<Canonical, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Canonical {
            depth: self.depth + 1,
        })
    }
}

fn written<N: serde::Serialize, E: Error>(number: N) -> Result<Vec<u8>, E> {
    serde_json::to_vec(&number).map_err(E::custom)
}

impl<'de> DeserializeSeed<'de> for Canonical {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<u8>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Canonical {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(b"null".to_vec())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Vec<u8>, E> {
        Ok(if truth {
            b"true".to_vec()
        } else {
            b"false".to_vec()
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<u8>, E> {
        written(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<u8>, E> {
        written(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Vec<u8>, E> {
        written(number)
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

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Vec<u8>, A::Error> {
        let value = self.deeper()?;
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
        let canonical = crate::source::wire::read(text, Canonical { depth: 0 }).unwrap();
        assert_eq!(
            String::from_utf8(canonical).unwrap(),
            r#"{"":true,"a":{"z":2,"é":1},"b":[1.5,100.0,-0.0,18446744073709551615,1.8446744073709552e+19,null]}"#
        );
    }
}
