//! The JSON Schemas of the built-in sources, which explain what is wrong with a value that typed deserialisation refused.

use std::sync::LazyLock;

use crate::json::schema::{BatchSchema, Schema};
use crate::model::record::Source;

static SCHEMAS: LazyLock<Result<[Schema; 4], String>> = LazyLock::new(|| {
    Ok([
        Schema::parse(include_str!("../../schemas/loyalty-customers.schema.json"))?,
        Schema::parse(include_str!("../../schemas/loyalty-actions.schema.json"))?,
        Schema::parse(include_str!("../../schemas/console-customers.schema.json"))?,
        Schema::parse(include_str!(
            "../../schemas/publisher-customers.schema.json"
        ))?,
    ])
});

/// The schema of a publisher's batch without that of its elements, and that of an element.
static BATCH: LazyLock<Result<(Schema, Schema), String>> = LazyLock::new(|| {
    let document = of(Source::PublisherCustomers)?.document();
    match Schema::of_batch(document, &["customers".to_owned()])? {
        BatchSchema::Split {
            frame,
            element: Some(element),
        } => Ok((*frame, *element)),
        _ => Err("the schema of a batch has none of its elements".to_owned()),
    }
});

/// The schema of a source. The error means that a schema in this build is broken; a test ensures that this does not
/// happen.
pub fn of(source: Source) -> Result<&'static Schema, String> {
    SCHEMAS
        .as_ref()
        .map(|schemas| &schemas[source.index()])
        .map_err(Clone::clone)
}

pub fn of_batch_element() -> Result<&'static Schema, String> {
    BATCH
        .as_ref()
        .map(|(_, element)| element)
        .map_err(Clone::clone)
}

pub fn of_batch_frame() -> Result<&'static Schema, String> {
    BATCH.as_ref().map(|(frame, _)| frame).map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_of_this_build_is_sound() {
        for source in Source::BUILT_IN {
            of(source).unwrap();
        }
        assert_eq!(of_batch_element().unwrap().list_count(), 2);
        assert_eq!(of_batch_frame().unwrap().list_count(), 0);
    }
}
