//! Follows a [`Pass`] over a JSON text, as strictly as `json::strict`.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::captured::{Batch, Captured, ListRows, ListState, Raw};
use super::check::Check;
use super::seen::Seen;
use super::{Node, Pass};
use crate::json::canonical::Canonical;
use crate::json::duplicate::Duplicate;
use crate::json::strict::{self, SkipValue, Text};

/// A text was refused.
#[derive(Debug, Default)]
pub struct Failed {
    /// The field that is given twice. None: the text is not JSON, or is nested too deep.
    pub duplicate: Option<Duplicate>,
}

/// What a pass has found so far.
struct Found<'a> {
    captured: Captured<'a>,
    /// Whether numbers are read from their digits.
    reads_digits: bool,
    /// A number has digits that matter, and they were not read.
    misses_digits: bool,
    duplicate: Option<Duplicate>,
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
        let list = |width| ListRows {
            width,
            ..ListRows::default()
        };
        let captured = Captured {
            cells: vec![Raw::Absent; self.width],
            lists: self.lists.iter().map(|spec| list(spec.width)).collect(),
            batches: (0..self.batches).map(|_| Batch::default()).collect(),
            ..Captured::default()
        };
        let mut found = Found {
            captured,
            reads_digits,
            misses_digits: false,
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

/// Reads the value at a node. `depth` counts the objects and arrays that enclose it.
struct At<'p, 'f, 'a> {
    pass: &'p Pass,
    node: &'p Node,
    depth: usize,
    found: &'f mut Found<'a>,
}

/// Whether a value is null.
type IsNull = bool;

impl<'p, 'a> At<'p, '_, 'a> {
    /// The same place in the pass, for another value.
    fn then(&mut self, node: &'p Node, depth: usize) -> At<'p, '_, 'a> {
        At {
            pass: self.pass,
            node,
            depth,
            found: self.found,
        }
    }

    fn capture(&mut self, raw: Raw<'a>) {
        self.capture_as(self.node, raw);
    }

    fn capture_as(&mut self, node: &Node, raw: Raw<'a>) {
        for target in &node.targets {
            let captured = &mut self.found.captured;
            let cell = match target.list {
                None => captured.cells.get_mut(target.column),
                Some(list) => {
                    let rows = &mut captured.lists[list];
                    // The newest row is the one that is being read.
                    let start = rows.cells.len() - rows.width;
                    rows.cells.get_mut(start + target.column)
                }
            };
            if let Some(cell) = cell {
                *cell = raw;
            }
        }
    }

    /// Notes what there is at the place of the lists that begin here.
    fn begin(&mut self, state: ListState) {
        for list in &self.node.begins {
            self.found.captured.lists[*list].state = state;
        }
        for batch in &self.node.batches {
            self.found.captured.batches[*batch].state = state;
        }
    }

    /// Notes if the value is not what a schema asks for.
    fn check(&mut self, is_right: impl Fn(&Check) -> bool) {
        if !self.node.checks.iter().all(is_right) {
            self.found.captured.is_refused = true;
        }
    }

    /// Captures a scalar.
    fn scalar(mut self, raw: Raw<'a>) -> IsNull {
        self.capture(raw);
        let is_null = matches!(raw, Raw::Null);
        self.begin(match is_null {
            true => ListState::Null,
            false => ListState::Other,
        });
        is_null
    }

    fn begin_rows(&mut self, node: &Node, index: usize) {
        for list in &node.begins {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.found.captured.lists[*list].begin(index);
        }
    }

    fn end_rows(&mut self, node: &Node, is_null: IsNull) {
        for list in &node.begins {
            let rows = &mut self.found.captured.lists[*list];
            match is_null {
                true => rows.cancel(),
                false => rows.end(self.pass.lists[*list].keeps_empty),
            }
        }
    }

    /// Reads the value from its own text.
    fn read_text<E: Error>(self, text: &'a str) -> Result<IsNull, E> {
        let mut canonical = None;
        if self.node.has_json && text.starts_with(['{', '[']) {
            let seed = Canonical { depth: self.depth };
            let written = strict::read(text, seed).map_err(E::custom)?;
            let all = &mut self.found.captured.canonical;
            canonical = Some(u32::try_from(all.len()).map_err(E::custom)?);
            all.push(written);
        }
        let inner = Inner {
            at: self,
            text: Some(text),
            canonical,
        };
        strict::read(text, inner).map_err(E::custom)
    }
}

