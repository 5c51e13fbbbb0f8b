//! A publisher's batch: it is judged element by element. The good elements go on; if one is bad, the batch is rejected
//! once, with the stage and code of its first bad element and the violations of all (docs/contract.md, section 2).

use std::borrow::Cow;

use super::form::{Form, Refused, explain_json, well_formed};
use super::publisher_customers::{self, BatchWire, CustomerWire};
use super::rules::{self, RuleCheck};
use super::{Judged, Verdict, schema};
use crate::avro;
use crate::config::Rules;
use crate::customer::contribution::Contribution;
use crate::json::strict::{self, Plain};
use crate::model::record::{
    Code, MAX_VIOLATIONS, Rejection, Source, Violation, sort_and_cut_warnings,
};
use crate::model::time::Instant;

/// A good element of a batch.
#[derive(Debug)]
pub struct BatchElement<'a> {
    pub contribution: Contribution,
    raw: RawElement<'a>,
}

/// An element as it stands in its batch.
#[derive(Debug, Clone)]
enum RawElement<'a> {
    Json(&'a str),
    Avro(avro::batch::EncodedElement<'a>),
}

/// What stands before and after the one element of a batch in JSON.
const BATCH_OF_ONE: [&str; 2] = ["{\"customers\":[", "]}"];

fn json_batch_of_one(element: &str) -> Vec<u8> {
    let [before, after] = BATCH_OF_ONE;
    [before, element, after].concat().into_bytes()
}

impl BatchElement<'_> {
    /// The value of a batch with this element only, in the encoding of the whole batch, without a frame.
    pub fn batch_of_one(&self) -> Vec<u8> {
        match &self.raw {
            RawElement::Json(text) => json_batch_of_one(text),
            RawElement::Avro(element) => element.batch_of_one(),
        }
    }

    /// The same in JSON, where it is not JSON already.
    pub fn json_batch_of_one(&self) -> Option<Vec<u8>> {
        match &self.raw {
            RawElement::Json(_) => None,
            RawElement::Avro(element) => {
                element.to_json().ok().map(|text| json_batch_of_one(&text))
            }
        }
    }

    /// The bytes of the element itself.
    pub fn bytes(&self) -> usize {
        match &self.raw {
            RawElement::Json(text) => text.len(),
            RawElement::Avro(element) => element.bytes(),
        }
    }

    /// The bytes of all else in [`BatchElement::batch_of_one`].
    pub fn bytes_around(&self) -> usize {
        match &self.raw {
            RawElement::Json(_) => BATCH_OF_ONE.iter().map(|part| part.len()).sum(),
            RawElement::Avro(element) => element.bytes_around(),
        }
    }
}

impl<'a> RawElement<'a> {
    fn json(&self) -> Cow<'a, str> {
        match self {
            RawElement::Json(text) => Cow::Borrowed(text),
            // it has been read once already, so this does not fail
            RawElement::Avro(element) => Cow::Owned(element.to_json().unwrap_or_default()),
        }
    }
}

/// An element of a batch, with what the typed reading made of it; none where it was refused. That is boxed: a bad
/// element may be two bytes long, and there may be a million of them.
struct Element<'a> {
    wire: Option<Box<CustomerWire<'a>>>,
    raw: RawElement<'a>,
}

