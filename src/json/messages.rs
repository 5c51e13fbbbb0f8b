//! Messages for people who have to fix a value: what is wrong with it. They never quote a value of the payload, only
//! words of the schema, the JSON type that was found, and positions.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, JsonTypeSet, ValidationError};
use serde_json::Value;

use super::strict::MAX_DEPTH;

/// A longer pattern would not help the reader.
const MAX_PATTERN: usize = 100;

/// How many values of an `enum` a message lists at most.
const MAX_OPTIONS: usize = 50;

/// How many alternatives of an `anyOf`, and how many violations of one alternative, a message lists at most.
const MAX_ALTERNATIVES: usize = 4;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a text is not JSON, and where: explains an error of [`strict::check`](super::strict::check).
pub fn not_json(text: &str, error: &serde_json::Error) -> String {
    let at = offset(text, error);
    let (line, column) = line_and_column(text, at);
    let what = if text.starts_with(BYTE_ORDER_MARK) {
        "it begins with a byte order mark (U+FEFF); it must be produced without one".to_owned()
    } else if text[at..].starts_with(BYTE_ORDER_MARK) {
        "a byte order mark (U+FEFF) stands outside of a string".to_owned()
    } else if text.trim().is_empty() {
        "it is empty, or only white space".to_owned()
    } else {
        malformed(error)
    };
    format!("the value is not JSON: {what}, at line {line}, column {column}")
}

/// Why bytes are not UTF-8, if there is more to say than that.
pub fn not_utf8(bytes: &[u8]) -> Option<&'static str> {
    (bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]))
        .then_some("the value is not UTF-8: it begins with the byte order mark of UTF-16")
}

/// The message for a known field that occurs twice in the object at `pointer`.
pub fn given_twice(name: &str, pointer: &str) -> String {
    let place = match pointer {
        "" => "the outermost",
        pointer => pointer,
    };
    format!("the known field {name:?} is given twice in one object: {place}")
}

/// Translates the library's error messages into plainer ones. Today they quote nothing of the text. In case a future
/// version does, an unknown message is not passed on.
fn malformed(error: &serde_json::Error) -> String {
    let description = error.to_string();
    let description = description.split(" at line ").next().unwrap_or_default();
    let plain = match description {
        "EOF while parsing a list" => "it ends inside of an array",
        "EOF while parsing an object" => "it ends inside of an object",
        "EOF while parsing a string" => "it ends inside of a string",
        "EOF while parsing a value" => "it ends where a value is missing",
        "expected `:`" => "a colon is missing behind a field's name",
        "expected `,` or `]`" => "a comma or the end of an array is missing",
        "expected `,` or `}`" => "a comma or the end of an object is missing",
        "expected ident" => "a word is neither true nor false nor null",
        "expected value" => "a value is missing",
        "expected `\"`" => "a double quote is missing",
        "invalid escape" => "a string has an escape that JSON does not know",
        "invalid number" => "a number is malformed",
        "number out of range" => "a number lies outside of a double's range",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a string has a lone surrogate"
        }
        "key must be a string" => "a field's name is no string in double quotes",
        "trailing comma" => "a comma stands behind the last element",
        "trailing characters" => "something stands behind the end of the value",
        "nested too deep" => return format!("it is nested deeper than {MAX_DEPTH}"),
        description if description.starts_with("control character") => {
            "a string has a control character that is not escaped"
        }
        _ => "it is malformed",
    };
    plain.to_owned()
}

