//! What is generated from the table of keys: the configuration in force, the reference file, the tables of
//! `docs/configuration.md` and the JSON Schema for editors.

use std::collections::BTreeSet;

use serde_json::{Map, json};
use toml::Value;

use super::section::{Key, Section, Table};
use super::shape::Shape;
use super::{Config, Origins, names, priorities, properties, text};

impl Config {
    /// The configuration in force as TOML. Secrets are redacted, including those among librdkafka's properties, and so
    /// are credentials in URLs. Without these it can be loaded again.
    #[must_use]
    pub fn print(&self) -> String {
        self.print_with(&Origins::default())
    }

    /// The same with a comment behind each key that is set: where that is.
    #[must_use]
    pub fn print_with(&self, origins: &Origins) -> String {
        let mut out = "# the configuration in force; secrets are redacted\n".to_owned();
        for table in self.tables("") {
            out.push_str(&header(&table));
            for key in &table.keys {
                out.push_str(&match key.shown() {
                    Some(value) => {
                        let size = key.spec.shape.in_words(&value);
                        let origin = origins.of(&table.path_of(&key.name));
                        let remarks = [size.as_deref(), origin].into_iter().flatten();
                        let comment = in_comment(&remarks.collect::<Vec<_>>().join(", "));
                        format!("{} = {value}{comment}\n", toml_key(&key.name))
                    }
                    None => format!("# {} is not set: {}\n", key.name, key.spec.unset),
                });
            }
        }
        out
    }
}

/// A comment behind a value, none for an empty text. A control character, which the path of a file may contain, would end it.
fn in_comment(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("  # {}", text.replace(char::is_control, "?")),
    }
}

/// The reference file `config/keyfold.toml`: every key with its default and its documentation.
#[must_use]
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    let mut texts = Texts::default();
    for table in names::TABLES.iter() {
        let is_documented = !table.path.is_empty() && texts.is_first(&table.about);
        if is_documented {
            out.push_str(&format!("\n{}", wrapped(&table.about)));
        }
        if table.path == names::PROPERTIES {
            let refused: Vec<_> = properties::refused().collect();
            out.push_str(&wrapped(&format!("Refused are {}.", refused.join(", "))));
        }
        let header = header(table);
        out.push_str(if is_documented {
            header.trim_start()
        } else {
            &header
        });
        if table.path == names::PROPERTIES {
            out.push_str(&commented(properties::EXAMPLES));
        }
        if table.path == names::PRIORITIES {
            out.push_str(&commented(priorities::EXAMPLES));
        }
        for key in &table.keys {
            out.push_str(&reference_entry(key, &mut texts));
        }
        if names::is_last_source(&table.path) {
            out.push_str(&reference_of_declared(&mut texts));
        }
    }
    out
}

/// The example of a declared source in the reference file.
fn reference_of_declared(texts: &mut Texts) -> String {
    let mut out = format!(
        "\n{}# [{}crm-contacts]\n",
        wrapped(&names::DECLARED.about),
        names::SOURCE
    );
    for key in &names::DECLARED.keys {
        for line in reference_entry(key, texts).lines() {
            let comment = if line.starts_with('#') { "" } else { "# " };
            out.push_str(&format!("{comment}{line}\n"));
        }
    }
    out
}

/// The entry of a key in the reference file. If several tables have the same keys, these are documented once.
fn reference_entry(key: &Key, texts: &mut Texts) -> String {
    let mut entry = String::new();
    if texts.is_first(&key.about) {
        entry.push_str(&wrapped(&key.about));
        match &key.spec.shape {
            Shape::Flag => {}
            Shape::Word(words) => {
                let lines = word_lines(words);
                if texts.is_first(&lines) {
                    entry.push_str(&commented(&lines));
                }
            }
            shape => entry.push_str(&wrapped(&format!("Accepted: {}.", shape.expected()))),
        }
    }
    match &key.value {
        Some(value) => {
            let size = key.spec.shape.in_words(value).unwrap_or_default();
            entry.push_str(&format!("{} = {value}{}\n", key.name, in_comment(&size)));
        }
        None => {
            if key.spec.unset != key.spec.example && key.spec.unset != names::REQUIRED {
                entry.push_str(&wrapped(&format!("If not set: {}.", key.spec.unset)));
            }
            entry.push_str(&format!("# {} = {}\n", key.name, key.spec.example));
        }
    }
    entry
}

const INTRODUCTION: &str = "\
#:schema ./keyfold.schema.json
# keyfold's configuration: every key with its default. Leave out what you do not change.
#
# This file is written from the table of keys, src/config/keys.rs.
#
# Every key is also an environment variable, which takes precedence over this file: KEYFOLD__ and the
# path of the key in capital letters, with `__` between levels and `_` for `-`:
#   KEYFOLD__KAFKA__BOOTSTRAP_SERVERS=broker-1:9092,broker-2:9092
#   KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS=loyalty.customers,loyalty.customers-eu
# Lists are separated by commas. An unknown key or variable is an error. A variable with __FILE behind
# its name holds the path of a file with the value:
#   KEYFOLD__REGISTRY__PASSWORD__FILE=/run/secrets/registry-password
# `keyfold config` prints the configuration in force, with secrets redacted, and where it is set.

";