impl<'a> DeserializeSeed<'a> for At<'_, '_, 'a> {
    type Value = IsNull;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<IsNull, D::Error> {
        if self.node.has_json || self.found.reads_digits && self.node.needs_digits {
            let text: &'a RawValue = Deserialize::deserialize(json)?;
            return self.read_text(text.get());
        }
        let inner = Inner {
            at: self,
            text: None,
            canonical: None,
        };
        json.deserialize_any(inner)
    }
}

/// Reads the value at a node.
struct Inner<'p, 'f, 'a> {
    at: At<'p, 'f, 'a>,
    /// Its own text, if that is known.
    text: Option<&'a str>,
    /// The number of its canonical form, if it is an object or an array that is captured in it.
    canonical: Option<u32>,
}

impl<'a> DeserializeSeed<'a> for Inner<'_, '_, 'a> {
    type Value = IsNull;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<IsNull, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Inner<'_, '_, 'a> {
    type Value = IsNull;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<IsNull, E> {
        self.at.check(|check| check.null());
        Ok(self.at.scalar(Raw::Null))
    }

    fn visit_bool<E: Error>(mut self, flag: bool) -> Result<IsNull, E> {
        self.at.check(|check| check.flag(flag));
        Ok(self.at.scalar(Raw::Flag(flag)))
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<IsNull, E> {
        self.at.check(|check| check.number(number as f64));
        Ok(self.at.scalar(Raw::Positive(number)))
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<IsNull, E> {
        self.at.check(|check| check.number(number as f64));
        Ok(self.at.scalar(Raw::Negative(number)))
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<IsNull, E> {
        self.at.check(|check| check.number(number));
        let raw = match self.text {
            Some(digits) => Raw::Digits(digits),
            None => {
                self.at.found.misses_digits |= self.at.node.needs_digits;
                Raw::Double(number)
            }
        };
        Ok(self.at.scalar(raw))
    }

    fn visit_borrowed_str<E: Error>(mut self, text: &'a str) -> Result<IsNull, E> {
        self.at.check(|check| check.text(text));
        Ok(self.at.scalar(Raw::Text(text)))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<IsNull, E> {
        self.at.check(|check| check.text(text));
        if self.at.node.targets.is_empty() {
            return Ok(self.at.scalar(Raw::Absent));
        }
        let all = &mut self.at.found.captured.escaped;
        let number = u32::try_from(all.len()).map_err(E::custom)?;
        all.push(text.to_owned());
        Ok(self.at.scalar(Raw::Escaped(number)))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<IsNull, A::Error> {
        let mut at = self.at;
        let depth = strict::deeper(at.depth)?;
        at.check(Check::array);
        at.capture(self.canonical.map_or(Raw::Array, Raw::CanonicalArray));
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
        let mut at = self.at;
        let depth = strict::deeper(at.depth)?;
        at.check(Check::object);
        at.begin(ListState::Object);
        let outer = at.node;
        let node = match outer.only_element {
            Some(element) => &at.pass.nodes[element],
            None => outer,
        };
        at.begin_rows(outer, 0);
        // The node of the only element has the targets of the outer one too.
        let raw = self.canonical.map_or(Raw::Object, Raw::CanonicalObject);
        at.capture_as(node, raw);
        let mut seen = Seen::new(node.members.len());
        while let Some(name) = fields.next_key::<Text<'a>>()? {
            let Some((position, member)) = node.members.find(&name) else {
                fields.next_value_seed(SkipValue { depth })?;
                continue;
            };
            if seen.repeats(position) {
                at.found.duplicate = Some(Duplicate {
                    name: name.0.into_owned(),
                    pointer: String::new(),
                });
                return Err(A::Error::custom("a field is given twice"));
            }
            let member = &at.pass.nodes[member];
            let read = fields.next_value_seed(at.then(member, depth));
            read.inspect_err(|_| at.found.prepend(&&*name))?;
        }
        if !node.required.iter().all(|position| seen.has(*position)) {
            at.found.captured.is_refused = true;
        }
        at.end_rows(outer, false);
        Ok(false)
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

impl Found<'_> {
    /// A field that is given twice lies in the member or element of this name.
    fn prepend(&mut self, step: &dyn fmt::Display) {
        if let Some(duplicate) = &mut self.duplicate {
            let step = step.to_string().replace('~', "~0").replace('/', "~1");
            duplicate.pointer = format!("/{step}{}", duplicate.pointer);
        }
    }
}
