//! An HTTP proxy in front of the schema registry, in the test process. It counts what is asked, gives answers of
//! its own where it is told to, and fails in every way that a registry does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::ports::free_port;
use crate::registry;
use crate::wait::{wait_until, within};

const LIMIT: Duration = Duration::from_secs(30);
const PAGE: &str = "<!DOCTYPE html><html><body>A page for people</body></html>";

/// How the registry fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens at its port.
    Refused,
    /// Connections end in the middle of the answer.
    Cut,
    /// Every answer is a 503.
    Unavailable,
    /// Every answer is a page for people, with 200.
    Page,
    /// Every answer is a page for people, with 404, which says nothing of a schema.
    MissingPage,
    /// Answers are held until the fault ends.
    Slow,
}

impl Fault {
    pub const ALL: [Fault; 6] = [
        Fault::Refused,
        Fault::Cut,
        Fault::Unavailable,
        Fault::Page,
        Fault::MissingPage,
        Fault::Slow,
    ];
}

/// A proxy in front of the registry that all tests share. It ends when it is dropped.
pub struct RegistryProxy {
    url: String,
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// `http://host:port` of the registry.
    upstream: String,
    /// Where its API begins.
    api: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    listening: bool,
    stopped: bool,
    /// How often each path below the API was asked for.
    requests: BTreeMap<String, usize>,
    authorizations: BTreeSet<String>,
    /// Answers in the place of the registry's, by their path below the API.
    answers: BTreeMap<String, Answer>,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

struct Request {
    method: String,
    /// The path with its query.
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl RegistryProxy {
    /// Starts one without a fault.
    pub fn start() -> RegistryProxy {
        let registry = registry::url();
        let (scheme, rest) = registry.split_once("://").expect("a URL");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let api = format!("/{path}").trim_end_matches('/').to_owned();
        let (port, listener) = wait_until(LIMIT, "a port for the proxy", || {
            let port = free_port();
            Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?))
        });
        let shared = Arc::new(Shared {
            upstream: format!("{scheme}://{host}"),
            api: api.clone(),
            state: Mutex::new(State {
                listening: true,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(port, listener));
        RegistryProxy {
            url: format!("http://127.0.0.1:{port}{api}"),
            port,
            shared,
        }
    }

    /// The address of the API behind the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From when this returns, requests meet the fault.
    #[track_caller]
    pub fn fail(&self, fault: Fault) {
        self.change(Some(fault));
    }

    /// Ends the fault.
    #[track_caller]
    pub fn recover(&self) {
        self.change(None);
    }

    /// Answers a path below the API in the registry's place, but not in that of a fault.
    pub fn answer(&self, path: &str, status: u16, json: &serde_json::Value) {
        let answer = Answer {
            status,
            content_type: "application/vnd.schemaregistry.v1+json".to_owned(),
            body: json.to_string().into_bytes(),
        };
        let mut state = self.shared.lock();
        state.answers.insert(path.to_owned(), answer);
    }

    /// How often a path below the API was asked for, with or without an answer.
    pub fn requests(&self, path: &str) -> usize {
        self.shared.lock().requests.get(path).copied().unwrap_or(0)
    }

    /// Everything that was asked for, with the number of requests.
    pub fn all_requests(&self) -> BTreeMap<String, usize> {
        self.shared.lock().requests.clone()
    }

    /// The different `Authorization` headers of the requests.
    pub fn authorizations(&self) -> BTreeSet<String> {
        self.shared.lock().authorizations.clone()
    }

    #[track_caller]
    fn change(&self, fault: Option<Fault>) {
        let mut state = self.shared.lock();
        state.fault = fault;
        self.shared.changed.notify_all();
        drop(state);
        self.wake();
        let listens = fault != Some(Fault::Refused);
        wait_until(LIMIT, "the proxy to open or close its port", || {
            (self.shared.lock().listening == listens).then_some(())
        });
    }

    /// Ends a wait for the next connection.
    fn wake(&self) {
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Drop for RegistryProxy {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        self.wake();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic before")
    }

    fn serve(self: Arc<Shared>, port: u16, listener: TcpListener) {
        let mut open = Some(listener);
        loop {
            let mut state = self.lock();
            if state.stopped {
                return;
            }
            if state.fault == Some(Fault::Refused) {
                open = None;
                state.listening = false;
                drop(self.changed.wait(state));
                continue;
            }
            drop(state);
            if open.is_none() {
                let bound = within(LIMIT, || TcpListener::bind(("127.0.0.1", port)).ok());
                open = Some(bound.expect("the proxy's port again"));
                self.lock().listening = true;
                continue;
            }
            let accepted = open.as_ref().map(TcpListener::accept);
            if let Some(Ok((stream, _))) = accepted {
                let shared = Arc::clone(&self);
                // what a client that is gone does not read is no matter
                thread::spawn(move || shared.converse(&stream).ok());
            }
        }
    }

    /// One request of one connection.
    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        let Some(request) = read(stream)? else {
            return Ok(());
        };
        let path = request.target.split('?').next().unwrap_or_default();
        let path = path.strip_prefix(&self.api).unwrap_or(path).to_owned();
        let fault = {
            let mut state = self.lock();
            *state.requests.entry(path.clone()).or_default() += 1;
            let authorization = request.headers.get("authorization");
            state.authorizations.extend(authorization.cloned());
            state.fault
        };
        let page = |status| Answer {
            status,
            content_type: "text/html".to_owned(),
            body: PAGE.into(),
        };
        match fault {
            None => write(stream, &self.answer(&request, &path), false),
            Some(Fault::Refused) => Ok(()),
            Some(Fault::Cut) => write(stream, &self.answer(&request, &path), true),
            Some(Fault::Unavailable) => write(stream, &page(503), false),
            Some(Fault::Page) => write(stream, &page(200), false),
            Some(Fault::MissingPage) => write(stream, &page(404), false),
            Some(Fault::Slow) => {
                let held = self.changed.wait_while(self.lock(), |state| {
                    state.fault == Some(Fault::Slow) && !state.stopped
                });
                drop(held);
                write(stream, &self.answer(&request, &path), false)
            }
        }
    }

    fn answer(&self, request: &Request, path: &str) -> Answer {
        if let Some(answer) = self.lock().answers.get(path) {
            return answer.clone();
        }
        self.ask(request).unwrap_or_else(|error| Answer {
            status: 502,
            content_type: "text/plain".to_owned(),
            body: error.to_string().into_bytes(),
        })
    }

    /// Asks the registry itself.
    fn ask(&self, request: &Request) -> Result<Answer, ureq::Error> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .proxy(None)
            .build()
            .new_agent();
        let mut to = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.upstream, request.target));
        for name in ["accept", "content-type"] {
            if let Some(value) = request.headers.get(name) {
                to = to.header(name, value);
            }
        }
        let mut answer = match request.body.is_empty() {
            true => agent.run(to.body(())?)?,
            false => agent.run(to.body(request.body.as_slice())?)?,
        };
        let content_type = answer.headers().get("content-type");
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: answer.status().as_u16(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: answer.body_mut().read_to_vec()?,
        })
    }
}

