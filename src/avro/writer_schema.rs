//! Writer schemas: parsed by `apache-avro`, together with the named types that they use.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, UuidSchema};
use serde_json::Value;

use super::PlanError;
use super::names::{Original, RenamedSchemas};

/// A schema with the named types that are defined in it or in the schemas that it refers to.
pub struct WriterSchema {
    root: Schema,
    references: Vec<Schema>,
    originals: HashMap<String, Original>,
}

impl WriterSchema {
    /// Parses a schema; `references` are the texts of the schemas that define types it refers to, in any order. A field
    /// that is not an object is an error here, because `apache-avro` would silently ignore it.
    pub fn parse(text: &str, references: &[&str]) -> Result<WriterSchema, PlanError> {
        let parse = |text: &&str| {
            serde_json::from_str(text)
                .map_err(|_| PlanError::new("the schema is not JSON, or nested too deep"))
        };
        let mut all = references
            .iter()
            .chain([&text])
            .map(parse)
            .collect::<Result<Vec<Value>, _>>()?;
        let mut names = RenamedSchemas::default();
        for schema in &all {
            names.note(schema)?;
        }
        for schema in &mut all {
            *schema = names.rewrite(schema)?;
        }
        let mut texts: Vec<String> = all.iter().map(Value::to_string).collect();
        let text = texts.pop().unwrap_or_default();
        let (root, references) = Schema::parse_str_with_list(&text, &texts)
            .map_err(|error| PlanError::new(format!("the schema is not sound: {error}")))?;
        Ok(WriterSchema {
            root,
            references,
            originals: names.originals,
        })
    }

    pub fn root(&self) -> &Schema {
        &self.root
    }

    /// The symbols of an enumeration as its schema spells them.
    pub fn symbols(&self, name: &Name) -> &[String] {
        self.original(name)
            .map_or(&[], |original| original.symbols.as_slice())
    }

    /// A named type as its schema spells it.
    pub fn original(&self, name: &Name) -> Option<&Original> {
        self.originals.get(name.name())
    }

    /// The definitions of the named types.
    pub fn names(&self) -> HashMap<Name, &Schema> {
        let mut names = HashMap::new();
        for schema in self.references.iter().chain([&self.root]) {
            collect(schema, &mut names);
        }
        names
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
        names.insert(name.clone(), schema);
    }
}

/// The type under a logical type; other types are returned as they are.
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

/// How a value is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Underlying {
    Int,
    Long,
    Text,
    Bytes,
    /// With this number of bytes.
    Fixed(usize),
    /// With this number of symbols.
    Enum(usize),
    Composite,
}