/// The texts that are written already, because keys that several sources share are documented once.
#[derive(Default)]
struct Texts(BTreeSet<String>);

impl Texts {
    fn is_first(&mut self, text: &str) -> bool {
        self.0.insert(text.to_owned())
    }
}

/// The header of a table, after an empty line; none if the table cannot contain a key.
fn header(table: &Table) -> String {
    let is_open = table.path == names::PROPERTIES || table.path == names::PRIORITIES;
    let is_table = !table.keys.is_empty() || is_open;
    if table.path.is_empty() || !is_table {
        return String::new();
    }
    format!("\n[{}]\n", table.path)
}

/// The name of a key as TOML writes it.
fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

/// Each line as a comment.
fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}

/// A comment in lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut comment = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            comment.push_str(&format!("{line}\n"));
            line = "#".to_owned();
        }
        line.push_str(&format!(" {word}"));
    }
    format!("{comment}{line}\n")
}

/// Each word with its meaning, on a line of its own.
fn word_lines(words: &[(&str, &str)]) -> String {
    let longest = words.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let lines = words
        .iter()
        .map(|(word, meaning)| format!("  {:1$}{meaning}\n", format!("{word:?}"), longest + 3));
    lines.collect()
}

/// The tables of `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    let mut texts = Texts::default();
    let tables = names::TABLES.iter().flat_map(|table| {
        let declared = names::is_last_source(&table.path).then_some(&*names::DECLARED);
        [Some(table), declared]
    });
    for table in tables.flatten() {
        if texts.is_first(&table.about) {
            out.push_str(&format!("\n{}\n", in_one_line(&table.about)));
        }
        if table.path == names::PROPERTIES {
            let refused: Vec<_> = properties::refused()
                .map(|name| format!("`{name}`"))
                .collect();
            out.push_str(&format!("Refused are {}.\n", refused.join(", ")));
        }
        if table.keys.is_empty() {
            continue;
        }
        out.push_str("\n| Key | Default | Accepted | Meaning |\n|---|---|---|---|\n");
        for key in &table.keys {
            out.push_str(&row(table, key, &mut texts));
        }
    }
    out
}

/// A row of a table. If several tables have the same keys, these are documented once.
fn row(table: &Table, key: &Key, texts: &mut Texts) -> String {
    let default = match &key.value {
        Some(value) => match key.spec.shape.in_words(value) {
            Some(size) => format!("`{value}` ({size})"),
            None => format!("`{value}`"),
        },
        None => key.spec.unset.to_owned(),
    };
    let (mut accepted, mut about) = (key.spec.shape.expected(), "as above".to_owned());
    if texts.is_first(&key.about) {
        about = in_one_line(&key.about);
        if let Shape::Word(words) = &key.spec.shape
            && texts.is_first(&word_lines(words))
        {
            accepted = meanings(words).collect::<Vec<_>>().join("<br>");
        }
    }
    let path = table.path_of(&key.name);
    format!("| `{path}` | {default} | {accepted} | {about} |\n")
}

/// Each word with its meaning.
fn meanings(words: &[(&str, &str)]) -> impl Iterator<Item = String> {
    words
        .iter()
        .map(|(word, meaning)| format!("`{word:?}`: {}", meaning.trim()))
}

fn in_one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// The JSON Schema of a configuration file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut root = object("keyfold's configuration");
    for table in names::TABLES.iter() {
        let inner = match table.path.as_str() {
            "" => &mut root,
            path => path
                .split('.')
                .fold(&mut root, |outer, name| &mut outer["properties"][name]),
        };
        if !table.path.is_empty() {
            *inner = object(&table.about);
        }
        if table.path == names::PROPERTIES {
            inner["additionalProperties"] = Shape::Property.schema();
        }
        if table.path == names::PRIORITIES {
            priorities::add_to_schema(inner);
        }
        for key in &table.keys {
            inner["properties"][&key.name] = key_schema(key);
        }
    }
    add_declared(&mut root["properties"]["sources"]);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root
}

/// Adds what a source of any other name accepts.
fn add_declared(sources: &mut serde_json::Value) {
    let mut declared = object(&names::DECLARED.about);
    for key in &names::DECLARED.keys {
        declared["properties"][&key.name] = key_schema(key);
    }
    let required = names::DECLARED.keys.iter();
    let required = required.filter(|key| key.spec.unset == names::REQUIRED);
    declared["required"] = required.map(|key| key.name.as_str()).collect();
    sources["additionalProperties"] = declared;
    sources["propertyNames"] =
        json!({"pattern": "^[a-z0-9-]{1,64}$", "not": {"enum": text::RESERVED}});
}

fn object(about: &str) -> serde_json::Value {
    json!({
        "description": in_one_line(about),
        "type": "object",
        "properties": Map::new(),
        "additionalProperties": false
    })
}

fn key_schema(key: &Key) -> serde_json::Value {
    let accepted = match &key.spec.shape {
        Shape::Word(words) => meanings(words).collect::<Vec<_>>().join(" "),
        shape => format!("Accepted: {}.", shape.expected()),
    };
    let mut schema = key.spec.shape.schema();
    schema["description"] = json!(format!("{} {accepted}", in_one_line(&key.about)));
    if let Some(value) = &key.value {
        schema["default"] = json!(value);
    }
    schema
}
