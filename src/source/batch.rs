//! A publisher batch is judged element by element. The valid elements are processed in any case. If an element is
//! invalid, the batch is also rejected once, with the stage and code of its first invalid element and the violations of
//! all (docs/contract.md, section 2).

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

/// A valid element of a batch.
#[derive(Debug)]
pub struct BatchElement<'a> {
    pub contribution: Contribution,
    raw: RawElement<'a>,
}

/// An element in the encoding of its batch.
#[derive(Debug, Clone)]
enum RawElement<'a> {
    Json(&'a str),
    Avro(avro::batch::EncodedElement<'a>),
}

/// The JSON text before and after the element of a batch with one element.
const BATCH_OF_ONE: [&str; 2] = ["{\"customers\":[", "]}"];

fn json_batch_of_one(element: &str) -> Vec<u8> {
    let [before, after] = BATCH_OF_ONE;
    [before, element, after].concat().into_bytes()
}

impl BatchElement<'_> {
    /// The value of a batch with only this element, in the encoding of the original batch, without the wire-format
    /// frame.
    pub fn batch_of_one(&self) -> Vec<u8> {
        match &self.raw {
            RawElement::Json(text) => json_batch_of_one(text),
            RawElement::Avro(element) => element.batch_of_one(),
        }
    }

    /// The same as JSON; none if the batch is JSON already.
    pub fn json_batch_of_one(&self) -> Option<Vec<u8>> {
        match &self.raw {
            RawElement::Json(_) => None,
            RawElement::Avro(element) => {
                element.to_json().ok().map(|text| json_batch_of_one(&text))
            }
        }
    }

    /// The size of the element itself in bytes.
    pub fn bytes(&self) -> usize {
        match &self.raw {
            RawElement::Json(text) => text.len(),
            RawElement::Avro(element) => element.bytes(),
        }
    }

    /// The size of everything else in [`BatchElement::batch_of_one`] in bytes.
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
            // Cannot fail: the element was decoded once already.
            RawElement::Avro(element) => Cow::Owned(element.to_json().unwrap_or_default()),
        }
    }
}

/// An element of a batch with the result of typed deserialisation, or none if that refused it. The result is boxed,
/// because there may be a million invalid elements of two bytes each.
struct Element<'a> {
    wire: Option<Box<CustomerWire<'a>>>,
    raw: RawElement<'a>,
}

/// Judges a batch; `at` is the record's timestamp.
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
        // An empty batch has no element that would report the missing timestamp.
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

/// Splits a batch into its elements. The error says why the value is not a batch.
fn elements<'a>(form: Form<'a>) -> Result<Vec<Element<'a>>, Rejection> {
    let not_a_batch = |Refused| form.explain(schema::of_batch_frame());
    match form {
        Form::Json(text) => {
            // This skips the elements without decoding them.
            let batch: BatchWire<'_> = form.read().map_err(not_a_batch)?;
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
                .map_err(|_| not_a_batch(Refused))?;
            let element = |(raw, wire)| Element {
                wire,
                raw: RawElement::Avro(raw),
            };
            Ok(elements.into_iter().map(element).collect())
        }
    }
}

/// The indices, in ascending order, of customers that occur earlier in the batch too.
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

/// Collects what the rejection of a batch reports about its invalid elements.
#[derive(Default)]
struct BadElements {
    first: Option<Rejection>,
    /// The first [`MAX_VIOLATIONS`] of all violations, ordered by pointer.
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

    /// Adds an element that typed deserialisation refused.
    fn add_refused(&mut self, raw: &RawElement<'_>, pointer: &str) {
        // If none of its violations would be listed, they are not determined: a batch may have a million invalid
        // elements.
        if self.first.is_none() || !self.is_full_before(pointer) {
            self.add(explain_json(
                schema::of_batch_element(),
                &raw.json(),
                pointer,
            ));
        }
    }

    /// Whether the list is full of violations that order before `pointer`.
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
