//! From a record's bytes to what they say about customers: decode, validate, normalise.
//!
//! Everything here is pure. Each source has a file with its wire form, its semantic rules and its normalisation.
//! The typed reading is the fast path; only where it fails, [`schema`] says why.

pub mod console_customers;
pub mod framing;
pub mod judge;
pub mod key;
pub mod loyalty_actions;
pub mod loyalty_customers;
pub mod metadata;
pub mod publisher_customers;
pub mod schema;
mod words;

use std::borrow::Cow;

use crate::json::strict::{self, Plain};
use framing::Payload;
use judge::{Findings, Judge};
use serde::Deserialize;

use crate::avro::{self, Plan};
use crate::config::{Config, KeyFormat, Tombstone};
use crate::customer::contribution::{Contribution, Data, Erasure};
use crate::model::record::{
    Code, MAX_VIOLATIONS, RawRecord, Rejection, Source, Violation, sort_and_cut_warnings,
    usable_timestamp,
};
use crate::model::time::Instant;

/// What validation made of a record.
#[derive(Debug)]
pub struct Judged<'a> {
    pub verdict: Verdict<'a>,
    /// What was let through with a warning, ordered by pointer.
    pub warnings: Vec<Violation>,
}

#[derive(Debug)]
pub enum Verdict<'a> {
    /// The record speaks of one customer.
    Valid(Contribution),
    /// The record is a batch. Its good elements go on in any case; if one is bad, the batch is rejected.
    Batch {
        elements: Vec<BatchElement<'a>>,
        rejection: Option<Rejection>,
    },
    Rejected(Rejection),
}

/// A good element of a batch.
#[derive(Debug)]
pub struct BatchElement<'a> {
    pub contribution: Contribution,
    alone: Alone<'a>,
}

impl BatchElement<'_> {
    /// The value of a batch of this element alone, in the form of the whole one, without a frame.
    pub fn alone(&self) -> Vec<u8> {
        match &self.alone {
            Alone::Json(text) => alone(text),
            Alone::Avro(element) => element.alone(),
        }
    }

    /// The same in JSON, where it is not JSON already.
    pub fn alone_in_json(&self) -> Option<Vec<u8>> {
        match &self.alone {
            Alone::Json(_) => None,
            Alone::Avro(element) => {
                let text = element.to_json().ok()?;
                Some(alone(&text))
            }
        }
    }

    /// Its bytes in the batch.
    pub fn bytes(&self) -> usize {
        match &self.alone {
            Alone::Json(text) => text.len(),
            Alone::Avro(element) => element.bytes(),
        }
    }

    /// The bytes of what else is in [`BatchElement::alone`].
    pub fn around(&self) -> usize {
        match &self.alone {
            Alone::Json(_) => ALONE[0].len() + ALONE[1].len(),
            Alone::Avro(element) => element.around(),
        }
    }
}

/// What stands around the one element of a batch in JSON.
const ALONE: [&str; 2] = ["{\"customers\":[", "]}"];

fn alone(element: &str) -> Vec<u8> {
    [ALONE[0], element, ALONE[1]].concat().into_bytes()
}

#[derive(Debug, Clone)]
enum Alone<'a> {
    Json(&'a str),
    Avro(avro::batch::EncodedElement<'a>),
}

impl<'a> Alone<'a> {
    fn json(&self) -> Cow<'a, str> {
        match self {
            Alone::Json(text) => (*text).into(),
            // it has been read once already, so this does not fail
            Alone::Avro(element) => element.to_json().unwrap_or_default().into(),
        }
    }
}

/// A record's value, taken out of the frame that it may have come in.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Json(&'a [u8]),
    /// The body, and the plan of its writer schema for the record's source.
    Avro(&'a Plan, &'a [u8]),
}

/// Judges a record of JSON, all but the size of the state that it leads to (docs/contract.md, section 2).
pub fn judge<'a>(record: &RawRecord<'a>, config: &Config) -> Judged<'a> {
    let judged = match record.value {
        Some(value) => judge_value(record, Value::Json(value), config),
        None => judge_null(record, config).into(),
    };
    judged.of(record)
}

