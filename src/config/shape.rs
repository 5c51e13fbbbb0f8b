//! What a key accepts: its type, unit and bounds, with the words for errors and the JSON Schema for editors.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;
use toml::Value;

use super::text::Rule;
use super::{secrets, size};
use crate::model::nearest::alternatives;

/// What a key accepts, and what applies if it is not set.
pub(super) struct Spec {
    pub(super) shape: Shape,
    /// For a key without a default: what applies while it is not set. Otherwise empty.
    pub(super) unset: &'static str,
    /// For a key without a default: a value in TOML, for the reference file. Otherwise empty.
    pub(super) example: &'static str,
}

impl From<Shape> for Spec {
    fn from(shape: Shape) -> Spec {
        Spec {
            shape,
            unset: "",
            example: "",
        }
    }
}

/// A TOML type with its bounds.
pub(super) enum Shape {
    Flag,
    Whole(RangeInclusive<i64>),
    /// A number of bytes, as a whole number or as a text with a unit such as `"64MiB"`.
    Bytes(RangeInclusive<i64>),
    /// A number above 0 and at most 1.
    Share,
    /// A text such as `"24h"`.
    Duration(RangeInclusive<Duration>),
    /// One of a few words, each with its meaning.
    Word(&'static [(&'static str, &'static str)]),
    Text(&'static Rule),
    /// A list of different texts, with at least one.
    Texts(&'static Rule),
    /// A property of librdkafka: a text that may be secret.
    Property,
}

/// A type whose values are a few words.
pub(super) trait Word {
    /// Each word with its meaning, for the documentation.
    const MEANINGS: &'static [(&'static str, &'static str)];
}

impl Shape {
    /// Declares a key without a default.
    pub(super) fn optional(self, unset: &'static str, example: &'static str) -> Spec {
        Spec {
            shape: self,
            unset,
            example,
        }
    }

    /// What is accepted, in words that follow "expected" in errors.
    pub(super) fn expected(&self) -> String {
        match self {
            Shape::Flag => "true or false".to_owned(),
            Shape::Whole(bounds) => {
                format!("a whole number from {} to {}", bounds.start(), bounds.end())
            }
            Shape::Bytes(bounds) => format!(
                "a size such as \"64MiB\" or \"64MB\", or a whole number of bytes, from {} to {}",
                size::text_of(*bounds.start()),
                size::text_of(*bounds.end())
            ),
            Shape::Share => "a number above 0, at most 1".to_owned(),
            Shape::Duration(bounds) => format!(
                "a duration such as \"24h\" or \"100ms\", from {} to {}",
                duration_text(*bounds.start()),
                duration_text(*bounds.end())
            ),
            Shape::Word(words) => alternatives(words.iter().map(|(word, _)| *word)),
            Shape::Text(rule) => rule.expected.to_owned(),
            Shape::Texts(rule) => format!("a list of at least one, each {}", rule.expected),
            Shape::Property => "a text without NUL characters, a number, true or false".to_owned(),
        }
    }

    /// The value of an environment variable. Text that does not fit the type stays text, which [`Shape::check`] then
    /// refuses.
    pub(super) fn of_variable(&self, text: &str) -> Value {
        let as_text = || Value::from(text);
        match self {
            Shape::Flag => text
                .trim()
                .parse()
                .map_or_else(|_| as_text(), Value::Boolean),
            Shape::Whole(_) | Shape::Bytes(_) => text
                .trim()
                .parse()
                .map_or_else(|_| as_text(), Value::Integer),
            Shape::Share => text.trim().parse().map_or_else(|_| as_text(), Value::Float),
            Shape::Texts(_) => text.split(',').map(str::trim).collect::<Vec<_>>().into(),
            _ => as_text(),
        }
    }

    /// Checks a value against the type and the bounds.
    ///
    /// # Errors
    /// What is expected and what was found, without secrets.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Shape::Flag, value) => value.is_bool(),
            (Shape::Whole(bounds) | Shape::Bytes(bounds), Value::Integer(number)) => {
                bounds.contains(number)
            }
            (Shape::Bytes(bounds), Value::String(text)) => {
                size::bytes_of(text).is_some_and(|bytes| bounds.contains(&bytes))
            }
            (Shape::Share, value) => number(value).is_some_and(|share| share > 0.0 && share <= 1.0),
            (Shape::Duration(bounds), Value::String(text)) => {
                humantime::parse_duration(text.trim()).is_ok_and(|found| bounds.contains(&found))
            }
            (Shape::Word(words), Value::String(text)) => words.iter().any(|(word, _)| word == text),
            (Shape::Text(rule), Value::String(text)) => (rule.holds)(text),
            (Shape::Texts(rule), Value::Array(items)) => return self.check_items(rule, items),
            // librdkafka takes C strings, which end at a NUL.
            (Shape::Property, Value::String(text)) => !text.contains('\0'),
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(self.mismatch(value))
        }
    }

    fn check_items(&self, rule: &Rule, items: &[Value]) -> Result<(), String> {
        for (index, item) in items.iter().enumerate() {
            if !item.as_str().is_some_and(rule.holds) {
                return Err(self.mismatch(item));
            }
            if items.iter().take(index).any(|earlier| earlier == item) {
                return Err(format!("{item} is given twice"));
            }
        }
        match items {
            [] => Err(format!("expected {}, found none", self.expected())),
            _ => Ok(()),
        }
    }

    fn mismatch(&self, value: &Value) -> String {
        let is_quoted = match self {
            Shape::Text(rule) | Shape::Texts(rule) => rule.secrecy.is_quoted(),
            Shape::Property => return format!("expected {}", self.expected()),
            _ => true,
        };
        let is_number = matches!(self, Shape::Whole(_) | Shape::Bytes(_) | Shape::Share);
        let found = match value {
            // A text with an `@` may contain a password, even where none belongs.
            Value::String(text) if is_quoted && !text.contains('@') => format!("{text:?}"),
            Value::String(_) => "another text".to_owned(),
            Value::Integer(number) if is_number => number.to_string(),
            Value::Float(number) if is_number => number.to_string(),
            Value::Integer(_) => "a whole number".to_owned(),
            Value::Float(_) => "a number".to_owned(),
            Value::Boolean(_) => "a boolean".to_owned(),
            Value::Datetime(_) => "a date or time".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        };
        format!("expected {}, found {found}", self.expected())
    }

    /// A value that [`Shape::check`] has accepted, in the type that the field has: a size becomes its bytes.
    pub(super) fn plain(&self, value: &Value) -> Value {
        match (self, value) {
            (Shape::Bytes(_), Value::String(text)) => {
                size::bytes_of(text).map_or_else(|| value.clone(), Value::Integer)
            }
            _ => value.clone(),
        }
    }

    /// What a value that is not easy to read stands for: the bytes of `67108864` are `64MiB`.
    pub(super) fn in_words(&self, value: &Value) -> Option<String> {
        match (self, value) {
            (Shape::Bytes(_), Value::Integer(bytes)) => {
                let text = size::text_of(*bytes);
                (text != format!("{bytes}B")).then_some(text)
            }
            _ => None,
        }
    }

    /// The value as it may be shown.
    pub(super) fn redacted(&self, name: &str, value: &Value) -> Value {
        match (self, value) {
            (Shape::Text(rule), Value::String(text)) => rule.secrecy.redacted(text).into(),
            (Shape::Property, Value::String(text)) => secrets::redacted(name, text).into(),
            _ => value.clone(),
        }
    }

    /// The JSON Schema of a value.
    pub(super) fn schema(&self) -> serde_json::Value {
        match self {
            Shape::Flag => json!({"type": "boolean"}),
            Shape::Whole(bounds) => {
                json!({"type": "integer", "minimum": bounds.start(), "maximum": bounds.end()})
            }
            // each bound holds for the type that it is of
            Shape::Bytes(bounds) => json!({
                "type": ["integer", "string"],
                "minimum": bounds.start(), "maximum": bounds.end(),
                "pattern": size::PATTERN
            }),
            Shape::Share => json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
            Shape::Duration(_) | Shape::Text(_) => json!({"type": "string"}),
            Shape::Word(words) => {
                json!({"enum": words.iter().map(|(word, _)| word).collect::<Vec<_>>()})
            }
            Shape::Texts(_) => json!({
                "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true
            }),
            // In TOML, an unquoted name with dots is a table in a table.
            Shape::Property => json!({"type": ["string", "number", "boolean", "object"]}),
        }
    }
}

/// A duration as it is written in a configuration. The largest unit is the day, because months and years have no fixed
/// length.
pub(super) fn duration_text(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = duration.as_secs() / DAY;
    match days {
        _ if Duration::from_secs(days * DAY) != duration || days == 0 => {
            humantime::format_duration(duration).to_string()
        }
        1 => "24h".to_owned(),
        days => format!("{days}days"),
    }
}

/// A number, whole or not.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => number.to_string().parse().ok(),
        value => value.as_float(),
    }
}
