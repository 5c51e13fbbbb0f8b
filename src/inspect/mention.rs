//! Whether a record speaks of a customer, where no verdict says so: a dead letter, or a record that is rejected. It is
//! found by the record's key, and by the id in its value.

use serde_json::Value;

use crate::config::KeyFormat;
use crate::source::tombstone;

/// The id as it may stand in records.
#[derive(Debug)]
pub struct Mention<'i> {
    id: &'i str,
    /// As a JSON string, without the quotes; the same as the id for most.
    escaped: String,
}

impl<'i> Mention<'i> {
    pub fn new(id: &'i str) -> Mention<'i> {
        let quoted = serde_json::to_string(id).unwrap_or_default();
        let escaped = quoted
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        Mention {
            id,
            escaped: escaped.unwrap_or(id).to_owned(),
        }
    }

    /// Whether a key is the id, in any of the forms that keys have.
    pub fn is_key(&self, key: Option<&[u8]>) -> bool {
        let formats = [KeyFormat::Text, KeyFormat::Json, KeyFormat::Avro];
        key.is_some_and(|key| key == self.id.as_bytes())
            || formats.into_iter().any(|format| {
                let read = tombstone::customer_id(key, format);
                matches!(read, Ok(Some(id)) if id == self.id)
            })
    }

    /// Whether a value holds the id as a text or a number of its own, not as a part of a longer one.
    pub fn is_in(&self, value: &[u8]) -> bool {
        // binary: what stands before a text is its length
        let is_binary = value.first() == Some(&0);
        let is_part = |byte: Option<&u8>| {
            !is_binary && byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
        };
        let found = |text: &str| {
            let text = text.as_bytes();
            positions(value, text).any(|at| {
                let before = at.checked_sub(1).and_then(|before| value.get(before));
                !is_part(before) && !is_part(value.get(at + text.len()))
            })
        };
        found(self.id)
            || self.escaped != self.id && found(&self.escaped)
            || has_escapes(value)
                && serde_json::from_slice(value).is_ok_and(|value: Value| self.is_within(&value))
    }

    /// Whether a record may speak of the customer: false for records that need no closer look. Only of JSON, whose
    /// texts stand in it as they are.
    pub fn may_be_in(
        &self,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[(&str, Option<&[u8]>)],
    ) -> bool {
        let id = self.id.as_bytes();
        let has = |bytes: &[u8]| positions(bytes, id).next().is_some();
        has_escapes(value)
            || has(value)
            || key.is_some_and(|key| has(key) || has_escapes(key))
            || headers.iter().any(|(_, value)| value.is_some_and(has))
    }

    fn is_within(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => text == self.id,
            Value::Array(all) => all.iter().any(|one| self.is_within(one)),
            Value::Object(members) => members.values().any(|one| self.is_within(one)),
            _ => false,
        }
    }
}

fn has_escapes(bytes: &[u8]) -> bool {
    bytes.contains(&b'\\')
}

/// Where a text begins in bytes.
fn positions<'b>(bytes: &'b [u8], text: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let first = text.first().copied();
    let starts = bytes.iter().enumerate();
    let starts = starts.filter(move |(_, byte)| Some(**byte) == first);
    starts
        .map(|(at, _)| at)
        .filter(move |at| bytes[*at..].starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_as_a_whole() {
        let mention = Mention::new("c-1");
        for value in [
            r#"{"body":{"customerId":"c-1"}}"#,
            r#"{"a":"\u0063-1"}"#,
            "c-1",
            r#"["x","c-1"]"#,
        ] {
            assert!(mention.is_in(value.as_bytes()), "{value}");
        }
        for value in [r#"{"a":"c-12"}"#, r#"{"a":"xc-1"}"#, "", "{}", "\u{e9}c-1"] {
            assert!(!mention.is_in(value.as_bytes()), "{value}");
        }
        assert!(Mention::new("17").is_in(br#"{"id":17,"n":171}"#));
        assert!(!Mention::new("17").is_in(br#"{"id":171}"#));
        assert!(Mention::new("a\"b").is_in(br#"{"id":"a\"b"}"#));
        // Avro: the byte before a text is its length, whatever character that is
        assert!(mention.is_in(b"\0\0\0\0\x01ac-1b"));
    }

    #[test]
    fn a_key_has_one_of_three_forms() {
        let mention = Mention::new("c-1");
        for key in [&b"c-1"[..], b"\"c-1\"", b"\0\0\0\0\x07\x06c-1"] {
            assert!(mention.is_key(Some(key)), "{key:?}");
        }
        for key in [&b"c-12"[..], b"\"c-1", b"\0\0\0\0\x07\x04c-1"] {
            assert!(!mention.is_key(Some(key)), "{key:?}");
        }
        assert!(!mention.is_key(None));
    }
}
