//! Writer schemas that cost much more than their size, unless resolving them is bounded. Each is given to a process
//! of its own that is ended where it takes more than its memory or its time, which is ample.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The largest schema that registries take.
const LARGEST: usize = 1_048_576;

const FIELDS: [&str; 8] = [
    "sourceCustomerId",
    "organizationId",
    "postalCode",
    "country",
    "customerCreationDate",
    "enrollmentStartDate",
    "enrollmentOptInStatus",
    "targetingIndicator",
];

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn record(name: String, fields: Vec<Value>) -> Value {
    json!({"type": "record", "name": name, "fields": fields})
}

fn field(name: &str, kind: Value) -> Value {
    json!({"name": name, "type": kind})
}

/// A batch of the publisher whose customers, accounts and cards are each one of so many records, and each of them
/// names all of the next kind. `card` is the type of a card's last field.
fn unions_in_unions(wide: usize, card: &str) -> String {
    let names = |kind: &str| -> Value { (0..wide).map(|at| format!("{kind}{at}")).collect() };
    let card = |at| record(format!("c{at}"), vec![field("last4", json!(card))]);
    let account = |at| {
        let cards = match at {
            0 => (0..wide).map(card).collect(),
            _ => names("c"),
        };
        let id = field("sourceAccountId", json!("string"));
        record(format!("a{at}"), vec![id, field("cards", list(cards))])
    };
    let customer = |at| {
        let accounts = match at {
            0 => (0..wide).map(account).collect(),
            _ => names("a"),
        };
        let texts = FIELDS.iter().map(|name| field(name, json!("string")));
        let mut fields: Vec<Value> = texts.collect();
        fields.push(field("alertOptInStatus", list(json!("string"))));
        fields.push(field("accounts", list(accounts)));
        record(format!("p{at}"), fields)
    };
    let customers = list((0..wide).map(customer).collect());
    record("Batch".to_owned(), vec![field("customers", customers)]).to_string()
}

/// The verdict on a value of that schema, by a process with 512 MiB and a minute of the processor.
fn verdict(schema: &str) -> Value {
    assert!(schema.len() <= LARGEST, "{}", schema.len());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("7.avsc"), schema).unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -v 524288 && ulimit -t 60 && exec "$@""#,
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_keyfold"))
        .args(["validate", "--schemas"])
        .arg(folder.path())
        .env("KEYFOLD__SOURCES__PUBLISHER_CUSTOMERS__FORMAT", "avro")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // the frame of schema 7, and an empty list
    let line = r#"{"topic":"publisher.customers","ts":1707220000000,"payload_base64":"AAAAAAcA"}"#;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn unions_that_refuse_each_other_are_not_tried_again_and_again() {
    // as wide as there is room for in 1 MB
    let schema = unions_in_unions(210, "int");
    assert!(schema.len() > LARGEST / 2, "{}", schema.len());
    let verdict = verdict(&schema);
    assert_eq!(verdict["code"], "invalid_avro", "{verdict}");
    let message = verdict["message"].as_str().unwrap();
    assert!(
        message.contains("customers.accounts.cards.last4"),
        "{message}"
    );
}

#[test]
fn unions_whose_branches_all_fit_are_resolved_once() {
    let verdict = verdict(&unions_in_unions(210, "string"));
    assert_eq!(verdict["verdict"], "valid", "{verdict}");
}
