//! Dead letters, as `keyfold dlq` reads them back from their headers (docs/contract.md, section 5).
//!
//! | file | subject |
//! |---|---|
//! | this one | [`Letter`]: what the headers say |
//! | [`filter`] | which letters a command is about |
//! | [`groups`] | what is wrong, since when and how often |
//! | [`now`] | the verdict on a letter under today's configuration, and what is sent of it |
//! | [`batch`] | a batch cut down to its bad elements |
//! | [`settled`] | which letters were replayed or discarded before |

pub mod batch;
pub mod filter;
pub mod groups;
pub mod now;
pub mod settled;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::dead_letter::{
    HEADERS_OMITTED, KEY_OMITTED, PREFIX, VALUE_OMITTED, is_of_a_letter,
};
use crate::engine::received::Received;
use crate::model::record::{Header, RawRecord, Source};

/// The header of a record that `keyfold dlq replay` has sent: the letter that it comes from.
pub const REPLAYED: &str = "__keyfold.replayed";

/// Where a letter is in the dead-letter topic: `PARTITION@OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    pub partition: i32,
    pub offset: i64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

impl Serialize for LetterId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<LetterId, String> {
        let parts = text.split_once('@');
        let id = parts.and_then(|(partition, offset)| {
            let id = LetterId {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            };
            (id.partition >= 0 && id.offset >= 0).then_some(id)
        });
        id.ok_or_else(|| "a letter is named PARTITION@OFFSET, such as 3@118".to_owned())
    }
}

/// A violation as the letter lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterViolation {
    pub pointer: String,
    pub keyword: String,
    pub message: String,
}

/// Which parts of the record the letter lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Omitted {
    pub value: bool,
    pub headers: bool,
    pub key: bool,
}

impl Omitted {
    pub fn any(self) -> bool {
        self.value || self.headers || self.key
    }

    /// The names of the parts.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.value, "value"),
            (self.headers, "headers"),
            (self.key, "key"),
        ];
        let omitted = all.into_iter().filter(|(is_omitted, _)| *is_omitted);
        omitted.map(|(_, name)| name).collect()
    }
}

/// A dead letter: the record that was rejected, and what the headers say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter<'a> {
    pub id: LetterId,
    /// When it was rejected, in milliseconds since 1970.
    pub rejected_at: Option<i64>,
    /// Where the record came from.
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// The record's, in milliseconds; none if it had none.
    pub timestamp: Option<i64>,
    pub source: &'a str,
    pub stage: &'a str,
    pub code: &'a str,
    pub message: &'a str,
    pub violations: Vec<LetterViolation>,
    pub application: &'a str,
    pub version: &'a str,
    pub attempts: u64,
    pub omitted: Omitted,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The record's own headers.
    pub headers: Vec<Header<'a>>,
}

impl<'a> Letter<'a> {
    /// Reads a record of the dead-letter topic; none if it does not have the headers of a letter.
    pub fn read(
        id: LetterId,
        rejected_at: Option<i64>,
        (key, value): (Option<&'a [u8]>, Option<&'a [u8]>),
        headers: &[Header<'a>],
    ) -> Option<Letter<'a>> {
        let find = |name: &str| {
            let mut all = headers.iter().rev();
            all.find(|(header, _)| header.strip_prefix(PREFIX) == Some(name))
        };
        let text = |name: &str| std::str::from_utf8(find(name)?.1?).ok();
        let violations = text("violations").and_then(|json| serde_json::from_str(json).ok());
        let timestamp: i64 = text("timestamp")?.parse().ok()?;
        Some(Letter {
            id,
            rejected_at,
            topic: text("topic")?,
            partition: text("partition")?.parse().ok()?,
            offset: text("offset")?.parse().ok()?,
            timestamp: (timestamp != -1).then_some(timestamp),
            source: text("source")?,
            stage: text("stage")?,
            code: text("code")?,
            message: text("message").unwrap_or_default(),
            violations: violations.unwrap_or_default(),
            application: text("application")?,
            version: text("version").unwrap_or_default(),
            attempts: text("attempts")?.parse().ok()?,
            omitted: Omitted {
                value: find(VALUE_OMITTED).is_some(),
                headers: find(HEADERS_OMITTED).is_some(),
                key: find(KEY_OMITTED).is_some(),
            },
            key,
            value,
            headers: headers
                .iter()
                .filter(|(name, _)| !is_of_a_letter(name))
                .copied()
                .collect(),
        })
    }

