//! Reads the tables of a definition against the table of keys: what is given, each with its line, and the problems
//! found so far.

use toml::de::{DeTable, DeValue, Error};

use super::Problem;
use super::keys;
use super::noted::Places;
use super::shape::{ANY_NAME, Accepts, Table, join};
use crate::model::nearest::closest;
use crate::model::record::Code;

/// How many problems are told at most, so that the work stays bounded whatever a file holds.
const MAX_PROBLEMS: usize = 100;

/// How much of a text a problem quotes, in characters.
const MAX_QUOTED: usize = 60;

/// The table whose keys are codes.
const RULES: &str = "rules";

pub(super) struct Reader<'f> {
    file: &'f str,
    /// Where each line but the first begins.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    /// All places so far in the record, which are checked together in the end.
    pub(super) places: Vec<Places>,
}

/// What is given for a key.
pub(super) struct Given<'t> {
    /// The path of the key, for problems.
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) accepts: Accepts,
    pub(super) value: DeValue<'t>,
}

/// What is given in a table: known keys, and known tables in it.
pub(super) struct Entries<'t> {
    pub(super) path: String,
    pub(super) line: usize,
    /// Whether there is something that is not known.
    pub(super) has_unknown: bool,
    given: Vec<(String, Given<'t>)>,
    tables: Vec<(&'static Table, usize, DeValue<'t>)>,
}

