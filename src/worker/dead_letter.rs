//! Dead letters: the original record, and why it was rejected in headers (the contract, section 5).

use super::origin::{Header, Origin, without_envelope};
use crate::record::Rejection;

const PREFIX: &str = "__keyfold.errors.";
/// There where the value was left out, since it does not fit into the dead-letter topic.
const VALUE_OMITTED: &str = "value.omitted";
/// The headers of a dead letter, behind [`PREFIX`]. Others that begin so are the record's own.
const NAMES: [&str; 13] = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "source",
    "stage",
    "code",
    "message",
    "violations",
    "application",
    "version",
    "attempts",
    VALUE_OMITTED,
];

/// What the dead letters of a processor have in common.
#[derive(Debug, Clone)]
pub struct Letterhead {
    pub application: String,
    pub version: &'static str,
    /// The largest record that the dead-letter topic takes, in bytes.
    pub max_bytes: usize,
}

/// A dead letter, ready to be produced with the origin's key.
#[derive(Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The record does not fit into the dead-letter topic, not even without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotFit;

impl Letterhead {
    pub fn write<'a>(
        &self,
        origin: &Origin,
        value: Option<&'a [u8]>,
        headers: &[Header<'_>],
        rejection: &Rejection,
    ) -> Result<DeadLetter<'a>, DoesNotFit> {
        let attempts = attempts_before(headers) + 1;
        let mut all: Vec<(String, Option<Vec<u8>>)> = without_envelope(headers)
            .filter(|(name, _)| !is_of_a_letter(name))
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect();
        let violations = serde_json::to_string(&rejection.violations).unwrap_or_default();
        // Kafka's own number for "none" is -1
        let timestamp = origin.timestamp.unwrap_or(-1).to_string();
        for (name, text) in [
            ("topic", origin.topic.as_str()),
            ("partition", &origin.partition.to_string()),
            ("offset", &origin.offset.to_string()),
            ("timestamp", &timestamp),
            ("source", origin.source.name()),
            ("stage", rejection.code.stage().name()),
            ("code", rejection.code.name()),
            ("message", &rejection.message),
            ("violations", &violations),
            ("application", &self.application),
            ("version", self.version),
            ("attempts", &attempts.to_string()),
        ] {
            all.push((format!("{PREFIX}{name}"), Some(text.into())));
        }
        let key = origin.key.as_deref();
        if record_bytes(key, value, &all) <= self.max_bytes {
            return Ok(DeadLetter {
                value,
                headers: all,
            });
        }
        all.push((format!("{PREFIX}{VALUE_OMITTED}"), Some(b"true".to_vec())));
        if record_bytes(key, None, &all) > self.max_bytes {
            return Err(DoesNotFit);
        }
        Ok(DeadLetter {
            value: None,
            headers: all,
        })
    }
}

/// Whether the header is one of an older dead letter.
fn is_of_a_letter(header: &str) -> bool {
    header
        .strip_prefix(PREFIX)
        .is_some_and(|name| NAMES.contains(&name))
}

/// How often the record was rejected before.
fn attempts_before(headers: &[Header<'_>]) -> u64 {
    headers
        .iter()
        .rev()
        .find(|(name, _)| *name == "__keyfold.errors.attempts")
        .and_then(|(_, value)| std::str::from_utf8((*value)?).ok()?.parse::<u64>().ok())
        .map_or(0, |attempts| attempts.min(u64::MAX - 1))
}

/// At least the bytes of a batch with just this record, uncompressed, which is what the broker limits.
pub fn record_bytes<N: AsRef<str>, V: AsRef<[u8]>>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(N, Option<V>)],
) -> usize {
    // a batch has 61 bytes of its own, a record and each of its headers a few lengths
    const BATCH: usize = 61 + 40;
    const HEADER: usize = 10;
    let headers: usize = headers
        .iter()
        .map(|(name, value)| {
            HEADER + name.as_ref().len() + value.as_ref().map_or(0, |value| value.as_ref().len())
        })
        .sum();
    BATCH + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_of_an_older_letter_are_replaced() {
        for name in NAMES {
            assert!(is_of_a_letter(&format!("{PREFIX}{name}")), "{name}");
        }
        for name in ["__keyfold.errors.note", "__keyfold.errors.", "topic"] {
            assert!(!is_of_a_letter(name), "{name}");
        }
    }
}
