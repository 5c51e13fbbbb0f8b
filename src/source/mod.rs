//! Turns the bytes of a record into what they say about customers. Everything here is pure: no I/O, no clock, no
//! randomness.
//!
//! The path of a record, and the file of each step:
//!
//! | step | file | result |
//! |---|---|---|
//! | the frame of the value, and its writer schema | [`framing`] | [`Payload`]: JSON, Avro or null |
//! | a null value (tombstone) | `tombstone` | an erasure of the customer whose id is the key |
//! | typed deserialisation: decoding and schema in one pass | `form`, with the types in the source's file | the
//! source's wire type |
//! | why typed deserialisation refused a value | `form`, [`schema`], [`json::schema`](crate::json::schema) | a [`Rejection`] with its violations |
//! | the rules that a JSON Schema cannot express, and normalisation | `rules`, and `normalize` in the source's file | a
//! [`Contribution`] |
//! | a publisher batch, element by element | `batch` | a contribution for each valid element |
//!
//! There is one file for each source: [`loyalty_customers`], [`loyalty_actions`], [`console_customers`],
//! [`publisher_customers`]. Each has the source's wire types, its rules and its normalisation.

mod batch;
pub mod console_customers;
mod declared;
mod form;
pub mod framing;
pub mod loyalty_actions;
pub mod loyalty_customers;
pub(crate) mod metadata;
pub mod publisher_customers;
mod rules;
pub mod schema;
pub(crate) mod tombstone;
mod writer_schema;

use crate::avro::Plan;
use crate::config::{Config, Sources, Validation};
use crate::customer::contribution::Contribution;
use crate::model::record::{
    Code, Header, RawRecord, Rejection, Source, Violation, sort_and_cut_warnings, usable_timestamp,
};
use crate::model::time::Instant;
pub use batch::BatchElement;
use form::Form;
use framing::{Key, Payload};
use rules::{Findings, RuleCheck};

/// The result of validating a record.
#[derive(Debug)]
pub struct Judged<'a> {
    pub verdict: Verdict<'a>,
    /// Broken rules that are set to `warn`, ordered by pointer.
    pub warnings: Vec<Violation>,
}

#[derive(Debug)]
pub enum Verdict<'a> {
    /// The record is about one customer.
    Valid(Contribution),
    /// The record is valid and tells nothing of any customer, such as the null value behind a delete of Debezium.
    Nothing,
    /// The record is a batch. Its valid elements are processed in any case; if an element is invalid, the batch is
    /// rejected as well.
    Batch {
        elements: Vec<BatchElement<'a>>,
        rejection: Option<Rejection>,
    },
    Rejected(Rejection),
}

/// A record's value without its wire-format frame, if it had one.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Json(&'a [u8]),
    /// The plan for the record's source and the value's writer schema, and the body.
    Avro(&'a Plan, &'a [u8]),
}

/// The settings by which records are judged.
#[derive(Debug, Clone, Copy)]
pub struct JudgeSettings<'c> {
    pub sources: &'c Sources,
    pub validation: &'c Validation,
    /// The record was judged as a whole where it was read first: it is of the forwarded topic.
    pub is_forwarded: bool,
    /// The key of the record was decoded from a string: it is no JSON, whatever it looks like.
    pub has_text_key: bool,
}

impl<'c> From<&'c Config> for JudgeSettings<'c> {
    fn from(config: &'c Config) -> JudgeSettings<'c> {
        JudgeSettings {
            sources: &config.sources,
            validation: &config.validation,
            is_forwarded: false,
            has_text_key: false,
        }
    }
}

/// The headers of a record, without those that keyfold added when it forwarded the record. Empty if the source's
/// records are judged without them.
pub type Headers<'h> = &'h [Header<'h>];

/// Judges a record whose value is JSON or null, by all rules except the limit on the size of the resulting state
/// (docs/contract.md, section 2).
pub fn judge<'a, 'c>(record: &RawRecord<'a>, settings: impl Into<JudgeSettings<'c>>) -> Judged<'a> {
    let settings = settings.into();
    let mut judged = match record.value {
        Some(value) => judge_value(record, Value::Json(value), &[], settings),
        None => judge_null(record, settings.sources),
    };
    judged.tell_unusable_timestamp(record);
    judged
}

