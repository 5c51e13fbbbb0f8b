//! Reads what is given for the keys that are no values of the record: words, files, pointers, JSON.

use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::json;
use toml::de::{DeInteger, DeTable, DeValue};

use super::super::reader::{Given, Reader, quoted};
use super::super::words::Word;
use super::super::{Mapped, Pointer};
use super::MAX_FILE_BYTES;
use crate::avro::declared::ReaderSchema;
use crate::json::canonical::Canonical;
use crate::json::schema;
use crate::model::nearest::closest;
use crate::model::record::Code;
use crate::model::time::Instant;

impl Reader<'_> {
    pub(super) fn word<W: Word>(&mut self, given: Option<Given<'_>>) -> Option<W> {
        let given = given?;
        let text = given.value.as_str();
        let found = text.and_then(|text| W::WORDS.iter().find(|(_, word, _)| *word == text));
        if found.is_none() {
            self.mismatch(&given);
        }
        found.map(|(value, ..)| *value)
    }

    pub(super) fn flag(&mut self, given: Option<Given<'_>>) -> Option<bool> {
        let given = given?;
        let flag = given.value.as_bool();
        if flag.is_none() {
            self.mismatch(&given);
        }
        flag
    }

    pub(super) fn text(&mut self, given: Option<Given<'_>>) -> Option<String> {
        let given = given?;
        let text = given.value.as_str().map(str::to_owned);
        if text.is_none() {
            self.mismatch(&given);
        }
        text
    }

    pub(super) fn number(&mut self, given: Option<Given<'_>>) -> Option<f64> {
        let given = given?;
        let number = match &given.value {
            DeValue::Integer(number) => {
                whole(number).and_then(|number| number.to_string().parse().ok())
            }
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.mismatch(&given);
        }
        number
    }

    pub(super) fn pointer(&mut self, given: Option<Given<'_>>) -> Option<Pointer> {
        let given = given?;
        let pointer = given.value.as_str().and_then(Pointer::parse);
        if pointer.is_none() {
            self.mismatch(&given);
        }
        pointer
    }

    pub(super) fn pointers(&mut self, given: Option<Given<'_>>) -> Option<Vec<String>> {
        let pointer = |item: &DeValue<'_>| {
            item.as_str()
                .filter(|text| Pointer::parse(text).is_some())
                .map(str::to_owned)
        };
        self.items(given?, pointer)
    }

    /// The parts of a list, unless one of them is wrong.
    fn items<T>(
        &mut self,
        given: Given<'_>,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(items) = given.value.as_array() else {
            self.mismatch(&given);
            return None;
        };
        let mut read_items = Vec::new();
        for item in items.iter().map(|item| item.get_ref()) {
            let Some(item) = read(item) else {
                self.mismatch_of(&given, item);
                return None;
            };
            read_items.push(item);
        }
        Some(read_items)
    }

    /// The text of a JSON Schema, from a file that the definition names.
    pub(super) fn json_schema(
        &mut self,
        given: Option<Given<'_>>,
        read: &mut impl FnMut(&str) -> Result<String, String>,
    ) -> Option<Arc<str>> {
        let given = given?;
        let (key, line) = (given.key.clone(), given.line);
        let name = given.value.as_str().map(quoted).unwrap_or_default();
        let text = self.file(Some(given), read)?;
        for problem in schema::problems(&text).unwrap_or_default() {
            let mut place = format!("line {}", problem.line);
            if !problem.pointer.is_empty() {
                place.push_str(&format!(", {}", quoted(&problem.pointer)));
            }
            let message = format!("{name} is no JSON Schema: {place}: {}", problem.message);
            self.problem(&key, line, message);
        }
        Some(text.into())
    }

    /// The text of an Avro schema, from a file that the definition names.
    pub(super) fn avro_schema(
        &mut self,
        given: Option<Given<'_>>,
        read: &mut impl FnMut(&str) -> Result<String, String>,
    ) -> Option<Arc<str>> {
        let given = given?;
        let (key, line) = (given.key.clone(), given.line);
        let text = self.file(Some(given), read)?;
        match ReaderSchema::parse(&text) {
            Ok(_) => Some(text.into()),
            Err(error) => {
                self.problem(&key, line, format!("is no Avro schema: {error}"));
                None
            }
        }
    }

    /// The text of a file that the definition names. All of them hold JSON.
    pub(super) fn file(
        &mut self,
        given: Option<Given<'_>>,
        read: &mut impl FnMut(&str) -> Result<String, String>,
    ) -> Option<String> {
        let given = given?;
        let name = given.value.as_str();
        let Some(name) = name.filter(|name| !name.is_empty() && !name.contains('\0')) else {
            self.mismatch(&given);
            return None;
        };
        let message = match read(name) {
            Ok(text) if text.len() > MAX_FILE_BYTES => {
                format!("{} is larger than 1 MiB", quoted(name))
            }
            Ok(text) => match serde_json::from_str::<IgnoredAny>(&text) {
                Ok(_) => return Some(text),
                Err(error) => format!("{} is no JSON: {error}", quoted(name)),
            },
            Err(error) => format!("{} cannot be read: {error}", quoted(name)),
        };
        self.problem(&given.key, given.line, message);
        None
    }

    /// A value that the definition itself gives.
    pub(super) fn constant(&mut self, given: Option<&Given<'_>>) -> Option<Mapped> {
        let given = given?;
        let constant = mapped(&given.value);
        if constant.is_none() {
            self.mismatch(given);
        }
        constant
    }

    /// Canonical JSON texts.
    pub(super) fn json_values(&mut self, given: Option<Given<'_>>) -> Option<Vec<String>> {
        let given = given?;
        if given.value.as_array().is_some_and(|items| items.is_empty()) {
            self.mismatch(&given);
            return None;
        }
        self.items(given, canonical)
    }

    pub(super) fn json(&mut self, given: Option<Given<'_>>) -> Option<serde_json::Value> {
        let given = given?;
        let Some(text) = given.value.as_str() else {
            self.mismatch(&given);
            return None;
        };
        match serde_json::from_str(text) {
            Ok(json) => Some(json),
            Err(error) => {
                self.problem(&given.key, given.line, format!("is no JSON: {error}"));
                None
            }
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn timestamp(&mut self, given: Option<Given<'_>>) -> Option<i64> {
        let given = given?;
        let millis = |text: &str| Instant::parse(text).map(|at| at.micros().div_euclid(1000));
        let timestamp = match &given.value {
            DeValue::Integer(number) => whole(number),
            DeValue::String(text) => millis(text),
            DeValue::Datetime(time) => millis(&time.to_string()),
            _ => None,
        };
        if timestamp.is_none() {
            self.mismatch(&given);
        }
        timestamp
    }

    pub(super) fn headers(&mut self, given: Option<Given<'_>>) -> Vec<(String, String)> {
        let Some(given) = given else {
            return Vec::new();
        };
        let Some(table) = given.value.as_table() else {
            self.mismatch(&given);
            return Vec::new();
        };
        let mut headers = Vec::new();
        for (name, value) in table {
            match value.get_ref() {
                DeValue::String(text) => {
                    headers.push((name.get_ref().to_string(), text.to_string()));
                }
                other => self.mismatch_of(&given, other),
            }
        }
        headers
    }

    pub(super) fn code(&mut self, given: Option<Given<'_>>) -> Option<Code> {
        let given = given?;
        let Some(text) = given.value.as_str() else {
            self.mismatch(&given);
            return None;
        };
        let code = Code::ALL.into_iter().find(|code| code.name() == text);
        if code.is_none() {
            let names = Code::ALL.map(|code| code.name().to_owned());
            let nearest = closest(text, names.into_iter());
            let message = format!(
                "there is no code {}; did you mean \"{nearest}\"?",
                quoted(text)
            );
            self.problem(&given.key, given.line, message);
        }
        code
    }
}

/// A whole number in the range of TOML's own type.
pub(super) fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A value with a single part.
pub(super) fn mapped(value: &DeValue<'_>) -> Option<Mapped> {
    match value {
        DeValue::String(text) => Some(Mapped::Text(text.to_string())),
        DeValue::Integer(number) => whole(number).map(Mapped::Whole),
        DeValue::Boolean(flag) => Some(Mapped::Flag(*flag)),
        _ => None,
    }
}

/// The canonical JSON text of a TOML value; none for what JSON does not have.
fn canonical(value: &DeValue<'_>) -> Option<String> {
    let text = json_of(value)?.to_string();
    let mut json = serde_json::Deserializer::from_str(&text);
    let canonical = Canonical { depth: 0 }.deserialize(&mut json).ok()?;
    String::from_utf8(canonical).ok()
}

fn json_of(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(whole(number)?),
        DeValue::Float(number) => {
            let number: f64 = number.as_str().parse().ok()?;
            json!(number.is_finite().then_some(number)?)
        }
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => {
            let items = items.iter().map(|item| json_of(item.get_ref()));
            serde_json::Value::Array(items.collect::<Option<_>>()?)
        }
        DeValue::Table(table) => json_of_table(table)?,
    })
}

fn json_of_table(table: &DeTable<'_>) -> Option<serde_json::Value> {
    let members = table.iter();
    let members =
        members.map(|(name, value)| Some((name.get_ref().to_string(), json_of(value.get_ref())?)));
    Some(serde_json::Value::Object(members.collect::<Option<_>>()?))
}
