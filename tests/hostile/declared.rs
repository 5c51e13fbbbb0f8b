//! Records of declared sources that cost much more than their size, unless that is bounded. What a definition and its
//! schema say is the operator's, but their records are anybody's. Each is given to a process of its own that is ended
//! where it takes more than its memory or its time, which is ample.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The largest value that is taken, `validation.max_record_bytes`.
const LARGEST: usize = 1_048_576;

const CUSTOMER: &str = r#"
schema = "schema.json"
customer_id = "/id"
[fields]
firstName = "/name"
"#;

/// The verdict on a record by a process with 512 MiB and a minute of the processor.
fn verdict(definition: &str, schema: &Value, value: &str) -> Value {
    assert!(value.len() <= LARGEST, "{}", value.len());
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[sources.crm]\ndefinition = \"crm.toml\"\ntopics = [\"crm\"]\n";
    for (name, text) in [
        ("keyfold.toml", configuration),
        ("crm.toml", definition),
        ("schema.json", &schema.to_string()),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut child = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -v 524288 && ulimit -t 60 && exec "$@""#,
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_keyfold"))
        .args(["validate", "--config"])
        .arg(folder.path().join("keyfold.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = json!({"topic": "crm", "ts": 1_707_220_000_000_i64, "key": "c", "payload": value});
    let mut input = child.stdin.take().unwrap();
    input.write_all(line.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// As many elements between two texts as the largest value has room for.
fn filled(before: &str, element: &str, after: &str) -> String {
    let room = LARGEST - before.len() - after.len();
    let elements = vec![element; room / (element.len() + 1)];
    [before, &elements.join(","), after].concat()
}

fn code(verdict: &Value) -> &str {
    verdict["code"].as_str().unwrap_or("none")
}

/// A schema of trees with two kinds of nodes, which refers to itself by `kinds`.
fn two_kinds(kinds: &str) -> Value {
    let node = |name: &str, leaf: &str| {
        json!({
            "type": "object",
            "properties": {
                "child": {kinds: [{"$ref": "#/definitions/a"}, {"$ref": "#/definitions/b"}]},
                "leaf": {"const": leaf},
            },
            "title": name,
        })
    };
    json!({
        "properties": {"tree": {"$ref": "#/definitions/a"}},
        "definitions": {"a": node("a", "a"), "b": node("b", "b")},
    })
}

#[test]
fn a_tree_of_nodes_of_two_kinds_is_not_tried_in_every_way() {
    let depth = 120;
    let open = r#"{"child":"#.repeat(depth);
    let close = "}".repeat(depth);
    for kinds in ["anyOf", "oneOf", "allOf"] {
        let value = format!(r#"{{"id":"c","tree":{open}{{"leaf":"neither"}}{close}}}"#);
        let verdict = verdict(CUSTOMER, &two_kinds(kinds), &value);
        assert_eq!(code(&verdict), "schema_violation", "{kinds} {verdict}");
    }
}

#[test]
fn patterns_do_not_go_back_for_ever() {
    for pattern in [
        "^(a+)+$",
        "^(?=(a+)+$)a",
        r"^(a|a)*\1b$",
        "^(?!.*(a|aa)+$).*$",
    ] {
        let schema = json!({"properties": {"list": {"items": {"pattern": pattern}}}});
        let element = format!("\"{}!\"", "a".repeat(40));
        let value = filled(r#"{"id":"c","list":["#, &element, "]}");
        let verdict = verdict(CUSTOMER, &schema, &value);
        let expected = if pattern.starts_with("^(?!") {
            "none"
        } else {
            "schema_violation"
        };
        assert_eq!(code(&verdict), expected, "{pattern} {verdict}");
    }
}

#[test]
fn one_long_text_is_no_worse_for_a_pattern() {
    for pattern in ["^(a+)+$", r"^(a|a)*\1b$", "(a+)+!(?=b)"] {
        let schema = json!({"properties": {"name": {"pattern": pattern}}});
        let value = format!(r#"{{"id":"c","name":"{}"}}"#, "a".repeat(1_000_000));
        let verdict = verdict(CUSTOMER, &schema, &value);
        let expected = if pattern == "^(a+)+$" {
            "none"
        } else {
            "schema_violation"
        };
        assert_eq!(code(&verdict), expected, "{pattern} {verdict}");
    }
}

#[test]
fn elements_that_must_differ_are_not_held_each_against_each() {
    let schema = json!({"properties": {"list": {"uniqueItems": true}}});
    let elements: Vec<String> = (0..120_000).map(|n| format!("{n}.5")).collect();
    let value = format!(r#"{{"id":"c","list":[{}]}}"#, elements.join(","));
    assert_eq!(code(&verdict(CUSTOMER, &schema, &value)), "none");
    let elements: Vec<String> = (0..80_000).map(|n| format!("[{n}]")).collect();
    let value = format!(r#"{{"id":"c","list":[{}]}}"#, elements.join(","));
    assert_eq!(code(&verdict(CUSTOMER, &schema, &value)), "none");
    let elements: Vec<String> = (0..60_000).map(|n| format!(r#"{{"a":{n}}}"#)).collect();
    let value = format!(r#"{{"id":"c","list":[{}]}}"#, elements.join(","));
    assert_eq!(code(&verdict(CUSTOMER, &schema, &value)), "none");
}

#[test]
fn every_element_may_be_wrong() {
    let kind = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false});
    let referred = json!({
        "properties": {"list": {"items": {"$ref": "#/definitions/kind"}}},
        "definitions": {"kind": kind},
    });
    let direct = json!({"properties": {"list": {"items": kind}}});
    let either = json!({"properties": {"list": {"items": {"anyOf": [kind, {"type": "string"}]}}}});
    let contains = json!({"properties": {"list": {"contains": kind}}});
    let value = filled(r#"{"id":"c","list":["#, r#"{"c":1}"#, "]}");
    for schema in [referred, direct, either, contains] {
        let verdict = verdict(CUSTOMER, &schema, &value);
        assert_eq!(code(&verdict), "schema_violation", "{schema} {verdict}");
        let violations = verdict["violations"].as_array().unwrap();
        assert!(violations.len() <= 100, "{}", violations.len());
    }
}

#[test]
fn every_member_may_be_wrong() {
    let members: Vec<String> = (0..80_000).map(|n| format!("\"{n}\":1")).collect();
    let value = format!(r#"{{"id":"c","map":{{{}}}}}"#, members.join(","));
    let text = json!({"type": "string"});
    for map in [
        json!({"additionalProperties": text}),
        json!({"additionalProperties": false}),
        json!({"patternProperties": {"^[0-9]": text, "[0-9]$": text, "": text}}),
        json!({"propertyNames": {"minLength": 9}}),
        json!({"unevaluatedProperties": text}),
    ] {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {"map": map},
        });
        let verdict = verdict(CUSTOMER, &schema, &value);
        assert_eq!(code(&verdict), "schema_violation", "{schema} {verdict}");
    }
}

#[test]
fn a_batch_of_bad_elements_costs_no_more_than_a_list() {
    let definition = "schema = \"schema.json\"\neach = \"/all\"\ncustomer_id = \"/id\"\n[fields]\nfirstName = \"/name\"\n";
    let element = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false});
    let direct = json!({"properties": {"all": {"items": element}}});
    let referred = json!({
        "properties": {"all": {"items": {"$ref": "#/definitions/element"}}},
        "definitions": {"element": element},
    });
    for wrong in [r#"{"c":1}"#, "1", "{}"] {
        let value = filled(r#"{"all":["#, wrong, "]}");
        for schema in [&direct, &referred] {
            let verdict = verdict(definition, schema, &value);
            assert_eq!(code(&verdict), "schema_violation", "{schema} {verdict}");
        }
    }
}

#[test]
fn every_value_that_is_mapped_may_be_wrong() {
    let definition = r#"
customer_id = "/id"
[fields]
attributes = "/attributes"
[[lists.addresses]]
each = "/addresses"
id = "/id"
fields = { line1 = "/l", city = { from = ["/c", "/d", "/e"], required = true }, countryCode = "/n" }
[[lists.phones]]
each = "/addresses"
id = "/p"
fields = { type = { from = "/p", required = true } }
"#;
    let any = json!(true);
    // an element of which nothing is told is none
    for (element, expected) in [
        (r#"{"l":[],"c":{}}"#, "schema_violation"),
        ("1", "none"),
        ("{}", "none"),
        (r#"{"id":{}}"#, "none"),
        ("[[]]", "none"),
    ] {
        let value = filled(r#"{"id":"c","addresses":["#, element, "]}");
        let verdict = verdict(definition, &any, &value);
        assert_eq!(code(&verdict), expected, "{element} {verdict}");
    }
    let members: Vec<String> = (0..80_000).map(|n| format!("\"{n}\":1")).collect();
    let value = format!(r#"{{"id":"c","attributes":{{{}}}}}"#, members.join(","));
    let verdict = verdict(definition, &any, &value);
    assert_eq!(verdict["verdict"], "valid", "{verdict}");
}
