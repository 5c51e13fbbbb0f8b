//! The JSON Schema of a definition, and whether the pass checks it.

use serde_json::Value;

use super::{BatchSchemaPlan, SchemaPlan};
use crate::definition::pass::Builder;
use crate::definition::{Definition, Pointer};
use crate::json::schema::{BatchSchema, Schema};

/// The document of a definition's schema.
pub(super) fn document(definition: &Definition) -> Result<Option<Value>, String> {
    let Some(text) = &definition.schema else {
        return Ok(None);
    };
    let document = serde_json::from_str(text);
    document
        .map(Some)
        .map_err(|error| format!("the schema is no JSON: {error}"))
}

/// A builder of the pass over the record that checks the schema, if it can. Otherwise one that checks nothing.
pub(super) fn checking(definition: &Definition, document: Option<&Value>) -> (Builder, bool) {
    let mut builder = Builder::default();
    let Some(document) = document else {
        return (builder, false);
    };
    let batch = definition.each.as_ref().map(|each| &each.0[..]);
    // Each shape would have its batch in another place.
    let is_in_one_place = batch.is_none() || definition.envelope.has_one_shape();
    match is_in_one_place && builder.check(builder.root(), document, batch).is_ok() {
        true => (builder, true),
        false => (Builder::default(), false),
    }
}

/// The schema of a record that is no batch.
pub(super) fn of_record(document: &Value, is_checked: bool) -> Result<SchemaPlan, String> {
    let schema = Schema::build(document).map_err(no_schema)?;
    Ok(SchemaPlan { schema, is_checked })
}

/// The schema of a batch whose elements are at a pointer. That of an element is checked in the pass over it, if it can
/// be.
pub(super) fn of_batch(
    document: &Value,
    list: &Pointer,
    is_checked: bool,
    element_pass: &mut Builder,
) -> Result<BatchSchemaPlan, String> {
    let schema = Schema::of_batch(document, &list.0).map_err(no_schema)?;
    Ok(match schema {
        BatchSchema::Whole(schema) => BatchSchemaPlan::Whole(schema),
        BatchSchema::Split { frame, element } => BatchSchemaPlan::Split {
            frame: Box::new(SchemaPlan {
                schema: *frame,
                is_checked,
            }),
            element: element.map(|schema| {
                let mut checking = Builder::default();
                let root = checking.root();
                let is_checked = checking.check(root, schema.document(), None).is_ok();
                if is_checked {
                    *element_pass = checking;
                }
                Box::new(SchemaPlan {
                    schema: *schema,
                    is_checked,
                })
            }),
        },
    })
}

fn no_schema(error: String) -> String {
    format!("the schema is no JSON Schema: {error}")
}
