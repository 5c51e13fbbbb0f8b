//! Typed deserialisation of a value, and the reason when it fails.
//!
//! Typed deserialisation is the fast path: it decodes the value and enforces the schema in one pass, but gives no
//! reason when it refuses a value. Only then is the value examined a second time, step by step, to find the reason.

use std::borrow::Cow;

use serde::Deserialize;

use super::Value;
use crate::avro::{self, Plan};
use crate::json::messages;
use crate::json::schema::Schema;
use crate::json::strict::{self, Plain};
use crate::model::record::{Code, Rejection};

/// The decoded texts of an Avro value may have up to this many times `validation.max_record_bytes` (docs/contract.md,
/// section 2).
pub(super) const MAX_TEXTS: usize = 4;

/// A value in the encoding from which it is deserialised.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    Json(&'a str),
    Avro {
        plan: &'a Plan,
        body: &'a [u8],
        /// The most bytes that its decoded texts may have.
        max_texts: usize,
    },
}

/// Typed deserialisation refused a value; [`Form::explain`] says why.
pub(super) struct Refused;

impl<'a> Form<'a> {
    #[inline]
    pub fn of(value: Value<'a>, max_record_bytes: usize) -> Result<Form<'a>, Rejection> {
        match value {
            Value::Json(bytes) => std::str::from_utf8(bytes)
                .map(Form::Json)
                .map_err(|_| not_utf8(bytes)),
            Value::Avro(plan, body) => Ok(Form::Avro {
                plan,
                body,
                max_texts: max_record_bytes.saturating_mul(MAX_TEXTS),
            }),
        }
    }

    /// Deserialises the value into the type of its source.
    #[inline]
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, Refused> {
        match self {
            Form::Json(text) => strict::read(text, Plain).map_err(|_| Refused),
            Form::Avro {
                plan,
                body,
                max_texts,
            } => avro::read(plan, body, max_texts).map_err(|_| Refused),
        }
    }

    /// Determines by the given schema why deserialisation refused the value.
    #[cold]
    pub fn explain(self, schema: Result<&Schema, String>) -> Rejection {
        let text = match self {
            Form::Json(text) => match well_formed(text) {
                Ok(()) => Cow::Borrowed(text),
                Err(rejection) => return rejection,
            },
            Form::Avro {
                plan,
                body,
                max_texts,
            } => match avro::explain(plan, body, max_texts) {
                Ok(text) => Cow::Owned(text),
                Err(why) => return Rejection::with_message(Code::InvalidAvro, why),
            },
        };
        explain_json(schema, &text, "")
    }
}

/// An error unless a text is JSON.
pub(super) fn well_formed(text: &str) -> Result<(), Rejection> {
    strict::check(text).map_err(|error| {
        Rejection::with_message(Code::InvalidJson, messages::not_json(text, &error))
    })
}

/// Determines why typed deserialisation refused a value that is well-formed JSON; `pointer` is the position of the
/// value in its record.
///
/// A test ensures that typed deserialisation and the schema agree. If they differ all the same, the record becomes a
/// dead letter, where somebody sees it, and the stream continues.
pub(super) fn explain_json(
    schema: Result<&Schema, String>,
    text: &str,
    pointer: &str,
) -> Rejection {
    let explained = schema.ok().and_then(|schema| schema.explain(text, pointer));
    explained.unwrap_or_else(|| {
        Rejection::with_message(
            Code::SchemaViolation,
            "the typed reading refuses the value, but its JSON Schema does not; please report this",
        )
    })
}

fn not_utf8(bytes: &[u8]) -> Rejection {
    match messages::not_utf8(bytes) {
        Some(message) => Rejection::with_message(Code::InvalidUtf8, message),
        None => Rejection::new(Code::InvalidUtf8),
    }
}
