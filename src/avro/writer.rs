//! Writer schemas: parsed by `apache-avro`, with all their named types at hand.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, UuidSchema};
use serde_json::Value;

use super::PlanError;

/// A schema and the named types that are defined in it or in those that it refers to.
pub struct Writer {
    root: Schema,
    references: Vec<Schema>,
}

impl Writer {
    /// Parses a schema; `references` are the texts of the schemas that it names types of, in any order.
    pub fn parse(text: &str, references: &[&str]) -> Result<Writer, PlanError> {
        let text = prepared(text)?;
        let references = references
            .iter()
            .map(|text| prepared(text))
            .collect::<Result<Vec<_>, _>>()?;
        let (root, references) = Schema::parse_str_with_list(&text, &references)
            .map_err(|error| PlanError::new(format!("the schema is not sound: {error}")))?;
        Ok(Writer { root, references })
    }

    pub fn root(&self) -> &Schema {
        &self.root
    }

    /// The definitions of the named types, also by their aliases.
    pub fn names(&self) -> HashMap<Name, &Schema> {
        let mut names = HashMap::new();
        for schema in self.references.iter().chain([&self.root]) {
            collect(schema, &mut names);
        }
        names
    }
}

/// A writer schema without its fields' defaults. They play no part in reading, yet `apache-avro` refuses a schema
/// for a default that does not fit its type, which registries have let through. A field that is no object is an
/// error here, since `apache-avro` would pass over it.
fn prepared(text: &str) -> Result<String, PlanError> {
    let mut schema: Value = serde_json::from_str(text)
        .map_err(|_| PlanError::new("the schema is not JSON, or nested too deep"))?;
    drop_defaults(&mut schema)?;
    Ok(schema.to_string())
}

fn drop_defaults(schema: &mut Value) -> Result<(), PlanError> {
    match schema {
        Value::Array(branches) => branches.iter_mut().try_for_each(drop_defaults),
        Value::Object(parts) => {
            if let Some(Value::Array(fields)) = parts.get_mut("fields") {
                for field in fields {
                    let Value::Object(field) = field else {
                        return Err(PlanError::new("a field of the schema is no object"));
                    };
                    field.remove("default");
                    field.get_mut("type").map_or(Ok(()), drop_defaults)?;
                }
            }
            ["type", "items", "values"]
                .into_iter()
                .try_for_each(|name| parts.get_mut(name).map_or(Ok(()), drop_defaults))
        }
        _ => Ok(()),
    }
}

fn collect<'s>(schema: &'s Schema, names: &mut HashMap<Name, &'s Schema>) {
    match schema {
        Schema::Ref { .. } => return,
        Schema::Record(record) => {
            for field in &record.fields {
                collect(&field.schema, names);
            }
        }
        Schema::Array(array) => collect(&array.items, names),
        Schema::Map(map) => collect(&map.types, names),
        Schema::Union(union) => {
            for branch in union.variants() {
                collect(branch, names);
            }
        }
        _ => {}
    }
    if let Some(name) = schema.name() {
        for alias in schema.aliases().into_iter().flatten() {
            let alias = alias.fully_qualified_name(name.namespace());
            names.entry(alias.into_owned()).or_insert(schema);
        }
        names.insert(name.clone(), schema);
    }
}

/// The type under a logical one; the type itself for others.
pub fn underlying(schema: &Schema) -> Underlying {
    match schema {
        Schema::Int | Schema::Date | Schema::TimeMillis => Underlying::Int,
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Underlying::Long,
        Schema::String | Schema::Uuid(UuidSchema::String) => Underlying::Text,
        Schema::Bytes
        | Schema::BigDecimal
        | Schema::Uuid(UuidSchema::Bytes)
        | Schema::Decimal(DecimalSchema {
            inner: InnerDecimalSchema::Bytes,
            ..
        }) => Underlying::Bytes,
        Schema::Fixed(fixed)
        | Schema::Duration(fixed)
        | Schema::Uuid(UuidSchema::Fixed(fixed))
        | Schema::Decimal(DecimalSchema {
            inner: InnerDecimalSchema::Fixed(fixed),
            ..
        }) => Underlying::Fixed(fixed.size),
        Schema::Boolean => Underlying::Fixed(1),
        Schema::Float => Underlying::Fixed(4),
        Schema::Double => Underlying::Fixed(8),
        Schema::Null => Underlying::Fixed(0),
        Schema::Enum(symbols) => Underlying::Enum(symbols.symbols.len()),
        Schema::Array(_) | Schema::Map(_) | Schema::Union(_) | Schema::Record(_) => {
            Underlying::Composite
        }
        Schema::Ref { .. } => Underlying::Composite,
    }
}

/// How a datum is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Underlying {
    Int,
    Long,
    Text,
    Bytes,
    /// So many bytes.
    Fixed(usize),
    /// So many symbols.
    Enum(usize),
    Composite,
}
