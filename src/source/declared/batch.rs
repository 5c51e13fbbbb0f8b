//! A batch is judged element by element, like one of the publisher (docs/contract.md, sections 2 and 9).

use std::sync::Arc;

use super::event::{About, Event};
use super::found::Pointers;
use super::outside::Outside;
use super::{Following, explain, well_formed};
use crate::definition::pass::{Batch, Captured, ListState, Pass};
use crate::definition::{BatchPlan, BatchSchemaPlan, EventList, SchemaPlan, Shape};
use crate::json::schema::BatchProblem;
use crate::model::record::{Code, Rejection, Violation, sort_and_cut_warnings};
use crate::source::batch::{BadElements, BatchElement};
use crate::source::rules::repeated;
use crate::source::{Judged, Verdict};

/// What is repeated with each element may have this many bytes over all elements of a batch.
const MAX_REPEATED_BYTES: usize = 32 * 1024 * 1024;

/// Judges a record that is a batch by its definition.
pub(super) fn judge<'a>(
    text: &'a str,
    (shape, plan): (&Shape, &BatchPlan),
    captured: &Captured<'a>,
    outside: Outside<'_>,
    following: &Following<'_>,
) -> Judged<'a> {
    let Some(batch) = captured.batch(plan.number) else {
        return Rejection::new(Code::SchemaViolation).into();
    };
    let bad = match violations(text, plan, captured, following) {
        None => Vec::new(),
        Some(BatchProblem::Batch(rejection)) => return rejection.into(),
        Some(BatchProblem::Elements(bad)) => bad,
    };
    let problem = match batch.state {
        ListState::Array => None,
        ListState::Absent | ListState::Null => Some(("required", "is required, but missing")),
        ListState::Object | ListState::Other => Some(("type", "must be an array")),
    };
    if let Some((keyword, message)) = problem {
        let violation = Violation {
            pointer: plan.pointer.clone(),
            keyword,
            message: message.to_owned(),
        };
        return Rejection::with_violations(Code::SchemaViolation, vec![violation]).into();
    }
    let elements = Elements {
        text,
        batch,
        pass: &plan.pass,
        pointer: &plan.pointer,
        following,
        bad,
        schema: match &plan.schema {
            Some(BatchSchemaPlan::Split { element, .. }) => element.as_deref(),
            Some(BatchSchemaPlan::Whole(_)) | None => None,
        },
    };
    let around = || following.plan.pass.around(text, plan.number);
    elements.judge(around, |element, pointer| {
        let event = Event {
            following,
            shape,
            record: captured,
            element: Some(element),
            outside,
            pointers: Pointers {
                event: "",
                customer: pointer,
            },
        };
        event.read()
    })
}

/// Judges a record that is a list of events.
pub(super) fn judge_events<'a>(
    text: &'a str,
    events: &EventList,
    outside: Outside<'_>,
    following: &Following<'_>,
) -> Judged<'a> {
    let plan = following.plan;
    let captured = match super::capture(&events.pass, text) {
        Ok(captured) => captured,
        Err(rejection) => return rejection.into(),
    };
    let shape = plan.shapes.get(events.shape);
    let (Some(batch), Some(shape)) = (captured.batch(events.number), shape) else {
        return Rejection::new(Code::SchemaViolation).into();
    };
    let elements = Elements {
        text,
        batch,
        pass: &plan.pass,
        pointer: "",
        following,
        bad: Vec::new(),
        schema: plan.schema.as_ref(),
    };
    let around = || Some(["[".to_owned(), "]".to_owned()]);
    elements.judge(around, |event, pointer| {
        let event = Event {
            following,
            shape,
            record: event,
            element: None,
            outside,
            pointers: Pointers {
                event: pointer,
                customer: pointer,
            },
        };
        event.read()
    })
}

struct Elements<'r, 'a> {
    /// Of the record.
    text: &'a str,
    batch: &'r Batch<'a>,
    pass: &'r Pass,
    pointer: &'r str,
    following: &'r Following<'r>,
    /// The elements that break the schema of the batch, ascending, with their violations.
    bad: Vec<(usize, Vec<Violation>)>,
    /// The schema of an element.
    schema: Option<&'r SchemaPlan>,
}

/// What breaks the schema of a batch, apart from that of an element.
fn violations(
    text: &str,
    plan: &BatchPlan,
    captured: &Captured<'_>,
    following: &Following<'_>,
) -> Option<BatchProblem> {
    match &plan.schema {
        Some(BatchSchemaPlan::Split { frame, .. }) => following
            .violates(Some(frame), captured, (text, ""))
            .map(BatchProblem::Batch),
        Some(BatchSchemaPlan::Whole(schema)) if !following.has_conformed => {
            schema.explain_batch(text, &plan.pointer)
        }
        _ => None,
    }
}

