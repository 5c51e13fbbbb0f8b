//! Which places the values of a reader schema have, and whether its defaults fit.

use apache_avro::Schema;

use super::ReaderSchema;
use super::compile::default;
use super::types::Types;
use crate::avro::PlanError;
use crate::avro::names::OriginalField;

/// A step from a value to one inside of it.
#[derive(Debug, Clone, Copy)]
pub enum Step<'p> {
    /// To a field or a member of this name, or to the item with this index.
    Name(&'p str),
    /// To each item of a list; anything else is a list of one.
    Each,
}

/// The places that values of a reader schema have.
pub struct Known<'s> {
    types: Types<'s>,
    root: &'s Schema,
}

impl ReaderSchema {
    pub fn known(&self) -> Known<'_> {
        Known {
            types: Types::of(&self.0),
            root: self.0.root(),
        }
    }

    /// # Errors
    /// A default does not fit the type of its field.
    pub(super) fn check_defaults(&self) -> Result<(), PlanError> {
        let types = Types::of(&self.0);
        let mut unfit = Vec::new();
        for schema in self.0.names().into_values() {
            let Schema::Record(record) = schema else {
                continue;
            };
            let fields: &[OriginalField] = &types.original(&record.name)?.fields;
            let fields = fields.iter().zip(&record.fields);
            let given = fields.filter(|(field, _)| field.default.is_some());
            unfit.extend(
                given.filter_map(|(field, of_reader)| {
                    default(&types, field, &of_reader.schema).err()
                }),
            );
        }
        // The names have no order.
        let first = unfit.into_iter().min_by_key(ToString::to_string);
        first.map_or(Ok(()), Err)
    }
}

impl Known<'_> {
    /// The first step that leads nowhere because a record does not have that name, and the names that it has. None:
    /// there may be something, or a value without parts.
    pub fn unknown_step(&self, steps: &[Step<'_>]) -> Option<(usize, Vec<String>)> {
        let mut here = vec![self.root];
        for (at, step) in steps.iter().enumerate() {
            let mut next = Vec::new();
            let mut names = Vec::new();
            for schema in here {
                inside(&self.types, schema, *step, &mut next, &mut names);
            }
            if next.is_empty() {
                return (!names.is_empty()).then_some((at, names));
            }
            here = next;
        }
        None
    }
}

/// Adds what a step leads to, and the names that a record has.
fn inside<'s>(
    types: &Types<'s>,
    schema: &'s Schema,
    step: Step<'_>,
    next: &mut Vec<&'s Schema>,
    names: &mut Vec<String>,
) {
    match (types.definition(schema), step) {
        (Ok(Schema::Union(union)), _) => {
            for branch in union.variants() {
                inside(types, branch, step, next, names);
            }
        }
        (Ok(Schema::Array(array)), Step::Each) => next.push(&array.items),
        (Ok(Schema::Null), Step::Each) => {}
        (Ok(other), Step::Each) => next.push(other),
        (Ok(Schema::Array(array)), Step::Name(name)) => {
            let is_index = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            next.extend(is_index.then_some(&*array.items));
        }
        (Ok(Schema::Map(map)), Step::Name(_)) => next.push(&map.types),
        (Ok(Schema::Record(record)), Step::Name(name)) => {
            let original = types.original(&record.name);
            let fields = original.map_or(&[][..], |original| &original.fields);
            let found = fields.iter().zip(&record.fields);
            let found = found.filter(|(field, _)| field.name == name);
            next.extend(found.map(|(_, of_reader)| &of_reader.schema));
            names.extend(fields.iter().map(|field| field.name.clone()));
        }
        // Bytes may become an object, and what has no parts says so at its first record.
        _ => {}
    }
}
