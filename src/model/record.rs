//! A record as Kafka hands it over, and what becomes of it: one outcome, or a rejection with its reason.

use std::fmt;

/// What each topic that keyfold writes to takes beyond the largest record, at the least, in bytes: for keys, headers and
/// the batch around it.
pub const TOPIC_HEADROOM: usize = 64 * 1024;

/// One of the four inputs (docs/contract.md, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    LoyaltyCustomers,
    LoyaltyActions,
    ConsoleCustomers,
    PublisherCustomers,
}

impl Source {
    pub const ALL: [Source; 4] = [
        Source::LoyaltyCustomers,
        Source::LoyaltyActions,
        Source::ConsoleCustomers,
        Source::PublisherCustomers,
    ];

    /// The name in the configuration, in metrics and in dead letters.
    pub const fn name(self) -> &'static str {
        match self {
            Source::LoyaltyCustomers => "loyalty-customers",
            Source::LoyaltyActions => "loyalty-actions",
            Source::ConsoleCustomers => "console-customers",
            Source::PublisherCustomers => "publisher-customers",
        }
    }

    /// The place of this source in tables that have one entry a source.
    pub const fn index(self) -> usize {
        self as usize
    }

    pub fn from_name(name: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whether the events carry their own time; the others are ordered by the record's timestamp.
    pub const fn is_loyalty(self) -> bool {
        matches!(self, Source::LoyaltyCustomers | Source::LoyaltyActions)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the pure core sees of a record: the bytes and the metadata that a verdict may depend on.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub source: Source,
    /// Milliseconds since 1970 as they came; none where the record carries none. See [`usable_timestamp`].
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Where a record lies, or where one that was forwarded was read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// A Kafka timestamp as the core takes it. Negative ones stand for "none", and one past the year 9999
/// could not be shown in a snapshot: both count as missing.
pub fn usable_timestamp(millis: i64) -> Option<i64> {
    (0..=253_402_300_799_999)
        .contains(&millis)
        .then_some(millis)
}

/// How a record ended (docs/contract.md, section 2). Each record has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It changed the state of its customer.
    Merged,
    /// Stale or repeated.
    Unchanged,
    /// Sent on to its customer's partition.
    Forwarded,
    /// A batch, taken apart into one record a customer.
    Split,
    /// Sent to the dead-letter topic.
    Rejected,
}

impl Outcome {
    pub const ALL: [Outcome; 5] = [
        Outcome::Merged,
        Outcome::Unchanged,
        Outcome::Forwarded,
        Outcome::Split,
        Outcome::Rejected,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Merged => "merged",
            Outcome::Unchanged => "unchanged",
            Outcome::Forwarded => "forwarded",
            Outcome::Split => "split",
            Outcome::Rejected => "rejected",
        }
    }
}

/// What a record is counted under: its source, or `forwarded` where it came by the forwarded topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    Source(Source),
    Forwarded,
}

impl Label {
    pub const fn name(self) -> &'static str {
        match self {
            Label::Source(source) => source.name(),
            Label::Forwarded => "forwarded",
        }
    }
}

/// The stage of validation that a record failed in. They are judged in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Decode,
    Schema,
    Semantic,
}

impl Stage {
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Schema => "schema",
            Stage::Semantic => "semantic",
        }
    }
}

/// Why a record was rejected, in the order in which the rules are judged (docs/contract.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    TooLarge,
    InvalidUtf8,
    InvalidJson,
    DuplicateField,
    UnknownSchemaId,
    InvalidAvro,
    NullValue,
    InvalidKey,
    SchemaViolation,
    EventType,
    UnsupportedVersion,
    BlankId,
    CountryCode,
    FutureTimestamp,
    CreatedAfterUpdated,
    DuplicateElement,
    NoTimestamp,
    StateTooLarge,
    /// Only ever a warning, and no rule that can be set.
    OutlivesErasure,
}

impl Code {
    /// All codes that a rejection can have, in the order in which they are judged.
    pub const ALL: [Code; 18] = [
        Code::TooLarge,
        Code::InvalidUtf8,
        Code::InvalidJson,
        Code::DuplicateField,
        Code::UnknownSchemaId,
        Code::InvalidAvro,
        Code::NullValue,
        Code::InvalidKey,
        Code::SchemaViolation,
        Code::EventType,
        Code::UnsupportedVersion,
        Code::BlankId,
        Code::CountryCode,
        Code::FutureTimestamp,
        Code::CreatedAfterUpdated,
        Code::DuplicateElement,
        Code::NoTimestamp,
        Code::StateTooLarge,
    ];

