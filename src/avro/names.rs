//! Renames the types in writer schemas. Names do not matter for reading, but `apache-avro` accepts fewer of them than
//! the Java library does: no hyphens or dollar signs in namespaces, no letters beyond ASCII. So a schema is rewritten
//! before it is parsed: each named type gets a generated name, references follow, and what does not affect reading is
//! left out (defaults, documentation, aliases of types, attributes of other programs, logical types that do not fit).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::PlanError;

/// The types that are not defined by a schema.
const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// Schemas that refer to each other, with names that `apache-avro` accepts.
#[derive(Default)]
pub struct RenamedSchemas {
    /// The new names of types, by their full names.
    types: HashMap<String, String>,
    /// The new names of types, by their aliases. A name takes precedence over an alias.
    aliases: HashMap<String, String>,
    /// What the schemas say of named types, by the types' new names.
    pub originals: HashMap<String, Original>,
}

/// What a schema says of a named type, as it spells it.
#[derive(Default)]
pub struct Original {
    /// Without the namespace.
    pub name: String,
    /// The symbols of an enumeration.
    pub symbols: Vec<String>,
    /// The symbol of an enumeration that stands for those that it does not have.
    pub default: Option<String>,
    /// The fields of a record, in order.
    pub fields: Vec<OriginalField>,
}

pub struct OriginalField {
    pub name: String,
    pub aliases: Vec<String>,
    pub default: Option<Value>,
}

/// A field with its names.
pub trait Spelled {
    fn name(&self) -> &str;
    fn aliases(&self) -> &[String];
}

impl Spelled for OriginalField {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }
}

/// The index of the writer's field for a field of the reader: by its name, then by the reader's aliases, then by the
/// writer's aliases. A writer's field with the name of another field of the reader matches only that one.
pub fn position_of<R: Spelled, W: Spelled>(
    field: &R,
    fields: &[R],
    written: &[W],
) -> Option<usize> {
    let named = |name: &str| written.iter().position(|field| field.name() == name);
    let is_free = |written: &W| fields.iter().all(|field| field.name() != written.name());
    let free = |place: &usize| written.get(*place).is_some_and(is_free);
    let aliases = field.aliases().iter();
    let by_alias = || aliases.filter_map(|alias| named(alias)).find(free);
    let by_alias_of_writer = || {
        let is_alias = |alias: &String| alias == field.name();
        written
            .iter()
            .position(|written| is_free(written) && written.aliases().iter().any(is_alias))
    };
    named(field.name())
        .or_else(by_alias)
        .or_else(by_alias_of_writer)
}

impl RenamedSchemas {
    /// Collects the names that a schema defines. The names of all schemas must be collected before the first is
    /// rewritten.
    pub fn note(&mut self, schema: &Value) -> Result<(), PlanError> {
        self.note_in(schema, "")
    }

    fn note_in(&mut self, schema: &Value, space: &str) -> Result<(), PlanError> {
        let parts = match schema {
            Value::Array(branches) => {
                return branches
                    .iter()
                    .try_for_each(|branch| self.note_in(branch, space));
            }
            Value::Object(parts) => parts,
            _ => return Ok(()),
        };
        let Some(kind) = schema["type"].as_str() else {
            return self.note_in(&schema["type"], space);
        };
        match kind {
            "array" => self.note_in(&schema["items"], space),
            "map" => self.note_in(&schema["values"], space),
            "record" | "error" | "enum" | "fixed" => {
                let (space, full) = name_of(parts, space)?;
                let new = format!("t{}", self.types.len());
                if self.types.insert(full, new.clone()).is_some() {
                    return Err(PlanError::new("the schema defines a type twice"));
                }
                for alias in texts(parts.get("aliases")) {
                    let alias = full_name(alias, &space);
                    self.aliases.entry(alias).or_insert(new.clone());
                }
                let fields = parts.get("fields").and_then(Value::as_array);
                let mut types = fields.into_iter().flatten().map(|field| &field["type"]);
                types.try_for_each(|of| self.note_in(of, &space))
            }
            _ => Ok(()),
        }
    }

    /// Rewrites a schema whose names were collected. Schemas must be rewritten in the order in which they were
    /// collected.
    pub fn rewrite(&mut self, schema: &Value) -> Result<Value, PlanError> {
        self.rewrite_in(schema, "")
    }

