//! Follows a [`Pass`] over a JSON text, as strictly as `json::strict`.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Pass;
use super::captured::{Batch, Captured, ListRows, ListState, Raw};
use super::check::{Allowed, Check, Types};
use super::names::Names;
use super::place::{At, Found, Told};
use super::seen::Seen;
use crate::json::canonical::Canonical;
use crate::json::duplicate::Duplicate;
use crate::json::strict::{self, SkipValue};

/// A text was refused.
#[derive(Debug, Default)]
pub struct Failed {
    /// The field that is given twice. None: the text is not JSON, or is nested too deep.
    pub duplicate: Option<Duplicate>,
}

impl Pass {
    /// Captures the values of a text that is enclosed in `depth` objects and arrays.
    ///
    /// # Errors
    /// The text is not JSON, is nested too deep, or gives a field twice that matters. If it does both, the error may say
    /// either.
    pub fn read<'a>(&self, text: &'a str, depth: usize) -> Result<Captured<'a>, Failed> {
        // The digits of a number that serde_json does not read as an integer cost a look-ahead, and are rare.
        let found = self.read_once(text, depth, false)?;
        let found = match found.misses_digits {
            true => self.read_once(text, depth, true)?,
            false => found,
        };
        Ok(found.captured)
    }

    fn read_once<'a>(
        &self,
        text: &'a str,
        depth: usize,
        reads_digits: bool,
    ) -> Result<Found<'a>, Failed> {
        let lists = self.lists.iter().map(|spec| ListRows::new(spec.width));
        let captured = Captured {
            cells: vec![Raw::Absent; self.width],
            lists: lists.collect(),
            batches: (0..self.batches).map(|_| Batch::default()).collect(),
            ..Captured::default()
        };
        let mut found = Found {
            captured,
            reads_digits,
            misses_digits: false,
            told: Told::default(),
            duplicate: None,
        };
        let root = At {
            pass: self,
            node: &self.nodes[0],
            depth,
            found: &mut found,
        };
        match strict::read(text, root) {
            Ok(_) => Ok(found),
            Err(_) => Err(Failed {
                duplicate: found.duplicate,
            }),
        }
    }
}

/// Whether a value is null.
type IsNull = bool;

impl<'a> At<'_, '_, 'a> {
    /// Reads the value from its own text.
    fn read_text<E: Error>(mut self, text: &'a str) -> Result<IsNull, E> {
        let mut canonical = None;
        if self.node.has_json && text.starts_with(['{', '[']) {
            let seed = Canonical { depth: self.depth };
            let written = strict::read(text, seed).map_err(E::custom)?;
            let all = &mut self.found.captured.canonical;
            canonical = Some(u32::try_from(all.len()).map_err(E::custom)?);
            all.push(written);
        }
        self.found.told = Told {
            text: Some(text),
            canonical,
        };
        let inner = Inner(self.then(self.node, self.depth));
        let read = strict::read(text, inner).map_err(E::custom);
        // Of the next value nothing is known.
        self.found.told = Told::default();
        read
    }
}

impl<'a> DeserializeSeed<'a> for At<'_, '_, 'a> {
    type Value = IsNull;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<IsNull, D::Error> {
        if self.node.has_json || self.found.reads_digits && self.node.needs_digits {
            let text: &'a RawValue = Deserialize::deserialize(json)?;
            return self.read_text(text.get());
        }
        json.deserialize_any(self)
    }
}

/// Reads the value at a node, of which [`Told`] is true.
struct Inner<'p, 'f, 'a>(At<'p, 'f, 'a>);

impl<'a> DeserializeSeed<'a> for Inner<'_, '_, 'a> {
    type Value = IsNull;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<IsNull, D::Error> {
        json.deserialize_any(self.0)
    }
}

