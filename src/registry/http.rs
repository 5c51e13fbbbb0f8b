//! One request, and the interpretation of its answer.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::endpoint::Endpoint;
use super::{Dated, one_line};

/// The largest answer that is read, in bytes. Registries take schemas of up to 1 MiB.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;
/// The most characters of the registry's own message that are quoted.
const MAX_MESSAGE: usize = 300;
/// What every registry answers: the types of schemas that it takes.
pub(super) const KINDS: &str = "/schemas/types";
/// The content types with which the registries of all vendors answer.
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// How many requests there were since the start, by their result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// Answered.
    pub ok: u64,
    /// The registry says that there is no such schema, subject or version.
    pub not_found: u64,
    /// Not answered, or declined.
    pub failed: u64,
}

/// The registry's answer to a request.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Found(T),
    /// The registry itself says that what was asked for does not exist.
    NotFound,
    /// The registry declines the request, for this reason.
    Declined(String),
}

/// Why one URL gave no answer; the text begins with the URL.
#[derive(Debug)]
pub(super) struct EndpointError(pub String);

/// Why one exchange gave no answer.
struct ExchangeError {
    /// Without the URL.
    reason: String,
    client_error: ClientError,
}

/// Whether an exchange ended with a status of 4xx that waiting does not change, and who sent it.
enum ClientError {
    None,
    /// It may come from the registry, or from a proxy in front of it.
    OfUnknownOrigin,
    /// The body has the form of the registry's own errors.
    OfTheRegistry,
}

/// Makes requests, and counts them.
pub(super) struct Http {
    agent: Agent,
    timeout: Duration,
    ok: AtomicU64,
    not_found: AtomicU64,
    failed: AtomicU64,
    dated: Mutex<Option<Dated>>,
}

/// An answer before its interpretation.
struct Reply {
    status: StatusCode,
    is_page: bool,
    body: Vec<u8>,
}

impl Http {
    /// `timeout` is that of one request, from the look-up of the host's name to the end of the answer. `roots` are the
    /// certificate authorities that `https` trusts. Proxies come from the environment: `HTTP_PROXY`, `HTTPS_PROXY` and
    /// `NO_PROXY`.
    pub fn new(timeout: Duration, roots: Option<RootCerts>) -> Http {
        // Even if no URL is https, that of a proxy may be.
        let roots = roots.unwrap_or(RootCerts::PlatformVerifier);
        // The Kafka client needs OpenSSL anyway. It is used here too, so that both trust the same.
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(roots);
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // A registry does not redirect; a proxy that requires a log-in does.
            .max_redirects(0)
            .user_agent(concat!("keyfold/", env!("CARGO_PKG_VERSION")))
            .accept(ACCEPT);
        Http {
            agent: Agent::new_with_config(config.build()),
            timeout,
            ok: AtomicU64::new(0),
            not_found: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dated: Mutex::new(None),
        }
    }

