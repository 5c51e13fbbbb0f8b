//! Dead letters: the original record, and why it was rejected in headers (docs/contract.md, section 5).

use super::origin::{Header, Origin};
use crate::model::record::Rejection;
use crate::source::metadata::Metadata;

/// What the headers of a dead letter begin with.
pub const PREFIX: &str = "__keyfold.errors.";
/// There where the value was left out, since the record does not fit into the dead-letter topic;
pub const VALUE_OMITTED: &str = "value.omitted";
/// where its own headers were too, since it did not fit without the value either;
pub const HEADERS_OMITTED: &str = "headers.omitted";
/// and where its key was too.
pub const KEY_OMITTED: &str = "key.omitted";
/// The headers of a dead letter, behind [`PREFIX`]. Others that begin so are the record's own.
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

/// What the dead letters of a processor have in common.
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

/// What is said of the record does not fit into the dead-letter topic, not even without its value, headers and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotFit;

impl DeadLetterTemplate {
    /// What does not fit is left out: the value first, then also the record's own headers, then also its key.
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
        letter.headers.extend(self.told(origin, headers, rejection));
        let omitted = origin.omitted;
        if omitted.form {
            // in a form that is not its source's nobody could take it for what it was
            letter.value = None;
            letter.say(VALUE_OMITTED);
        }
        if omitted.headers {
            letter.say(HEADERS_OMITTED);
        }
        if omitted.key {
            letter.say(KEY_OMITTED);
        }
        if self.takes(&letter) {
            return Ok(letter);
        }
        if letter.value.take().is_some() {
            letter.say(VALUE_OMITTED);
            if self.takes(&letter) {
                return Ok(letter);
            }
        }
        if own > 0 {
            letter.headers.drain(..own);
            if !omitted.headers {
                letter.say(HEADERS_OMITTED);
            }
            if self.takes(&letter) {
                return Ok(letter);
            }
        }
        if letter.key.take().is_some() {
            letter.say(KEY_OMITTED);
        }
        match self.takes(&letter) {
            true => Ok(letter),
            false => Err(DoesNotFit),
        }
    }

    fn takes(&self, letter: &DeadLetter<'_>) -> bool {
        record_bytes(letter.key, letter.value, &letter.headers) <= self.max_bytes
    }

    /// The headers that say where the record came from, and why it was rejected.
    fn told(
        &self,
        origin: &Origin,
        headers: &[Header<'_>],
        rejection: &Rejection,
    ) -> Vec<(String, Option<Vec<u8>>)> {
        let attempts = attempts_before(headers) + 1;
        let violations = serde_json::to_string(&rejection.violations).unwrap_or_default();
        // Kafka's own number for "none" is -1
        let timestamp = origin.timestamp.unwrap_or(-1).to_string();
        let told = [
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
        told.map(|(name, text)| (format!("{PREFIX}{name}"), Some(text.into())))
            .into()
    }
}

impl DeadLetter<'_> {
    fn say(&mut self, omitted: &str) {
        let header = (format!("{PREFIX}{omitted}"), Some(b"true".to_vec()));
        self.headers.push(header);
    }
}

/// Whether the header is one of an older dead letter.
pub fn is_of_a_letter(header: &str) -> bool {
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

/// No less than [`record_bytes`] of what an input's record is forwarded as.
pub fn most_forwarded_bytes(metadata: Metadata, customer: &str, value: usize) -> usize {
    // with the names, the topic of 249 bytes at most, and numbers of 20
    const ENVELOPE: usize = 1024;
    ENVELOPE + customer.len() + value + metadata.bytes + HEADER * metadata.headers
}

// a batch has 61 bytes of its own, a record and each of its headers a few lengths
const BATCH: usize = 61 + 40;
const HEADER: usize = 10;

/// At least the bytes of a batch with just this record, uncompressed, which is what the broker limits.
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

    /// What is left of a record of 1,000 bytes each of key, value and headers, and what is said to be left out.
    fn left(max_bytes: usize) -> Result<(bool, bool, bool, Vec<String>), DoesNotFit> {
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
        let told = letter.headers.iter().filter_map(|(name, value)| {
            if name == attempts {
                assert_eq!(value.as_deref(), Some(b"5".as_slice()));
            }
            let omitted = name.strip_prefix(PREFIX)?.strip_suffix(".omitted")?;
            Some(omitted.to_owned())
        });
        let told = told.collect();
        let (key, value) = (letter.key.is_some(), letter.value.is_some());
        Ok((key, value, has("trace"), told))
    }

    #[test]
    fn what_does_not_fit_is_left_out_the_value_first_and_the_key_last() {
        assert_eq!(left(5_000), Ok((true, true, true, vec![])));
        let told = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(left(3_500), Ok((true, false, true, told(&["value"]))));
        let two = told(&["value", "headers"]);
        assert_eq!(left(2_500), Ok((true, false, false, two)));
        let three = told(&["value", "headers", "key"]);
        assert_eq!(left(1_500), Ok((false, false, false, three)));
        assert_eq!(left(500), Err(DoesNotFit));
    }

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