impl<'a> Visitor<'a> for At<'_, '_, 'a> {
    type Value = IsNull;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    #[inline]
    fn visit_unit<E: Error>(mut self) -> Result<IsNull, E> {
        self.check(Types::NULL, |check| check.null());
        Ok(self.scalar(Raw::Null))
    }

    #[inline]
    fn visit_bool<E: Error>(mut self, flag: bool) -> Result<IsNull, E> {
        self.check(Types::FLAG, |check| check.flag(flag));
        Ok(self.scalar(Raw::Flag(flag)))
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<IsNull, E> {
        self.check(Types::WHOLE, |check| check.number(number as f64));
        Ok(self.scalar(Raw::Positive(number)))
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<IsNull, E> {
        self.check(Types::WHOLE, |check| check.number(number as f64));
        Ok(self.scalar(Raw::Negative(number)))
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<IsNull, E> {
        self.check(Types::number(number), |check| check.number(number));
        let raw = match self.found.told.text {
            Some(digits) => Raw::Digits(digits),
            None => {
                self.found.misses_digits |= self.node.needs_digits;
                Raw::Double(number)
            }
        };
        Ok(self.scalar(raw))
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(mut self, text: &'a str) -> Result<IsNull, E> {
        let raw = match self.check_text(text) {
            Allowed::Text => Raw::Text(text),
            Allowed::Time(at) => Raw::Time(text, at),
            Allowed::Date(date) => Raw::Date(text, date),
        };
        Ok(self.scalar(raw))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<IsNull, E> {
        self.check_text(text);
        if self.node.targets.is_empty() {
            return Ok(self.scalar(Raw::Absent));
        }
        let all = &mut self.found.captured.escaped;
        let number = u32::try_from(all.len()).map_err(E::custom)?;
        all.push(text.to_owned());
        Ok(self.scalar(Raw::Escaped(number)))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<IsNull, A::Error> {
        let mut at = self;
        let told = std::mem::take(&mut at.found.told);
        let depth = strict::deeper(at.depth)?;
        at.check(Types::ARRAY, Check::container);
        let raw = told.canonical.map_or(Raw::Array, Raw::CanonicalArray);
        at.capture_as(at.node, raw);
        at.begin(ListState::Array);
        if at.node.is_leaf {
            while items.next_element_seed(SkipValue { depth })?.is_some() {}
            return Ok(false);
        }
        for batch in &at.node.batches {
            at.found.captured.batches[*batch].depth = depth;
        }
        for index in 0.. {
            at.begin_rows(at.node, index);
            let read = at.element(&mut items, index, depth);
            let is_null = read.inspect_err(|_| at.found.prepend(&index))?;
            at.end_rows(at.node, is_null != Some(false));
            if is_null.is_none() {
                break;
            }
        }
        Ok(false)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<IsNull, A::Error> {
        let mut at = self;
        let told = std::mem::take(&mut at.found.told);
        let depth = strict::deeper(at.depth)?;
        at.check(Types::OBJECT, Check::container);
        at.begin(ListState::Object);
        let outer = at.node;
        let node = match outer.only_element {
            Some(element) => &at.pass.nodes[element],
            None => outer,
        };
        at.begin_rows(outer, 0);
        // The node of the only element has the targets of the outer one too.
        let raw = told.canonical.map_or(Raw::Object, Raw::CanonicalObject);
        at.capture_as(node, raw);
        let mut seen = Seen::new(node.members.len());
        while let Some(known) = fields.next_key_seed(Member(&node.members))? {
            let Some((position, member)) = known else {
                fields.next_value_seed(SkipValue { depth })?;
                continue;
            };
            if seen.repeats(position) {
                at.found.duplicate = Some(Duplicate {
                    name: node.members.name(position).to_owned(),
                    pointer: String::new(),
                });
                return Err(A::Error::custom("a field is given twice"));
            }
            let member = &at.pass.nodes[member];
            let read = fields.next_value_seed(at.then(member, depth));
            read.inspect_err(|_| at.found.prepend(&node.members.name(position)))?;
        }
        if !seen.has_all(&node.required) {
            at.found.captured.is_refused = true;
        }
        at.end_rows(outer, false);
        Ok(false)
    }
}

/// Reads the name of a member as its position and its node. None: nothing of it matters.
struct Member<'p>(&'p Names);

impl<'a> DeserializeSeed<'a> for Member<'_> {
    type Value = Option<(usize, usize)>;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Option<(usize, usize)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(name))
    }
}

impl<'a> At<'_, '_, 'a> {
    /// Reads the next element of an array. None: there is no more.
    fn element<A: SeqAccess<'a>>(
        &mut self,
        items: &mut A,
        index: usize,
        depth: usize,
    ) -> Result<Option<IsNull>, A::Error> {
        let known = &self.node.at_index;
        let node = match known.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(at) => Some(known[at].1),
            Err(_) => self.node.element,
        };
        let node = node.map(|node| &self.pass.nodes[node]);
        if !self.node.batches.is_empty() {
            let Some(text) = items.next_element::<&'a RawValue>()? else {
                return Ok(None);
            };
            for batch in &self.node.batches {
                self.found.captured.batches[*batch]
                    .elements
                    .push(text.get());
            }
            return match node {
                Some(node) => self.then(node, depth).read_text(text.get()).map(Some),
                None => Ok(Some(false)),
            };
        }
        match node {
            Some(node) if !node.is_skipped() => items.next_element_seed(self.then(node, depth)),
            _ => {
                let skipped = items.next_element_seed(SkipValue { depth })?;
                Ok(skipped.map(|()| false))
            }
        }
    }
}
