//! The client of the registry: schemas by id, with the schemas that they refer to.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::endpoint::{Credentials, Endpoint};
use super::http::{Answer, EndpointError, Http, KINDS, Requests};
use super::{Dated, Unavailable, roots};
use crate::config;
use crate::source::framing::{Purpose, ReaderSchemas, SchemaId, WriterSchema};

/// The most schemas that one schema may refer to, directly or through others.
const MAX_REFERENCES: usize = 200;
/// The most levels of references.
const MAX_DEPTH: usize = 20;
/// The most bytes of one schema with all that it refers to.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The characters that are percent-encoded in a path: all but those that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why no client can be created: the configuration is wrong. No text quotes a URL, a password or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("registry.url is empty")]
    NoUrl,
    /// Counted from 1.
    #[error("registry.url: the URL no. {number} {what}")]
    Url { number: usize, what: &'static str },
    #[error("registry.token holds characters that cannot be sent in a header")]
    Token,
    #[error("registry.ca_location: cannot use {}: {error}", path.display())]
    Authorities { path: PathBuf, error: String },
    #[error(
        "registry.url is an https URL, but this system has no certificate authorities: install the package ca-certificates, or set registry.ca_location"
    )]
    NoAuthorities,
}

/// A schema, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub schema: String,
    /// The texts of the schemas that it refers to, directly and through others. Each comes after those that it
    /// refers to itself.
    pub references: Vec<String>,
    /// Why no value of this schema can be read, if that is known already: it is not Avro, or refers to too many others.
    pub unusable: Option<String>,
}

impl Fetched {
    /// The writer schema for a purpose.
    #[must_use]
    pub fn writer_schema(&self, purpose: Purpose, readers: &ReaderSchemas) -> WriterSchema {
        match &self.unusable {
            Some(reason) => WriterSchema::Unusable(reason.as_str().into()),
            None => {
                let references: Vec<&str> = self.references.iter().map(String::as_str).collect();
                WriterSchema::compile(purpose, readers, &self.schema, &references)
            }
        }
    }
}

/// How one URL of the registry answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Without credentials.
    pub url: String,
    /// Why it does not answer; none: it does.
    pub unavailable: Option<String>,
    /// Its time, if it tells it.
    pub dated: Option<Dated>,
}

/// The client. It blocks: each call may take the timeout of one request, for each URL and for each schema that is
/// referred to. Clones share the connections and the counters.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    endpoints: Vec<Endpoint>,
    /// The endpoint that answered last is asked first.
    last: AtomicUsize,
    http: Http,
}

