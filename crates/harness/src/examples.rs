//! The examples under `schemas/examples`, as `schemas/README.md` describes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyfold::model::record::{RawRecord, Source};
use serde_json::Value;

use crate::root;

/// The timestamp of an example that names none.
pub const TIMESTAMP: i64 = 1_800_000_000_000;

/// One case.
pub struct Example {
    /// `valid/loyalty-customers/minimal`, for messages.
    pub name: String,
    pub source: Source,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Option<i64>,
    /// What the verdict must be, of an invalid one.
    pub rejection: Option<Value>,
}

impl Example {
    pub fn record(&self) -> RawRecord<'_> {
        RawRecord {
            source: self.source,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
        }
    }
}

pub fn folder() -> PathBuf {
    root().join("schemas/examples")
}

/// All cases of `valid` or `invalid`.
pub fn all(kind: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    for source in Source::BUILT_IN {
        let folder = folder().join(kind).join(source.name());
        let names: BTreeSet<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_suffix(".json")?.split('.').next()?.to_owned()))
            .collect();
        assert!(!names.is_empty(), "no examples in {}", folder.display());
        for name in names {
            examples.push(read(kind, source, &folder, &name));
        }
    }
    examples
}

fn read(kind: &str, source: Source, folder: &Path, name: &str) -> Example {
    let json = |suffix: &str| -> Option<Value> {
        let text = fs::read(folder.join(format!("{name}.{suffix}.json"))).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    };
    let record = json("record");
    let part = |name: &str| record.as_ref().and_then(|record| record.get(name));
    let null = part("value").is_some();
    Example {
        name: format!("{kind}/{}/{name}", source.name()),
        source,
        key: part("key")
            .and_then(Value::as_str)
            .map(|key| key.as_bytes().to_vec()),
        value: (!null).then(|| fs::read(folder.join(format!("{name}.json"))).unwrap()),
        timestamp: part("timestamp").map_or(Some(TIMESTAMP), Value::as_i64),
        rejection: json("rejection"),
    }
}