    /// The letter with the parts that somebody has edited: its key, its value and its headers.
    #[must_use]
    pub fn with_parts(
        self,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &[Header<'a>],
    ) -> Letter<'a> {
        let is_marked = |name: &str| {
            let mut names = headers.iter().map(|(name, _)| *name);
            names.any(|header| header.strip_prefix(PREFIX) == Some(name))
        };
        let own: Vec<Header<'a>> = headers
            .iter()
            .filter(|(name, _)| !is_of_a_letter(name))
            .copied()
            .collect();
        // A part that was left out is there if the line has it, or no longer says that it was left out.
        let omitted = Omitted {
            value: is_marked(VALUE_OMITTED) && value.is_none(),
            headers: is_marked(HEADERS_OMITTED) && own.is_empty(),
            key: is_marked(KEY_OMITTED) && key.is_none(),
        };
        Letter {
            key,
            value,
            headers: own,
            omitted,
            ..self
        }
    }

    /// The record that was rejected, as the processor would receive it with this value and these headers.
    pub fn received<'r>(
        &'r self,
        source: Source,
        value: Option<&'r [u8]>,
        headers: &'r [Header<'r>],
    ) -> Received<'r> {
        Received {
            topic: self.topic,
            partition: self.partition,
            offset: self.offset,
            raw: RawRecord {
                source,
                timestamp: self.timestamp,
                key: self.key,
                value,
            },
            headers,
            forwarded: None,
        }
    }

    /// The first violation.
    pub fn first_violation(&self) -> Option<&LetterViolation> {
        self.violations.first()
    }
}