    /// The time of the server in its last answer; none where it told none.
    pub fn dated(&self) -> Option<Dated> {
        *self.dated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET`, or `POST` with a body. `path` begins with a slash and is percent-encoded.
    pub fn ask<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answer<T>, EndpointError> {
        let answer = self
            .exchange(endpoint, path, body)
            .map_err(|failed| failed.at(endpoint));
        let count = match answer {
            Ok(Answer::Found(_)) => &self.ok,
            Ok(Answer::NotFound) => &self.not_found,
            Ok(Answer::Declined(_)) | Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Asks for a schema by its id. `None`: the registry does not have it. The producer of a record chooses the id, so
    /// a status that waiting does not change must not count as a registry that is away: it would block the partition
    /// forever. A status without the registry's own error body may come from a proxy, and counts as an unknown schema
    /// only if the registry answers another request.
    pub fn look_up<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        path: &str,
    ) -> Result<Option<T>, EndpointError> {
        let found = match self.exchange(endpoint, path, None) {
            Ok(Answer::Found(found)) => Ok(Some(found)),
            Ok(Answer::NotFound | Answer::Declined(_)) => Ok(None),
            Err(failed) => match failed.client_error {
                ClientError::OfTheRegistry => Ok(None),
                ClientError::OfUnknownOrigin if self.answers(endpoint) => Ok(None),
                ClientError::OfUnknownOrigin | ClientError::None => Err(failed.at(endpoint)),
            },
        };
        let count = match found {
            Ok(Some(_)) => &self.ok,
            Ok(None) => &self.not_found,
            Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Whether the registry answers at all.
    fn answers(&self, endpoint: &Endpoint) -> bool {
        let kinds = self.ask::<Vec<String>>(endpoint, KINDS, None);
        matches!(kinds, Ok(Answer::Found(_)))
    }

    fn exchange<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answer<T>, ExchangeError> {
        match self.send(endpoint, path, body) {
            Ok(reply) => interpret(&reply, endpoint),
            Err(error) => Err(ExchangeError::away(self.transport_error(&error))),
        }
    }

    pub fn requests(&self) -> Requests {
        Requests {
            ok: self.ok.load(Ordering::Relaxed),
            not_found: self.not_found.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    fn send(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<&str>,
    ) -> Result<Reply, ureq::Error> {
        let url = endpoint.url(path);
        let sent = SystemTime::now();
        let mut response = match body {
            None => {
                let mut request = self.agent.get(url);
                if let Some(value) = endpoint.authorization() {
                    request = request.header("authorization", value);
                }
                request.call()?
            }
            Some(body) => {
                let mut request = self.agent.post(url).content_type(CONTENT_TYPE);
                if let Some(value) = endpoint.authorization() {
                    request = request.header("authorization", value);
                }
                request.send(body)?
            }
        };
        let date = response.headers().get("date");
        let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let dated = date.map(|theirs| Dated {
            theirs,
            sent,
            received: SystemTime::now(),
        });
        *self.dated.lock().unwrap_or_else(PoisonError::into_inner) = dated;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()?;
        Ok(Reply {
            status: response.status(),
            is_page: is_page(&response, &body),
            body,
        })
    }

    /// Why there was no answer at all.
    fn transport_error(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                let timeout = humantime::format_duration(self.timeout);
                format!("did not answer within {timeout} (registry.timeout)")
            }
            ureq::Error::HostNotFound => "cannot be reached: its host has no address".to_owned(),
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => "cannot be reached: connection refused".to_owned(),
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => "cut the connection".to_owned(),
                _ => format!("cannot be reached: {error}"),
            },
            ureq::Error::NativeTls(error) => format!(
                "cannot be trusted, or speaks no TLS: {error} (registry.ca_location names a file of further certificate authorities)"
            ),
            ureq::Error::Protocol(_) => "answered with what is not HTTP".to_owned(),
            ureq::Error::BodyExceedsLimit(_) => {
                format!("answered with more than {} MiB", MAX_ANSWER / (1024 * 1024))
            }
            error => format!("cannot be asked: {error}"),
        }
    }
}

impl ExchangeError {
    fn away(reason: String) -> ExchangeError {
        let client_error = ClientError::None;
        ExchangeError {
            reason,
            client_error,
        }
    }

    fn at(self, endpoint: &Endpoint) -> EndpointError {
        EndpointError(format!("{endpoint} {}", self.reason))
    }
}

/// Whether the answer is a web page.
fn is_page<B>(response: &Response<B>, body: &[u8]) -> bool {
    let content_type = response.headers().get("content-type");
    let is_declared_html =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    is_declared_html || body.trim_ascii_start().first() == Some(&b'<')
}

/// The registry's own error body.
#[derive(Deserialize)]
struct Refusal {
    error_code: i64,
    #[serde(default)]
    message: serde_json::Value,
}

impl Refusal {
    /// Its code and message; the message is left out if it quotes credentials.
    fn text(&self, endpoint: &Endpoint) -> String {
        let code = self.error_code;
        match self.message.as_str() {
            Some(message) if !message.is_empty() && !endpoint.is_quoted_in(message) => {
                format!("{} (error code {code})", one_line(message, MAX_MESSAGE))
            }
            _ => format!("error code {code}"),
        }
    }
}

/// Interprets an answer, or says why it cannot be one.
fn interpret<T: DeserializeOwned>(
    reply: &Reply,
    endpoint: &Endpoint,
) -> Result<Answer<T>, ExchangeError> {
    let status = reply.status;
    if status.is_success() {
        return match serde_json::from_slice(&reply.body) {
            Ok(found) => Ok(Answer::Found(found)),
            Err(_) => Err(ExchangeError::away(format!(
                "answered {}",
                unexpected_body(reply)
            ))),
        };
    }
    // Only a body that is completely of this form comes from the registry; a page of a proxy is not.
    let refusal = serde_json::from_slice::<Refusal>(&reply.body).ok();
    let code = refusal.as_ref().map(|refusal| refusal.error_code);
    let words = refusal.map(|refusal| refusal.text(endpoint));
    match (status, code, &words) {
        (StatusCode::NOT_FOUND, Some(40_400..=40_499), _) => return Ok(Answer::NotFound),
        (StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY, _, Some(words)) => {
            return Ok(Answer::Declined(words.clone()));
        }
        _ => {}
    }
    let reason = refused(reply, words);
    let client_error = match code {
        _ if !status.is_client_error() || is_temporary(status) => ClientError::None,
        Some(_) => ClientError::OfTheRegistry,
        None => ClientError::OfUnknownOrigin,
    };
    Err(ExchangeError {
        reason,
        client_error,
    })
}

/// The statuses of 4xx that say nothing about what was asked for: it may be answered later, once the credentials are
/// fixed or the load is lower.
fn is_temporary(status: StatusCode) -> bool {
    [
        StatusCode::UNAUTHORIZED,
        StatusCode::PAYMENT_REQUIRED,
        StatusCode::FORBIDDEN,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ]
    .contains(&status)
}

/// The reason of an answer that is no success, with the registry's own message, if there is one.
fn refused(reply: &Reply, words: Option<String>) -> String {
    match reply.status {
        status @ StatusCode::NOT_FOUND => format!(
            "answered {status}, but not as a registry that lacks what it is asked for: the path of registry.url may be wrong, or a proxy answers in the registry's place"
        ),
        status @ StatusCode::UNAUTHORIZED => format!(
            "answered {status}: registry.username and registry.password, or registry.token, are missing or wrong"
        ),
        status @ StatusCode::FORBIDDEN => {
            format!("answered {status}: the user or token is not allowed to ask for this")
        }
        status if status.is_redirection() => {
            format!("answered {status}: registry.url must name the registry itself")
        }
        status => match words {
            Some(words) => format!("answered {status}: {words}"),
            None if reply.is_page => format!("answered {status} with a web page"),
            None => format!("answered {status}"),
        },
    }
}

/// Describes the body that came instead of an answer.
fn unexpected_body(reply: &Reply) -> &'static str {
    if reply.is_page {
        "with a web page: a proxy answers in the registry's place, or registry.url is not that of a registry"
    } else if serde_json::from_slice::<IgnoredAny>(&reply.body).is_ok() {
        "with JSON that is not what it was asked for: registry.url may not be that of a registry"
    } else {
        "with what is not JSON: registry.url may not be that of a registry"
    }
}
