//! Dead letters: the original record, with headers that say why it was rejected (docs/contract.md, section 5).

use super::origin::{Header, Origin};
use crate::model::record::Rejection;
use crate::source::metadata::Metadata;

/// The prefix of the headers that keyfold adds to a dead letter.
pub const PREFIX: &str = "__keyfold.errors.";
/// Set if the value was left out, because the record does not fit into the dead-letter topic.
pub const VALUE_OMITTED: &str = "value.omitted";
/// Set if the record's own headers were left out too, because it does not fit without the value either.
pub const HEADERS_OMITTED: &str = "headers.omitted";
/// Set if the key was left out too.
pub const KEY_OMITTED: &str = "key.omitted";
/// The names of these headers, without [`PREFIX`]. Any other header with the prefix belongs to the original record.
const NAMES: [&str; 15] = [
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
    HEADERS_OMITTED,
    KEY_OMITTED,
];

/// What all dead letters of a processor have in common. It writes them.
#[derive(Debug, Clone)]
pub struct DeadLetterTemplate {
    pub application: String,
    pub version: &'static str,
    /// The largest record that the dead-letter topic takes, in bytes.
    pub max_bytes: usize,
}

/// A dead letter, ready to be produced.
#[derive(Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The dead letter does not fit into the dead-letter topic, not even without the record's value, headers and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotFit;

impl DeadLetterTemplate {
    /// Writes a dead letter. If it is too large, parts are left out until it fits: the value first, then also the
    /// record's own headers, then also its key.
    pub fn write<'a>(
        &self,
        origin: &'a Origin,
        value: Option<&'a [u8]>,
        headers: &[Header<'_>],
        rejection: &Rejection,
    ) -> Result<DeadLetter<'a>, DoesNotFit> {
        let own = headers
            .iter()
            .filter(|(name, _)| !is_of_a_letter(name))
            .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
        let mut letter = DeadLetter {
            key: origin.key.as_deref(),
            value,
            headers: own.collect(),
        };
        let own = letter.headers.len();
        letter
            .headers
            .extend(self.error_headers(origin, headers, rejection));
        let omitted = origin.omitted;
        if omitted.form {
            // the forwarded value is JSON, but the source's format is another one: readers of the dead letter would
            // take it for the original value
            letter.value = None;
            letter.mark_omitted(VALUE_OMITTED);
        }
        if omitted.headers {
            letter.mark_omitted(HEADERS_OMITTED);
        }
        if omitted.key {
            letter.mark_omitted(KEY_OMITTED);
        }
        if self.fits(&letter) {
            return Ok(letter);
        }
        if letter.value.take().is_some() {
            letter.mark_omitted(VALUE_OMITTED);
            if self.fits(&letter) {
                return Ok(letter);
            }
        }
        if own > 0 {
            letter.headers.drain(..own);
            if !omitted.headers {
                letter.mark_omitted(HEADERS_OMITTED);
            }
            if self.fits(&letter) {
                return Ok(letter);
            }
        }
        if letter.key.take().is_some() {
            letter.mark_omitted(KEY_OMITTED);
        }
        match self.fits(&letter) {
            true => Ok(letter),
            false => Err(DoesNotFit),
        }
    }

    /// Whether the dead-letter topic takes a record of this size.
    fn fits(&self, letter: &DeadLetter<'_>) -> bool {
        record_bytes(letter.key, letter.value, &letter.headers) <= self.max_bytes
    }

    /// The headers that say where the record came from, and why it was rejected.
    fn error_headers(
        &self,
        origin: &Origin,
        headers: &[Header<'_>],
        rejection: &Rejection,
    ) -> Vec<(String, Option<Vec<u8>>)> {
        let attempts = attempts_before(headers) + 1;
        let violations = serde_json::to_string(&rejection.violations).unwrap_or_default();
        // Kafka represents a missing timestamp as -1
        let timestamp = origin.timestamp.unwrap_or(-1).to_string();
        let texts = [
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
        ];
        texts
            .map(|(name, text)| (format!("{PREFIX}{name}"), Some(text.into())))
            .into()
    }
}

impl DeadLetter<'_> {
    /// Adds the header that says that a part was left out.
    fn mark_omitted(&mut self, omitted: &str) {
        let header = (format!("{PREFIX}{omitted}"), Some(b"true".to_vec()));
        self.headers.push(header);
    }
}