impl<'t> Entries<'t> {
    /// What is given for a key, once.
    pub(super) fn take(&mut self, name: &str) -> Option<Given<'t>> {
        let at = self.given.iter().position(|(known, _)| known == name)?;
        Some(self.given.swap_remove(at).1)
    }

    /// What is given for the keys that begin with `prefix`, by the rest of their names.
    pub(super) fn take_named(&mut self, prefix: &str) -> Vec<(String, Given<'t>)> {
        let (named, others) = std::mem::take(&mut self.given)
            .into_iter()
            .partition(|(name, _)| name.starts_with(prefix));
        self.given = others;
        let named: Vec<(String, Given<'t>)> = named;
        let rest = |name: String| name.get(prefix.len()..).unwrap_or_default().to_owned();
        named
            .into_iter()
            .map(|(name, given)| (rest(name), given))
            .collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.line_of(name).is_some()
    }

    /// The line of a key, or of a table in this one, that is given.
    pub(super) fn line_of(&self, name: &str) -> Option<usize> {
        let key = self.given.iter().find(|(known, _)| known == name);
        let path = join(&self.path, name);
        let table = self.tables.iter().find(|(table, ..)| table.path == path);
        key.map(|(_, given)| given.line)
            .or(table.map(|(_, line, _)| *line))
    }
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f str, text: &str) -> Reader<'f> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Reader {
            file,
            lines: breaks.map(|(at, _)| at + 1).collect(),
            problems: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The line of a byte, counted from 1.
    fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= byte) + 1
    }

    /// Whether a further problem would be told.
    fn has_room(&self) -> bool {
        self.problems.len() < MAX_PROBLEMS
    }

    pub(super) fn problem(&mut self, key: &str, line: usize, message: impl Into<String>) {
        if self.has_room() {
            self.problems.push(Problem {
                file: self.file.to_owned(),
                line: Some(line),
                key: quoted_key(key),
                nearest: None,
                message: message.into(),
            });
        }
    }

    pub(super) fn toml_error(&mut self, error: &Error) {
        let line = self.line(error.span().map_or(0, |span| span.start));
        let message = error.message().replace('\n', ", ");
        self.problem("", line, format!("not valid TOML: {message}"));
    }

    /// What is given for a key is not what the key accepts.
    pub(super) fn mismatch(&mut self, given: &Given<'_>) {
        self.mismatch_of(given, &given.value);
    }

    /// `part` of what is given for a key is not what the key accepts.
    pub(super) fn mismatch_of(&mut self, given: &Given<'_>, part: &DeValue<'_>) {
        let expected = given.accepts.expected();
        let message = format!("expected {expected}, found {}", found(part));
        self.problem(&given.key, given.line, message);
    }

    /// All problems in the order of their lines; none if the definition is right.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Reads the table at `path` that begins at `line`.
    pub(super) fn entries<'t>(
        &mut self,
        table: &'static Table,
        path: &str,
        line: usize,
        given: DeTable<'t>,
    ) -> Entries<'t> {
        let mut entries = Entries {
            path: path.to_owned(),
            line,
            has_unknown: false,
            given: Vec::new(),
            tables: Vec::new(),
        };
        for (name, value) in given {
            let line = self.line(name.span().start);
            let name = name.into_inner();
            let key = join(path, &name);
            if let Some(known) = table.key(&name) {
                let given = Given {
                    key,
                    line,
                    accepts: known.accepts,
                    value: value.into_inner(),
                };
                entries.given.push((name.into_owned(), given));
            } else if let Some(inner) = keys::table(&key).filter(|_| !name.contains('.')) {
                entries.tables.push((inner, line, value.into_inner()));
            } else {
                entries.has_unknown = true;
                self.unknown(table, path, &name, line);
            }
        }
        for key in table.keys.iter().filter(|key| key.is_required()) {
            if !entries.has(key.name) {
                let message = format!("is missing; expected {}", key.accepts.expected());
                self.problem(&join(path, key.name), line, message);
            }
        }
        entries
    }

    /// Reads a table in `entries` that is written once, if it is given.
    pub(super) fn table<'t>(
        &mut self,
        entries: &mut Entries<'t>,
        name: &str,
    ) -> Option<Entries<'t>> {
        let path = join(&entries.path, name);
        let at = entries
            .tables
            .iter()
            .position(|(table, ..)| table.path == path)?;
        let (table, line, value) = entries.tables.swap_remove(at);
        match value {
            DeValue::Table(given) => Some(self.entries(table, &path, line, given)),
            other => {
                let found = found(&other);
                self.problem(&path, line, format!("expected a table, found {found}"));
                None
            }
        }
    }

    /// Reads the tables in `entries` that are written several times.
    pub(super) fn tables<'t>(&mut self, entries: &mut Entries<'t>, name: &str) -> Vec<Entries<'t>> {
        let path = join(&entries.path, name);
        let Some(at) = entries
            .tables
            .iter()
            .position(|(table, ..)| table.path == path)
        else {
            return Vec::new();
        };
        let (table, line, value) = entries.tables.swap_remove(at);
        let DeValue::Array(items) = value else {
            self.problem(
                &path,
                line,
                format!("is written in double brackets: [[{path}]]"),
            );
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            let line = self.line(item.span().start);
            match item.into_inner() {
                DeValue::Table(given) => tables.push(self.entries(table, &path, line, given)),
                other => {
                    let found = found(&other);
                    self.problem(&path, line, format!("expected a table, found {found}"));
                }
            }
        }
        tables
    }

    fn unknown(&mut self, table: &'static Table, path: &str, name: &str, line: usize) {
        if !self.has_room() {
            return;
        }
        let key = join(path, name);
        if name.contains('.') && paths().any(|known| known == key) {
            return self.problem(&key, line, "is written without quotes");
        }
        if paths().any(|known| known == join(path, ANY_NAME)) {
            let own = path.rsplit('.').next().unwrap_or_default();
            let message = format!("is written in quotes: {} = …", quoted(&join(own, name)));
            return self.problem(&key, line, message);
        }
        if path == RULES && Code::SEMANTIC.iter().any(|code| code.name() == name) {
            return self.problem(&key, line, "always rejects: it cannot be set");
        }
        // the keys of a value are those of its place only, and rules are known by their codes
        let is_alone = table.path != path || path == RULES;
        let known: Vec<String> = if !is_alone {
            paths().collect()
        } else {
            table.keys.iter().map(|key| join(path, key.name)).collect()
        };
        let nearest = closest(&key, known.into_iter());
        self.problem(&key, line, "");
        if let Some(problem) = self.problems.last_mut() {
            problem.nearest = Some(nearest);
        }
    }
}

/// The path of every key and table.
fn paths() -> impl Iterator<Item = String> {
    keys::TABLES.iter().flat_map(|table| {
        let keys = table.keys.iter().map(|key| table.path_of(key.name));
        let own = (!table.path.is_empty()).then(|| table.path.to_owned());
        own.into_iter().chain(keys)
    })
}

/// A text as a problem quotes it.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A key as a problem names it: in one line, and not longer than any known one.
fn quoted_key(key: &str) -> String {
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    shortened(key).chars().map(plain).collect()
}

/// What was found, in words that follow "found".
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => shortened(&number.to_string()),
        DeValue::Float(number) => shortened(&number.to_string()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time without quotes".to_owned(),
        DeValue::Array(items) if items.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(table) if table.is_empty() => "an empty table".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