impl Registry {
    /// Reads the certificate authorities, and does no other I/O.
    ///
    /// # Errors
    /// The configuration is wrong.
    pub fn new(config: &config::Registry) -> Result<Registry, RegistryError> {
        let credentials = if !config.token.is_empty() {
            Credentials::Bearer(&config.token)
        } else if !config.username.is_empty() || !config.password.is_empty() {
            Credentials::Basic {
                username: &config.username,
                password: &config.password,
            }
        } else {
            Credentials::None
        };
        let endpoints = config
            .urls()
            .zip(1..)
            .map(|(url, number)| Endpoint::new(url, number, &credentials))
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(RegistryError::NoUrl);
        }
        let trusted = if endpoints.iter().any(Endpoint::is_https) {
            Some(roots::trusted(&config.ca_location)?)
        } else {
            None
        };
        Ok(Registry(Arc::new(Inner {
            endpoints,
            last: AtomicUsize::new(0),
            http: Http::new(config.timeout, trusted),
        })))
    }

    /// Asks for a schema once, at one URL after the other. `None`: every URL that answers says that there is no such
    /// schema.
    ///
    /// # Errors
    /// No URL answers. Then it is not known whether the schema exists.
    pub fn schema(&self, id: SchemaId) -> Result<Option<Fetched>, Unavailable> {
        // The registry reads the frame's four bytes as a signed number, and its ids are positive. For a larger number
        // it would not answer as for an id that it lacks.
        if matches!(id, SchemaId::Number(number) if i32::try_from(number).is_err()) {
            return Ok(None);
        }
        let path = path_of(id);
        // A registry node that lags behind may not know a schema yet that another node knows.
        self.ask_in_turn(&path, Option::is_some, |endpoint| {
            match self.0.http.look_up(endpoint, &path)? {
                Some(stored) => self.with_references(endpoint, stored).map(Some),
                None => Ok(None),
            }
        })
    }

    /// The newest schema of a subject. `None`: there is no such subject.
    ///
    /// # Errors
    /// No URL answers.
    pub fn latest(&self, subject: &str) -> Result<Option<Fetched>, Unavailable> {
        let path = format!("/subjects/{}/versions/latest", encoded(subject));
        self.ask_in_turn(&path, Option::is_some, |endpoint| {
            match self.0.http.ask(endpoint, &path, None)? {
                Answer::Found(stored) => self.with_references(endpoint, stored).map(Some),
                Answer::NotFound => Ok(None),
                Answer::Declined(words) => Err(declined(endpoint, &words)),
            }
        })
    }

    /// Asks each URL by itself for what every registry answers.
    #[must_use]
    pub fn probe(&self) -> Vec<Probe> {
        let endpoints = self.0.endpoints.iter();
        let ask = |endpoint: &Endpoint| {
            let answer = self.0.http.ask::<Vec<String>>(endpoint, KINDS, None);
            let unavailable = match answer {
                Ok(Answer::Found(_)) => None,
                Ok(Answer::NotFound) => {
                    Some("it does not say which types of schemas it takes".to_owned())
                }
                Ok(Answer::Declined(words)) => Some(words),
                Err(EndpointError(reason)) => {
                    let own = format!("{endpoint} ");
                    Some(reason.strip_prefix(&own).unwrap_or(&reason).to_owned())
                }
            };
            Probe {
                url: endpoint.to_string(),
                dated: self.0.http.dated().filter(|_| unavailable.is_none()),
                unavailable,
            }
        };
        endpoints.map(ask).collect()
    }

    /// The requests since the start, including those of all clones.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.0.http.requests()
    }

    /// Asks the endpoints in turn until an answer settles the question, beginning with the one that answered last. If
    /// none settles it, the first answer counts. `asked` names the request in an error.
    pub(super) fn ask_in_turn<T>(
        &self,
        asked: &str,
        settles: impl Fn(&T) -> bool,
        ask: impl Fn(&Endpoint) -> Result<T, EndpointError>,
    ) -> Result<T, Unavailable> {
        let Inner {
            endpoints, last, ..
        } = &*self.0;
        let first = last.load(Ordering::Relaxed);
        let mut unsettled = None;
        let mut faults = Vec::new();
        for turn in 0..endpoints.len() {
            let index = (first + turn) % endpoints.len();
            let Some(endpoint) = endpoints.get(index) else {
                continue;
            };
            match ask(endpoint) {
                Ok(answer) if settles(&answer) => {
                    last.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(answer) if unsettled.is_none() => {
                    last.store(index, Ordering::Relaxed);
                    unsettled = Some(answer);
                }
                Ok(_) => {}
                Err(EndpointError(reason)) => faults.push(reason),
            }
        }
        unsettled
            .ok_or_else(|| Unavailable::new(&format!("{} (asked for {asked})", faults.join("; "))))
    }

    /// The HTTP client, for one request to an endpoint.
    pub(super) fn http(&self) -> &Http {
        &self.0.http
    }

    /// Fetches the schemas that a schema refers to.
    fn with_references(
        &self,
        endpoint: &Endpoint,
        stored: Stored,
    ) -> Result<Fetched, EndpointError> {
        let mut found = References {
            bytes: stored.schema.len(),
            ..References::default()
        };
        let kind = stored.kind.as_deref().unwrap_or("AVRO");
        if kind == "AVRO" {
            self.add_references(
                endpoint,
                &stored.references.unwrap_or_default(),
                1,
                &mut found,
            )?;
        } else {
            // The text is from the registry, so it is shortened.
            found.unusable = Some(format!("it is {}, not Avro", super::one_line(kind, 20)));
        }
        Ok(Fetched {
            schema: stored.schema,
            references: found.texts,
            unusable: found.unusable,
        })
    }

    /// Adds references depth first, so that a schema's own references come before it.
    fn add_references(
        &self,
        endpoint: &Endpoint,
        references: &[Reference],
        depth: usize,
        found: &mut References,
    ) -> Result<(), EndpointError> {
        for reference in references {
            if found.unusable.is_some() {
                return Ok(());
            }
            let Reference { subject, version } = reference;
            if !found.seen.insert((subject.clone(), *version)) {
                continue;
            }
            if depth > MAX_DEPTH || found.seen.len() > MAX_REFERENCES {
                found.unusable = Some(format!(
                    "it refers to more than {MAX_REFERENCES} schemas, or deeper than {MAX_DEPTH}"
                ));
                return Ok(());
            }
            // A version that was deleted later still belongs to the schema.
            let path = format!(
                "/subjects/{}/versions/{version}?deleted=true",
                encoded(subject)
            );
            let stored: Stored = match self.0.http.ask(endpoint, &path, None)? {
                Answer::Found(stored) => stored,
                Answer::NotFound => {
                    return Err(EndpointError(format!(
                        "{endpoint} has the schema, but not the version {version} of the subject {subject:?} that it refers to"
                    )));
                }
                Answer::Declined(words) => return Err(declined(endpoint, &words)),
            };
            let Stored {
                schema, references, ..
            } = stored;
            found.bytes += schema.len();
            if found.bytes > MAX_BYTES {
                found.unusable = Some(format!(
                    "it has more than {} MiB with all that it refers to",
                    MAX_BYTES / (1024 * 1024)
                ));
                return Ok(());
            }
            self.add_references(endpoint, &references.unwrap_or_default(), depth + 1, found)?;
            found.texts.push(schema);
        }
        Ok(())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.0.endpoints).finish()
    }
}

/// A schema as the registry returns it; other fields are ignored.
#[derive(Deserialize)]
struct Stored {
    schema: String,
    /// Left out by the registry if it is AVRO.
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    references: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    subject: String,
    version: i64,
}

#[derive(Default)]
struct References {
    seen: HashSet<(String, i64)>,
    texts: Vec<String>,
    bytes: usize,
    unusable: Option<String>,
}

fn declined(endpoint: &Endpoint, words: &str) -> EndpointError {
    EndpointError(format!("{endpoint} declines: {words}"))
}

fn path_of(id: SchemaId) -> String {
    match id {
        SchemaId::Number(_) => format!("/schemas/ids/{id}"),
        SchemaId::Guid(_) => format!("/schemas/guids/{id}"),
    }
}

/// A text as one segment of a path.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
