use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use super::*;
use crate::model::record::{Label, Outcome, Source};
use crate::serve::board::DeadLetter;
use crate::serve::health::Readiness;

/// Answers depending on the id, and records the ids that it is called with.
#[derive(Default)]
struct Fixed {
    requested_ids: Mutex<Vec<String>>,
}

impl CustomerLookup for Fixed {
    fn lookup(&self, id: &str, wanted: Wanted) -> LookupReply {
        self.requested_ids.lock().unwrap().push(id.to_owned());
        match id {
            "elsewhere" => LookupReply::NotHere,
            "away" => LookupReply::Unavailable("worker 0: \"restoring\""),
            "slow" => {
                std::thread::sleep(Duration::from_secs(60));
                LookupReply::NotFound
            }
            "panic" => panic!("on purpose"),
            "unknown" => LookupReply::NotFound,
            _ if wanted == Wanted::Parts => LookupReply::Found(Bytes::from_static(b"[]")),
            _ => LookupReply::Found(Bytes::from_static(b"{\"schemaVersion\":1}")),
        }
    }
}

struct Fixture {
    server: Server,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    board: Arc<Board>,
    lookup: Arc<Fixed>,
}

fn info() -> ProcessInfo {
    ProcessInfo {
        version: "1.2.3",
        commit: "unknown",
        application_id: "app <one>".to_owned(),
    }
}

fn start(shows_customers: bool) -> Fixture {
    let metrics = Arc::new(Metrics::new(&info()).unwrap());
    let health = Arc::new(Health::new(1, Duration::from_secs(60), Instant::now()));
    let board = Arc::new(Board::default());
    let lookup = Arc::new(Fixed::default());
    let server = Server::start(ServerSetup {
        listen: "127.0.0.1:0".parse().unwrap(),
        shows_customers,
        info: info(),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        board: Arc::clone(&board),
        lookup: Arc::clone(&lookup) as Arc<dyn CustomerLookup>,
    })
    .unwrap();
    Fixture {
        server,
        metrics,
        health,
        board,
        lookup,
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Fixture {
    fn send(&self, method: &str, path: &str, host: &str) -> Answer {
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "127.0.0.1:9464")
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let fixture = start(true);
    let input = Label::Source(Source::LoyaltyCustomers);
    fixture.metrics.records(input, Outcome::Merged, 3);
    let answer = fixture.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(
        answer
            .body
            .contains("keyfold_records_total{outcome=\"merged\",source=\"loyalty-customers\"} 3\n")
    );
    assert!(answer.body.contains(
        "keyfold_build_info{application_id=\"app <one>\",commit=\"unknown\",version=\"1.2.3\"} 1\n"
    ));
}

#[test]
fn health_and_readiness() {
    let fixture = start(true);
    let answer = fixture.get("/healthz");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    let answer = fixture.get("/readyz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "worker 0: starting\n");
    fixture.health.readiness(0, Readiness::Ready);
    let answer = fixture.get("/readyz");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ready\n"));
    fixture.health.ended(0);
    assert_eq!(fixture.get("/healthz").status, 503);
    assert_eq!(fixture.get("/readyz").body, "worker 0: ended\n");
}

#[test]
fn a_customer_is_found_by_any_percent_encoded_id() {
    let fixture = start(true);
    let answer = fixture.get("/customers/a%2Fb%20%C3%A9%25+%3F");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    assert!(answer.head.contains("cache-control: no-store"));
    assert_eq!(answer.body, "{\"schemaVersion\":1}");
    assert_eq!(*fixture.lookup.requested_ids.lock().unwrap(), ["a/b é%+?"]);
}

#[test]
fn the_parts_of_a_customer_are_found_like_its_snapshot() {
    let fixture = start(true);
    assert_eq!(fixture.get("/customers/a%2Fparts/parts").body, "[]");
    assert_eq!(*fixture.lookup.requested_ids.lock().unwrap(), ["a/parts"]);
    assert_eq!(start(false).get("/customers/1/parts").status, 403);
}

#[test]
fn other_replies_have_their_status_and_a_json_error() {
    let fixture = start(true);
    for (path, status) in [
        ("/customers/unknown", 404),
        ("/customers/elsewhere", 421),
        ("/customers/away", 503),
        ("/customers/panic", 500),
        ("/customers/%ff", 400),
    ] {
        let answer = fixture.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.head.contains("content-type: application/json"));
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(body["error"].is_string(), "{path}");
    }
    let away = fixture.get("/customers/away");
    assert_eq!(away.body, r#"{"error":"worker 0: \"restoring\""}"#);
}

#[test]
fn customers_are_refused_when_switched_off() {
    let fixture = start(false);
    let answer = fixture.get("/customers/1");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("http.customers"));
    assert!(fixture.lookup.requested_ids.lock().unwrap().is_empty());
    let status: serde_json::Value = serde_json::from_str(&fixture.get("/status").body).unwrap();
    assert_eq!(status["showsCustomers"], false);
}

#[test]
fn customers_on_the_loopback_need_a_host_that_is_this_machine() {
    let fixture = start(true);
    for host in [
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "",
    ] {
        let answer = fixture.send("GET", "/customers/1", host);
        assert_eq!(answer.status, 403, "{host}");
    }
    for host in [
        "localhost:9464",
        "LOCALHOST",
        "[::1]:9464",
        "[::1]",
        "127.0.0.1",
        "a.localhost",
    ] {
        let answer = fixture.send("GET", "/customers/1", host);
        assert_eq!(answer.status, 200, "{host}");
    }
    // Pages without personal data answer to any name.
    assert_eq!(fixture.send("GET", "/metrics", "evil.example").status, 200);
}

#[test]
fn other_methods_and_paths_are_refused() {
    let fixture = start(true);
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/status",
        "/customers/1",
    ] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let answer = fixture.send(method, path, "localhost");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
        }
    }
    for path in [
        "/nothing",
        "/customers",
        "/customers/",
        "/customers/a/b",
        "/metrics/",
    ] {
        assert_eq!(fixture.get(path).status, 404, "{path}");
    }
    let head = fixture.send("HEAD", "/healthz", "localhost");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn every_answer_has_strict_headers() {
    let fixture = start(true);
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/customers/1",
        "/nothing",
    ] {
        let head = fixture.get(path).head;
        for header in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; ",
            "frame-ancestors 'none'",
        ] {
            assert!(head.contains(header), "{path}: {header} in {head}");
        }
        assert_eq!(head.matches("content-security-policy").count(), 1, "{path}");
    }
}

