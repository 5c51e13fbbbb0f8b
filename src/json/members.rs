//! The members of a JSON object whose values are copied and not looked into.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::strict::Text;

/// The members of an object in their order: each name without escapes, and the text of its value. None if the text is
/// no object.
pub fn members(object: &[u8]) -> Option<Vec<(Cow<'_, str>, &[u8])>> {
    let mut json = serde_json::Deserializer::from_slice(object);
    json.deserialize_map(Members).ok()
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de [u8])>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut json: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = json.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push((name, value.get().as_bytes()));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_given_with_the_texts_of_their_values() {
        let object = br#"{"a\n":{"b": [1,2]},"":null,"c":"\u0001"}"#;
        let expected: [(Cow<'_, str>, &[u8]); 3] = [
            ("a\n".into(), br#"{"b": [1,2]}"#),
            ("".into(), b"null"),
            ("c".into(), br#""\u0001""#),
        ];
        assert_eq!(members(object).unwrap(), expected);
        assert_eq!(members(b"{}").unwrap(), []);
        assert!(members(b"[]").is_none());
        assert!(members(b"{").is_none());
    }
}