/// Judges a record whose value was taken out of its frame.
pub fn judge_payload<'a>(
    record: &RawRecord<'a>,
    payload: &'a Payload<'a>,
    config: &Config,
) -> Judged<'a> {
    let judged: Judged<'a> = match payload {
        Payload::Null => judge_null(record, config).into(),
        Payload::Json(bytes) => judge_value(record, Value::Json(bytes), config),
        Payload::Avro(plan, body) => judge_value(record, Value::Avro(plan, body), config),
        Payload::Rejected(rejection) => rejection.clone().into(),
    };
    judged.of(record)
}

/// Judges a record that is not null by its `value`. The record's own value is only asked for its size.
pub fn judge_value<'a>(record: &RawRecord<'a>, value: Value<'a>, config: &Config) -> Judged<'a> {
    let framed = record.value.map_or(0, <[u8]>::len);
    if framed > config.validation.max_record_bytes {
        return Rejection::new(Code::TooLarge).into();
    }
    let max_texts = config.validation.max_record_bytes.saturating_mul(4);
    let form = match value {
        Value::Json(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Form::Json(text),
            Err(_) => return not_utf8(bytes).into(),
        },
        Value::Avro(plan, body) => Form::Avro(plan, body, max_texts),
    };
    let at = record
        .timestamp
        .and_then(usable_timestamp)
        .map(Instant::from_millis);
    let latest = at.map(|at| at.saturating_add(config.validation.max_future_skew));
    let mut judge = Judge::new(&config.validation.rules, record.source, latest);
    let contribution = match record.source {
        Source::LoyaltyCustomers => form
            .read()
            .map(|wire| loyalty_customers::normalize(wire, &mut judge)),
        Source::LoyaltyActions => form
            .read()
            .map(|wire| loyalty_actions::normalize(wire, &mut judge)),
        Source::ConsoleCustomers => form
            .read()
            .map(|wire| console_customers::normalize(wire, at, &mut judge)),
        Source::PublisherCustomers => return judge_batch(form, at, config),
    };
    match contribution {
        Ok(contribution) => settle(contribution, judge.findings()),
        Err(Refused) => form.explain(schema::of(record.source)).into(),
    }
}

/// The form that a value is read from.
#[derive(Clone, Copy)]
enum Form<'a> {
    Json(&'a str),
    /// With the most bytes that its texts may have.
    Avro(&'a Plan, &'a [u8], usize),
}

/// The typed reading refused a value; [`Form::explain`] says why.
struct Refused;

impl<'a> Form<'a> {
    fn read<T: Deserialize<'a>>(self) -> Result<T, Refused> {
        match self {
            Form::Json(text) => strict::read(text, Plain).map_err(|_| Refused),
            Form::Avro(plan, body, max_texts) => {
                avro::read(plan, body, max_texts).map_err(|_| Refused)
            }
        }
    }

    /// Why the typed reading refused it, by the given schema.
    fn explain(self, schema: Result<&schema::Schema, String>) -> Rejection {
        let text = match self {
            Form::Json(text) => match strict::check(text) {
                Ok(()) => Cow::Borrowed(text),
                Err(error) => return not_json(text, &error),
            },
            Form::Avro(plan, body, max_texts) => match avro::explain(plan, body, max_texts) {
                Ok(text) => Cow::Owned(text),
                Err(why) => return Rejection::with_message(Code::InvalidAvro, why),
            },
        };
        explained_or_refused(schema.map(|schema| schema.explain(&text, "")))
    }

    /// The elements of a batch.
    fn elements(self) -> Result<Vec<Element<'a>>, Rejection> {
        match self {
            Form::Json(text) => {
                let frame: publisher_customers::BatchWire<'a> = self
                    .read()
                    .map_err(|Refused| self.explain(schema::of_batch_frame()))?;
                // the frame passes over the elements without reading them in full; what they are read to is
                // boxed, for a bad one may be two bytes long, and there may be a million of them
                let read = |text: &'a str| Element {
                    wire: strict::read(text, Plain).ok().map(Box::new),
                    alone: Alone::Json(text),
                };
                let elements: Vec<_> = frame.customers.0.into_iter().map(read).collect();
                if elements.iter().any(|element| element.wire.is_none())
                    && let Err(error) = strict::check(text)
                {
                    return Err(not_json(text, &error));
                }
                Ok(elements)
            }
            Form::Avro(plan, body, max_texts) => {
                let elements = avro::batch::read(plan, "customers", body, max_texts)
                    .map_err(|_| self.explain(schema::of_batch_frame()))?;
                let element = |(text, wire)| Element {
                    wire,
                    alone: Alone::Avro(text),
                };
                Ok(elements.into_iter().map(element).collect())
            }
        }
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> Rejection {
    Rejection::with_message(Code::InvalidJson, words::not_json(text, error))
}