/// A pointer with `*` in the place of each index of a list.
pub fn without_indices(pointer: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = pointer.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if is_index(part) { "*" } else { part })
        .collect();
    parts.join("/")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::Config;
    use crate::engine::dead_letter::DeadLetterTemplate;
    use crate::engine::origin::{self, Origin};
    use crate::model::record::Rejection;

    /// A dead letter as the processor writes it.
    pub struct Written {
        pub key: Option<Vec<u8>>,
        pub value: Option<Vec<u8>>,
        pub headers: Vec<(String, Option<Vec<u8>>)>,
    }

    impl Written {
        /// Of a record of a source's topic, with a key and a header.
        pub fn of(source: Source, value: Option<&[u8]>, rejection: &Rejection) -> Written {
            Written::limited(source, value, rejection, 10_000_000)
        }

        pub fn limited(
            source: Source,
            value: Option<&[u8]>,
            rejection: &Rejection,
            max_bytes: usize,
        ) -> Written {
            let topic = Config::default()
                .sources
                .get(source)
                .map(|one| one.topics[0].clone());
            let origin = Origin {
                source,
                topic: topic.unwrap_or_else(|| "crm".to_owned()),
                partition: 2,
                offset: 40,
                timestamp: Some(1_800_000_000_000),
                key: Some(b"c-1".to_vec()),
                omitted: origin::Omitted::default(),
            };
            let template = DeadLetterTemplate {
                application: "keyfold".to_owned(),
                version: "1.2.3",
                max_bytes,
            };
            let own: [Header<'_>; 2] = [
                ("trace", Some(b"\xff1")),
                ("__keyfold.errors.attempts", Some(b"1")),
            ];
            let letter = template.write(&origin, value, &own, rejection).unwrap();
            Written {
                key: letter.key.map(<[u8]>::to_vec),
                value: letter.value.map(<[u8]>::to_vec),
                headers: letter.headers,
            }
        }

        pub fn headers(&self) -> Vec<Header<'_>> {
            let all = self.headers.iter();
            all.map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect()
        }

        pub fn read(&self) -> Option<Letter<'_>> {
            let id = LetterId {
                partition: 3,
                offset: 118,
            };
            let parts = (self.key.as_deref(), self.value.as_deref());
            Letter::read(id, Some(1_800_000_100_000), parts, &self.headers())
        }
    }

    pub fn schema_violation(pointers: &[&str]) -> Rejection {
        let violation = |pointer: &&str| crate::model::record::Violation {
            pointer: (*pointer).to_owned(),
            keyword: "type",
            message: "must be a string".to_owned(),
        };
        let violations = pointers.iter().map(violation).collect();
        Rejection::with_violations(crate::model::record::Code::SchemaViolation, violations)
    }

    #[test]
    fn a_letter_is_read_as_it_was_written() {
        let rejection = schema_violation(&["/body/addresses/3/city", "/body/x"]);
        let written = Written::of(Source::LoyaltyCustomers, Some(b"{\xff"), &rejection);
        let letter = written.read().unwrap();
        assert_eq!(letter.id.to_string(), "3@118");
        assert_eq!(letter.topic, "loyalty.customers");
        assert_eq!((letter.partition, letter.offset), (2, 40));
        assert_eq!(letter.timestamp, Some(1_800_000_000_000));
        assert_eq!(letter.source, "loyalty-customers");
        assert_eq!((letter.stage, letter.code), ("schema", "schema_violation"));
        assert_eq!((letter.application, letter.version), ("keyfold", "1.2.3"));
        assert_eq!(letter.attempts, 2);
        assert_eq!(letter.violations.len(), 2);
        assert_eq!(letter.violations[0].keyword, "type");
        assert_eq!(letter.headers, [("trace", Some(b"\xff1".as_slice()))]);
        assert_eq!(letter.value, Some(b"{\xff".as_slice()));
        assert!(!letter.omitted.any());
    }

    #[test]
    fn a_record_without_its_headers_is_no_letter() {
        let written = || Written::of(Source::ConsoleCustomers, None, &schema_violation(&["/a"]));
        for name in ["topic", "offset", "code", "timestamp", "application"] {
            let mut without = written();
            without
                .headers
                .retain(|(header, _)| *header != format!("{PREFIX}{name}"));
            assert_eq!(without.read(), None, "{name}");
        }
        let mut broken = written();
        for (name, value) in &mut broken.headers {
            if name.ends_with("partition") {
                *value = Some(b"one".to_vec());
            }
        }
        assert_eq!(broken.read(), None);
    }

    #[test]
    fn parts_that_were_left_out_are_there_once_somebody_brings_them() {
        let rejection = schema_violation(&["/a"]);
        let value = vec![b'v'; 4_000];
        let written = Written::limited(Source::ConsoleCustomers, Some(&value), &rejection, 2_000);
        let letter = written.read().unwrap();
        assert_eq!(letter.omitted.names(), ["value"]);
        let headers = written.headers();
        let edited = letter.clone().with_parts(letter.key, Some(b"{}"), &headers);
        assert!(!edited.omitted.any());
        let same = letter.clone().with_parts(letter.key, None, &headers);
        assert_eq!(same.omitted.names(), ["value"]);
    }

    #[test]
    fn letters_have_names() {
        for wrong in ["", "3", "@", "3@", "3@x", "-1@4", "3@-4", "3@4@5", "3:4"] {
            assert!(wrong.parse::<LetterId>().is_err(), "{wrong}");
        }
        let id: LetterId = "3@118".parse().unwrap();
        assert_eq!((id.partition, id.offset), (3, 118));
    }

    #[test]
    fn indices_are_stars() {
        for (pointer, expected) in [
            ("", ""),
            ("/customers/13/accounts/0", "/customers/*/accounts/*"),
            ("/a1/b", "/a1/b"),
            ("//0", "//*"),
        ] {
            assert_eq!(without_indices(pointer), expected);
        }
    }
}
