//! Records like those of the tests in the presets and examples, each changed in one place: whatever comes of one, it is
//! said in full, and without what the record holds.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use keyfold::config::{Config, SourceConfig};
use keyfold::definition::{self, Plan};
use keyfold::fold::OfflineFold;
use keyfold::model::record::{Code, DeclaredSource, RawRecord, Rejection, Source};
use keyfold::source::framing::Payload;
use keyfold_harness::json_mutations;
use serde_json::Value;

const DEFINITIONS: [&str; 5] = [
    "preset:segment-identify",
    "preset:shopify-customer",
    "preset:stripe-customer",
    "config/examples/debezium-postgres.toml",
    "config/examples/crm-contacts.toml",
];

fn plan(definition: &str) -> Arc<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).map_err(|error| error.to_string());
    definition::load(definition, read).unwrap()
}

/// The longer texts of a value. Short ones may be in a message by chance.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() >= 8 => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

fn check(rejection: &Rejection, value: &Value, payload: &[String], definition: &str) {
    let is_decoding = rejection.code == Code::NullValue || rejection.violations.is_empty();
    assert!(!is_decoding, "{definition}: {rejection:?} of {value}");
    let violations = rejection.violations.iter().map(|one| &one.message);
    for message in violations.chain([&rejection.message]) {
        assert!(
            !message.contains("please report"),
            "{definition}: {message}"
        );
        for text in payload {
            assert!(!message.contains(text), "{message} quotes {text}");
        }
    }
}

#[test]
fn mutated_records_are_judged_in_full() {
    for definition in DEFINITIONS {
        let plan = plan(definition);
        let source = DeclaredSource::new(definition);
        let mut config = Config::default();
        let settings = SourceConfig::default();
        config.sources.declare(source, settings, plan.clone());
        let (mut valid, mut rejected) = (0, 0);
        for test in &plan.definition.tests {
            let Some(record) = &test.record else {
                continue;
            };
            let document: Value = serde_json::from_str(record).unwrap();
            let mut told = Vec::new();
            texts(&document, &mut told);
            let headers = test.headers.iter();
            let headers: Vec<_> = headers
                .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
                .collect();
            for mutated in json_mutations::all(&document) {
                let text = mutated.to_string();
                let record = RawRecord {
                    source: Source::Declared(source),
                    timestamp: test.timestamp,
                    key: test.key.as_deref().map(str::as_bytes),
                    value: Some(text.as_bytes()),
                };
                let mut fold = OfflineFold::new(&config);
                let payload = Payload::Json(text.as_bytes());
                let rejections = fold.opened(&record, &payload, &headers);
                match rejections.is_empty() {
                    true => valid += 1,
                    false => rejected += 1,
                }
                for rejection in &rejections {
                    check(rejection, &mutated, &told, definition);
                }
                for (_, snapshot) in fold.snapshots() {
                    let snapshot = snapshot.unwrap_or_else(|| b"null".to_vec());
                    serde_json::from_slice::<Value>(&snapshot).unwrap();
                }
            }
        }
        let counts = format!("{definition}: {valid} valid, {rejected} rejected");
        assert!(valid > 1_000 && rejected > 300, "{counts}");
    }
}
