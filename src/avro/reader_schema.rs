//! The reader schemas, `schemas/<source>.avsc`, as shapes against which writer schemas are resolved.

use std::sync::LazyLock;

use apache_avro::Schema;

use super::PlanError;
use super::writer_schema::WriterSchema;
use crate::model::record::Source;

/// The type of a value that a source expects.
#[derive(Debug, PartialEq)]
pub enum Shape {
    Text,
    /// A text or a logical type: a `date-time` or a `date`.
    Time,
    Number,
    /// A whole number or a text.
    NumberOrText,
    Truth,
    List(Box<Shape>),
    Object(Vec<ReaderField>),
    /// A map from names to JSON texts. The sources have no other maps.
    JsonMap,
    /// A value of such a map.
    JsonText,
}

#[derive(Debug, PartialEq)]
pub struct ReaderField {
    pub name: String,
    pub aliases: Vec<String>,
    /// Whether a writer may leave it out. The default is always null.
    pub optional: bool,
    pub shape: Shape,
}

static SHAPES: LazyLock<Result<[Shape; 4], PlanError>> = LazyLock::new(|| {
    Ok([
        Shape::parse(include_str!("../../schemas/loyalty-customers.avsc"))?,
        Shape::parse(include_str!("../../schemas/loyalty-actions.avsc"))?,
        Shape::parse(include_str!("../../schemas/console-customers.avsc"))?,
        Shape::parse(include_str!("../../schemas/publisher-customers.avsc"))?,
    ])
});

/// The shape of a source's values. The error means that a schema in this build is broken; a test ensures that this does
/// not happen.
pub fn of(source: Source) -> Result<&'static Shape, PlanError> {
    SHAPES
        .as_ref()
        .map(|shapes| &shapes[source.index()])
        .map_err(Clone::clone)
}

impl Shape {
    pub fn parse(text: &str) -> Result<Shape, PlanError> {
        Shape::of(WriterSchema::parse(text, &[])?.root())
    }

    fn of(schema: &Schema) -> Result<Shape, PlanError> {
        match schema {
            Schema::String => Ok(Shape::Text),
            Schema::Double => Ok(Shape::Number),
            Schema::Boolean => Ok(Shape::Truth),
            Schema::Array(array) => Ok(Shape::List(Box::new(Shape::of(&array.items)?))),
            Schema::Map(map) if *map.types == Schema::String => Ok(Shape::JsonMap),
            Schema::Union(union) => match union.variants() {
                [Schema::Null, rest @ ..] | rest => Shape::of_branches(rest),
            },
            Schema::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    Ok(ReaderField {
                        name: field.name.clone(),
                        aliases: field.aliases.clone(),
                        optional: matches!(&field.schema, Schema::Union(union) if union.is_nullable()),
                        shape: Shape::of(&field.schema)?,
                    })
                });
                Ok(Shape::Object(fields.collect::<Result<_, PlanError>>()?))
            }
            _ => Err(PlanError::new("the reader schema has an unexpected type")),
        }
    }

    /// The shape of a union without its null.
    fn of_branches(branches: &[Schema]) -> Result<Shape, PlanError> {
        match branches {
            [one] => Shape::of(one),
            [Schema::String, Schema::TimestampMicros | Schema::Date] => Ok(Shape::Time),
            [Schema::Long, Schema::String] => Ok(Shape::NumberOrText),
            _ => Err(PlanError::new("the reader schema has an unexpected union")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Compares a shape with a JSON Schema: the same fields, the same required fields, the same types.
    fn same(shape: &Shape, schema: &Value, at: &str) {
        let kinds = &schema["type"];
        let is = |kind: &str| {
            kinds == kind
                || kinds
                    .as_array()
                    .is_some_and(|all| all.contains(&kind.into()))
        };
        match shape {
            Shape::Text => assert!(is("string") && schema["format"].is_null(), "{at}"),
            Shape::Time => assert!(is("string") && schema["format"].is_string(), "{at}"),
            Shape::Number => assert!(is("number"), "{at}"),
            Shape::NumberOrText => assert!(schema["anyOf"].is_array(), "{at}"),
            Shape::Truth => assert!(is("boolean"), "{at}"),
            Shape::JsonMap => assert!(is("object") && schema["properties"].is_null(), "{at}"),
            Shape::JsonText => panic!("{at} is no map"),
            Shape::List(item) => {
                assert!(is("array"), "{at}");
                same(item, &schema["items"], at);
            }
            Shape::Object(fields) => {
                assert!(is("object"), "{at}");
                let properties = schema["properties"].as_object().unwrap();
                assert_eq!(fields.len(), properties.len(), "{at}");
                for field in fields {
                    let name = &field.name;
                    let required = schema["required"]
                        .as_array()
                        .is_some_and(|all| all.contains(&name.as_str().into()));
                    assert_eq!(field.optional, !required, "{at}/{name}");
                    same(&field.shape, &properties[name], &format!("{at}/{name}"));
                }
            }
        }
    }

    #[test]
    fn reader_schemas_say_what_the_json_schemas_say() {
        for source in Source::BUILT_IN {
            let path = format!("schemas/{}.schema.json", source.name());
            let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            same(of(source).unwrap(), &schema, source.name());
        }
    }
}
