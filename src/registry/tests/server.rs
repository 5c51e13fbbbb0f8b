//! A server that answers as a test chooses, correctly or not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request as it was received.
#[derive(Debug, Clone)]
pub struct Seen {
    /// "GET /schemas/ids/7".
    pub line: String,
    pub authorization: Option<String>,
    pub body: String,
}

pub enum Reply {
    /// A status, a content type and a body.
    Whole(u16, &'static str, String),
    /// The beginning of a body whose announced length is longer.
    Cut(String),
    /// Nothing, not even a status line.
    Closed,
    /// Bytes that are not HTTP.
    Raw(&'static [u8]),
    /// Nothing, until the server ends.
    Silence,
}

/// The registry's JSON with a status.
pub fn json(status: u16, body: &str) -> Reply {
    let content_type = "application/vnd.schemaregistry.v1+json";
    Reply::Whole(status, content_type, body.to_owned())
}

/// The registry's own 404 for a schema id.
pub fn unknown_id() -> Reply {
    json(
        404,
        r#"{"error_code":40403,"message":"Schema 7 not found"}"#,
    )
}

pub fn page(status: u16) -> Reply {
    let body = "<!DOCTYPE html><html><body>Log in</body></html>";
    Reply::Whole(status, "text/html; charset=utf-8", body.to_owned())
}

/// A schema as `GET /schemas/ids/{id}` gives it.
pub fn schema(text: &str) -> Reply {
    json(200, &serde_json::json!({ "schema": text }).to_string())
}

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

type Answer = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    seen: Mutex<Vec<Seen>>,
    ended: AtomicBool,
    /// Connections without an answer, kept open.
    silent: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// `answer` gets each request and how many came before it.
    pub fn start(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
            silent: Mutex::default(),
        });
        let accepting_side = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting_side.ended.load(Ordering::SeqCst) {
                    return;
                }
                accepting_side.serve(stream.unwrap());
            }
        });
        Server {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    /// Serves one request of a connection. If the client goes away, that does not matter to the test.
    fn serve(&self, mut stream: TcpStream) {
        let Some(seen) = read(&stream) else {
            return;
        };
        let before = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let bytes = match (self.answer)(&seen, before) {
            Reply::Whole(status, content_type, body) => {
                let length = body.len();
                format!(
                    "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .into_bytes()
            }
            Reply::Cut(body) => {
                let length = body.len() + 100;
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
            }
            Reply::Closed => Vec::new(),
            Reply::Raw(bytes) => bytes.to_vec(),
            Reply::Silence => {
                self.silent.lock().unwrap().push(stream);
                return;
            }
        };
        let _ = stream.write_all(&bytes);
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| {
        head.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = head.first()?.strip_suffix(" HTTP/1.1")?.to_owned();
    Some(Seen {
        line,
        authorization: header("authorization"),
        body: String::from_utf8(body).ok()?,
    })
}
