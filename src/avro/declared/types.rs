//! The types of a schema, with their names as the schema spells them.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;

use crate::avro::PlanError;
use crate::avro::names::Original;
use crate::avro::writer_schema::WriterSchema;

/// A schema and the types that it names.
pub(super) struct Types<'s> {
    schema: &'s WriterSchema,
    names: HashMap<Name, &'s Schema>,
}

impl<'s> Types<'s> {
    pub fn of(schema: &'s WriterSchema) -> Types<'s> {
        Types {
            schema,
            names: schema.names(),
        }
    }

    /// The type that a reference names; any other type is returned as it is.
    pub fn definition(&self, schema: &'s Schema) -> Result<&'s Schema, PlanError> {
        let Schema::Ref { name } = schema else {
            return Ok(schema);
        };
        self.names.get(name).copied().ok_or_else(|| {
            PlanError::new("the schema names a type that is not defined where it is named")
        })
    }

    pub fn original(&self, name: &Name) -> Result<&'s Original, PlanError> {
        let original = self.schema.original(name);
        original.ok_or_else(|| PlanError::new("the schema has a type without a name"))
    }

    /// The name of a type with one, without its namespace.
    pub fn name(&self, schema: &Schema) -> Option<&'s str> {
        let original = self.schema.original(schema.name()?)?;
        Some(&original.name)
    }
}
