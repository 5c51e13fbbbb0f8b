//! A publisher batch is judged element by element. The valid elements are processed in any case. If an element is
//! invalid, the batch is also rejected once, with the stage and code of its first invalid element and the violations of
//! all (docs/contract.md, section 2).

use std::borrow::Cow;
use std::sync::Arc;

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
    /// Its position in the batch.
    pub index: usize,
    pub contribution: Contribution,
    raw: RawElement<'a>,
}

/// An element in the encoding of its batch.
#[derive(Debug, Clone)]
enum RawElement<'a> {
    Json(&'a str),
    Avro(avro::batch::EncodedElement<'a>),
    /// Of a declared source, with the JSON text before and after the element of a batch of one.
    Declared {
        text: Cow<'a, str>,
        around: Arc<[String; 2]>,
        /// The batch itself is not JSON.
        is_other_form: bool,
    },
}

/// The JSON text before and after the element of a batch with one element.
const BATCH_OF_ONE: [&str; 2] = ["{\"customers\":[", "]}"];

fn json_batch_of_one(element: &str) -> Vec<u8> {
    let [before, after] = BATCH_OF_ONE;
    [before, element, after].concat().into_bytes()
}

impl<'a> BatchElement<'a> {
    /// An element of a declared source.
    pub(super) fn declared(
        index: usize,
        contribution: Contribution,
        text: Cow<'a, str>,
        around: Arc<[String; 2]>,
    ) -> BatchElement<'a> {
        BatchElement {
            index,
            contribution,
            raw: RawElement::Declared {
                text,
                around,
                is_other_form: false,
            },
        }
    }

    /// The same as JSON, of a batch that is not JSON itself.
    pub(super) fn into_other_form<'o>(self) -> BatchElement<'o> {
        let (text, around) = match self.raw {
            RawElement::Declared { text, around, .. } => (text.into_owned(), around),
            other => (
                other.json().into_owned(),
                Arc::new(BATCH_OF_ONE.map(str::to_owned)),
            ),
        };
        BatchElement {
            index: self.index,
            contribution: self.contribution,
            raw: RawElement::Declared {
                text: text.into(),
                around,
                is_other_form: true,
            },
        }
    }

    /// Whether [`BatchElement::batch_of_one`] is JSON although the batch itself is not.
    pub fn is_other_form(&self) -> bool {
        matches!(
            self.raw,
            RawElement::Declared {
                is_other_form: true,
                ..
            }
        )
    }

    /// The value of a batch with only this element, in the encoding of the original batch, without the wire-format
    /// frame.
    pub fn batch_of_one(&self) -> Vec<u8> {
        match &self.raw {
            RawElement::Json(text) => json_batch_of_one(text),
            RawElement::Avro(element) => element.batch_of_one(),
            RawElement::Declared { text, around, .. } => {
                [&around[0], &**text, &around[1]].concat().into_bytes()
            }
        }
    }

    /// The same as JSON; none if the batch is JSON already.
    pub fn json_batch_of_one(&self) -> Option<Vec<u8>> {
        match &self.raw {
            RawElement::Json(_) | RawElement::Declared { .. } => None,
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
            RawElement::Declared { text, .. } => text.len(),
        }
    }

    /// The size of everything else in [`BatchElement::batch_of_one`] in bytes.
    pub fn bytes_around(&self) -> usize {
        match &self.raw {
            RawElement::Json(_) => BATCH_OF_ONE.iter().map(|part| part.len()).sum(),
            RawElement::Avro(element) => element.bytes_around(),
            RawElement::Declared { around, .. } => around.iter().map(String::len).sum(),
        }
    }
}

impl<'a> RawElement<'a> {
    fn json(&self) -> Cow<'a, str> {
        match self {
            RawElement::Json(text) => Cow::Borrowed(text),
            // Cannot fail: the element was decoded once already.
            RawElement::Avro(element) => Cow::Owned(element.to_json().unwrap_or_default()),
            RawElement::Declared { text, .. } => text.clone(),
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
            bad.add_refused(index, &raw, &pointer);
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
            None => elements.push(BatchElement {
                index,
                contribution,
                raw,
            }),
            Some(code) => bad.add(index, Rejection::with_violations(code, findings.violations)),
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
pub(super) struct BadElements {
    /// That of the first invalid element, and its index.
    first: Option<(usize, Rejection)>,
    /// The first [`MAX_VIOLATIONS`] of all violations, ordered by pointer.
    violations: Vec<Violation>,
}

impl BadElements {
    pub fn add(&mut self, index: usize, rejection: Rejection) {
        self.violations.extend_from_slice(&rejection.violations);
        self.violations.sort();
        self.violations.dedup();
        self.violations.truncate(MAX_VIOLATIONS);
        if self.first.as_ref().is_none_or(|(first, _)| index < *first) {
            self.first = Some((index, rejection));
        }
    }

    /// Adds an element that typed deserialisation refused.
    fn add_refused(&mut self, index: usize, raw: &RawElement<'_>, pointer: &str) {
        // If none of its violations would be listed, they are not determined: a batch may have a million invalid
        // elements.
        if self.first.is_none() || !self.is_full_before(pointer) {
            let schema = schema::of_batch_element();
            self.add(index, explain_json(schema, &raw.json(), pointer));
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

    pub fn rejection(self) -> Option<Rejection> {
        let (_, mut rejection) = self.first?;
        rejection.violations = self.violations;
        Some(rejection)
    }
}