    fn rewrite_in(&mut self, schema: &Value, space: &str) -> Result<Value, PlanError> {
        match schema {
            Value::String(name) => self.reference(name, space).map(Value::String),
            Value::Array(branches) => branches
                .iter()
                .map(|branch| self.rewrite_in(branch, space))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(parts) => self.rewrite_object(parts, space),
            _ => Err(PlanError::new("the schema has a type that is no type")),
        }
    }

    fn rewrite_object(
        &mut self,
        parts: &Map<String, Value>,
        space: &str,
    ) -> Result<Value, PlanError> {
        let kind = match parts.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => return self.rewrite_in(inner, space),
            None => return Err(PlanError::new("the schema has an object without a type")),
        };
        match kind {
            "array" => {
                let items = self.rewrite_in(part(parts, "items")?, space)?;
                Ok(json!({"type": "array", "items": items}))
            }
            "map" => {
                let values = self.rewrite_in(part(parts, "values")?, space)?;
                Ok(json!({"type": "map", "values": values}))
            }
            "record" | "error" | "enum" | "fixed" => self.rewrite_named(kind, parts, space),
            kind => {
                let name = self.reference(kind, space)?;
                match logical(kind, parts) {
                    Some(_) => Ok(with_logical(json!({"type": name}), kind, parts)),
                    None => Ok(Value::String(name)),
                }
            }
        }
    }

    /// A type with a name of its own.
    fn rewrite_named(
        &mut self,
        kind: &str,
        parts: &Map<String, Value>,
        space: &str,
    ) -> Result<Value, PlanError> {
        let (space, full) = name_of(parts, space)?;
        let name = self.reference(&full, "")?;
        let mut original = Original {
            name: split(&full, "").1.to_owned(),
            ..Original::default()
        };
        let new = match kind {
            "enum" => {
                let default = parts.get("default").and_then(Value::as_str);
                original.default = default.map(str::to_owned);
                original.symbols = symbols(part(parts, "symbols")?)?;
                // An enumeration gets generated symbols too.
                let symbols = (0..original.symbols.len()).map(|at| format!("s{at}"));
                json!({"type": "enum", "name": name, "symbols": symbols.collect::<Value>()})
            }
            "fixed" => {
                let fixed = json!({"type": "fixed", "name": name, "size": part(parts, "size")?});
                with_logical(fixed, kind, parts)
            }
            _ => {
                let fields = part(parts, "fields")?;
                let fields = self.rewrite_fields(fields, &space, &mut original.fields)?;
                json!({"type": "record", "name": name, "fields": fields})
            }
        };
        self.originals.insert(name, original);
        Ok(new)
    }

    /// A field keeps its name if `apache-avro` accepts it: the reader schema can only ask for such a name.
    fn rewrite_fields(
        &mut self,
        fields: &Value,
        space: &str,
        originals: &mut Vec<OriginalField>,
    ) -> Result<Vec<Value>, PlanError> {
        let Value::Array(fields) = fields else {
            return Err(PlanError::new("the fields of a record are no list"));
        };
        let names = fields
            .iter()
            .filter_map(|field| field.get("name")?.as_str());
        let taken: HashSet<&str> = names.collect();
        let mut free = (0..).map(|at| format!("f{at}"));
        let mut rewritten = Vec::with_capacity(fields.len());
        for field in fields {
            let Value::Object(parts) = field else {
                return Err(PlanError::new("a field of the schema is no object"));
            };
            let (Some(name), Some(kind)) =
                (parts.get("name").and_then(Value::as_str), parts.get("type"))
            else {
                return Err(PlanError::new(
                    "a field of the schema has no name or no type",
                ));
            };
            originals.push(OriginalField {
                name: name.to_owned(),
                aliases: texts(parts.get("aliases")).map(str::to_owned).collect(),
                default: parts.get("default").cloned(),
            });
            let name = match is_plain(name) {
                true => name.to_owned(),
                false => free
                    .find(|name| !taken.contains(name.as_str()))
                    .unwrap_or_default(),
            };
            let aliases: Vec<&str> = texts(parts.get("aliases"))
                .filter(|alias| is_plain(alias))
                .collect();
            let kind = self.rewrite_in(kind, space)?;
            rewritten.push(json!({"name": name, "type": kind, "aliases": aliases}));
        }
        Ok(rewritten)
    }

    /// The new name of a type that is referred to from within a namespace.
    fn reference(&mut self, name: &str, space: &str) -> Result<String, PlanError> {
        if PRIMITIVES.contains(&name) {
            return Ok(name.to_owned());
        }
        let full = full_name(name, space);
        let (_, name) = split(name, space);
        let types = &self.types;
        types
            .get(&full)
            .or_else(|| self.aliases.get(&full))
            // As in the Java library: a name that is not in the namespace may be one without a namespace.
            .or_else(|| types.get(name))
            .cloned()
            .ok_or_else(|| {
                PlanError::new("the schema names a type that is not defined where it is named")
            })
    }
}