    /// The codes of the semantic stage, in their order.
    pub const SEMANTIC: [Code; 9] = [
        Code::EventType,
        Code::UnsupportedVersion,
        Code::BlankId,
        Code::CountryCode,
        Code::FutureTimestamp,
        Code::CreatedAfterUpdated,
        Code::DuplicateElement,
        Code::NoTimestamp,
        Code::StateTooLarge,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Code::TooLarge => "too_large",
            Code::InvalidUtf8 => "invalid_utf8",
            Code::InvalidJson => "invalid_json",
            Code::DuplicateField => "duplicate_field",
            Code::UnknownSchemaId => "unknown_schema_id",
            Code::InvalidAvro => "invalid_avro",
            Code::NullValue => "null_value",
            Code::InvalidKey => "invalid_key",
            Code::SchemaViolation => "schema_violation",
            Code::EventType => "event_type",
            Code::UnsupportedVersion => "unsupported_version",
            Code::BlankId => "blank_id",
            Code::CountryCode => "country_code",
            Code::FutureTimestamp => "future_timestamp",
            Code::CreatedAfterUpdated => "created_after_updated",
            Code::DuplicateElement => "duplicate_element",
            Code::NoTimestamp => "no_timestamp",
            Code::StateTooLarge => "state_too_large",
            Code::OutlivesErasure => "outlives_erasure",
        }
    }

    pub const fn stage(self) -> Stage {
        match self {
            Code::TooLarge
            | Code::InvalidUtf8
            | Code::InvalidJson
            | Code::DuplicateField
            | Code::UnknownSchemaId
            | Code::InvalidAvro
            | Code::NullValue
            | Code::InvalidKey => Stage::Decode,
            Code::SchemaViolation => Stage::Schema,
            _ => Stage::Semantic,
        }
    }

    /// What the code means, for people. Never quotes the payload.
    pub const fn meaning(self) -> &'static str {
        match self {
            Code::TooLarge => "the value is larger than validation.max_record_bytes",
            Code::InvalidUtf8 => "the value is not UTF-8",
            Code::InvalidJson => {
                "the value is not JSON: it is malformed, nested deeper than 128, or has a lone surrogate, a byte order mark or a number outside a double's range"
            }
            Code::DuplicateField => "a known field is given twice in one object",
            Code::UnknownSchemaId => "the schema registry has no schema of the value's schema id",
            Code::InvalidAvro => {
                "the value is not in the wire format of Avro, can't be decoded by its writer schema, or that schema can't be resolved"
            }
            Code::NullValue => "this source takes no null values",
            Code::InvalidKey => {
                "the key of a null value gives no customer id: it is not of the source's key_format, or under \"text\" begins with a control character or a double quote"
            }
            Code::SchemaViolation => "the value breaks the JSON Schema of its source",
            Code::EventType => "the eventType is not that of the source",
            Code::UnsupportedVersion => "the version is not from 1 to below 2",
            Code::BlankId => "an id is missing, empty or only white space",
            Code::CountryCode => "a country is not one of ISO 3166-1",
            Code::FutureTimestamp => {
                "an updatedAt lies further than validation.max_future_skew ahead of the record's timestamp"
            }
            Code::CreatedAfterUpdated => "a createdAt is later than its updatedAt",
            Code::DuplicateElement => "a list holds the same id twice",
            Code::NoTimestamp => {
                "the record has no timestamp, which orders the data of this source"
            }
            Code::OutlivesErasure => {
                "a null value leaves data shown that claim a later time than its own"
            }
            Code::StateTooLarge => {
                "the customer's state would grow larger than validation.max_state_bytes, or its snapshot than its topic takes"
            }
        }
    }
}

/// What is said where a record has a timestamp that is not [usable](usable_timestamp).
const UNUSABLE_TIMESTAMP: &str =
    "the record has no usable timestamp (negative, or after the year 9999)";

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Violation {
    /// JSON pointer to the place in the value.
    pub pointer: String,
    /// The keyword of JSON Schema, or the code of a semantic rule.
    pub keyword: &'static str,
    /// For people; never quotes the payload's values.
    pub message: String,
}

impl Violation {
    pub fn semantic(pointer: String, code: Code) -> Violation {
        Violation {
            pointer,
            keyword: code.name(),
            message: code.meaning().to_owned(),
        }
    }
}

/// As many violations as a dead letter lists.
pub const MAX_VIOLATIONS: usize = 16;

/// Why a record goes to the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: Code,
    /// For people; never quotes the payload's values.
    pub message: String,
    /// Ordered by pointer, the first [`MAX_VIOLATIONS`]; empty for the stage `decode`.
    pub violations: Vec<Violation>,
}

impl Rejection {
    pub fn new(code: Code) -> Rejection {
        Rejection {
            code,
            message: code.meaning().to_owned(),
            violations: Vec::new(),
        }
    }

    pub fn with_message(code: Code, message: impl Into<String>) -> Rejection {
        Rejection {
            code,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// Says of a rejection for want of a timestamp that the record has one, but none that can be used.
    pub fn tell_unusable_timestamp(&mut self) {
        if self.code == Code::NoTimestamp {
            UNUSABLE_TIMESTAMP.clone_into(&mut self.message);
        }
        for violation in &mut self.violations {
            if violation.keyword == Code::NoTimestamp.name() {
                UNUSABLE_TIMESTAMP.clone_into(&mut violation.message);
            }
        }
    }

    /// The customer's state would grow too large; the rule is about the record as a whole.
    pub fn state_too_large() -> Rejection {
        let violation = Violation::semantic(String::new(), Code::StateTooLarge);
        Rejection::with_violations(Code::StateTooLarge, vec![violation])
    }

    /// A rejection of the schema or the semantic stage; sorts and cuts the violations.
    pub fn with_violations(code: Code, mut violations: Vec<Violation>) -> Rejection {
        sort_and_cut(&mut violations);
        Rejection {
            code,
            message: code.meaning().to_owned(),
            violations,
        }
    }
}

/// Brings warnings into the order of violations, and keeps as many; of the others the first of each code, so that
/// every code is counted.
pub fn sort_and_cut_warnings(warnings: &mut Vec<Violation>) {
    warnings.sort();
    let mut seen = Vec::new();
    let mut before = 0;
    warnings.retain(|warning| {
        before += 1;
        let is_new = !seen.contains(&warning.keyword);
        if is_new {
            seen.push(warning.keyword);
        }
        is_new || before <= MAX_VIOLATIONS
    });
}

/// Brings violations into the order that is promised (docs/contract.md, section 2), and keeps the first
/// [`MAX_VIOLATIONS`].
pub fn sort_and_cut(violations: &mut Vec<Violation>) {
    violations.sort();
    violations.truncate(MAX_VIOLATIONS);
}
