//! The members of an object in canonical form.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::strict::{self, Text};

/// The members of an object, with their texts. None if it is no object.
pub fn members(object: &[u8]) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let text = std::str::from_utf8(object).ok()?;
    strict::read(text, Members).ok()
}

struct Members;

impl<'a> DeserializeSeed<'a> for Members {
    type Value = Vec<(Cow<'a, str>, &'a str)>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(Cow<'a, str>, &'a str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = fields.next_key::<Text<'a>>()? {
            all.push((name.0, fields.next_value::<&'a RawValue>()?.get()));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_with_their_texts() {
        let found = members(br#"{"a":{"b":[1]},"\"":null}"#).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, text)| (&**name, *text)).collect();
        assert_eq!(found, [("a", r#"{"b":[1]}"#), ("\"", "null")]);
        assert!(members(b"[1]").is_none());
    }
}
