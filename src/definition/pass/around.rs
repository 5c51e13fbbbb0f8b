//! What of a record each element of a batch needs, when it is forwarded as a batch of one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Node, Pass};
use crate::json::canonical::write_string;
use crate::json::strict::{self, Text};

impl Pass {
    /// The text without what the pass does not capture, before and after the elements of a batch. The text must have
    /// been read by the pass already. None: the batch is not in it.
    pub fn around(&self, text: &str, batch: usize) -> Option<[String; 2]> {
        let mut kept = Kept::default();
        let root = Keep {
            pass: self,
            node: self.nodes.first(),
            batch,
            kept: &mut kept,
        };
        strict::read(text, root).ok()?;
        let after = kept.text.split_off(kept.split?);
        let texts = [kept.text, after].map(String::from_utf8);
        let [Ok(before), Ok(after)] = texts else {
            return None;
        };
        Some([before, after])
    }
}

#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    /// Where the elements of the batch belong.
    split: Option<usize>,
}

/// Copies what matters of the value at a node. Without a node nothing does.
struct Keep<'p, 'k> {
    pass: &'p Pass,
    node: Option<&'p Node>,
    batch: usize,
    kept: &'k mut Kept,
}

impl<'p> Keep<'p, '_> {
    fn then(&mut self, node: Option<&'p Node>) -> Keep<'p, '_> {
        Keep {
            node,
            pass: self.pass,
            batch: self.batch,
            kept: self.kept,
        }
    }

    fn put(self, text: &str) {
        self.kept.text.extend_from_slice(text.as_bytes());
    }
}

impl<'a> DeserializeSeed<'a> for Keep<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        use serde::de::Deserialize;
        let Some(node) = self.node else {
            IgnoredAny::deserialize(json)?;
            self.put("null");
            return Ok(());
        };
        if node.batches.contains(&self.batch) {
            IgnoredAny::deserialize(json)?;
            self.kept.text.push(b'[');
            self.kept.split = Some(self.kept.text.len());
            self.kept.text.push(b']');
            return Ok(());
        }
        if !node.targets.is_empty() || !node.begins.is_empty() {
            let text: &'a RawValue = Deserialize::deserialize(json)?;
            self.put(text.get());
            return Ok(());
        }
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Keep<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    // A scalar that is not captured tells as much as null.

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put("null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        let known = self.node.map(|node| &node.at_index[..]).unwrap_or_default();
        let length = known.last().map_or(0, |(index, _)| index + 1);
        self.kept.text.push(b'[');
        for index in 0..length {
            let before = self.kept.text.len();
            if index > 0 {
                self.kept.text.push(b',');
            }
            let node = known.binary_search_by_key(&index, |(index, _)| *index);
            let node = node.ok().map(|at| &self.pass.nodes[known[at].1]);
            if items.next_element_seed(self.then(node))?.is_none() {
                self.kept.text.truncate(before);
                break;
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.kept.text.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let mut separator = b'{';
        while let Some(name) = fields.next_key::<Text<'a>>()? {
            let Some((_, member)) = self.node.and_then(|node| node.members.find(&name)) else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            self.kept.text.push(separator);
            separator = b',';
            write_string(&mut self.kept.text, &name);
            self.kept.text.push(b':');
            let member = self.pass.nodes.get(member);
            fields.next_value_seed(self.then(member))?;
        }
        if separator == b'{' {
            self.kept.text.push(separator);
        }
        self.kept.text.push(b'}');
        Ok(())
    }
}