#[test]
fn the_page_is_html_with_its_own_policy() {
    let answer = start(true).get("/");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("content-type: text/html; charset=utf-8")
    );
    assert!(answer.head.contains("script-src 'nonce-"));
    assert!(answer.body.starts_with("<!doctype html>"));
    assert!(answer.body.contains("app &lt;one&gt;"));
}

#[test]
fn too_many_look_ups_at_once_are_refused_and_other_requests_are_answered() {
    let fixture = start(true);
    let mut waiting = Vec::new();
    for _ in 0..MAX_LOOKUPS {
        let mut stream = TcpStream::connect(fixture.server.address()).unwrap();
        stream
            .write_all(b"GET /customers/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        waiting.push(stream);
    }
    let begin = Instant::now();
    while fixture.get("/customers/1").status != 503 {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(fixture.get("/healthz").status, 200);
    let begin = Instant::now();
    fixture.server.stop();
    assert!(begin.elapsed() < STOP_GRACE + Duration::from_secs(3));
}

#[test]
fn an_address_in_use_is_named_with_its_key() {
    let fixture = start(true);
    let error = Server::start(ServerSetup {
        listen: fixture.server.address(),
        shows_customers: true,
        info: info(),
        metrics: Arc::clone(&fixture.metrics),
        health: Arc::clone(&fixture.health),
        board: Arc::default(),
        lookup: Arc::new(Fixed::default()),
    })
    .err()
    .unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&fixture.server.address().to_string()),
        "{text}"
    );
    assert!(text.contains("`http.listen`"), "{text}");
}

#[test]
fn stop_frees_the_address_at_once() {
    let fixture = start(true);
    let address = fixture.server.address();
    // An idle connection that is kept alive must not delay the stop.
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(idle.read(&mut [0; 16]).unwrap() > 0);
    let begin = Instant::now();
    fixture.server.stop();
    assert!(begin.elapsed() < STOP_GRACE);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_request_with_a_huge_head_is_refused() {
    let fixture = start(true);
    let path = format!("/{}", "a".repeat(70_000));
    assert!((400..500).contains(&fixture.get(&path).status));
    assert_eq!(fixture.get("/healthz").status, 200);
}

/// There are more half-open requests than connections are allowed, each with a byte now and then. If these kept probes
/// out, Kubernetes would restart the pod, and Prometheus would get no metrics.
#[test]
fn requests_that_drip_do_not_keep_probes_out() {
    let fixture = start(true);
    let address = fixture.server.address();
    let mut dripping: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for _ in 0..3 {
        for stream in &mut dripping {
            // connections that were closed are opened again
            if stream.write_all(b"G").is_err() {
                *stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"G").unwrap();
            }
        }
        for path in ["/healthz", "/metrics", "/readyz"] {
            let begin = Instant::now();
            assert_ne!(fixture.get(path).status, 0);
            assert!(begin.elapsed() < Duration::from_secs(5), "{path}");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn the_status_is_json() {
    let fixture = start(true);
    let letter = DeadLetter {
        at: 1_800_000_000_000,
        topic: "crm".to_owned(),
        partition: 3,
        offset: 118,
        source: "crm-contacts",
        stage: "schema",
        code: "schema_violation",
        pointer: Some("/contact/id".to_owned()),
    };
    fixture.board.add_dead_letters([letter]);
    fixture.metrics.stuck(0, 1);
    let answer = fixture.get("/status");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["application"], "app <one>");
    assert_eq!(status["ready"], false);
    assert_eq!(status["deadLetters"][0]["pointer"], "/contact/id");
    let problems = status["problems"].as_array().unwrap();
    let names: Vec<_> = problems.iter().map(|problem| &problem["name"]).collect();
    assert_eq!(names, ["KeyfoldNotReady", "KeyfoldPartitionsStuck"]);
    assert_eq!(status["endToEndLatency"][0][1], 0);
    assert_eq!(status["showsCustomers"], true);
}
