//! The decoder of each source, of JSON.

use keyfold::config::Config;
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{Code, Source, Stage};
use keyfold::source::{self, schema};
use serde_json::Value;

use super::verdict::{checked, record};

/// Any bytes get the verdict of the source's JSON Schema, or are no JSON.
pub fn judge(source: Source, bytes: &[u8]) {
    let config = Config::default();
    let verdict = checked(source::judge(&record(source, bytes), &config), source, None);
    let rejection = verdict.rejection;
    let code = rejection.as_ref().map(|rejection| rejection.code);
    if bytes.len() > config.validation.max_record_bytes {
        assert_eq!(code, Some(Code::TooLarge));
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert_eq!(code, Some(Code::InvalidUtf8));
        return;
    };
    let Some(value) = parsed(text) else {
        assert_eq!(code, Some(Code::InvalidJson));
        return;
    };
    // which of two fields the schema would see is not said
    if code == Some(Code::DuplicateField) {
        return;
    }
    let accepted = schema::of(source).is_ok_and(|schema| schema.accepts(&value));
    let is_batch = source == Source::PublisherCustomers;
    match code {
        None => assert!(accepted),
        Some(Code::SchemaViolation) => assert!(!accepted || is_batch),
        // a batch has the code of its first bad element, and others may break the schema
        Some(code) => {
            assert_eq!(code.stage(), Stage::Semantic);
            assert!(accepted || is_batch);
        }
    }
}

/// A well-formed text as a value, nested as deep as is allowed (docs/contract.md, section 2).
fn parsed(text: &str) -> Option<Value> {
    strict::check(text).ok()?;
    strict::read(text, Plain).ok()
}
