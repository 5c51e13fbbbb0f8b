//! What is generated from the table of keys: the tables of `docs/definitions.md` and the JSON Schema for editors.

use serde_json::{Map, Value, json};

use super::keys::{self, TABLES, VALUE};
use super::shape::{Accepts, Key, Kind, Table};

/// The tables of `docs/definitions.md`.
#[must_use]
pub fn markdown() -> String {
    let tables = TABLES.iter().filter(|table| !table.keys.is_empty());
    tables.chain([&*VALUE]).map(section).collect()
}

fn section(table: &Table) -> String {
    let title = match (table.path, table.is_repeated) {
        ("", _) => "The record".to_owned(),
        (path, _) if path == VALUE.path => "A value".to_owned(),
        (path, true) => format!("`[[{path}]]`"),
        (path, false) => format!("`[{path}]`"),
    };
    let mut out = format!(
        "\n### {title}\n\n{}\n\n| Key | Accepted | Without it | Meaning |\n|---|---|---|---|\n",
        table.about
    );
    let mut last = String::new();
    for key in &table.keys {
        let accepted = accepted(key);
        // words that several keys have in common are explained once
        let shown = match accepted == last && matches!(key.accepts, Accepts::Word(_)) {
            true => "as above",
            false => &accepted,
        };
        out.push_str(&row(key, shown));
        last = accepted;
    }
    out
}

fn accepted(key: &Key) -> String {
    match key.accepts {
        Accepts::Value(kind) => format!("[a value](#a-value): {}", kind.becomes()),
        Accepts::Word(words) => {
            let words = words().into_iter();
            let words: Vec<String> = words
                .map(|(word, meaning)| format!("`{word:?}`: {meaning}"))
                .collect();
            words.join("<br>")
        }
        accepts => accepts.expected(),
    }
}

fn row(key: &Key, accepted: &str) -> String {
    let unset = match key.is_required() {
        true => "it must be there",
        false => key.unset,
    };
    let row = format!(
        "| `{}` | {accepted} | {unset} | {} |\n",
        key.name, key.about
    );
    row.replace("|  |", "| |")
}

/// The JSON Schema of a definition, for editors.
#[must_use]
pub fn schema() -> Value {
    let mut root = match keys::table("") {
        Some(table) => table_schema(table),
        None => json!({}),
    };
    let mut definitions = Map::new();
    definitions.insert("origin".to_owned(), origin());
    definitions.insert("origins".to_owned(), origins());
    for kind in Kind::ALL {
        definitions.insert(kind.name().to_owned(), value_schema(kind));
    }
    root["definitions"] = Value::Object(definitions);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("The definition of a source of keyfold");
    root
}

/// A table with the tables in it.
fn table_schema(table: &Table) -> Value {
    let mut schema = object(table.keys.iter());
    schema["description"] = json!(table.about);
    for inner in TABLES.iter() {
        let (parent, name) = inner.path.rsplit_once('.').unwrap_or(("", inner.path));
        if parent == table.path && !name.is_empty() {
            schema["properties"][name] = match inner.is_repeated {
                true => json!({"type": "array", "items": table_schema(inner)}),
                false => table_schema(inner),
            };
        }
    }
    schema
}

fn object<'k>(keys: impl Iterator<Item = &'k Key>) -> Value {
    let mut schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let mut required = Vec::new();
    for key in keys {
        match key.prefix() {
            Some(prefix) => {
                let names = format!("^{}.", prefix.replace('.', "\\."));
                schema["patternProperties"][names] = key_schema(key);
            }
            None => schema["properties"][key.name] = key_schema(key),
        }
        if key.is_required() {
            required.push(key.name);
        }
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn key_schema(key: &Key) -> Value {
    let accepted = match key.accepts {
        Accepts::Value(kind) => format!("It becomes {}.", kind.becomes()),
        Accepts::Word(words) => {
            let words = words().into_iter();
            let words: Vec<String> = words
                .map(|(word, meaning)| format!("{word:?}: {meaning}"))
                .collect();
            words.join(" ")
        }
        accepts => format!("Accepted: {}.", accepts.expected()),
    };
    let mut schema = accepts_schema(key.accepts);
    let description = format!("{} {accepted}", key.about);
    schema["description"] = json!(description.trim());
    schema
}

fn accepts_schema(accepts: Accepts) -> Value {
    match accepts {
        // beside a reference, draft-07 ignores the description
        Accepts::Value(kind) => json!({"allOf": [reference(kind.name())]}),
        Accepts::Origins => json!({"allOf": [reference("origins")]}),
        Accepts::List => json!({"type": "string", "pattern": "^$|^/|^root:(/|$)"}),
        Accepts::Pointer => json!({"type": "string", "pattern": "^$|^/"}),
        Accepts::Pointers => {
            json!({"type": "array", "items": {"type": "string", "pattern": "^$|^/"}})
        }
        Accepts::Word(words) => {
            json!({"enum": words().into_iter().map(|(word, _)| word).collect::<Vec<_>>()})
        }
        Accepts::Flag => json!({"type": "boolean"}),
        Accepts::Number => json!({"type": "number"}),
        Accepts::Constant => constant(),
        Accepts::Constants => {
            json!({"type": "object", "additionalProperties": constant(), "minProperties": 1})
        }
        Accepts::JsonValues => json!({"type": "array", "minItems": 1}),
        Accepts::File | Accepts::Json | Accepts::Text | Accepts::Code => json!({"type": "string"}),
        Accepts::Timestamp => json!({"type": ["string", "integer"]}),
        Accepts::Headers => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    }
}

fn reference(definition: &str) -> Value {
    json!({"$ref": format!("#/definitions/{definition}")})
}

fn constant() -> Value {
    json!({"type": ["string", "integer", "boolean"]})
}

/// A place in the record.
fn origin() -> Value {
    json!({"type": "string", "pattern": "^$|^/|^root:(/|$)|^key$|^timestamp$|^header:."})
}

fn origins() -> Value {
    let origin = reference("origin");
    json!({"anyOf": [origin, {"type": "array", "items": origin, "minItems": 1}]})
}

fn value_schema(kind: Kind) -> Value {
    let keys = VALUE.keys.iter().filter(|key| kind.takes(key.name));
    let mut table = object(keys);
    table["anyOf"] = match kind.takes("const") {
        true => json!([{"required": ["from"]}, {"required": ["const"]}]),
        false => json!([{"required": ["from"]}]),
    };
    json!({"anyOf": [reference("origins"), table]})
}
