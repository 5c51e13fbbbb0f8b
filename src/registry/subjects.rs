//! The schema that snapshots are written with: looked up under its subject, checked, registered.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{Registry, encoded};
use super::http::Answer;
use super::{Unavailable, one_line};

/// The most messages of the registry that are quoted, and the most characters of each.
const MAX_MESSAGES: usize = 5;
const MAX_MESSAGE: usize = 300;

/// Why there is no schema id to write snapshots with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnsureError {
    /// The registry is away; asking again later may help.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Asking again does not help. The text says what does.
    #[error("{0}")]
    Refused(String),
}

impl Registry {
    /// The id of a schema under its subject. If it is not registered there, it is checked against the latest version
    /// and registered, provided that `auto_register` allows that. The schema is Avro and refers to no other.
    ///
    /// # Errors
    /// No URL answers, or the registry does not take the schema.
    pub fn ensure(
        &self,
        subject: &str,
        schema: &str,
        auto_register: bool,
    ) -> Result<u32, EnsureError> {
        if let Standing::Registered(id) = self.standing(subject, schema, auto_register)? {
            return Ok(id);
        }
        let body = body(schema);
        let path = format!("/subjects/{}/versions", encoded(subject));
        match self.post::<SchemaIdAnswer>(&path, &body)? {
            Answer::Found(SchemaIdAnswer { id }) => Ok(id),
            Answer::NotFound => Err(declined(subject, "it says that there is no such subject")),
            Answer::Declined(words) => Err(declined(subject, &words)),
        }
    }

    /// What [`Registry::ensure`] would find; nothing is registered.
    ///
    /// # Errors
    /// No URL answers, or the registry would not take the schema.
    pub fn standing(
        &self,
        subject: &str,
        schema: &str,
        auto_register: bool,
    ) -> Result<Standing, EnsureError> {
        let body = body(schema);
        let encoded = encoded(subject);
        let path = format!("/subjects/{encoded}");
        match self.post::<SchemaIdAnswer>(&path, &body)? {
            Answer::Found(SchemaIdAnswer { id }) => return Ok(Standing::Registered(id)),
            Answer::NotFound => {}
            Answer::Declined(words) => return Err(declined(subject, &words)),
        }
        if !auto_register {
            return Err(EnsureError::Refused(format!(
                "the schema of the snapshots is not registered under the subject {subject:?}, and snapshot.auto_register is false: register schemas/customer-snapshot.avsc of this version there, or set snapshot.auto_register = true"
            )));
        }
        let path = format!("/compatibility/subjects/{encoded}/versions/latest?verbose=true");
        match self.post::<Verdict>(&path, &body)? {
            Answer::Found(verdict) if !verdict.is_compatible => {
                Err(incompatible(subject, &verdict.reasons()))
            }
            // If there is no version yet, there is nothing to be incompatible with.
            Answer::Found(_) | Answer::NotFound => Ok(Standing::Compatible),
            Answer::Declined(words) => Err(declined(subject, &words)),
        }
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<Answer<T>, Unavailable> {
        self.ask_in_turn(
            path,
            |_| true,
            |endpoint| self.http().ask(endpoint, path, Some(body)),
        )
    }
}

/// What the registry has of a schema under a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there, with this id.
    Registered(u32),
    /// It is not there, and can be registered.
    Compatible,
}

/// `schemaType` is left out: its default is AVRO, and the oldest registries do not know the field.
fn body(schema: &str) -> String {
    serde_json::json!({ "schema": schema }).to_string()
}

#[derive(Deserialize)]
struct SchemaIdAnswer {
    id: u32,
}

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
    /// Why it is not compatible. Apicurio returns one text named `reason` instead.
    messages: Option<Vec<serde_json::Value>>,
    reason: Option<serde_json::Value>,
}

impl Verdict {
    fn reasons(self) -> Vec<serde_json::Value> {
        let mut reasons = self.messages.unwrap_or_default();
        reasons.extend(self.reason);
        reasons
    }
}

fn declined(subject: &str, words: &str) -> EnsureError {
    EnsureError::Refused(format!(
        "the schema registry does not take the schema of the snapshots under the subject {subject:?}: {words}"
    ))
}

fn incompatible(subject: &str, messages: &[serde_json::Value]) -> EnsureError {
    let mut reasons: Vec<String> = messages
        .iter()
        .take(MAX_MESSAGES)
        .map(|message| match message.as_str() {
            Some(text) => one_line(text, MAX_MESSAGE),
            None => one_line(&message.to_string(), MAX_MESSAGE),
        })
        .collect();
    match messages.len().saturating_sub(MAX_MESSAGES) {
        0 => {}
        more => reasons.push(format!("and {more} more")),
    }
    if reasons.is_empty() {
        reasons.push("it gives no reason".to_owned());
    }
    EnsureError::Refused(format!(
        "the schema of the snapshots is not compatible with the latest version under the subject {subject:?}: {}. Change the subject's compatibility level, or set snapshot.topic or snapshot.subject_strategy so that another subject is used",
        reasons.join("; ")
    ))
}
