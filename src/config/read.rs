//! Reads typed values from the merged layers. A wrong value becomes a problem that names its key,
//! its place and what is expected; reading goes on, so that all problems are shown at once.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::{Dict, Num, Tag, Value};
use figment::{Figment, Source};

use super::check::Check;
use super::error::Problems;
use super::keys;
use super::words::Word;

/// The merged layers, and the problems found so far.
pub(super) struct Reader {
    figment: Figment,
    values: Dict,
    problems: Problems,
}

/// Where a value came from.
enum Origin<'a> {
    Default,
    Environment,
    File(&'a std::path::Path),
}

impl Reader {
    pub(super) fn new(figment: Figment, values: Dict, problems: Problems) -> Self {
        Reader {
            figment,
            values,
            problems,
        }
    }

    pub(super) fn into_problems(self) -> Problems {
        self.problems
    }

    /// Adds a problem with the value of a key.
    pub(super) fn problem(&mut self, path: &str, text: impl Display) {
        let place = self.place(path);
        self.problems.push(format!("{place}: {text}"));
    }

    /// A key with the file or the variable that its value came from.
    pub(super) fn place(&self, path: &str) -> String {
        let origin = match self.find(path) {
            Some(value) => self.origin(value.tag()),
            None => Origin::Default,
        };
        match origin {
            Origin::Default => format!("`{path}` (default)"),
            Origin::File(file) => format!("`{path}` in {}", file.display()),
            Origin::Environment => {
                format!("`{path}` in environment variable {}", keys::variable(path))
            }
        }
    }