/// Whether a header was added by keyfold when the record was a dead letter before.
pub fn is_of_a_letter(header: &str) -> bool {
    header
        .strip_prefix(PREFIX)
        .is_some_and(|name| NAMES.contains(&name))
}

/// How many times the record was rejected before.
fn attempts_before(headers: &[Header<'_>]) -> u64 {
    headers
        .iter()
        .rev()
        .find(|(name, _)| *name == "__keyfold.errors.attempts")
        .and_then(|(_, value)| std::str::from_utf8((*value)?).ok()?.parse::<u64>().ok())
        .map_or(0, |attempts| attempts.min(u64::MAX - 1))
}

/// An upper bound of [`record_bytes`] for the forwarded record that is made of a record of an input.
pub fn most_forwarded_bytes(metadata: Metadata, customer: &str, value: usize) -> usize {
    // the headers of the envelope: their names, a topic name of at most 249 bytes, and numbers of at most 20 digits
    const ENVELOPE: usize = 1024;
    ENVELOPE + customer.len() + value + metadata.bytes + HEADER * metadata.headers
}

// a record batch has a header of 61 bytes; a record and each of its headers have a few length fields
const BATCH: usize = 61 + 40;
const HEADER: usize = 10;

/// An upper bound of the size of an uncompressed record batch with just this record; the broker limits the size of a
/// batch.
pub fn record_bytes<N: AsRef<str>, V: AsRef<[u8]>>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(N, Option<V>)],
) -> usize {
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
    use crate::engine::origin::Omitted;
    use crate::model::record::{Code, Source};

    fn dead_letter_template(max_bytes: usize) -> DeadLetterTemplate {
        DeadLetterTemplate {
            application: "keyfold".to_owned(),
            version: "1",
            max_bytes,
        }
    }

    /// Of a record with 1,000 bytes each of key, value and headers: whether the dead letter has the key, the value and
    /// the record's own headers, and which parts it says are omitted.
    fn parts_left(max_bytes: usize) -> Result<(bool, bool, bool, Vec<String>), DoesNotFit> {
        let origin = Origin {
            source: Source::ConsoleCustomers,
            topic: "input".to_owned(),
            partition: 0,
            offset: 7,
            timestamp: None,
            key: Some(vec![b'k'; 1_000]),
            omitted: Omitted::default(),
        };
        let (own, attempts) = (vec![b'h'; 990], "__keyfold.errors.attempts");
        let older = "__keyfold.errors.key.omitted";
        let headers: [Header<'_>; 3] = [
            ("trace", Some(&own)),
            (attempts, Some(b"4")),
            (older, Some(b"true")),
        ];
        let rejection = Rejection::new(Code::TooLarge);
        let value = vec![b'v'; 1_000];
        let letter =
            dead_letter_template(max_bytes).write(&origin, Some(&value), &headers, &rejection)?;
        let has = |name: &str| letter.headers.iter().any(|(header, _)| header == name);
        let omitted_parts = letter.headers.iter().filter_map(|(name, value)| {
            if name == attempts {
                assert_eq!(value.as_deref(), Some(b"5".as_slice()));
            }
            let omitted = name.strip_prefix(PREFIX)?.strip_suffix(".omitted")?;
            Some(omitted.to_owned())
        });
        let omitted_parts = omitted_parts.collect();
        let (key, value) = (letter.key.is_some(), letter.value.is_some());
        Ok((key, value, has("trace"), omitted_parts))
    }

    #[test]
    fn too_large_dead_letters_omit_the_value_first_and_the_key_last() {
        assert_eq!(parts_left(5_000), Ok((true, true, true, vec![])));
        let parts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(
            parts_left(3_500),
            Ok((true, false, true, parts(&["value"])))
        );
        let two = parts(&["value", "headers"]);
        assert_eq!(parts_left(2_500), Ok((true, false, false, two)));
        let three = parts(&["value", "headers", "key"]);
        assert_eq!(parts_left(1_500), Ok((false, false, false, three)));
        assert_eq!(parts_left(500), Err(DoesNotFit));
    }

    #[test]
    fn only_headers_of_an_older_dead_letter_are_replaced() {
        for name in NAMES {
            assert!(is_of_a_letter(&format!("{PREFIX}{name}")), "{name}");
        }
        for name in ["__keyfold.errors.note", "__keyfold.errors.", "topic"] {
            assert!(!is_of_a_letter(name), "{name}");
        }
    }
}
