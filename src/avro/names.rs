//! Names of writer schemas. They do not matter for reading, but `apache-avro` takes fewer of them than the Java
//! library does: no hyphens or dollar signs in namespaces, no letters beyond ASCII. So a schema is rewritten before it
//! is parsed: each named type gets a name of its own, references follow, and what plays no part in reading is left out
//! (defaults, documentation, aliases of types, attributes of other programs, logical types that do not fit).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::PlanError;

/// The types that have no definition.
const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// Schemas that refer to each other, with names that `apache-avro` takes.
#[derive(Default)]
pub struct Renamed {
    /// The new names of types, by their full ones.
    types: HashMap<String, String>,
    /// The same by aliases. A name goes first.
    aliases: HashMap<String, String>,
    /// The symbols of enumerations as they were, by the enumeration's new name.
    pub symbols: HashMap<String, Vec<String>>,
}

impl Renamed {
    /// Notes the names that a schema defines. All are noted before the first is rewritten.
    pub fn note(&mut self, schema: &Value) -> Result<(), PlanError> {
        self.note_in(schema, "")
    }

    fn note_in(&mut self, schema: &Value, space: &str) -> Result<(), PlanError> {
        match schema {
            Value::Array(branches) => branches
                .iter()
                .try_for_each(|branch| self.note_in(branch, space)),
            Value::Object(parts) => {
                let Some(kind) = parts.get("type").and_then(Value::as_str) else {
                    return parts
                        .get("type")
                        .map_or(Ok(()), |inner| self.note_in(inner, space));
                };
                match kind {
                    "record" | "error" | "enum" | "fixed" => {
                        let (space, name) = name_of(parts, space)?;
                        let new = format!("t{}", self.types.len());
                        let full = full_name(&space, &name);
                        if self.types.insert(full, new.clone()).is_some() {
                            return Err(PlanError::new("the schema defines a type twice"));
                        }
                        for alias in texts(parts.get("aliases")) {
                            let (space, name) = split(alias, &space);
                            self.aliases
                                .entry(full_name(space, name))
                                .or_insert(new.clone());
                        }
                        let fields = parts.get("fields").and_then(Value::as_array);
                        for field in fields.into_iter().flatten() {
                            if let Some(kind) = field.get("type") {
                                self.note_in(kind, &space)?;
                            }
                        }
                        Ok(())
                    }
                    "array" => parts
                        .get("items")
                        .map_or(Ok(()), |items| self.note_in(items, space)),
                    "map" => parts
                        .get("values")
                        .map_or(Ok(()), |values| self.note_in(values, space)),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// A schema whose names were noted, rewritten. Schemas are rewritten in the order in which they were noted.
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
        let part = |name: &str| {
            parts
                .get(name)
                .ok_or_else(|| PlanError::new(format!("the schema has a type without {name}")))
        };
        match kind {
            "array" => {
                let items = self.rewrite_in(part("items")?, space)?;
                Ok(json!({"type": "array", "items": items}))
            }
            "map" => {
                let values = self.rewrite_in(part("values")?, space)?;
                Ok(json!({"type": "map", "values": values}))
            }
            "record" | "error" => {
                let (space, name) = name_of(parts, space)?;
                let name = self.reference(&full_name(&space, &name), "")?;
                let Value::Array(fields) = part("fields")? else {
                    return Err(PlanError::new("the fields of a record are no list"));
                };
                let fields = self.fields(fields, &space)?;
                Ok(json!({"type": "record", "name": name, "fields": fields}))
            }
            "enum" => {
                let (space, name) = name_of(parts, space)?;
                let name = self.reference(&full_name(&space, &name), "")?;
                let Value::Array(symbols) = part("symbols")? else {
                    return Err(PlanError::new("the symbols of an enumeration are no list"));
                };
                let symbols = symbols.iter().map(Value::as_str).map(|symbol| {
                    let symbol = symbol.map(str::to_owned);
                    symbol.ok_or_else(|| PlanError::new("a symbol of the schema is no text"))
                });
                let symbols: Vec<String> = symbols.collect::<Result<_, _>>()?;
                let new: Vec<String> = (0..symbols.len()).map(|at| format!("s{at}")).collect();
                self.symbols.insert(name.clone(), symbols);
                Ok(json!({"type": "enum", "name": name, "symbols": new}))
            }
            "fixed" => {
                let (space, name) = name_of(parts, space)?;
                let name = self.reference(&full_name(&space, &name), "")?;
                Ok(json!({"type": "fixed", "name": name, "size": part("size")?}))
            }
            kind => {
                let name = self.reference(kind, space)?;
                Ok(match logical(kind, parts) {
                    Some(logical) => json!({"type": name, "logicalType": logical}),
                    None => Value::String(name),
                })
            }
        }
    }

    /// A field keeps its name where `apache-avro` takes it: only then can the reader schema ask for it.
    fn fields(&mut self, fields: &[Value], space: &str) -> Result<Vec<Value>, PlanError> {
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

    /// The new name for a type that is named within a namespace.
    fn reference(&mut self, name: &str, space: &str) -> Result<String, PlanError> {
        if PRIMITIVES.contains(&name) {
            return Ok(name.to_owned());
        }
        let (space, name) = split(name, space);
        let full = full_name(space, name);
        let types = &self.types;
        types
            .get(&full)
            .or_else(|| self.aliases.get(&full))
            // as the Java library does: what is not in the namespace may be outside all of them
            .or_else(|| types.get(name))
            .cloned()
            .ok_or_else(|| {
                PlanError::new("the schema names a type that is not defined where it is named")
            })
    }
}

/// The namespace and the name that a definition gives its type.
fn name_of(parts: &Map<String, Value>, around: &str) -> Result<(String, String), PlanError> {
    let name = parts.get("name").and_then(Value::as_str).unwrap_or("");
    let space = parts.get("namespace").and_then(Value::as_str);
    let (space, name) = split(name, space.unwrap_or(around));
    if name.is_empty() {
        return Err(PlanError::new("a type of the schema has no name"));
    }
    Ok((space.to_owned(), name.to_owned()))
}

/// A dot in a name sets the namespace, also a leading one, which sets none.
fn split<'n>(name: &'n str, space: &'n str) -> (&'n str, &'n str) {
    name.rsplit_once('.').unwrap_or((space, name))
}

fn full_name(space: &str, name: &str) -> String {
    match space {
        "" => name.to_owned(),
        space => format!("{space}.{name}"),
    }
}

/// Whether `apache-avro` takes it as the name of a field.
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

/// The logical type of a type without parts, if it is one that reading asks for and that fits.
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
        ("bytes", "decimal") => {
            let number = |name: &str| parts.get(name).map(Value::as_u64);
            let precision = number("precision").flatten().filter(|digits| *digits > 0)?;
            let scale = number("scale").unwrap_or(Some(0))?;
            // which of the two it is does not matter, since neither is read
            (scale <= precision).then_some("big-decimal")
        }
        _ => None,
    }
}
