//! Reads the values of a definition: where each comes from, and what is done with it.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::super::keys;
use super::super::reader::{Entries, Given, Reader, quoted};
use super::super::shape::{Accepts, Kind, ORIGIN};
use super::super::{Mapped, Origin, Pointer, Value};
use super::constants::misfit;
use super::plain::mapped;
use crate::model::nearest::closest;

impl Reader<'_> {
    /// The value of the record that is given for a key.
    pub(super) fn value(&mut self, entries: &mut Entries<'_>, name: &str) -> Option<Value> {
        let given = entries.take(name)?;
        self.value_of(given)
    }

    pub(super) fn value_of(&mut self, given: Given<'_>) -> Option<Value> {
        let Accepts::Value(kind) = given.accepts else {
            return None;
        };
        match given.value {
            DeValue::Table(table) => {
                let entries = self.entries(&keys::VALUE, &given.key, given.line, table);
                Some(self.value_table(entries, kind))
            }
            _ => Some(Value {
                from: self.origins(given),
                ..Value::default()
            }),
        }
    }

    fn value_table(&mut self, mut entries: Entries<'_>, kind: Kind) -> Value {
        self.check_keys(&entries, kind);
        let constant = entries.take("const");
        let otherwise = entries.take("otherwise");
        let map = entries.take("map");
        let map_line = map.as_ref().map(|map| (map.key.clone(), map.line));
        let from = entries.take("from");
        let value = Value {
            from: from.map(|from| self.origins(from)).unwrap_or_default(),
            constant: self.constant(constant.as_ref()),
            required: self.flag(entries.take("required")).unwrap_or_default(),
            map: map.and_then(|map| self.map(map)),
            otherwise: self.constant(otherwise.as_ref()),
            case: self.word(entries.take("case")),
            unit: self.word(entries.take("unit")),
        };
        let mut givers = Vec::new();
        for given in [&constant, &otherwise].into_iter().flatten() {
            let is_constant = given.key.ends_with(".const");
            let own = if is_constant {
                &value.constant
            } else {
                &value.otherwise
            };
            givers.extend(own.iter().map(|own| (&given.key, given.line, own)));
        }
        if let Some((key, line)) = &map_line {
            let results = value.map.iter().flat_map(BTreeMap::values);
            givers.extend(results.map(|result| (key, *line, result)));
        }
        for (key, line, own) in givers {
            if let Some(message) = misfit(kind, own, value.case, value.unit) {
                self.problem(key, line, message);
            }
        }
        value
    }

    /// The keys of a value that do not go together, or not with what the value becomes.
    fn check_keys(&mut self, entries: &Entries<'_>, kind: Kind) {
        let mut refuse = |name: &str, message: &str| {
            if let Some(line) = entries.line_of(name) {
                self.problem(&format!("{}.{name}", entries.path), line, message);
            }
        };
        for key in keys::VALUE.keys.iter().filter(|key| !kind.takes(key.name)) {
            refuse(
                key.name,
                match key.name {
                    "case" => "only a text has a case",
                    "unit" => "only a time or a date has a unit",
                    _ => "`attributes` takes an object as it is",
                },
            );
        }
        if entries.has("const") {
            for name in ["from", "required", "map", "otherwise"] {
                refuse(
                    name,
                    "does not go together with `const`, which is always there",
                );
            }
        } else if !entries.has("from") && !entries.has_unknown {
            self.problem(
                &entries.path,
                entries.line,
                "says nothing: give `from` or `const`",
            );
        }
        let is_alone = !entries.has("map") && !entries.has("const");
        if let Some(line) = entries.line_of("otherwise").filter(|_| is_alone) {
            self.problem(
                &format!("{}.otherwise", entries.path),
                line,
                "is nothing without a `map`",
            );
        }
    }

    fn map(&mut self, given: Given<'_>) -> Option<BTreeMap<String, Mapped>> {
        let Some(table) = given.value.as_table().filter(|table| !table.is_empty()) else {
            self.mismatch(&given);
            return None;
        };
        let mut map = BTreeMap::new();
        for (name, value) in table {
            match mapped(value.get_ref()) {
                Some(result) => {
                    map.insert(name.get_ref().to_string(), result);
                }
                None => {
                    let expected = Accepts::Constant.expected();
                    let message = format!("for {}: expected {expected}", quoted(name.get_ref()));
                    self.problem(&given.key, given.line, message);
                }
            }
        }
        Some(map)
    }

    /// The places that are given for a key: one, or a list.
    pub(super) fn origins(&mut self, given: Given<'_>) -> Vec<Origin> {
        let origins = self.parse_origins(&given);
        self.note_places(&given.key, given.line, &origins);
        origins
    }

    fn parse_origins(&mut self, given: &Given<'_>) -> Vec<Origin> {
        match &given.value {
            DeValue::String(text) => self.origin(given, text).into_iter().collect(),
            DeValue::Array(items) if items.is_empty() => {
                self.problem(
                    &given.key,
                    given.line,
                    "expected at least one place, found none",
                );
                Vec::new()
            }
            DeValue::Array(items) => {
                let mut origins: Vec<Origin> = Vec::new();
                for item in items.iter() {
                    let DeValue::String(text) = item.get_ref() else {
                        self.mismatch_of(given, item.get_ref());
                        break;
                    };
                    match self.origin(given, text) {
                        Some(origin) => origins.push(origin),
                        // one is enough: the others are likely to be wrong in the same way
                        None => break,
                    }
                }
                origins
            }
            _ => {
                self.mismatch(given);
                Vec::new()
            }
        }
    }

    fn origin(&mut self, given: &Given<'_>, text: &str) -> Option<Origin> {
        let parsed = parse_origin(text);
        if parsed.is_none() {
            let hint = hint(text).map(|hint| format!("; did you mean \"{hint}\"?"));
            let hint = hint.unwrap_or_default();
            let message = format!("expected {ORIGIN}, found {}{hint}", quoted(text));
            self.problem(&given.key, given.line, message);
        }
        parsed
    }

    /// Where a list is. It is in the record: the key, the timestamp and headers hold none.
    pub(super) fn list_origin(&mut self, given: Option<Given<'_>>) -> Option<Origin> {
        let given = given?;
        let origin = given.value.as_str().and_then(parse_origin);
        match origin {
            Some(origin @ (Origin::Here(_) | Origin::Root(_))) => {
                self.note_places(&given.key, given.line, std::slice::from_ref(&origin));
                Some(origin)
            }
            _ => {
                self.mismatch(&given);
                None
            }
        }
    }
}

