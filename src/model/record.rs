//! A record as Kafka delivers it, its outcome, and the reason for a rejection.

pub use super::source::{DeclaredSource, Source};

/// The minimum by which the maximum record size of keyfold's own topics exceeds their largest value, in bytes: room for
/// the key, the headers and the record batch around them.
pub const TOPIC_HEADROOM: usize = 64 * 1024;

/// Declares an enumeration with a list of all its variants in order, and the names that users see.
macro_rules! named_enum {
    ($(#[$meta:meta])* pub enum $of:ident {
        $($(#[$doc:meta])* $variant:ident = $name:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $of { $($(#[$doc])* $variant,)* }

        impl $of {
            pub const ALL: [$of; [$($name),*].len()] = [$($of::$variant),*];

            /// The name in the configuration, in metrics and in dead letters.
            pub const fn name(self) -> &'static str {
                match self { $($of::$variant => $name,)* }
            }
        }
    };
}

/// A header of a Kafka record. The value may be null.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// The parts of a record that its verdict may depend on.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub source: Source,
    /// Milliseconds since 1970, unchanged; none if the record has no timestamp. See [`usable_timestamp`].
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Where a record is stored; for a forwarded record, where it was read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Returns a Kafka timestamp, unless it counts as missing: a negative one means "none", and one after the year 9999
/// cannot be shown in a snapshot.
pub fn usable_timestamp(millis: i64) -> Option<i64> {
    (0..=253_402_300_799_999)
        .contains(&millis)
        .then_some(millis)
}

named_enum! {
    /// How a record ended (docs/contract.md, section 2). Each record has exactly one outcome.
    pub enum Outcome {
        /// It changed the state of its customer.
        Merged = "merged",
        /// It was stale or a repetition, and changed nothing.
        Unchanged = "unchanged",
        /// It was forwarded to its customer's partition.
        Forwarded = "forwarded",
        /// A publisher batch that was split into one record for each customer.
        Split = "split",
        /// It was sent to the dead-letter topic.
        Rejected = "rejected",
    }
}

/// The label under which the metrics count a record: its source, or `forwarded` if it was read from the forwarded
/// topic.
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

named_enum! {
    /// The stage of validation in which a record failed. The stages are checked in this order.
    pub enum Stage {
        Decode = "decode",
        Schema = "schema",
        Semantic = "semantic",
    }
}

/// Declares the codes: the name, the stage and the meaning of each.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $stage:ident, $meaning:literal;)*) => {
        /// Why a record was rejected, in the order in which the rules are checked (docs/contract.md, section 2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $code,)* }

        /// In the order of their declaration.
        const CODES: [Code; [$($name),*].len()] = [$(Code::$code),*];

        impl Code {
            /// The name in the configuration, in metrics and in dead letters.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$code => $name,)* }
            }

            pub const fn stage(self) -> Stage {
                match self { $(Code::$code => Stage::$stage,)* }
            }

            /// The meaning of the code, for people. It never quotes the payload.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$code => $meaning,)* }
            }
        }
    };
}