    fn origin(&self, tag: Tag) -> Origin<'_> {
        match self.figment.get_metadata(tag) {
            None => Origin::Default,
            Some(metadata) => match metadata.source.as_ref().and_then(Source::file_path) {
                Some(file) => Origin::File(file),
                None => Origin::Environment,
            },
        }
    }

    fn is_from_environment(&self, value: &Value) -> bool {
        matches!(self.origin(value.tag()), Origin::Environment)
    }

    fn find(&self, path: &str) -> Option<&Value> {
        // The names of properties have dots in them.
        if let Some(property) = path
            .strip_prefix(keys::PROPERTIES)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            return self.table(keys::PROPERTIES)?.get(property);
        }
        let (table, name) = match path.rsplit_once('.') {
            Some((table, name)) => (self.table(table)?, name),
            None => (&self.values, path),
        };
        table.get(name)
    }

    /// A table, none where it is not given.
    pub(super) fn table(&self, path: &str) -> Option<&Dict> {
        path.split('.')
            .try_fold(&self.values, |table, name| match table.get(name)? {
                Value::Dict(_, nested) => Some(nested),
                _ => None,
            })
    }

    /// Whether a text is given that is not empty, right or wrong.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.find(path)
            .is_some_and(|value| value.as_str() != Some(""))
    }

    /// A text that holds to a rule.
    pub(super) fn text(&mut self, path: &str, check: &Check) -> Option<String> {
        let value = self.find(path)?.clone();
        let found = match value {
            Value::String(_, text) if (check.holds)(&text) => return Some(text),
            // before an `@` there may be a password, where none belongs
            Value::String(_, text) if check.quoted && !text.contains('@') => format!("{text:?}"),
            Value::String(..) => "another text".to_owned(),
            other => kind(&other).to_owned(),
        };
        self.problem(path, format!("expected {}, found {found}", check.expected));
        None
    }

    /// A list of texts that each hold to a rule, at least one and none twice.
    pub(super) fn texts(&mut self, path: &str, check: &Check) -> Option<Vec<String>> {
        let Value::Array(_, items) = self.find(path)?.clone() else {
            self.problem(
                path,
                format!("expected a list, each {}, found no list", check.expected),
            );
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            let found = match item.as_str() {
                Some(text) if texts.iter().any(|known| known == text) => {
                    self.problem(path, format!("{text:?} is given twice"));
                    return None;
                }
                Some(text) if (check.holds)(text) => {
                    texts.push(text.to_owned());
                    continue;
                }
                Some(text) => format!("{text:?}"),
                None => kind(item).to_owned(),
            };
            self.problem(
                path,
                format!("expected a list, each {}, found {found}", check.expected),
            );
            return None;
        }
        if texts.is_empty() {
            self.problem(
                path,
                format!("expected at least one, each {}", check.expected),
            );
            return None;
        }
        Some(texts)
    }

    /// One of a few words.
    pub(super) fn word<T: Word>(&mut self, path: &str) -> Option<T> {
        let value = self.find(path)?.clone();
        let expected = alternatives(T::WORDS.iter().map(|(word, _)| *word));
        let Some(text) = value.as_str() else {
            self.problem(path, format!("expected {expected}, found {}", kind(&value)));
            return None;
        };
        if let Some((_, known)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*known);
        }
        self.problem(path, format!("expected {expected}, found {text:?}"));
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, path: &str) -> Option<bool> {
        let value = self.find(path)?.clone();
        let (flag, found) = match &value {
            Value::Bool(_, flag) => (Some(*flag), String::new()),
            Value::String(_, text) if self.is_from_environment(&value) => {
                (text.trim().parse().ok(), format!("{text:?}"))
            }
            other => (None, kind(other).to_owned()),
        };
        if flag.is_none() {
            self.problem(path, format!("expected true or false, found {found}"));
        }
        flag
    }

    /// A whole number within bounds.
    pub(super) fn whole<T: TryFrom<u64>>(
        &mut self,
        path: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<T> {
        let value = self.find(path)?.clone();
        let (number, found) = match &value {
            Value::Num(_, number) => (integer(*number), shown(*number)),
            Value::String(_, text) if self.is_from_environment(&value) => {
                (text.trim().parse::<i128>().ok(), format!("{text:?}"))
            }
            other => (None, kind(other).to_owned()),
        };
        let fitting = number
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| bounds.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if fitting.is_none() {
            let (least, most) = bounds.into_inner();
            self.problem(
                path,
                format!("expected a whole number from {least} to {most}, found {found}"),
            );
        }
        fitting
    }

    /// A share: a number above 0, at most 1.
    pub(super) fn share(&mut self, path: &str) -> Option<f64> {
        let value = self.find(path)?.clone();
        let (number, found) = match &value {
            Value::Num(_, number) => (float(*number), shown(*number)),
            Value::String(_, text) if self.is_from_environment(&value) => {
                (text.trim().parse().ok(), format!("{text:?}"))
            }
            other => (None, kind(other).to_owned()),
        };
        let fitting = number.filter(|share: &f64| *share > 0.0 && *share <= 1.0);
        if fitting.is_none() {
            self.problem(
                path,
                format!("expected a number above 0, at most 1, found {found}"),
            );
        }
        fitting
    }

    /// A duration within bounds, as `"24h"` or `"1m 30s"`.
    pub(super) fn duration(
        &mut self,
        path: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = self.find(path)?.clone();
        let (duration, found) = match &value {
            Value::String(_, text) => (
                humantime::parse_duration(text.trim()).ok(),
                format!("{text:?}"),
            ),
            other => (None, kind(other).to_owned()),
        };
        let fitting = duration.filter(|duration| bounds.contains(duration));
        if fitting.is_none() {
            let (least, most) = bounds.into_inner();
            self.problem(
                path,
                format!(
                    "expected a duration such as \"24h\" or \"100ms\", from {} to {}, found {found}",
                    humantime::format_duration(least),
                    humantime::format_duration(most)
                ),
            );
        }
        fitting
    }

    /// The text of a property of librdkafka, which numbers and booleans become too. The value
    /// may be secret: no problem quotes it.
    pub(super) fn property(&mut self, name: &str) -> Option<String> {
        let path = format!("{}.{name}", keys::PROPERTIES);
        let text = match self.find(&path)? {
            Value::String(_, text) => Some(text.clone()),
            Value::Bool(_, flag) => Some(flag.to_string()),
            Value::Num(_, number) => Some(shown(*number)),
            _ => None,
        };
        // librdkafka takes C strings.
        let fitting = text.filter(|text| !text.contains('\0'));
        if fitting.is_none() {
            self.problem(
                &path,
                "expected a text without NUL characters, a number, true or false",
            );
        }
        fitting
    }
}

/// `"a", "b" or "c"`.
fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// What a value is, for a message.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) => "a text",
        Value::Char(..) => "a character",
        Value::Bool(..) => "a boolean",
        Value::Num(_, number) if integer(*number).is_some() => "a whole number",
        Value::Num(..) => "a number",
        Value::Dict(_, table) if table.contains_key("$__toml_private_datetime") => "a date or time",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
        Value::Empty(..) => "nothing",
    }
}

/// A number that was given as a whole one.
fn integer(number: Num) -> Option<i128> {
    number.to_i128().or_else(|| {
        number
            .to_u128()
            .and_then(|number| i128::try_from(number).ok())
    })
}

fn float(number: Num) -> Option<f64> {
    number
        .to_f64()
        .or_else(|| shown(number).parse::<f64>().ok())
}

fn shown(number: Num) -> String {
    match (integer(number), number.to_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) => float.to_string(),
        (None, None) => "a number".to_owned(),
    }
}
