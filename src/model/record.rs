//! A record as Kafka delivers it, its outcome, and the reason if it is rejected.

use std::fmt;

/// How many bytes more than its largest value a topic of keyfold's accepts at least: for keys, headers and the batch
/// around a record.
pub const TOPIC_HEADROOM: usize = 64 * 1024;

/// Declares an enumeration, all of it in order, and the names that users see.
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

named_enum! {
    /// One of the four inputs (docs/contract.md, section 1).
    pub enum Source {
        LoyaltyCustomers = "loyalty-customers",
        LoyaltyActions = "loyalty-actions",
        ConsoleCustomers = "console-customers",
        PublisherCustomers = "publisher-customers",
    }
}

impl Source {
    /// The position of this source in [`Source::ALL`], and in arrays with an entry for each source.
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

/// The bytes and the metadata of a record that its verdict may depend on.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub source: Source,
    /// Milliseconds since 1970 as they came; none where the record carries none. See [`usable_timestamp`].
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Where a record is stored; of a forwarded one where it was read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// A Kafka timestamp, unless it counts as missing: a negative one stands for "none", and one past the year 9999 could
/// not be shown in a snapshot.
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
        /// Stale or repeated.
        Unchanged = "unchanged",
        /// Sent on to its customer's partition.
        Forwarded = "forwarded",
        /// A publisher batch, split into one record for each customer.
        Split = "split",
        /// Sent to the dead-letter topic.
        Rejected = "rejected",
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

named_enum! {
    /// The stage of validation that a record failed in. The stages are judged in this order.
    pub enum Stage {
        Decode = "decode",
        Schema = "schema",
        Semantic = "semantic",
    }
}

/// Declares the codes: the name, the stage and the meaning of each.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $stage:ident, $meaning:literal;)*) => {
        /// Why a record was rejected, in the order in which the rules are judged (docs/contract.md, section 2).
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

            /// What the code means, for people. Never quotes the payload.
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
    SchemaViolation = "schema_violation", Schema, "the value breaks the JSON Schema of its source";
    EventType = "event_type", Semantic, "the eventType is not that of the source";
    UnsupportedVersion = "unsupported_version", Semantic, "the version is not from 1 to below 2";
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
    /// Only ever a warning, and no rule that can be set.
    OutlivesErasure = "outlives_erasure", Semantic,
        "a null value leaves data shown that claim a later time than its own";
}

impl Code {
    /// All codes that a rejection can have, in the order in which they are judged.
    pub const ALL: [Code; 18] = codes_from(Code::TooLarge);

    /// Those of the semantic stage.
    pub const SEMANTIC: [Code; 9] = codes_from(Code::EventType);
}

/// So many codes, beginning with this one.
const fn codes_from<const N: usize>(first: Code) -> [Code; N] {
    let mut codes = [first; N];
    let mut at = 0;
    while at < N {
        codes[at] = CODES[first as usize + at];
        at += 1;
    }
    codes
}

/// The message where a record has a timestamp that is not [usable](usable_timestamp).
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

/// The most violations that a dead letter lists.
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
        Rejection::with_message(code, code.meaning())
    }

    pub fn with_message(code: Code, message: impl Into<String>) -> Rejection {
        Rejection {
            code,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// Corrects the message of a rejection for a missing timestamp: the record has one, but it is not usable.
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

    /// A rejection of the schema or the semantic stage. Sorts the violations as promised (docs/contract.md, section 2), and
    /// keeps the first [`MAX_VIOLATIONS`].
    pub fn with_violations(code: Code, mut violations: Vec<Violation>) -> Rejection {
        violations.sort();
        violations.truncate(MAX_VIOLATIONS);
        Rejection {
            violations,
            ..Rejection::new(code)
        }
    }
}

/// Sorts warnings like violations and keeps the first [`MAX_VIOLATIONS`]; of the others the first of each code, so that
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
