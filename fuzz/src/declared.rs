//! Definitions of declared sources, and records that are judged by some.

use std::sync::{Arc, LazyLock};

use keyfold::config::{Config, SourceConfig};
use keyfold::definition::{self, Plan};
use keyfold::model::record::{DeclaredSource, RawRecord, Source};
use keyfold::source;
use keyfold::source::framing::Payload;

use super::verdict::{checked_by, record};

const FILE: &str = "definition.toml";

const DEFINITIONS: [(&str, &str); 6] = [
    ("contacts", include_str!("../definitions/contacts.toml")),
    ("whole", include_str!("../definitions/whole.toml")),
    ("batch", include_str!("../definitions/batch.toml")),
    ("debezium", include_str!("../definitions/debezium.toml")),
    ("events", include_str!("../definitions/events.toml")),
    ("actions", include_str!("../definitions/actions.toml")),
];

/// A configuration that declares the sources of [`DEFINITIONS`].
static SETUP: LazyLock<(Config, Vec<Source>)> = LazyLock::new(|| {
    let mut config = Config::default();
    let sources = DEFINITIONS.map(|(name, text)| {
        let source = DeclaredSource::new(name);
        let plan = load(text).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        config
            .sources
            .declare(source, SourceConfig::default(), plan);
        Source::Declared(source)
    });
    (config, sources.to_vec())
});

fn load(text: &str) -> Result<Arc<Plan>, Vec<definition::Problem>> {
    definition::load(FILE, |file| match file {
        FILE => Ok(text.to_owned()),
        // a definition may name files: here each holds the definition itself, or is not there
        "s.json" | "r.avsc" => Ok(text.to_owned()),
        _ => Err("there is no such file".to_owned()),
    })
}

/// Any text is a definition, or has problems that can be told.
pub fn define(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(problems) = load(text) {
        assert!(!problems.is_empty());
        for problem in problems {
            assert!(!problem.to_string().is_empty());
        }
    }
}

/// Any bytes are judged by the definition that the first byte names.
pub fn judge(bytes: &[u8]) {
    let Some((&first, value)) = bytes.split_first() else {
        return;
    };
    let (config, sources) = &*SETUP;
    let source = sources[usize::from(first) % sources.len()];
    let record = RawRecord {
        key: Some(b"key"),
        ..record(source, value)
    };
    let headers = [("family", Some(&b" F "[..]))];
    let payload = Payload::Json(value);
    let judged = source::judge_payload(&record, &payload, &headers, config);
    checked_by(judged, source, None, config);
}