/// An element that conforms to the definition.
struct Conforming {
    index: usize,
    about: About,
}

impl<'a> Elements<'_, 'a> {
    /// Judges the elements. `around` gives the text before and after the element of a batch of one.
    fn judge(
        &self,
        around: impl FnOnce() -> Option<[String; 2]>,
        read: impl Fn(&Captured<'a>, &str) -> Result<Option<About>, Rejection>,
    ) -> Judged<'a> {
        let mut bad = BadElements::default();
        let conforming = match self.conforming(&mut bad, read) {
            Ok(conforming) => conforming,
            Err(rejection) => return rejection.into(),
        };
        let around = match self.around(conforming.len(), around) {
            Ok(around) => around,
            Err(rejection) => return rejection.into(),
        };
        let ids = conforming
            .iter()
            .map(|one| &*one.about.contribution.customer);
        let mut repeated = repeated(ids).into_iter().peekable();
        let mut warnings = Vec::new();
        let mut elements = Vec::new();
        for (at, Conforming { index, about }) in conforming.into_iter().enumerate() {
            let About {
                contribution,
                mut findings,
                id_pointer,
            } = about;
            if repeated.next_if_eq(&at).is_some() {
                let mut check = self.following.check(None);
                check.broken(Code::DuplicateElement, || id_pointer);
                findings.add(check.findings());
            }
            warnings.extend(findings.warnings);
            match findings.code {
                None => {
                    let text = self.batch.elements[index].into();
                    let around = Arc::clone(&around);
                    elements.push(BatchElement::declared(index, contribution, text, around));
                }
                Some(code) => bad.add(index, Rejection::with_violations(code, findings.violations)),
            }
        }
        sort_and_cut_warnings(&mut warnings);
        let verdict = Verdict::Batch {
            elements,
            rejection: bad.rejection(),
        };
        Judged { verdict, warnings }
    }

    fn conforming(
        &self,
        bad: &mut BadElements,
        read: impl Fn(&Captured<'a>, &str) -> Result<Option<About>, Rejection>,
    ) -> Result<Vec<Conforming>, Rejection> {
        let mut conforming = Vec::new();
        let mut is_well_formed = false;
        for (index, text) in self.batch.elements.iter().enumerate() {
            let pointer = format!("{}/{index}", self.pointer);
            let captured = match self.pass.read(text, self.batch.depth) {
                Ok(captured) => captured,
                Err(failed) => {
                    // Looked at once for all elements.
                    if !is_well_formed {
                        well_formed(self.text)?;
                        is_well_formed = true;
                    }
                    bad.add(index, explain(failed, "null", &pointer));
                    continue;
                }
            };
            let of_batch = self.bad.binary_search_by_key(&index, |(bad, _)| *bad);
            if let Ok(at) = of_batch {
                let violations = self.bad[at].1.clone();
                let rejection = Rejection::with_violations(Code::SchemaViolation, violations);
                bad.add(index, rejection);
                continue;
            }
            let violation = self
                .following
                .violates(self.schema, &captured, (text, &pointer));
            if let Some(rejection) = violation {
                bad.add(index, rejection);
                continue;
            }
            match read(&captured, &pointer) {
                Ok(Some(about)) => conforming.push(Conforming { index, about }),
                Ok(None) => {}
                Err(rejection) => bad.add(index, rejection),
            }
        }
        Ok(conforming)
    }

    /// The text around each element, unless it is too much to be repeated.
    fn around(
        &self,
        elements: usize,
        around: impl FnOnce() -> Option<[String; 2]>,
    ) -> Result<Arc<[String; 2]>, Rejection> {
        if elements == 0 {
            return Ok(Arc::default());
        }
        let Some(around) = around() else {
            return Err(Rejection::new(Code::InvalidJson));
        };
        let bytes: usize = around.iter().map(String::len).sum();
        if bytes.saturating_mul(elements) > MAX_REPEATED_BYTES {
            let message = "the values outside of the list, which each of its elements needs, are too large to be \
                           repeated with each of them";
            return Err(Rejection::with_message(Code::TooLarge, message));
        }
        Ok(Arc::new(around))
    }
}

/// The same without borrowing from the text that was judged, which is not the record's own.
pub(super) fn into_owned<'o>(judged: Judged<'_>) -> Judged<'o> {
    let verdict = match judged.verdict {
        Verdict::Valid(contribution) => Verdict::Valid(contribution),
        Verdict::Nothing => Verdict::Nothing,
        Verdict::Rejected(rejection) => Verdict::Rejected(rejection),
        Verdict::Batch {
            elements,
            rejection,
        } => Verdict::Batch {
            elements: elements
                .into_iter()
                .map(BatchElement::into_other_form)
                .collect(),
            rejection,
        },
    };
    Judged {
        verdict,
        warnings: judged.warnings,
    }
}