fn not_utf8(bytes: &[u8]) -> Rejection {
    match words::not_utf8(bytes) {
        Some(message) => Rejection::with_message(Code::InvalidUtf8, message),
        None => Rejection::new(Code::InvalidUtf8),
    }
}

/// An element of a batch, with what the typed reading made of it, if it did.
struct Element<'a> {
    wire: Option<Box<publisher_customers::CustomerWire<'a>>>,
    alone: Alone<'a>,
}

/// The end of the semantic stage for a record of one customer.
fn settle<'a>(contribution: Contribution, findings: Findings) -> Judged<'a> {
    let mut warnings = findings.warnings;
    sort_and_cut_warnings(&mut warnings);
    let verdict = match findings.code {
        None => Verdict::Valid(contribution),
        Some(code) => Verdict::Rejected(Rejection::with_violations(code, findings.violations)),
    };
    Judged { verdict, warnings }
}

/// The two readings are held to one verdict by a test. Should they differ all the same, then the record goes to
/// the dead letters, where it is seen, and the stream goes on.
fn explained_or_refused(explained: Result<Option<Rejection>, String>) -> Rejection {
    explained.ok().flatten().unwrap_or_else(|| {
        Rejection::with_message(
            Code::SchemaViolation,
            "the typed reading refuses the value, but its JSON Schema does not; please report this",
        )
    })
}

/// A null value erases or retracts the customer whose id is its key (docs/contract.md, section 3).
fn judge_null(record: &RawRecord<'_>, config: &Config) -> Result<Contribution, Rejection> {
    let tombstone = config
        .sources
        .get(record.source)
        .map_or(Tombstone::Reject, |source| source.tombstone);
    let only = match tombstone {
        Tombstone::Erase => None,
        Tombstone::Retract => Some(record.source),
        Tombstone::Reject => return Err(Rejection::new(Code::NullValue)),
    };
    let format = config
        .sources
        .get(record.source)
        .map_or(KeyFormat::Text, |source| source.key_format);
    let customer = key::customer_id(record.key, format)
        .map_err(|key::NotOfTheForm| Rejection::new(Code::InvalidKey))?;
    let at = record.timestamp.and_then(usable_timestamp);
    match (customer, at) {
        (Some(customer), Some(at)) => Ok(Contribution {
            customer: customer.into_owned(),
            data: Data::erasure(Erasure {
                only,
                at: Instant::from_millis(at),
            }),
        }),
        (customer, at) => {
            let mut violations = Vec::new();
            if customer.is_none() {
                violations.push(Violation::semantic(String::new(), Code::BlankId));
            }
            if at.is_none() {
                violations.push(Violation::semantic(String::new(), Code::NoTimestamp));
            }
            let code = if customer.is_none() {
                Code::BlankId
            } else {
                Code::NoTimestamp
            };
            Err(Rejection::with_violations(code, violations))
        }
    }
}

