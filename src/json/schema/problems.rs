//! What is wrong with a JSON Schema itself.

use std::borrow::Cow;
use std::collections::HashMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::messages;
use super::{draft, validator};
use crate::model::nearest::closest;

/// How many problems are told at most.
const MAX_PROBLEMS: usize = 100;

/// How much of a message is told that is not keyfold's own, in characters.
const MAX_MESSAGE: usize = 300;

/// How much of a name is told, in characters.
const MAX_NAME: usize = 100;

/// One thing that is wrong with a JSON Schema.
#[derive(Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// Where in the schema it is.
    pub pointer: String,
    /// The line of its text, counted from 1.
    pub line: usize,
    pub message: String,
}

/// Everything that is wrong with the text of a JSON Schema: all that its draft does not allow, and if there is no such
/// thing, the first reference or pattern that cannot be followed. None: a [`Schema`](super::Schema) can be made of it.
///
/// # Errors
/// The text is no JSON.
pub fn problems(text: &str) -> Result<Vec<SchemaProblem>, serde_json::Error> {
    let document: Value = serde_json::from_str(text)?;
    let told = |pointer: String, message: String| SchemaProblem {
        line: line_of(text, &pointer),
        pointer,
        message,
    };
    let draft = match draft(&document) {
        Ok(draft) => draft,
        Err(message) => return Ok(vec![told("/$schema".to_owned(), message)]),
    };
    let meta = match draft {
        Draft::Draft202012 => jsonschema::draft202012::meta::validator(),
        _ => jsonschema::draft7::meta::validator(),
    };
    let mut found: Vec<SchemaProblem> = meta
        .iter_errors(&document)
        .take(MAX_PROBLEMS)
        .map(|error| told(error.instance_path().to_string(), message(&error)))
        .collect();
    if found.is_empty()
        && let Err(error) = validator(&document, draft)
    {
        if matches!(error.kind(), ValidationErrorKind::Referencing(_)) {
            let mut broken = Vec::new();
            references(&document, &document, String::new(), &mut broken);
            found.extend(broken.into_iter().map(|(at, message)| told(at, message)));
        }
        if found.is_empty() {
            let message = error.to_string().chars().take(MAX_MESSAGE).collect();
            found.push(told(error.instance_path().to_string(), message));
        }
    }
    found.sort_by(|one, other| (one.line, &one.pointer).cmp(&(other.line, &other.pointer)));
    found.dedup();
    Ok(found)
}

/// The references in a part of a schema that cannot be followed: their pointers, and why. The depth of the recursion is
/// that of the document.
fn references(part: &Value, document: &Value, at: String, found: &mut Vec<(String, String)>) {
    if found.len() >= MAX_PROBLEMS {
        return;
    }
    match part {
        Value::Object(members) => {
            for (name, inner) in members {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                let why = match inner {
                    Value::String(target) if name == "$ref" => broken(target, document),
                    _ => None,
                };
                match why {
                    Some(why) => found.push((at, why)),
                    None => references(inner, document, at, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                references(inner, document, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Why a reference cannot be followed, if that is clear.
fn broken(target: &str, document: &Value) -> Option<String> {
    let Some(inside) = target.strip_prefix('#') else {
        return Some("refers to another document: a schema is one file".to_owned());
    };
    if inside.contains('%') || document.pointer(inside).is_some() {
        return None;
    }
    let (folder, name) = inside.rsplit_once('/')?;
    let known = document.pointer(folder).and_then(Value::as_object)?.keys();
    let nearest = closest(
        name,
        known.map(|name| name.replace('~', "~0").replace('/', "~1")),
    );
    let name: String = inside.chars().take(MAX_NAME).collect();
    Some(match nearest.is_empty() {
        true => format!("refers to {name}, which is not there"),
        false => format!("refers to {name}, which is not there; did you mean {folder}/{nearest}?"),
    })
}

fn message(error: &ValidationError<'_>) -> String {
    let message = messages::of_violation(error, &Value::Null);
    message.chars().take(MAX_MESSAGE).collect()
}

/// The line at which the value at a pointer begins, or as much of its way as there is.
fn line_of(text: &str, pointer: &str) -> usize {
    let mut part = text;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let inner = match part.trim_start().starts_with('[') {
            true => item(part, &name),
            false => member(part, &name),
        };
        let Some(inner) = inner else {
            break;
        };
        part = inner;
    }
    let part = part.trim_start();
    // The part is borrowed from the text, whose bytes follow each other.
    let at = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let before = text.bytes().take(at);
    before.filter(|byte| *byte == b'\n').count() + 1
}

fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let members: HashMap<Cow<'t, str>, &'t RawValue> = serde_json::from_str(text).ok()?;
    members.get(name).map(|value| value.get())
}

fn item<'t>(text: &'t str, index: &str) -> Option<&'t str> {
    let items: Vec<&'t RawValue> = serde_json::from_str(text).ok()?;
    items
        .get(index.parse::<usize>().ok()?)
        .map(|item| item.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let problems = problems(text).unwrap().into_iter();
        problems
            .map(
                |SchemaProblem {
                     pointer,
                     line,
                     message,
                 }| format!("{line} {pointer}: {message}"),
            )
            .collect()
    }

    #[test]
    fn all_that_the_draft_does_not_allow_is_told_with_its_line() {
        let text = "{\n \"type\": \"object\",\n \"required\": \"id\",\n \"properties\": {\n  \"a/b\": {\"minLength\":\n   -1},
  \"c\": {\"anyOf\": [{}, 7], \"type\": \"strng\"}\n }\n}";
        let expected = [
            "3 /required: must be an array, but is a string",
            "6 /properties/a~1b/minLength: must be at least 0",
            "7 /properties/c/anyOf/1: must be an object or true or false, but is a number",
            "7 /properties/c/type: must be one of \"array\", \"boolean\", \"integer\", \"null\", \"number\", \"object\" or \"string\"",
        ];
        assert_eq!(told(text), expected);
        let draft = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema","#;
        assert_eq!(told(&text.replacen('{', draft, 1)), expected);
        let other = "{\n\"$schema\": \"http://json-schema.org/draft-04/schema#\"}";
        let expected = ["2 /$schema: $schema is neither draft-07 nor 2020-12"];
        assert_eq!(told(other), expected);
        let expected = ["1 : must be an object or true or false, but is a number"];
        assert_eq!(told("7"), expected);
    }

    #[test]
    fn what_cannot_be_followed_is_told_too() {
        let elsewhere = "{\n\"$ref\": \"https://example.com/a\"}";
        let expected = ["2 /$ref: refers to another document: a schema is one file"];
        assert_eq!(told(elsewhere), expected);
        let missing = r##"{"definitions": {"address": {}},
            "properties": {"a": {"$ref": "#/definitions/adress"},
            "b": {"$ref": "#/x"}}}"##;
        let expected = [
            "2 /properties/a/$ref: refers to /definitions/adress, which is not there; did you mean /definitions/address?",
            "3 /properties/b/$ref: refers to /x, which is not there; did you mean /properties?",
        ];
        assert_eq!(told(missing), expected);
        let pattern = "{\n\"properties\": {\"a\":\n {\"pattern\": \"(\"}}}";
        let expected = ["3 /properties/a/pattern: must be of the format \"regex\""];
        assert_eq!(told(pattern), expected);
    }

    #[test]
    fn a_schema_that_is_one_has_no_problem() {
        assert_eq!(
            told(include_str!(
                "../../../schemas/loyalty-customers.schema.json"
            )),
            Vec::<String>::new()
        );
        assert!(problems("{").is_err());
    }
}
