//! The schema stage: the JSON Schema explains what is wrong with a value that typed deserialisation refused.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::messages;
use crate::json::duplicate;
use crate::json::strict::{self, Plain};
use crate::model::record::{Code, MAX_VIOLATIONS, Rejection, Source, Violation};
use crate::model::time::{Date, Instant};

/// A JSON Schema, split at its lists. A validator collects all errors at once, and a list may have a million invalid
/// elements, so the elements are validated one by one.
pub struct Schema {
    document: Value,
    /// The complete schema; used only for a yes or no.
    validator: Validator,
    /// The schema without that of the list elements; used to collect errors, of which there are at most about as many
    /// as fields.
    frame: Validator,
    lists: Vec<List>,
}

/// A list of a schema.
struct List {
    /// The names of the fields on the way to the list.
    path: Vec<String>,
    element: Schema,
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
    Schema::build(&batch.document["properties"]["customers"]["items"])
});

/// The schema of a batch without that of its elements.
static BATCH_FRAME: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let mut document = of(Source::PublisherCustomers)?.document.clone();
    if let Some(customers) = document["properties"]["customers"].as_object_mut() {
        customers.remove("items");
    }
    Schema::build(&document)
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
    BATCH_ELEMENT.as_ref().map_err(Clone::clone)
}

pub fn of_batch_frame() -> Result<&'static Schema, String> {
    BATCH_FRAME.as_ref().map_err(Clone::clone)
}

impl Schema {
    fn parse(text: &str) -> Result<Schema, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Schema::build(&document)
    }

    fn build(document: &Value) -> Result<Schema, String> {
        let mut frame = document.clone();
        let mut lists = Vec::new();
        take_lists(&mut frame, &mut Vec::new(), &mut lists);
        Ok(Schema {
            document: document.clone(),
            validator: validator(document)?,
            frame: validator(&frame)?,
            lists: lists
                .into_iter()
                .map(|(path, element)| {
                    let element = Schema::build(&element)?;
                    Ok(List { path, element })
                })
                .collect::<Result<_, String>>()?,
        })
    }

    /// Why a text that is well-formed JSON does not conform: a known field occurs twice, or the schema is violated.
    /// `pointer` is put before the pointers of the violations. None: the value conforms.
    pub fn explain(&self, text: &str, pointer: &str) -> Option<Rejection> {
        if let Some(twice) = duplicate::find(&self.document, text) {
            let message =
                messages::given_twice(&twice.name, &format!("{pointer}{}", twice.pointer));
            return Some(Rejection::with_message(Code::DuplicateField, message));
        }
        let Ok(value) = strict::read(text, Plain::<Value>) else {
            return Some(Rejection::new(Code::InvalidJson));
        };
        let mut violations = Vec::new();
        self.violations(&value, pointer, &mut violations);
        (!violations.is_empty())
            .then(|| Rejection::with_violations(Code::SchemaViolation, violations))
    }

    /// Appends the violations of a value: at least the first [`MAX_VIOLATIONS`] by pointer, and few others.
    fn violations(&self, value: &Value, pointer: &str, out: &mut Vec<Violation>) {
        let errors = self.frame.iter_errors(value);
        out.extend(errors.map(|error| Violation {
            pointer: format!("{pointer}{}", error.instance_path()),
            keyword: keyword(error.kind()),
            message: messages::of_violation(&error, &self.document),
        }));
        for List { path, element } in &self.lists {
            let list = path.iter().try_fold(value, |value, name| value.get(name));
            let Some(Value::Array(values)) = list else {
                continue;
            };
            // Each invalid element has at least one violation, so these elements are enough.
            let bad = by_pointer(values.len())
                .filter(|at| !element.validator.is_valid(&values[*at]))
                .take(MAX_VIOLATIONS);
            for at in bad {
                let pointer = format!("{pointer}/{}/{at}", path.join("/"));
                element.violations(&values[at], &pointer, out);
            }
        }
    }

    /// Whether a value conforms, for the tests that compare this with typed deserialisation.
    pub fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }
}

fn validator(document: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        .with_format("date", |text| Date::parse(text).is_some())
        .with_format("date-time", |text| Instant::parse(text).is_some())
        .build(document)
        .map_err(|error| error.to_string())
}

/// Removes every `items` from a schema and collects it, with the names of the fields on the way to it. The field names
/// of the sources need no escaping in a pointer.
fn take_lists(schema: &mut Value, path: &mut Vec<String>, lists: &mut Vec<(Vec<String>, Value)>) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(items) = schema.remove("items") {
        lists.push((path.clone(), items));
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        path.push(name.clone());
        take_lists(property, path, lists);
        path.pop();
    }
}

/// The indices of a list of that length in the order of their pointers: 0, 1, 10, 100, 101, …, 11, …
fn by_pointer(length: usize) -> impl Iterator<Item = usize> {
    let first = (length > 0).then_some(0);
    std::iter::successors(first, move |&at| {
        if at > 0 && at * 10 < length {
            return Some(at * 10);
        }
        let mut at = at;
        while at % 10 == 9 || at + 1 >= length {
            at /= 10;
            if at == 0 {
                return None;
            }
        }
        Some(at + 1)
    })
}

/// The name of a violated keyword.
fn keyword(kind: &jsonschema::error::ValidationErrorKind) -> &'static str {
    // The keywords that this project's schemas use. The list is complete, because the schemas are fixed.
    [
        "type", "required", "enum", "format", "anyOf", "minimum", "maximum", "pattern",
    ]
    .into_iter()
    .find(|name| *name == kind.keyword())
    .unwrap_or("schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_come_in_the_order_of_their_texts() {
        for length in [
            0, 1, 2, 9, 10, 11, 12, 19, 20, 99, 100, 101, 110, 999, 1000, 12_345,
        ] {
            let mut expected: Vec<String> = (0..length).map(|at| at.to_string()).collect();
            expected.sort();
            let places: Vec<String> = by_pointer(length).map(|at| at.to_string()).collect();
            assert_eq!(places, expected, "{length}");
        }
    }

    #[test]
    fn every_schema_of_this_build_is_sound() {
        for source in Source::BUILT_IN {
            of(source).unwrap();
        }
        assert_eq!(of_batch_element().unwrap().lists.len(), 2);
        assert!(of_batch_frame().unwrap().lists.is_empty());
    }
}