/// The byte offset of the error in the text. The library counts the bytes of a line from 1, and the line feed as column
/// 0 of the next line.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let before = error.line().saturating_sub(1);
    let start = match before.checked_sub(1) {
        None => 0,
        Some(nth) => text
            .match_indices('\n')
            .nth(nth)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let mut at = (start + error.column()).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Line and column as an editor counts them: in characters, from 1.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

/// The message for a violation of a JSON Schema. `schema` is the document that the error's paths refer to.
pub fn of_violation(error: &ValidationError<'_>, schema: &Value) -> String {
    use ValidationErrorKind as Kind;
    match error.kind() {
        Kind::Type { kind } => {
            let types = match kind {
                TypeKind::Single(one) => JsonTypeSet::empty().insert(*one),
                TypeKind::Multiple(types) => *types,
            };
            not_of_types(types, error.instance())
        }
        Kind::Required { property } => match property {
            Value::String(name) => format!("the required field {name:?} is missing"),
            _ => "a required field is missing".to_owned(),
        },
        Kind::Enum { options } => match options.as_ref() {
            Value::Array(options) => format!("must be {}", one_of(options)),
            _ => "must be one of the values that its schema lists".to_owned(),
        },
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Format { format } => of_format(format),
        Kind::Pattern { pattern } => of_pattern(pattern, described(error, schema)),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinLength { limit } => format!("its length must be at least {limit}"),
        Kind::MaxLength { limit } => format!("its length must be at most {limit}"),
        Kind::MinItems { limit } => format!("the number of its elements must be at least {limit}"),
        Kind::MaxItems { limit } => format!("the number of its elements must be at most {limit}"),
        Kind::UniqueItems => "must not have two equal elements".to_owned(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            of_alternatives(error, context, schema)
        }
        Kind::OneOfMultipleValid { .. } => {
            "fits more than one of the alternatives of which it may fit only one".to_owned()
        }
        Kind::FalseSchema => "is not allowed".to_owned(),
        Kind::AdditionalProperties { .. } => "has fields that are not allowed".to_owned(),
        other => format!("breaks the rule {:?} of its schema", other.keyword()),
    }
}

fn not_of_types(types: JsonTypeSet, found: &Value) -> String {
    let names = [
        (JsonType::Object, "an object"),
        (JsonType::Array, "an array"),
        (JsonType::String, "a string"),
        (JsonType::Number, "a number"),
        (JsonType::Integer, "a whole number"),
        (JsonType::Boolean, "true or false"),
        (JsonType::Null, "null"),
    ];
    let expected_types: Vec<&str> = names
        .iter()
        .filter(|(one, _)| types.contains(*one))
        // Every integer is a number, so "number" is enough.
        .filter(|(one, _)| *one != JsonType::Integer || !types.contains(JsonType::Number))
        .map(|(_, name)| *name)
        .collect();
    let found = match found {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::String(_) => "a string",
        Value::Number(_) if types.contains(JsonType::Integer) => "a number that is not whole",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
    };
    format!("must be {}, but is {found}", listed(&expected_types))
}

/// "one of "A", "B" or "C"", or the only one.
fn one_of(options: &[Value]) -> String {
    let more = options.len().saturating_sub(MAX_OPTIONS);
    let mut texts: Vec<String> = options
        .iter()
        .take(MAX_OPTIONS)
        .map(Value::to_string)
        .collect();
    if more > 0 {
        texts.push(format!("{more} more that its schema lists"));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [one] => (*one).to_owned(),
        texts => format!("one of {}", listed(texts)),
    }
}

/// "A, B or C".
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn of_format(format: &str) -> String {
    match format {
        "date" => "must be a date like 2024-02-29, in the years 0001 to 9999".to_owned(),
        "date-time" => "must be a date-time of RFC 3339 like 2024-02-29T12:30:00.5Z or \
                        2024-02-29T12:30:00+01:00, in the years 0001 to 9999"
            .to_owned(),
        format => format!("must be of the format {format:?}"),
    }
}

fn of_pattern(pattern: &str, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("does not match its pattern: {description}"),
        None if pattern.len() <= MAX_PATTERN => format!("does not match the pattern {pattern}"),
        None => "does not match the pattern of its schema".to_owned(),
    }
}

/// The description of the schema that contains the violated keyword.
fn described<'s>(error: &ValidationError<'_>, schema: &'s Value) -> Option<&'s str> {
    let (parent, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)?.get("description")?.as_str()
}

/// The message when none of the alternatives fits. The alternatives for the JSON type that was found are probably what
/// was meant; if there are none, the type is wrong.
fn of_alternatives(
    error: &ValidationError<'_>,
    alternatives: &[Vec<ValidationError<'static>>],
    schema: &Value,
) -> String {
    let mut types = JsonTypeSet::empty();
    let mut candidates = Vec::new();
    for violations in alternatives {
        let other_type = violations
            .iter()
            .filter(|one| one.instance_path() == error.instance_path())
            .find_map(|one| match one.kind() {
                ValidationErrorKind::Type { kind } => Some(kind),
                _ => None,
            });
        match other_type {
            Some(TypeKind::Single(one)) => types = types.insert(*one),
            Some(TypeKind::Multiple(several)) => {
                types = several.iter().fold(types, JsonTypeSet::insert);
            }
            None => candidates.push(all_of(violations, error, schema)),
        }
    }
    candidates.truncate(MAX_ALTERNATIVES);
    if candidates.is_empty() {
        not_of_types(types, error.instance())
    } else {
        candidates.join("; or ")
    }
}

/// The violations of one alternative, each with its position inside the value.
fn all_of(
    violations: &[ValidationError<'static>],
    outer: &ValidationError<'_>,
    schema: &Value,
) -> String {
    let outer = outer.instance_path().as_str();
    let texts: Vec<String> = violations
        .iter()
        .take(MAX_ALTERNATIVES)
        .map(|one| {
            let text = of_violation(one, schema);
            match one.instance_path().as_str().strip_prefix(outer) {
                None | Some("") => text,
                Some(inside) => format!("{inside} {text}"),
            }
        })
        .collect();
    texts.join(" and ")
}

#[cfg(test)]
mod tests;