/// The namespace of a definition, and the full name of its type.
fn name_of(parts: &Map<String, Value>, around: &str) -> Result<(String, String), PlanError> {
    let name = parts.get("name").and_then(Value::as_str).unwrap_or("");
    let space = parts.get("namespace").and_then(Value::as_str);
    let (space, name) = split(name, space.unwrap_or(around));
    if name.is_empty() {
        return Err(PlanError::new("a type of the schema has no name"));
    }
    Ok((space.to_owned(), full_name(name, space)))
}

/// Splits a name. A dot in it sets the namespace, and so does a leading dot, which sets an empty one.
fn split<'n>(name: &'n str, space: &'n str) -> (&'n str, &'n str) {
    name.rsplit_once('.').unwrap_or((space, name))
}

fn full_name(name: &str, space: &str) -> String {
    match split(name, space) {
        ("", name) => name.to_owned(),
        (space, name) => format!("{space}.{name}"),
    }
}

/// Whether `apache-avro` accepts it as the name of a field.
fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn part<'p>(parts: &'p Map<String, Value>, name: &str) -> Result<&'p Value, PlanError> {
    parts
        .get(name)
        .ok_or_else(|| PlanError::new(format!("the schema has a type without {name}")))
}

/// The symbols of an enumeration.
fn symbols(list: &Value) -> Result<Vec<String>, PlanError> {
    let Value::Array(symbols) = list else {
        return Err(PlanError::new("the symbols of an enumeration are no list"));
    };
    let texts = symbols
        .iter()
        .map(|symbol| symbol.as_str().map(str::to_owned));
    let texts: Option<Vec<String>> = texts.collect();
    texts.ok_or_else(|| PlanError::new("a symbol of the schema is no text"))
}

/// A type with its logical type, if reading needs that.
fn with_logical(mut new: Value, kind: &str, parts: &Map<String, Value>) -> Value {
    if let Some(logical) = logical(kind, parts) {
        new["logicalType"] = logical.into();
        if logical == "decimal" {
            new["precision"] = parts.get("precision").cloned().unwrap_or_default();
            new["scale"] = parts.get("scale").cloned().unwrap_or(0.into());
        }
    }
    new
}

/// The logical type of a type without parts, if reading needs it and it is valid.
fn logical(kind: &str, parts: &Map<String, Value>) -> Option<&'static str> {
    let logical = parts.get("logicalType")?.as_str()?;
    match (kind, logical) {
        ("int", "date") => Some("date"),
        ("long", "timestamp-millis") => Some("timestamp-millis"),
        ("long", "timestamp-micros") => Some("timestamp-micros"),
        ("long", "timestamp-nanos") => Some("timestamp-nanos"),
        ("long", "local-timestamp-millis") => Some("local-timestamp-millis"),
        ("long", "local-timestamp-micros") => Some("local-timestamp-micros"),
        ("long", "local-timestamp-nanos") => Some("local-timestamp-nanos"),
        ("bytes", "big-decimal") => Some("big-decimal"),
        ("fixed", "uuid") => Some("uuid"),
        ("bytes" | "fixed", "decimal") => {
            let number = |name: &str| parts.get(name).map(Value::as_u64);
            let precision = number("precision").flatten()?;
            let scale = number("scale").unwrap_or(Some(0))?;
            (precision > 0 && scale <= precision).then_some("decimal")
        }
        _ => None,
    }
}
