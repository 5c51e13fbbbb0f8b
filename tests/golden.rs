//! What is expected was worked out by hand (docs/contract.md, sections 2 to 4) and is committed: the verdict on
//! every example, and the snapshots of whole histories, which keep to their schema.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use keyfold::config::Config;
use keyfold::fold::OfflineFold;
use keyfold::model::record::{Code, Rejection, Source, Violation};
use keyfold::source::{self, Verdict};
use keyfold_harness::examples::{self, Example};
use serde_json::{Value, json};

fn rejection(example: &Example) -> Option<Rejection> {
    match source::judge(&example.record(), &Config::default()).verdict {
        Verdict::Valid(_) | Verdict::Nothing => None,
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
            Source::Declared(_) => unreachable!("the examples are those of the built-in sources"),
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

fn snapshot_schema() -> Value {
    serde_json::from_str(include_str!("../schemas/customer-snapshot.schema.json")).unwrap()
}

/// The snapshots of the golden files, and of each valid example by itself.
fn snapshots() -> Vec<Value> {
    let mut found = Vec::new();
    for name in ["source-examples", "late-event", "erasure-then-newer-event"] {
        let file = examples::folder().join(format!("golden/{name}.ndjson"));
        let lines = fs::read_to_string(file).unwrap();
        let values = lines.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line["value"].take()
        });
        found.extend(values.filter(|value| !value.is_null()));
    }
    let config = Config::default();
    let examples = examples::all("valid").into_iter();
    // its snapshot is nested more deeply than the test's JSON reader goes
    let examples = examples.filter(|example| !example.name.ends_with("nesting-128-in-attributes"));
    for example in examples {
        let mut fold = OfflineFold::new(&config);
        fold.record(&example.record());
        let texts = fold.snapshots().filter_map(|(_, text)| text);
        found.extend(texts.map(|text| serde_json::from_slice(&text).unwrap()));
    }
    found
}

/// The pointers of all objects in a value, but for what is within `attributes`.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            found.push(pointer.to_owned());
            let fields = fields.iter().filter(|(name, _)| *name != "attributes");
            fields.map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| (index.to_string(), item))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        objects(child, &format!("{pointer}/{name}"), found);
    }
}

/// Readers make types and checks of the schema: it takes what is published, and nothing that is misspelt.
#[test]
fn snapshots_keep_to_their_schema_and_misspelt_fields_do_not() {
    let schema = jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&snapshot_schema())
        .unwrap();
    let mut kinds = BTreeSet::new();
    for snapshot in snapshots() {
        let errors: Vec<String> = schema
            .iter_errors(&snapshot)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {snapshot}");

        let mut pointers = Vec::new();
        objects(&snapshot, "", &mut pointers);
        for pointer in pointers {
            for name in snapshot
                .pointer(&pointer)
                .unwrap()
                .as_object()
                .unwrap()
                .keys()
            {
                // Any name is a type of actions, and any declared source stands in `sources`.
                if pointer == "/actions/byType" || pointer == "/sources" {
                    continue;
                }
                let mut misspelt = snapshot.clone();
                let object = misspelt.pointer_mut(&pointer).unwrap();
                object[format!("{name}s")] = object[name].clone();
                assert!(!schema.is_valid(&misspelt), "{name}s at {pointer:?}");
            }
            let names = pointer.split('/');
            let kind = names.filter(|name| name.parse::<usize>().is_err());
            kinds.insert(kind.collect::<Vec<_>>().join("/"));
        }
    }
    // every object of the schema occurs: 18 kinds, of which the touches and the UTM parameters have several places
    assert_eq!(kinds.len(), 21, "{kinds:?}");
}

/// A generator of types looks at `properties`: it names a type after the title, opens one that is not closed, and
/// makes something vague of one with alternatives beside its properties.
#[test]
fn generators_can_make_types_of_the_snapshot_schema() {
    let schema = snapshot_schema();
    let id = schema["$id"].as_str().unwrap();
    assert!(id.starts_with("https://") && id.contains("/v1/"), "{id}");
    assert_eq!(schema["title"], "CustomerSnapshot");

    let definitions = schema["definitions"].as_object().unwrap();
    assert!(definitions.contains_key("Enrollment"));
    for (name, definition) in definitions {
        assert_eq!(definition["title"], json!(name));
    }
    let whole = [("CustomerSnapshot", &schema)].into_iter();
    let all = whole.chain(definitions.iter().map(|(name, one)| (name.as_str(), one)));
    for (name, definition) in all {
        assert!(definition["description"].is_string(), "{name}");
        for keyword in ["oneOf", "anyOf", "allOf"] {
            assert!(definition.get(keyword).is_none(), "{name}: {keyword}");
        }
        let Some(properties) = definition["properties"].as_object() else {
            assert!(definition["enum"].is_array(), "{name}");
            continue;
        };
        match name {
            "ActionCounts" => assert_eq!(definition["additionalProperties"]["type"], "integer"),
            "Sources" => {
                let declared = "#/definitions/DeclaredSource";
                assert_eq!(definition["additionalProperties"]["$ref"], declared);
            }
            _ => assert_eq!(definition["additionalProperties"], false, "{name}"),
        }
        for (field, property) in properties {
            let at = format!("{name}.{field}");
            let item = property.get("items").unwrap_or(property);
            if let Some(reference) = item["$ref"].as_str() {
                let named = reference.strip_prefix("#/definitions/").unwrap();
                assert!(definitions.contains_key(named), "{at}: {reference}");
            } else {
                // an object that is described where it is used would have no name of its own
                assert!(item["type"].is_string(), "{at}");
                assert!(item.get("properties").is_none(), "{at}");
                assert!(item.get("enum").is_none(), "{at}");
            }
        }
    }
    let version = &definitions["ConsoleSource"]["properties"]["version"];
    let said = version["description"].as_str().unwrap();
    assert!(said.contains("9007199254740991"), "{said}");
}