fn parse_origin(text: &str) -> Option<Origin> {
    match text {
        "key" => Some(Origin::Key),
        "timestamp" => Some(Origin::Timestamp),
        _ => {
            if let Some(pointer) = text.strip_prefix("root:") {
                return Pointer::parse(pointer).map(Origin::Root);
            }
            if let Some(name) = text.strip_prefix("header:") {
                return (!name.is_empty()).then(|| Origin::Header(name.to_owned()));
            }
            Pointer::parse(text).map(Origin::Here)
        }
    }
}

/// What was meant, as far as that can be guessed.
fn hint(text: &str) -> Option<String> {
    let is_short = text.chars().count() <= 40;
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|char| char.is_alphanumeric() || matches!(char, '_' | '-'))
    };
    if !is_short {
        return None;
    }
    let word = closest(text, ["key", "timestamp"].map(str::to_owned).into_iter());
    if strsim::damerau_levenshtein(text, &word) <= 1 {
        return Some(word);
    }
    match text.split_once(':') {
        Some(("root", rest)) if is_name(rest) => Some(format!("root:/{rest}")),
        None => {
            let path = text.strip_prefix("$.").unwrap_or(text);
            let parts: Vec<&str> = path.split(['.', '/']).collect();
            let are_names = parts.iter().all(|part| is_name(part));
            are_names.then(|| format!("/{}", parts.join("/")))
        }
        _ => None,
    }
}
