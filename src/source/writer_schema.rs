//! The writer schemas of values and keys: how they are named, looked up and compiled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::avro::declared::ReaderSchema;
use crate::avro::{Plan, PlanError};
use crate::config::Sources;
use crate::model::record::Source;

/// How a value identifies its writer schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaId {
    Number(u32),
    Guid([u8; 16]),
}

/// The number, or the GUID as RFC 9562 writes it.
impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaId::Number(number) => write!(f, "{number}"),
            SchemaId::Guid(bytes) => {
                let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
                let (a, rest) = digits.split_at(8);
                let (b, rest) = rest.split_at(4);
                let (c, rest) = rest.split_at(4);
                let (d, e) = rest.split_at(4);
                write!(f, "{a}-{b}-{c}-{d}-{e}")
            }
        }
    }
}

/// What a writer schema is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// The values of a source, read as that source says.
    Values(Source),
    /// Keys, read as their writer wrote them, whatever their source.
    Keys,
}

impl From<Source> for Purpose {
    fn from(source: Source) -> Purpose {
        Purpose::Values(source)
    }
}

/// The name of the source, or `keys`.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Values(source) => source.name(),
            Purpose::Keys => "keys",
        })
    }
}

/// The reader schemas that the definitions of declared sources give. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ReaderSchemas(Arc<HashMap<Source, Result<ReaderSchema, PlanError>>>);

impl ReaderSchemas {
    pub fn of(sources: &Sources) -> ReaderSchemas {
        let readers = sources.iter().filter_map(|(source, _)| {
            let text = sources.plan(source)?.definition.reader.as_deref()?;
            Some((source, ReaderSchema::parse(text)))
        });
        ReaderSchemas(Arc::new(readers.collect()))
    }

    /// None: the source has none of its own.
    fn of_source(&self, source: Source) -> Option<&Result<ReaderSchema, PlanError>> {
        self.0.get(&source)
    }
}

/// What is known about a writer schema for a purpose.
#[derive(Debug, Clone)]
pub enum WriterSchema {
    Plan(Arc<Plan>),
    /// The registry says that there is no such schema: `unknown_schema_id`.
    Unknown,
    /// No value of this schema can be read for this purpose, for the given reason: `invalid_avro`.
    Unusable(Arc<str>),
    /// The schema `string`: a key may have it, but not a value of a source.
    PlainString,
}

impl WriterSchema {
    /// Compiles the text of a schema. `references` are the texts of the schemas that it refers to; each comes after
    /// those that it refers to itself.
    pub fn compile(
        purpose: Purpose,
        readers: &ReaderSchemas,
        schema: &str,
        references: &[&str],
    ) -> WriterSchema {
        if Plan::is_of_text(schema, references) {
            return WriterSchema::PlainString;
        }
        let plan = match purpose {
            Purpose::Keys => Plan::declared(None, schema, references),
            Purpose::Values(source) => match readers.of_source(source) {
                None => Plan::compile(source, schema, references),
                Some(Ok(reader)) => Plan::declared(Some(reader), schema, references),
                Some(Err(error)) => Err(error.clone()),
            },
        };
        match plan {
            Ok(plan) => WriterSchema::Plan(Arc::new(plan)),
            Err(error) => WriterSchema::Unusable(error.to_string().into()),
        }
    }
}

/// Where writer schemas are looked up.
pub trait SchemaLookup: Send + Sync {
    /// None: the answer is not known yet, and the record has to wait for it.
    fn writer_schema(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema>;

    /// Whether there is a registry, or a folder of schemas, to ask. There need not be one if no format is Avro.
    fn is_available(&self) -> bool {
        true
    }
}

/// The schema lookup of a configuration without Avro.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl SchemaLookup for NoSchemas {
    fn writer_schema(&self, _: Purpose, _: SchemaId) -> Option<WriterSchema> {
        Some(WriterSchema::Unknown)
    }

    fn is_available(&self) -> bool {
        false
    }
}
