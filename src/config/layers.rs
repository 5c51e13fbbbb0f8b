//! What the file and the environment set: values by the paths of their keys, each with its place. Unknown keys and
//! variables become problems.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::ConfigError;
use super::error::Problems;
use super::section::join;
use super::{names, text, variables};

/// Why a built-in source has no `definition`.
const BUILT_IN: &str = "cannot be set: the source is built in and needs no definition; declare one of your own under another name";

/// Reads the value that is in the file of a path.
pub(super) type Read<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// Where each key that is set is set, in words, by the path of the key.
#[derive(Debug, Default)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// The file with the line, or the variable; none where the default holds.
    pub(super) fn of(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

/// The values of the file and, over them, those of the environment, with the problems found so far.
#[derive(Default)]
pub(super) struct Layers<'f> {
    file: Option<&'f Path>,
    given: BTreeMap<String, Given>,
    /// The tables of declared sources, by their paths. A variable alone declares a source if it names its definition.
    declared: BTreeMap<String, Place>,
    problems: Problems,
}

/// A value with the place where it is set. An empty table is a value too: it switches a source on.
struct Given {
    value: Value,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Line(usize),
    Variable(String),
    /// A file, and the variable that names it.
    FileOf {
        variable: String,
        path: String,
    },
}

impl<'f> Layers<'f> {
    /// Reads the text of a TOML file.
    ///
    /// # Errors
    /// If it is not TOML.
    pub(super) fn add_file(&mut self, path: &'f Path, text: &str) -> Result<(), ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            ConfigError::Toml {
                path: path.to_owned(),
                line,
                column,
                message: error.message().to_owned(),
            }
        })?;
        self.file = Some(path);
        self.add_table("", table.into_inner(), text);
        Ok(())
    }

    fn add_table(&mut self, path: &str, table: DeTable<'_>, text: &str) {
        for (name, value) in table {
            let place = Place::Line(position(text, name.span().start).0);
            let path = join(path, name.get_ref());
            let is_open = names::is_open(&path);
            match value.get_ref() {
                // TOML reads `security.protocol = "SSL"` as a table in a table
                DeValue::Table(_) if is_open || names::is_table(&path) => {
                    let DeValue::Table(nested) = value.into_inner() else {
                        continue;
                    };
                    if names::declared(&path).is_some() {
                        self.declared.insert(path.clone(), place.clone());
                    }
                    if nested.is_empty() {
                        self.give(path, Value::Table(toml::Table::new()), place);
                    } else {
                        self.add_table(&path, nested, text);
                    }
                }
                _ if is_open => {
                    if self.given.contains_key(&path) {
                        let at = self.written(&path, &place);
                        self.problems
                            .push(format!("{at} is given twice, with and without quotes"));
                    }
                    let value = match untyped(value) {
                        value if path.starts_with(names::PROPERTY) => property(value),
                        value => value,
                    };
                    self.give(path, value, place);
                }
                _ if names::spec(&path).is_some() => self.give(path, untyped(value), place),
                _ => self.unknown_key(&path, &place),
            }
        }
    }

    fn unknown_key(&mut self, path: &str, place: &Place) {
        let at = self.written(path, place);
        let nearest = names::nearest(path, &self.sources());
        self.problems.push(if names::is_table(path) {
            format!("{at}: expected a table of keys")
        } else if names::is_superfluous_definition(path) {
            format!("{at}: {BUILT_IN}")
        } else if names::is_source(path) && names::differs_much(path, &nearest) {
            format!(
                "{at}: the name of a source of one's own is {}",
                text::DECLARABLE
            )
        } else {
            format!("unknown key {at}; did you mean `{nearest}`?")
        });
    }

    /// The names of the declared sources.
    pub(super) fn sources(&self) -> Vec<String> {
        let names = self
            .declared
            .keys()
            .filter_map(|path| names::declared(path));
        names.map(str::to_owned).collect()
    }

    /// Reads the variables that begin like keyfold's. `read` gives the value that is in the file of a path, or says why
    /// it cannot be read.
    pub(super) fn add_environment(
        &mut self,
        env: impl IntoIterator<Item = (String, String)>,
        read: Read<'_>,
    ) {
        let (mut ours, others): (Vec<_>, Vec<_>) = env
            .into_iter()
            .partition(|(name, _)| name.starts_with(variables::PREFIX));
        ours.sort();
        for (variable, _) in &ours {
            let path = variables::key_of(variable).path;
            let table = path.strip_suffix(".definition");
            if let Some(table) = table.filter(|table| names::declared(table).is_some()) {
                let place = || Place::Variable(variable.clone());
                self.declared.entry(table.to_owned()).or_insert_with(place);
            }
        }
        for (variable, value) in others {
            if let Some(suggestion) = variables::meant(&variable, &value) {
                self.unknown_variable(&variable, &suggestion);
            }
        }
        for (variable, text) in ours {
            self.add_variable(variable, text, read);
        }
    }

    fn add_variable(&mut self, variable: String, text: String, read: Read<'_>) {
        let variables::KeyOf { path, is_file } = variables::key_of(&variable);
        let spec = names::spec(&path).filter(|_| self.is_of_known_source(&path));
        let Some(spec) = spec else {
            if names::is_superfluous_definition(&path) {
                let at = self.written(&path, &Place::Variable(variable));
                self.problems.push(format!("{at}: {BUILT_IN}"));
                return;
            }
            let suggestion = variables::nearest_to_unknown(&path, &self.sources());
            self.unknown_variable(&variable, &suggestion);
            return;
        };
        let given = self.given.get(&path).map(|given| &given.place);
        if let Some(
            Place::Variable(other)
            | Place::FileOf {
                variable: other, ..
            },
        ) = given
        {
            self.problems.push(format!(
                "environment variable {variable}: `{path}` is given by another variable too, {other}"
            ));
            return;
        }
        let (text, place) = if is_file {
            match read(&text) {
                Ok(held) => {
                    let place = Place::FileOf {
                        variable,
                        path: text,
                    };
                    (held, place)
                }
                Err(why) => {
                    self.problems
                        .push(format!("environment variable {variable}: {why}"));
                    return;
                }
            }
        } else {
            (text, Place::Variable(variable))
        };
        let value = spec.shape.of_variable(&text);
        self.give(path, value, place);
    }

    /// Whether a key belongs to no source, to a built-in one, or to one that is declared.
    fn is_of_known_source(&self, path: &str) -> bool {
        let table = path.rsplit_once('.').map_or("", |(table, _)| table);
        names::declared(table).is_none() || self.declared.contains_key(table)
    }

    fn unknown_variable(&mut self, variable: &str, suggestion: &str) {
        self.problems.push(format!(
            "unknown environment variable {variable}; did you mean {suggestion}?"
        ));
    }

    fn give(&mut self, path: String, value: Value, place: Place) {
        self.given.insert(path, Given { value, place });
    }

    /// The value that is set for a key, none if it is not set.
    pub(super) fn value(&self, path: &str) -> Option<&Value> {
        self.given.get(path).map(|given| &given.value)
    }

    /// The paths that are set below a table.
    pub(super) fn below(&self, table: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{table}.");
        self.given
            .keys()
            .filter(move |path| path.starts_with(&prefix))
            .map(String::as_str)
    }

    /// Whether a non-empty text is set, valid or not.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.value(path)
            .is_some_and(|value| value.as_str() != Some(""))
    }

    /// Whether the value of a key is what a file holds that a variable names. Such a value is not quoted: the variable
    /// may name the file of a secret by mistake.
    pub(super) fn is_from_file_of_variable(&self, path: &str) -> bool {
        let given = self.given.get(path);
        given.is_some_and(|given| matches!(given.place, Place::FileOf { .. }))
    }

    /// Where each key that is set is set.
    pub(super) fn origins(&self) -> Origins {
        let origins = self.given.iter();
        Origins(
            origins
                .map(|(path, given)| (path.clone(), self.origin(&given.place)))
                .collect(),
        )
    }

    /// Adds a problem with the value of a key.
    pub(super) fn problem(&mut self, path: &str, text: impl Display) {
        let place = self.place(path);
        self.problems.push(format!("{place}: {text}"));
    }

    /// A key with the line or the variable that sets it.
    pub(super) fn place(&self, path: &str) -> String {
        let given = self.given.get(path).map(|given| &given.place);
        match given.or_else(|| self.declared.get(path)) {
            Some(place) => self.written(path, place),
            None => format!("`{path}` (default)"),
        }
    }

    fn written(&self, path: &str, place: &Place) -> String {
        format!("`{path}` in {}", self.origin(place))
    }

    fn origin(&self, place: &Place) -> String {
        match place {
            Place::Line(line) => {
                let file = self.file.unwrap_or(Path::new("")).display();
                format!("{file}, line {line}")
            }
            Place::Variable(variable) => format!("environment variable {variable}"),
            Place::FileOf { variable, path } => {
                format!("the file {path} of environment variable {variable}")
            }
        }
    }

    /// Adds a problem that names its place itself.
    pub(super) fn finding(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// # Errors
    /// All problems, where there are any.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        self.problems.into_result()
    }
}

/// Line and column of a byte, counted from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// A value without the places of its parts. A whole number out of the range of TOML's own type becomes a text.
fn untyped(value: Spanned<DeValue<'_>>) -> Value {
    let text = match value.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        _ => String::new(),
    };
    Value::deserialize(ValueDeserializer::from(value)).unwrap_or(Value::String(text))
}

/// A property of librdkafka is always a text.
fn property(value: Value) -> Value {
    match value {
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => Value::String(value.to_string()),
        other => other,
    }
}
