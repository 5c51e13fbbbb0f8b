use serde_json::json;

use super::*;
use crate::config::Config;
use crate::json::strict;
use crate::model::record::{RawRecord, Rejection, Source};
use crate::source::{Verdict, judge};

fn explanation(text: &str) -> String {
    let message = not_json(text, &strict::check(text).unwrap_err());
    message
        .strip_prefix("the value is not JSON: ")
        .unwrap()
        .to_owned()
}

#[test]
fn invalid_json_is_explained_with_its_position() {
    let deep = format!("{}1{}", "[".repeat(129), "]".repeat(129));
    for (text, expected) in [
        ("", "it is empty, or only white space, at line 1, column 1"),
        (
            "[1,\n  2",
            "it ends inside of an array, at line 2, column 3",
        ),
        (
            r#"{"a":1"#,
            "it ends inside of an object, at line 1, column 6",
        ),
        (
            r#"{"a":"é"#,
            "it ends inside of a string, at line 1, column 7",
        ),
        (
            r#"{"a":"#,
            "it ends where a value is missing, at line 1, column 5",
        ),
        (
            r#"{"a" 1}"#,
            "a colon is missing behind a field's name, at line 1, column 6",
        ),
        (
            "[1 2]",
            "a comma or the end of an array is missing, at line 1, column 4",
        ),
        (
            "{\n \"a\": 1\n \"b\": 2\n}",
            "a comma or the end of an object is missing, at line 3, column 2",
        ),
        (
            "[nil]",
            "a word is neither true nor false nor null, at line 1, column 3",
        ),
        ("[None]", "a value is missing, at line 1, column 2"),
        (
            r#"["é\x"]"#,
            "a string has an escape that JSON does not know, at line 1, column 5",
        ),
        ("[01]", "a number is malformed, at line 1, column 3"),
        (
            "[1e309]",
            "a number lies outside of a double's range, at line 1, column 6",
        ),
        (
            r#"["\ud800"]"#,
            "a string has a lone surrogate, at line 1, column 9",
        ),
        (
            r#"["\udc00"]"#,
            "a string has a lone surrogate, at line 1, column 8",
        ),
        (
            "[\"a\nb\"]",
            "a string has a control character that is not escaped, at line 1, column 4",
        ),
        (
            "{1:2}",
            "a field's name is no string in double quotes, at line 1, column 2",
        ),
        (
            "[1,]",
            "a comma stands behind the last element, at line 1, column 4",
        ),
        (
            "{} {}",
            "something stands behind the end of the value, at line 1, column 4",
        ),
        (&deep, "it is nested deeper than 128, at line 1, column 129"),
        (
            "\u{feff}{}",
            "it begins with a byte order mark (U+FEFF); it must be produced without one, at line 1, column 1",
        ),
        (
            "{}\n\u{feff}",
            "a byte order mark (U+FEFF) stands outside of a string, at line 2, column 1",
        ),
    ] {
        assert_eq!(explanation(text), expected, "{text}");
    }
}

#[test]
fn the_byte_order_mark_of_utf_16_is_named() {
    assert!(not_utf8(b"\xff\xfe{\0}\0").unwrap().contains("UTF-16"));
    assert!(not_utf8(b"\xfe\xff\0{\0}").unwrap().contains("UTF-16"));
    assert!(not_utf8(b"{\xff}").is_none());
}

