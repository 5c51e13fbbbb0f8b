//! The schema stage: the JSON Schema says what is wrong with a value that the typed reading refused.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::wire::{self, FindDuplicate, Plain};
use crate::record::{Code, Rejection, Source, Violation};
use crate::time::{Date, Instant};

/// A JSON Schema with its validator.
pub struct Schema {
    document: Value,
    validator: Validator,
}

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

/// The schema of one element of a publisher's batch.
static BATCH_ELEMENT: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let batch = of(Source::PublisherCustomers)?;
    Schema::build(batch.document["properties"]["customers"]["items"].clone())
});

/// The schema of a batch without those of its elements.
static BATCH_FRAME: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let mut document = of(Source::PublisherCustomers)?.document.clone();
    if let Some(customers) = document["properties"]["customers"].as_object_mut() {
        customers.remove("items");
    }
    Schema::build(document)
});

/// The schema of a source. The error, which a test rules out, says that a schema of this build is broken.
pub fn of(source: Source) -> Result<&'static Schema, String> {
    SCHEMAS
        .as_ref()
        .map(|schemas| &schemas[source.index()])
        .map_err(Clone::clone)
}

pub fn of_batch_element() -> Result<&'static Schema, String> {
    BATCH_ELEMENT.as_ref().map_err(Clone::clone)
}

pub fn of_batch_frame() -> Result<&'static Schema, String> {
    BATCH_FRAME.as_ref().map_err(Clone::clone)
}

impl Schema {
    fn parse(text: &str) -> Result<Schema, String> {
        Schema::build(serde_json::from_str(text).map_err(|error| error.to_string())?)
    }

    fn build(document: Value) -> Result<Schema, String> {
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .with_format("date", |text| Date::parse(text).is_some())
            .with_format("date-time", |text| Instant::parse(text).is_some())
            .build(&document)
            .map_err(|error| error.to_string())?;
        Ok(Schema {
            document,
            validator,
        })
    }

    /// Why a text that is well-formed JSON is not what it should be: a known field given twice, or violations of
    /// the schema with `pointer` before their own. None: the schema has nothing against it.
    pub fn explain(&self, text: &str, pointer: &str) -> Option<Rejection> {
        let twice = FindDuplicate {
            schema: &self.document,
        };
        if twice.found_in(text) {
            return Some(Rejection::new(Code::DuplicateField));
        }
        let Ok(value) = wire::read(text, Plain::<Value>::default()) else {
            return Some(Rejection::new(Code::InvalidJson));
        };
        let violations: Vec<_> = self
            .validator
            .iter_errors(&value)
            .map(|error| Violation {
                pointer: format!("{pointer}{}", error.instance_path()),
                keyword: keyword(error.kind()),
                message: error.masked_with("the value").to_string(),
            })
            .collect();
        (!violations.is_empty())
            .then(|| Rejection::with_violations(Code::SchemaViolation, violations))
    }

    /// Whether the schema holds, for the tests that hold the typed reading against it.
    pub fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }
}

/// The name of a violated keyword.
fn keyword(kind: &jsonschema::error::ValidationErrorKind) -> &'static str {
    // the names of the schemas of this project; the list is closed, since the schemas are
    [
        "type", "required", "enum", "format", "anyOf", "minimum", "maximum", "pattern",
    ]
    .into_iter()
    .find(|name| *name == kind.keyword())
    .unwrap_or("schema")
}