/// Judges a batch, `at` being the record's timestamp.
pub(super) fn judge<'a>(form: Form<'a>, at: Option<Instant>, rules: &Rules) -> Judged<'a> {
    let all = match elements(form) {
        Ok(all) => all,
        Err(rejection) => return rejection.into(),
    };
    let repeated = repeated_customers(&all);
    let mut elements = Vec::new();
    let mut bad = BadElements::default();
    let mut warnings = Vec::new();
    for (index, Element { wire, raw }) in all.into_iter().enumerate() {
        let pointer = format!("/customers/{index}");
        let Some(wire) = wire else {
            bad.add_refused(&raw, &pointer);
            continue;
        };
        let mut check = RuleCheck::new(rules, Source::PublisherCustomers, None);
        if repeated.binary_search(&index).is_ok() {
            check.broken(Code::DuplicateElement, || {
                format!("{pointer}/sourceCustomerId")
            });
        }
        let contribution = publisher_customers::normalize(*wire, &pointer, at, &mut check);
        let findings = check.findings();
        warnings.extend(findings.warnings);
        match findings.code {
            None => elements.push(BatchElement { contribution, raw }),
            Some(code) => bad.add(Rejection::with_violations(code, findings.violations)),
        }
    }
    sort_and_cut_warnings(&mut warnings);
    let mut rejection = bad.rejection();
    if rejection.is_none() && at.is_none() {
        // an empty batch has no element to be judged by, but its record has no timestamp all the same
        let violation = Violation::semantic(String::new(), Code::NoTimestamp);
        rejection = Some(Rejection::with_violations(
            Code::NoTimestamp,
            vec![violation],
        ));
    }
    let verdict = Verdict::Batch {
        elements,
        rejection,
    };
    Judged { verdict, warnings }
}

/// Takes a batch apart. The error says why it is no batch.
fn elements<'a>(form: Form<'a>) -> Result<Vec<Element<'a>>, Rejection> {
    let no_batch = |Refused| form.explain(schema::of_batch_frame());
    match form {
        Form::Json(text) => {
            // this passes over the elements without reading them in full
            let batch: BatchWire<'_> = form.read().map_err(no_batch)?;
            let element = |text: &'a str| Element {
                wire: strict::read(text, Plain).ok().map(Box::new),
                raw: RawElement::Json(text),
            };
            let elements: Vec<_> = batch
                .customers
                .into_iter()
                .map(|raw| element(raw.get()))
                .collect();
            if elements.iter().any(|element| element.wire.is_none()) {
                well_formed(text)?;
            }
            Ok(elements)
        }
        Form::Avro {
            plan,
            body,
            max_texts,
        } => {
            let elements = avro::batch::read(plan, "customers", body, max_texts)
                .map_err(|_| no_batch(Refused))?;
            let element = |(raw, wire)| Element {
                wire,
                raw: RawElement::Avro(raw),
            };
            Ok(elements.into_iter().map(element).collect())
        }
    }
}

/// The places, in ascending order, of the customers that stood in the batch before.
fn repeated_customers(all: &[Element<'_>]) -> Vec<usize> {
    let ids: Vec<(usize, &str)> = all
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((index, &*one.wire.as_ref()?.source_customer_id.0)))
        .collect();
    rules::repeated(ids.iter().map(|(_, id)| *id))
        .into_iter()
        .map(|at| ids[at].0)
        .collect()
}

/// What the rejection of a batch says of its bad elements.
#[derive(Default)]
struct BadElements {
    first: Option<Rejection>,
    /// Of all of them the first [`MAX_VIOLATIONS`] by pointer.
    violations: Vec<Violation>,
}

impl BadElements {
    fn add(&mut self, rejection: Rejection) {
        self.violations.extend_from_slice(&rejection.violations);
        self.violations.sort();
        self.violations.dedup();
        self.violations.truncate(MAX_VIOLATIONS);
        self.first.get_or_insert(rejection);
    }

    /// Adds an element that the typed reading refused.
    fn add_refused(&mut self, raw: &RawElement<'_>, pointer: &str) {
        // where none of its violations would be listed they are not looked for: a batch may have a million bad elements
        if self.first.is_none() || !self.is_full_before(pointer) {
            self.add(explain_json(
                schema::of_batch_element(),
                &raw.json(),
                pointer,
            ));
        }
    }

    /// Whether the list is full with violations that come before `pointer`.
    fn is_full_before(&self, pointer: &str) -> bool {
        self.violations.len() == MAX_VIOLATIONS
            && self
                .violations
                .last()
                .is_some_and(|last| last.pointer.as_str() < pointer)
    }

    fn rejection(self) -> Option<Rejection> {
        let mut rejection = self.first?;
        rejection.violations = self.violations;
        Some(rejection)
    }
}
