//! A record of a declared source, judged by its definition (docs/contract.md, section 9).
//!
//! | step | file |
//! |---|---|
//! | one pass over the text, which captures what is mapped | [`pass`](crate::definition::pass) |
//! | which of its shapes a record has, and what the envelope says | `envelope` |
//! | the elements of a batch, one by one | `batch` |
//! | a value: where it is found | `reader`, `found`, `outside` |
//! | what it becomes | `typed`, `number` |
//! | what the record says of a customer | `event`, `customer`, `list`, `action` |

mod action;
mod batch;
mod customer;
mod envelope;
mod event;
mod found;
mod key;
mod list;
mod number;
mod outside;
mod reader;
#[cfg(test)]
mod tests;
mod typed;
mod violations;

use super::form::{Form, well_formed};
use super::rules::RuleCheck;
use super::{Headers, Judged, Verdict};
use crate::avro;
use crate::config::{Tombstone, Validation};
use crate::definition::pass::{Captured, Failed, Pass};
use crate::definition::{Plan, SchemaPlan};
use crate::json::messages;
use crate::model::record::{Code, DeclaredSource, RawRecord, Rejection, Source, usable_timestamp};
use crate::model::time::Instant;
use event::Event;
use found::Pointers;
use outside::Outside;

/// How the records of a source are judged.
#[derive(Clone, Copy)]
pub(super) struct Following<'c> {
    pub source: DeclaredSource,
    pub plan: &'c Plan,
    pub tombstone: Tombstone,
    pub validation: &'c Validation,
    /// Whether the record conformed to the schema where it was read first.
    pub has_conformed: bool,
    /// Whether the record's key is a text even if it could be read as JSON.
    pub has_text_key: bool,
}

impl<'c> Following<'c> {
    /// What breaks a schema in a text that a pass captured; `pointer` is the position of the text in its record.
    fn violates(
        &self,
        plan: Option<&SchemaPlan>,
        captured: &Captured<'_>,
        (text, pointer): (&str, &str),
    ) -> Option<Rejection> {
        let plan = plan.filter(|_| !self.has_conformed)?;
        match plan.is_checked && captured.conforms() {
            true => None,
            false => plan.schema.explain(text, pointer),
        }
    }

    /// A check of the semantic rules for a record with this timestamp.
    fn check(&self, at: Option<Instant>) -> RuleCheck<'c> {
        let validation = self.validation;
        let latest = at.map(|at| at.saturating_add(validation.max_future_skew));
        RuleCheck::new(&validation.rules, Source::Declared(self.source), latest)
            .by(&self.plan.definition)
    }
}

/// Judges a record with a value.
pub(super) fn judge<'a>(
    form: Form<'a>,
    record: &RawRecord<'a>,
    headers: Headers<'_>,
    following: &Following<'_>,
) -> Judged<'a> {
    let at = record.timestamp.and_then(usable_timestamp);
    let outside = Outside::of(record, headers, at.map(Instant::from_millis));
    match form {
        Form::Json(text) => judge_text(text, outside, following),
        Form::Avro {
            plan,
            body,
            max_texts,
        } => match avro::to_json(plan, body, max_texts) {
            Ok(text) => batch::into_owned(judge_text(&text, outside, following)),
            Err(_) => {
                let why = avro::explain(plan, body, max_texts).err();
                let why = why.unwrap_or_else(|| Code::InvalidAvro.meaning().to_owned());
                Rejection::with_message(Code::InvalidAvro, why).into()
            }
        },
    }
}

fn judge_text<'a>(text: &'a str, outside: Outside<'_>, following: &Following<'_>) -> Judged<'a> {
    let plan = following.plan;
    if let Some(events) = &plan.event_list
        && text.trim_ascii_start().starts_with('[')
        && !envelope::is_binary(outside.headers)
    {
        return batch::judge_events(text, events, outside, following);
    }
    let captured = match capture(&plan.pass, text) {
        Ok(captured) => captured,
        Err(rejection) => return rejection.into(),
    };
    let Some(shape) = envelope::shape(plan, &captured, outside.headers) else {
        // There is a shape for each record.
        return Rejection::new(Code::SchemaViolation).into();
    };
    if let Some(batch) = &shape.batch {
        return batch::judge(text, (shape, batch), &captured, outside, following);
    }
    let schema = plan.schema.as_ref();
    if let Some(rejection) = following.violates(schema, &captured, (text, "")) {
        return rejection.into();
    }
    let event = Event {
        following,
        shape,
        record: &captured,
        element: None,
        outside,
        pointers: Pointers::default(),
    };
    match event.read() {
        Ok(None) => Verdict::Nothing.into(),
        Ok(Some(said)) => Judged::by_rules(said.contribution, said.findings),
        Err(rejection) => rejection.into(),
    }
}

/// Captures what a pass maps of the text of a record.
fn capture<'a>(pass: &Pass, text: &'a str) -> Result<Captured<'a>, Rejection> {
    pass.read(text, 0)
        .map_err(|failed| explain(failed, text, ""))
}

/// Why a pass refused a text; `pointer` is the position of the text in its record, whose text is `record`.
fn explain(failed: Failed, record: &str, pointer: &str) -> Rejection {
    if let Err(rejection) = well_formed(record) {
        return rejection;
    }
    match failed.duplicate {
        Some(twice) => {
            let pointer = format!("{pointer}{}", twice.pointer);
            let message = messages::given_twice(&twice.name, &pointer);
            Rejection::with_message(Code::DuplicateField, message)
        }
        // The pass refuses nothing else.
        None => Rejection::new(Code::InvalidJson),
    }
}
