//! The schema registry: Confluent's REST API, as the registries of Confluent, Karapace, Redpanda and Apicurio speak
//! it.
//!
//! | file | subject |
//! |---|---|
//! | `endpoint` | one URL of the registry, with its credentials |
//! | `roots` | the certificate authorities that `https` trusts |
//! | `http` | one request, and the interpretation of its answer |
//! | `client` | [`Registry`]: schemas by id, with those that they refer to |
//! | `subjects` | the schema that is written: looked up, checked, registered |
//! | `cache` | [`CachedSchemas`]: the cache of schemas by id, and the thread that asks the registry |
//! | `queue` | the ids that are waited for, and when each is asked for next |
//!
//! **What an answer means.** A registry that is away never causes a dead letter (docs/contract.md, section 2).
//! Therefore "there is no such schema" is believed only if the registry itself says it: status 404, and a JSON object
//! whose `error_code` is 404 and two more digits. Everything else that is no answer, such as a page of a proxy, a
//! refused password, a cut connection or an error of the server, is [`Unavailable`]: the record waits.
//!
//! No text from this module contains a password or a token.

mod cache;
mod client;
mod endpoint;
mod http;
mod queue;
mod roots;
mod subjects;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

pub use cache::CachedSchemas;
pub use client::{Fetched, Probe, Registry, RegistryError};
pub use http::Requests;
pub use subjects::{EnsureError, Standing};

/// Why the registry gave no answer, for people: what was asked, and what happened at each URL. At most 1,000 characters
/// on one line, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(String);

impl Unavailable {
    const MAX_CHARS: usize = 1_000;

    fn new(reason: &str) -> Unavailable {
        Unavailable(one_line(reason, Unavailable::MAX_CHARS))
    }
}

/// The time of a server, as its last answer told it (the header `Date`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    pub theirs: SystemTime,
    /// The time of this machine when the request was sent, and when its answer was there.
    pub sent: SystemTime,
    pub received: SystemTime,
}

/// A text on one line, cut at a number of characters.
fn one_line(text: &str, max_chars: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = chars.by_ref().take(max_chars).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}
