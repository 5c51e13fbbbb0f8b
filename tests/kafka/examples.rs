//! Every example of `schemas/examples` through a real Kafka.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keyfold::model::record::Source;
use serde::Deserialize;

use keyfold_harness::app::{App, EXAMPLE_TIME};
use keyfold_harness::expected::{Repeats, error_header};
use keyfold_harness::record::Record;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/examples");

/// The metadata of an example's record.
#[derive(Deserialize)]
struct Metadata {
    key: Option<String>,
    timestamp: Option<i64>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Verdict {
    stage: String,
    code: String,
    violations: Vec<Place>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Place {
    pointer: String,
    keyword: String,
}

#[test]
fn every_example_gets_the_verdict_that_its_file_says() {
    let mut app = App::new();
    app.set(&["processing", "workers"], 2);
    app.create();
    let valid = examples(&app, "valid");
    let invalid = examples(&app, "invalid");
    assert!(valid.len() > 50 && invalid.len() > 200);
    let mut keyfold = app.run_ready();
    let records = valid.values().chain(invalid.values());
    app.client.produce(&records.cloned().collect::<Vec<_>>());
    app.wait_drained(&mut keyfold);

    let mut letters: BTreeMap<String, Verdict> = BTreeMap::new();
    for letter in app.read_dead_letters() {
        let name = letter.header("example").expect("the original header");
        let record = invalid
            .get(name)
            .unwrap_or_else(|| panic!("{name} was rejected"));
        assert_eq!(letter.key, record.key, "{name}");
        assert_eq!(letter.value, record.value, "{name}");
        let verdict = Verdict {
            stage: error_header(&letter, "stage").to_owned(),
            code: error_header(&letter, "code").to_owned(),
            violations: serde_json::from_str(error_header(&letter, "violations")).expect("JSON"),
        };
        let before = letters.insert(name.to_owned(), verdict);
        assert_eq!(before, None, "{name} was rejected twice");
    }
    for name in invalid.keys() {
        let file = Path::new(EXAMPLES).join(format!("{name}.rejection.json"));
        let expected: Verdict =
            serde_json::from_slice(&fs::read(file).expect("a file")).expect("a verdict");
        assert_eq!(letters.get(name), Some(&expected), "{name}");
    }
    app.assert_folded(Repeats::Forbidden);
    app.assert_ledger(&[&keyfold.metrics()]);
    assert_eq!(keyfold.terminate(), 0);
}

/// The examples in a directory, by their path without `.json`, each with that path as a header. Records without
/// a timestamp cannot be produced.
fn examples(app: &App, directory: &str) -> BTreeMap<String, Record> {
    let mut records = BTreeMap::new();
    for source in Source::BUILT_IN {
        let place = format!("{directory}/{}", source.name());
        let files = fs::read_dir(Path::new(EXAMPLES).join(&place)).expect("examples");
        for file in files {
            let file = file.expect("a file").file_name();
            let file = file.to_str().expect("a name of text");
            let (name, _) = file.split_once('.').expect("a name with an ending");
            let name = format!("{place}/{name}");
            if records.contains_key(&name) {
                continue;
            }
            let path = |ending| PathBuf::from(EXAMPLES).join(format!("{name}.{ending}"));
            let metadata = fs::read(path("record.json")).ok();
            let metadata = metadata.map_or(
                Metadata {
                    key: None,
                    timestamp: Some(EXAMPLE_TIME),
                },
                |json| serde_json::from_slice(&json).expect("metadata"),
            );
            let Some(timestamp) = metadata.timestamp else {
                continue;
            };
            let mut record = app.record(source).at(timestamp);
            record.key = metadata.key.map(String::into_bytes);
            record.value = fs::read(path("json")).ok();
            let record = record.header("example", name.clone());
            records.insert(name, record);
        }
    }
    records
}