/// Judges a batch element by element. It is rejected with the stage and code of its first bad element, and lists
/// the violations of all.
fn judge_batch<'a>(form: Form<'a>, at: Option<Instant>, config: &Config) -> Judged<'a> {
    let all = match form.elements() {
        Ok(all) => all,
        Err(rejection) => return rejection.into(),
    };
    let repeated = repeated_customers(&all);

    let mut elements = Vec::new();
    let mut first: Option<Rejection> = None;
    let mut violations = Vec::new();
    let mut warnings = Vec::new();
    for (index, Element { wire, alone }) in all.into_iter().enumerate() {
        let pointer = format!("/customers/{index}");
        let rejection = match wire {
            // its code is not the first, and none of its violations would be listed
            None if first.is_some() && is_beyond(&violations, &pointer) => continue,
            None => {
                let schema = schema::of_batch_element();
                explained_or_refused(schema.map(|schema| schema.explain(&alone.json(), &pointer)))
            }
            Some(wire) => {
                let rules = &config.validation.rules;
                let mut judge = Judge::new(rules, Source::PublisherCustomers, None);
                if repeated.binary_search(&index).is_ok() {
                    judge.find(Code::DuplicateElement, || {
                        format!("{pointer}/sourceCustomerId")
                    });
                }
                let contribution = publisher_customers::normalize(*wire, &pointer, at, &mut judge);
                let findings = judge.findings();
                warnings.extend(findings.warnings);
                match findings.code {
                    None => {
                        elements.push(BatchElement {
                            contribution,
                            alone,
                        });
                        continue;
                    }
                    Some(code) => Rejection::with_violations(code, findings.violations),
                }
            }
        };
        violations.extend_from_slice(&rejection.violations);
        violations.sort();
        violations.dedup();
        violations.truncate(MAX_VIOLATIONS);
        first.get_or_insert(rejection);
    }
    sort_and_cut_warnings(&mut warnings);
    let rejection = match first {
        None if at.is_none() => Some(empty_without_timestamp()),
        None => None,
        Some(first) => {
            let mut rejection = Rejection::with_violations(first.code, violations);
            rejection.message = first.message;
            Some(rejection)
        }
    };
    Judged {
        verdict: Verdict::Batch {
            elements,
            rejection,
        },
        warnings,
    }
}

/// Whether the list of violations is full with such that come before `pointer`.
fn is_beyond(listed: &[Violation], pointer: &str) -> bool {
    listed.len() == MAX_VIOLATIONS
        && listed
            .last()
            .is_some_and(|last| last.pointer.as_str() < pointer)
}

/// An empty batch has no element to be judged by, but its record has no timestamp all the same.
fn empty_without_timestamp() -> Rejection {
    let violation = Violation::semantic(String::new(), Code::NoTimestamp);
    Rejection::with_violations(Code::NoTimestamp, vec![violation])
}

/// The places of the customers that stood in the batch before.
fn repeated_customers(all: &[Element<'_>]) -> Vec<usize> {
    let ids: Vec<(usize, &str)> = all
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((index, &*one.wire.as_ref()?.source_customer_id.0)))
        .collect();
    judge::repeated(ids.iter().map(|(_, id)| *id))
        .into_iter()
        .map(|at| ids[at].0)
        .collect()
}

impl Judged<'_> {
    /// What is said of a missing timestamp depends on whether the record has one that is not usable.
    fn of(mut self, record: &RawRecord<'_>) -> Self {
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
        self
    }
}

impl From<Rejection> for Judged<'_> {
    fn from(rejection: Rejection) -> Self {
        Judged {
            verdict: Verdict::Rejected(rejection),
            warnings: Vec::new(),
        }
    }
}

impl From<Result<Contribution, Rejection>> for Judged<'_> {
    fn from(judged: Result<Contribution, Rejection>) -> Self {
        match judged {
            Ok(contribution) => Judged {
                verdict: Verdict::Valid(contribution),
                warnings: Vec::new(),
            },
            Err(rejection) => rejection.into(),
        }
    }
}
