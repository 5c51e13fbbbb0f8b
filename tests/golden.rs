//! What is expected was worked out by hand from the contract and is committed: the verdict on every example, and
//! the snapshots of whole histories.

#[path = "support/examples.rs"]
mod examples;

use std::fs;
use std::process::Command;

use keyfold::config::Config;
use keyfold::record::{Code, Rejection, Source, Violation};
use keyfold::source::{self, Verdict};
use serde_json::{Value, json};

use examples::Example;

fn rejection(example: &Example) -> Option<Rejection> {
    match source::judge(&example.record(), &Config::default()).verdict {
        Verdict::Valid(_) => None,
        Verdict::Batch { rejection, .. } => rejection,
        Verdict::Rejected(rejection) => Some(rejection),
    }
}

#[test]
fn valid_examples_are_valid() {
    for example in examples::all("valid") {
        assert!(example.rejection.is_none(), "{}", example.name);
        let rejection = rejection(&example);
        assert!(rejection.is_none(), "{}: {rejection:?}", example.name);
    }
}

#[test]
fn invalid_examples_get_their_rejection() {
    let mut wrong = Vec::new();
    for example in examples::all("invalid") {
        let found = rejection(&example).map(|rejection| {
            let violations = rejection.violations.iter();
            json!({
                "stage": rejection.code.stage().name(),
                "code": rejection.code.name(),
                "violations": violations
                    .map(|one| json!({"pointer": one.pointer, "keyword": one.keyword}))
                    .collect::<Vec<_>>(),
            })
        });
        assert!(example.rejection.is_some(), "{}", example.name);
        if found != example.rejection {
            let expected = example.rejection.unwrap_or_default();
            let found = found.unwrap_or_default();
            wrong.push(format!(
                "{}: expected {expected}, found {found}",
                example.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The texts of a value, those of its unknown fields too.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

#[test]
fn no_message_quotes_the_payload() {
    for example in examples::all("invalid") {
        let Some(value) = &example.value else {
            continue;
        };
        let schema = format!("schemas/{}.schema.json", example.source.name());
        let schema = fs::read_to_string(schema).unwrap();
        let text = String::from_utf8_lossy(value);
        // what is no JSON at all is looked through word by word
        let value = serde_json::from_str::<Value>(&text).unwrap_or_else(|_| {
            let words = text.split(|letter: char| !letter.is_alphanumeric());
            Value::from_iter(words.map(str::to_owned))
        });
        let mut payload = Vec::new();
        texts(&value, &mut payload);
        payload.retain(|text| text.chars().count() >= 6 && !schema.contains(text));

        let rejection = rejection(&example).unwrap();
        let violations = rejection.violations.iter().map(|one| &one.message);
        for message in violations.chain([&rejection.message]) {
            for text in &payload {
                assert!(
                    !message.contains(text),
                    "{}: {message} quotes {text}",
                    example.name
                );
            }
        }
    }
}

#[test]
fn every_message_says_what_to_mend() {
    for example in examples::all("invalid") {
        let rejection = rejection(&example).unwrap();
        let (name, message) = (&example.name, &rejection.message);
        match rejection.code {
            Code::InvalidJson => assert!(message.contains(", at line "), "{name}: {message}"),
            Code::DuplicateField => {
                assert!(message.contains("the known field \""), "{name}: {message}");
            }
            _ => {}
        }
        assert_eq!(
            name.contains("byte-order-mark") || name.ends_with("/utf16"),
            message.contains("byte order mark"),
            "{name}: {message}"
        );
        for Violation { message, .. } in &rejection.violations {
            for vague in ["anyOf", "candidates", "schemas listed", "breaks the rule"] {
                assert!(!message.contains(vague), "{name}: {message}");
            }
        }
    }
}

/// Runs `keyfold fold` on the lines and compares its output with the golden file of that name, then again with
/// the lines in the opposite order.
fn folds_to(golden: &str, lines: &str) {
    let expected = fs::read_to_string(examples::folder().join("golden").join(golden)).unwrap();
    let backwards: String = lines
        .lines()
        .rev()
        .map(|line| format!("{line}\n"))
        .collect();
    for lines in [lines, &backwards] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), lines).unwrap();
        let fold = Command::new(env!("CARGO_BIN_EXE_keyfold"))
            .arg("fold")
            .arg(file.path())
            .output()
            .unwrap();
        assert!(fold.status.success(), "{fold:?}");
        let found = String::from_utf8(fold.stdout).unwrap();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{golden}");
        }
        assert_eq!(found, expected, "{golden}");
    }
}

#[test]
fn the_sources_examples_fold_to_their_golden_file() {
    let examples = examples::all("valid");
    let sources = examples.iter().filter(|example| {
        let name = example.name.rsplit('/').next().unwrap();
        name == "source-example" || name == "source-template"
    });
    let mut lines = String::new();
    let mut count = 0;
    for example in sources {
        let topic = match example.source {
            Source::LoyaltyCustomers => "loyalty.customers",
            Source::LoyaltyActions => "loyalty.customer-actions",
            Source::ConsoleCustomers => "console.customers",
            Source::PublisherCustomers => "publisher.customers",
        };
        let line = json!({
            "topic": topic, "partition": 0, "offset": 0, "tstype": "create", "ts": example.timestamp,
            "broker": 1, "key": null,
            "payload": std::str::from_utf8(example.value.as_deref().unwrap()).unwrap(),
        });
        lines += &format!("{line}\n");
        count += 1;
    }
    assert_eq!(count, 4);
    folds_to("source-examples.ndjson", &lines);
}

#[test]
fn golden_histories_fold_to_their_golden_files() {
    for name in ["late-event", "erasure-then-newer-event"] {
        let records = examples::folder().join(format!("golden/{name}.records.ndjson"));
        let lines = fs::read_to_string(records).unwrap();
        folds_to(&format!("{name}.ndjson"), &lines);
    }
}