codes! {
    TooLarge = "too_large", Decode, "the value is larger than validation.max_record_bytes";
    InvalidUtf8 = "invalid_utf8", Decode, "the value is not UTF-8";
    InvalidJson = "invalid_json", Decode,
        "the value is not JSON: it is malformed, nested deeper than 128, or has a lone surrogate, a byte order mark or a number outside a double's range";
    DuplicateField = "duplicate_field", Decode, "a known field is given twice in one object";
    UnknownSchemaId = "unknown_schema_id", Decode,
        "the schema registry has no schema of the value's schema id";
    InvalidAvro = "invalid_avro", Decode,
        "the value is not in the wire format of Avro, cannot be decoded by its writer schema, or that schema cannot be resolved";
    NullValue = "null_value", Decode, "this source takes no null values";
    InvalidKey = "invalid_key", Decode,
        "the key of a null value gives no customer id: it is not of the source's key_format, or under \"text\" begins with a control character or a double quote";
    SchemaViolation = "schema_violation", Schema, "the value breaks the JSON Schema or the definition of its source";
    EventType = "event_type", Semantic, "the type of the event is not one of the source";
    UnsupportedVersion = "unsupported_version", Semantic, "the version is not one that the source takes";
    BlankId = "blank_id", Semantic, "an id is missing, empty or only white space";
    CountryCode = "country_code", Semantic, "a country is not one of ISO 3166-1";
    FutureTimestamp = "future_timestamp", Semantic,
        "an updatedAt lies further than validation.max_future_skew ahead of the record's timestamp";
    CreatedAfterUpdated = "created_after_updated", Semantic,
        "a createdAt is later than its updatedAt";
    DuplicateElement = "duplicate_element", Semantic, "a list holds the same id twice";
    NoTimestamp = "no_timestamp", Semantic,
        "the record has no timestamp, which orders the data of this source";
    StateTooLarge = "state_too_large", Semantic,
        "the customer's state would grow larger than validation.max_state_bytes, or its snapshot than its topic takes";
    /// Only ever a warning; it is not among the rules that can be configured.
    OutlivesErasure = "outlives_erasure", Semantic,
        "a null value leaves data shown that claim a later time than its own";
}

impl Code {
    /// All codes that a rejection can have, in the order in which they are checked.
    pub const ALL: [Code; 18] = codes_from(Code::TooLarge);

    /// The codes of the semantic stage.
    pub const SEMANTIC: [Code; 9] = codes_from(Code::EventType);

    /// Whether a record that breaks the rule is rejected whatever the configuration says.
    pub const fn always_rejects(self) -> bool {
        matches!(
            self,
            Code::BlankId | Code::NoTimestamp | Code::StateTooLarge
        )
    }
}

/// `N` codes in the order of their declaration, beginning with `first`.
const fn codes_from<const N: usize>(first: Code) -> [Code; N] {
    let mut codes = [first; N];
    let mut at = 0;
    while at < N {
        codes[at] = CODES[first as usize + at];
        at += 1;
    }
    codes
}

/// The message for a record whose timestamp is not [usable](usable_timestamp).
const UNUSABLE_TIMESTAMP: &str =
    "the record has no usable timestamp (negative, or after the year 9999)";

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Violation {
    /// JSON pointer to the place in the value.
    pub pointer: String,
    /// The keyword of JSON Schema, or the code of a semantic rule.
    pub keyword: &'static str,
    /// For people; it never quotes values of the payload.
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

/// The maximum number of violations that a dead letter lists.
pub const MAX_VIOLATIONS: usize = 16;

/// Why a record is sent to the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: Code,
    /// For people; it never quotes values of the payload.
    pub message: String,
    /// The first [`MAX_VIOLATIONS`], sorted by pointer; empty for the stage `decode`.
    pub violations: Vec<Violation>,
}

impl Rejection {
    pub fn new(code: Code) -> Rejection {
        Rejection::with_message(code, code.meaning())
    }

    pub fn with_message(code: Code, message: impl Into<String>) -> Rejection {
        Rejection {
            code,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// Corrects the message of a rejection for a missing timestamp, if the record has one that is not usable.
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

    /// The record would make its customer's state too large. The violation points to the record as a whole.
    pub fn state_too_large() -> Rejection {
        let violation = Violation::semantic(String::new(), Code::StateTooLarge);
        Rejection::with_violations(Code::StateTooLarge, vec![violation])
    }

    /// A rejection in the schema or the semantic stage. Sorts the violations as docs/contract.md, section 2, promises,
    /// and keeps the first [`MAX_VIOLATIONS`].
    pub fn with_violations(code: Code, mut violations: Vec<Violation>) -> Rejection {
        violations.sort();
        // Several values of a definition may come from one place.
        violations.dedup();
        violations.truncate(MAX_VIOLATIONS);
        Rejection {
            violations,
            ..Rejection::new(code)
        }
    }
}

/// Sorts warnings like violations, and keeps the first [`MAX_VIOLATIONS`]. Of the others it keeps the first of each
/// code, so that every code is counted in the metrics.
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
