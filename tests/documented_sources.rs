//! What docs/sources.md shows of declared sources is what the program does: records and the snapshots that they come to,
//! and a source of one's own from an empty directory, each command as it is written.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyfold::config::{Config, SourceConfig};
use keyfold::definition;
use keyfold::fold::OfflineFold;
use keyfold::model::record::{DeclaredSource, RawRecord, Source};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/sources.md")).unwrap()
}

/// The section under a heading, up to `end`.
fn section<'p>(page: &'p str, heading: &str, end: &str) -> &'p str {
    let heading = format!("\n## {heading}\n");
    let (_, rest) = page.split_once(&heading).expect(&heading);
    rest.split_once(end).map_or(rest, |(section, _)| section)
}

/// The blocks of code: language and text.
fn blocks(section: &str) -> Vec<(&str, &str)> {
    let blocks = section.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// JSON without white space outside its texts.
fn compact(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let mut compact = json.to_owned();
    compact.retain(|character| {
        let keeps = is_text || !character.is_whitespace();
        let ends_or_begins = character == '"' && !is_escaped;
        is_escaped = is_text && character == '\\' && !is_escaped;
        is_text ^= ends_or_begins;
        keeps
    });
    compact
}

/// Each section with the definition that it walks through, and the name of the source.
const WALKS: [(&str, &str, &str); 6] = [
    (
        "Segment: identify calls",
        "preset:segment-identify",
        "segment",
    ),
    ("Shopify: customers", "preset:shopify-customer", "shopify"),
    ("Stripe: customers", "preset:stripe-customer", "stripe"),
    (
        "Loyalty customers, as a definition",
        "preset:loyalty-customers",
        "partner-customers",
    ),
    (
        "Debezium: a table in Postgres",
        "config/examples/debezium-postgres.toml",
        "shop-customers",
    ),
    (
        "Batches of contacts",
        "config/examples/crm-contacts.toml",
        "crm-contacts",
    ),
];

/// What a record alone comes to.
fn snapshot(definition: &str, name: &str, value: &str) -> String {
    let read = |file: &str| {
        let text = fs::read_to_string(root().join(file));
        text.map_err(|error| error.to_string())
    };
    let plan = definition::load(definition, read).unwrap();
    let source = DeclaredSource::new(name);
    let mut config = Config::default();
    config
        .sources
        .declare(source, SourceConfig::default(), plan);
    let mut fold = OfflineFold::new(&config);
    let rejections = fold.record(&RawRecord {
        source: Source::Declared(source),
        timestamp: None,
        key: None,
        value: Some(value.as_bytes()),
    });
    assert!(rejections.is_empty(), "{definition}: {rejections:?}");
    let mut snapshots = fold.snapshots();
    let (_, shown) = snapshots.next().unwrap();
    assert!(snapshots.next().is_none());
    String::from_utf8(shown.unwrap()).unwrap()
}

#[test]
fn each_record_comes_to_the_snapshot_behind_it() {
    let page = page();
    for (heading, definition, name) in WALKS {
        let blocks = blocks(section(&page, heading, "\n## "));
        let json: Vec<&str> = blocks
            .iter()
            .filter_map(|(language, text)| (*language == "json").then_some(*text))
            .collect();
        let [record, expected] = json[..] else {
            panic!("{heading}: a record and a snapshot");
        };
        assert_eq!(
            snapshot(definition, name, record),
            compact(expected),
            "{heading}"
        );
    }
}

/// Runs a block of a shell, and gives what it prints.
fn shell(script: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_keyfold"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let run = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr);
    // `sources try` exits with 1 where a record is rejected
    let finds = script.contains("sources try");
    assert_eq!(
        run.status.code(),
        Some(i32::from(finds)),
        "{script}\n{error}"
    );
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_source_of_ones_own_comes_out_as_it_is_shown() {
    let page = page();
    let heading = "A source of your own in ten minutes";
    let blocks = blocks(section(&page, heading, "\n### On Kafka\n"));
    let empty = tempfile::tempdir().unwrap();
    let mut folder = empty.path().to_owned();
    let mut printed = String::new();
    let mut compared = 0;
    for (language, text) in blocks {
        if language == "sh" {
            assert_eq!(printed, "", "something is printed that is not shown");
            printed = shell(text, &folder);
            // each block has a shell of its own, which does not stay where it went
            if text.contains("\ncd gym\n") {
                folder.push("gym");
            }
            continue;
        }
        let found = std::mem::take(&mut printed);
        match language {
            "json" => assert_eq!(compact(&found), compact(text)),
            _ => assert_eq!(found.trim_end(), text.trim_end()),
        }
        compared += 1;
    }
    assert_eq!((printed.as_str(), compared), ("", 4));
}

#[test]
fn the_tests_of_the_presets_and_examples_pass() {
    let page = page();
    let blocks = blocks(section(&page, "Several sources at once", "\n## "));
    let (_, command) = blocks
        .iter()
        .find(|(language, _)| *language == "sh")
        .unwrap();
    shell(command, root());
    shell(
        "keyfold sources test presets/*.toml config/examples/[cd]*.toml",
        root(),
    );
}