/// A request, or none where the client says nothing.
fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        target,
        headers,
        body,
    }))
}

/// Writes an answer, or the half of it, and ends the connection.
fn write(mut stream: &TcpStream, answer: &Answer, half: bool) -> io::Result<()> {
    let length = answer.body.len();
    write!(
        stream,
        "HTTP/1.1 {} -\r\ncontent-type: {}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n",
        answer.status, answer.content_type
    )?;
    let sent = if half { length / 2 } else { length };
    stream.write_all(&answer.body[..sent])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn get(proxy: &RegistryProxy, path: &str) -> Result<(u16, String), ureq::Error> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(2)))
            .proxy(None)
            .build()
            .new_agent();
        let request = agent.get(format!("{}{path}", proxy.url()));
        let mut answer = request.header("authorization", "Basic eA==").call()?;
        let body = answer.body_mut().read_to_string()?;
        Ok((answer.status().as_u16(), body))
    }

    /// What the other tests rest on.
    #[test]
    fn the_proxy_fails_as_it_is_told_and_recovers() {
        let proxy = RegistryProxy::start();
        let found = |proxy: &RegistryProxy| match get(proxy, "/subjects") {
            Ok((200, body)) => assert!(body.starts_with('['), "{body}"),
            other => panic!("{other:?}"),
        };
        found(&proxy);
        for fault in Fault::ALL {
            proxy.fail(fault);
            match (fault, get(&proxy, "/subjects")) {
                (Fault::Refused, Err(ureq::Error::Io(error))) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                }
                (Fault::Cut, Err(_)) => {}
                (Fault::Unavailable, Ok((503, _))) => {}
                (Fault::Page, Ok((200, body))) => assert_eq!(body, PAGE),
                (Fault::MissingPage, Ok((404, body))) => assert_eq!(body, PAGE),
                (Fault::Slow, Err(ureq::Error::Timeout(_))) => {}
                (fault, other) => panic!("{fault:?}: {other:?}"),
            }
            proxy.recover();
            found(&proxy);
        }
        // the refused request never came
        assert_eq!(proxy.requests("/subjects"), 1 + 2 * Fault::ALL.len() - 1);
        assert_eq!(proxy.authorizations(), ["Basic eA==".to_owned()].into());
        proxy.answer("/schemas/ids/7", 404, &json!({"error_code": 40403}));
        let own = get(&proxy, "/schemas/ids/7").expect("an answer");
        assert_eq!(own, (404, r#"{"error_code":40403}"#.to_owned()));
    }
}