/// Judges a record whose payload was read already.
pub fn judge_payload<'a, 'c>(
    record: &RawRecord<'a>,
    payload: &'a Payload<'a>,
    headers: Headers<'_>,
    settings: impl Into<JudgeSettings<'c>>,
) -> Judged<'a> {
    let settings = settings.into();
    let mut judged: Judged<'a> = match payload {
        Payload::Null => judge_null(record, settings.sources),
        Payload::Json(bytes) => judge_value(record, Value::Json(bytes), headers, settings),
        Payload::Avro(plan, body) => {
            judge_value(record, Value::Avro(plan, body), headers, settings)
        }
        Payload::Rejected(rejection) => rejection.clone().into(),
        Payload::WithKey(key, value) => {
            let settings = JudgeSettings {
                has_text_key: matches!(key, Some(Key::Text(_))),
                ..settings
            };
            let key = key.as_ref().map(Key::as_bytes);
            return judge_payload(&RawRecord { key, ..*record }, value, headers, settings);
        }
    };
    judged.tell_unusable_timestamp(record);
    judged
}

/// Judges a record with a null value.
fn judge_null<'a>(record: &RawRecord<'a>, sources: &Sources) -> Judged<'a> {
    let plan = sources.plan(record.source);
    // It follows the event of a deletion, and says no more than that.
    if plan.is_some_and(|plan| plan.definition.envelope.null_says_nothing()) {
        return Verdict::Nothing.into();
    }
    tombstone::judge(record, sources).into()
}

/// Judges a record that is not a tombstone by `value`. Of the record's own value, which may be framed, only the size
/// matters.
pub fn judge_value<'a, 'c>(
    record: &RawRecord<'a>,
    value: Value<'a>,
    headers: Headers<'_>,
    settings: impl Into<JudgeSettings<'c>>,
) -> Judged<'a> {
    let settings = settings.into();
    let validation = settings.validation;
    if record.value.map_or(0, <[u8]>::len) > validation.max_record_bytes {
        return Rejection::new(Code::TooLarge).into();
    }
    let form = match Form::of(value, validation.max_record_bytes) {
        Ok(form) => form,
        Err(rejection) => return rejection.into(),
    };
    let at = record
        .timestamp
        .and_then(usable_timestamp)
        .map(Instant::from_millis);
    let latest = at.map(|at| at.saturating_add(validation.max_future_skew));
    let mut check = RuleCheck::new(&validation.rules, record.source, latest);
    let contribution = match record.source {
        Source::LoyaltyCustomers => form
            .read()
            .map(|wire| loyalty_customers::normalize(wire, &mut check)),
        Source::LoyaltyActions => form
            .read()
            .map(|wire| loyalty_actions::normalize(wire, &mut check)),
        Source::ConsoleCustomers => form
            .read()
            .map(|wire| console_customers::normalize(wire, at, &mut check)),
        Source::PublisherCustomers => return batch::judge(form, at, &validation.rules),
        Source::Declared(source) => {
            let of_source = settings.sources.get(record.source);
            let (Some(plan), Some(config)) = (settings.sources.plan(record.source), of_source)
            else {
                // The engine stops before it judges a record of a source that it does not know.
                return Rejection::new(Code::SchemaViolation).into();
            };
            let following = declared::Following {
                source,
                plan,
                tombstone: config.tombstone,
                validation,
                has_conformed: settings.is_forwarded,
                has_text_key: settings.has_text_key,
            };
            return declared::judge(form, record, headers, &following);
        }
    };
    match contribution {
        Ok(contribution) => Judged::by_rules(contribution, check.findings()),
        Err(_) => form.explain(schema::of(record.source)).into(),
    }
}

impl<'a> Judged<'a> {
    /// The verdict on a record of one customer that conforms to its schema.
    #[inline]
    fn by_rules(contribution: Contribution, findings: Findings) -> Judged<'a> {
        let mut warnings = findings.warnings;
        sort_and_cut_warnings(&mut warnings);
        let verdict = match findings.code {
            None => Verdict::Valid(contribution),
            Some(code) => Verdict::Rejected(Rejection::with_violations(code, findings.violations)),
        };
        Judged { verdict, warnings }
    }

    /// If the record has a timestamp that is out of range, the rejection says so instead of calling it missing.
    fn tell_unusable_timestamp(&mut self, record: &RawRecord<'_>) {
        let is_unusable = record
            .timestamp
            .is_some_and(|millis| usable_timestamp(millis).is_none());
        if is_unusable
            && let Verdict::Rejected(rejection)
            | Verdict::Batch {
                rejection: Some(rejection),
                ..
            } = &mut self.verdict
        {
            rejection.tell_unusable_timestamp();
        }
    }
}

impl From<Rejection> for Judged<'_> {
    fn from(rejection: Rejection) -> Self {
        Err(rejection).into()
    }
}

impl From<Result<Contribution, Rejection>> for Judged<'_> {
    fn from(judged: Result<Contribution, Rejection>) -> Self {
        judged.map_or_else(Verdict::Rejected, Verdict::Valid).into()
    }
}

impl<'a> From<Verdict<'a>> for Judged<'a> {
    fn from(verdict: Verdict<'a>) -> Self {
        let warnings = Vec::new();
        Judged { verdict, warnings }
    }
}
