//! Writes a value as JSON text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::deserialize::Decoder;
use super::{Error, Kind, Plan};
use crate::json::canonical::write_string;
use crate::json::strict::{Text, deeper};

/// The JSON text of the encoded value, with the fields that the reader schema has; null fields are left out, except for
/// a declared source. An error is never [`Error::Refused`].
pub fn to_json(plan: &Plan, bytes: &[u8], max_texts: usize) -> Result<String, Error> {
    match &plan.0 {
        Kind::Typed(plan) => transcoded(&mut Decoder::new(plan, bytes, max_texts)),
        Kind::Text(plan) => plan.write(bytes, max_texts),
    }
}

/// Like [`to_json`]; the error is a message for people with the reason and the path.
pub fn explain(plan: &Plan, bytes: &[u8], max_texts: usize) -> Result<String, String> {
    let plan = match &plan.0 {
        Kind::Typed(plan) => plan,
        Kind::Text(plan) => return plan.write(bytes, max_texts).map_err(|why| why.to_string()),
    };
    let mut decoder = Decoder::new(plan, bytes, max_texts);
    transcoded(&mut decoder).map_err(|error| match decoder.not_json() {
        Some(pointer) => format!("{pointer} is no JSON text"),
        None => error.to_string(),
    })
}

fn transcoded(decoder: &mut Decoder<'_, '_>) -> Result<String, Error> {
    let mut out = Vec::with_capacity(decoder.input.left() * 2);
    let seed = Transcode {
        out: &mut out,
        depth: 0,
    };
    decoder.root(seed).map_err(Error::or_malformed)?;
    decoder.input.end()?;
    String::from_utf8(out).map_err(|_| Error::Malformed)
}

/// Appends any value as compact JSON. `depth` counts the objects and arrays that enclose it.
pub(super) struct Transcode<'o> {
    pub out: &'o mut Vec<u8>,
    pub depth: usize,
}

impl Transcode<'_> {
    fn written<N: serde::Serialize, E: serde::de::Error>(self, number: N) -> Result<(), E> {
        serde_json::to_writer(self.out, &number).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Transcode<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Transcode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.written(number)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.written(number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.written(number)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        write_string(self.out, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let out = self.out;
        out.push(b'[');
        let start = out.len();
        loop {
            let comma = out.len();
            if comma > start {
                out.push(b',');
            }
            if items.next_element_seed(Transcode { out, depth })?.is_none() {
                out.truncate(comma);
                break;
            }
        }
        out.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let out = self.out;
        out.push(b'{');
        let start = out.len();
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            if out.len() > start {
                out.push(b',');
            }
            write_string(out, &name);
            out.push(b':');
            fields.next_value_seed(Transcode { out, depth })?;
        }
        out.push(b'}');
        Ok(())
    }
}