fn rejection(source: Source, value: &str) -> Rejection {
    let record = RawRecord {
        source,
        timestamp: Some(0),
        key: None,
        value: Some(value.as_bytes()),
    };
    match judge(&record, &Config::default()).verdict {
        Verdict::Rejected(rejection)
        | Verdict::Batch {
            rejection: Some(rejection),
            ..
        } => rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn positions_refer_to_the_whole_value_also_in_a_batch() {
    let broken = "{\"customers\": [\n  {},\n  {\"a\": 1e400}\n]}";
    assert_eq!(
        rejection(Source::PublisherCustomers, broken).message,
        "the value is not JSON: a number lies outside of a double's range, at line 3, column 13"
    );
    let twice = r#"{"customers": [{"accounts": [{}, {"cards": [{"iin": "", "x": 1, "x": 2, "iin": null}]}]}]}"#;
    assert_eq!(
        rejection(Source::PublisherCustomers, twice).message,
        "the known field \"iin\" is given twice in one object: /customers/0/accounts/1/cards/0"
    );
    let twice = r#"{"version": 1, "\u0076ersion": 2}"#;
    assert_eq!(
        rejection(Source::ConsoleCustomers, twice).message,
        "the known field \"version\" is given twice in one object: the outermost"
    );
}

#[test]
fn a_violation_of_version_says_what_is_expected() {
    for (version, expected) in [
        ("-1", "must be at least 0"),
        ("9223372036854775808", "must be at most 9223372036854775807"),
        (
            "1.5",
            "must be a string or a whole number, but is a number that is not whole",
        ),
        ("null", "must be a string or a whole number, but is null"),
        ("{}", "must be a string or a whole number, but is an object"),
        (
            r#""v7""#,
            "does not match its pattern: ASCII digits, and nothing else, of a whole number from 0 to 9223372036854775807",
        ),
    ] {
        let value = format!(r#"{{"customerId": "1", "version": {version}}}"#);
        let violations = rejection(Source::ConsoleCustomers, &value).violations;
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert_eq!(violations[0].pointer, "/version");
        assert_eq!(violations[0].keyword, "anyOf");
        assert_eq!(violations[0].message, expected);
    }
}

/// The message for a value that violates a schema exactly once.
fn violation(schema: &Value, value: &Value) -> String {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap();
    let errors: Vec<_> = validator.iter_errors(value).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    of_violation(&errors[0], schema)
}

#[test]
fn violations_say_what_is_expected_and_never_quote_the_value() {
    let numbers: Vec<u32> = (0..60).collect();
    let many = violation(&json!({"enum": numbers}), &json!("secret"));
    assert!(
        many.starts_with("must be one of 0, 1, 2, ")
            && many.ends_with(", 49 or 10 more that its schema lists"),
        "{many}"
    );
    let long = "a".repeat(101);
    let of_a_kind = json!({"anyOf": [
        {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id", "at"]},
        {"type": "object", "properties": {"no": {"maximum": 9}}, "required": ["no"]},
        {"type": "array", "maxItems": 1},
    ]});
    for (schema, value, expected) in [
        (
            json!({"type": ["null", "boolean"]}),
            json!("secret"),
            "must be true or false or null, but is a string",
        ),
        (
            json!({"type": "integer"}),
            json!(77.5),
            "must be a whole number, but is a number that is not whole",
        ),
        (
            json!({"required": ["id"]}),
            json!({"secret": 1}),
            "the required field \"id\" is missing",
        ),
        (json!({"enum": ["A"]}), json!("secret"), "must be \"A\""),
        (
            json!({"enum": ["A", "B", "C", "D", null]}),
            json!("secret"),
            "must be one of \"A\", \"B\", \"C\", \"D\" or null",
        ),
        (json!({"const": 1}), json!("secret"), "must be 1"),
        (
            json!({"format": "ipv4"}),
            json!("secret"),
            "must be of the format \"ipv4\"",
        ),
        (
            json!({"pattern": "^A+$"}),
            json!("secret"),
            "does not match the pattern ^A+$",
        ),
        (
            json!({"pattern": long}),
            json!("secret"),
            "does not match the pattern of its schema",
        ),
        (
            json!({"pattern": "^A+$", "description": "A's"}),
            json!("secret"),
            "does not match its pattern: A's",
        ),
        (
            json!({"exclusiveMinimum": 1}),
            json!(-77),
            "must be greater than 1",
        ),
        (
            json!({"maxLength": 1}),
            json!("secret"),
            "its length must be at most 1",
        ),
        (
            json!({"minProperties": 2}),
            json!({"secret": 1}),
            "breaks the rule \"minProperties\" of its schema",
        ),
        (
            json!({"additionalProperties": false}),
            json!({"secret": 1}),
            "is not allowed",
        ),
        (
            of_a_kind.clone(),
            json!("secret"),
            "must be an object or an array, but is a string",
        ),
        (
            of_a_kind.clone(),
            json!(["secret", 77]),
            "the number of its elements must be at most 1",
        ),
        (
            of_a_kind,
            json!({"id": 77, "no": 77}),
            "the required field \"at\" is missing and /id must be a string, but is a number; or /no must be at most 9",
        ),
    ] {
        assert_eq!(violation(&schema, &value), expected);
    }
}
