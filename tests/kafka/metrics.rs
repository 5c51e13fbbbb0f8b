//! HTTP and the metrics.

use std::io::Write;
use std::net::TcpStream;

use keyfold::model::record::Source;

use keyfold_harness::app::{App, faulty};
use keyfold_harness::metrics::{Metrics, sum};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

/// The metrics that are promised (docs/contract.md, section 8) with their labels, in the names' order.
const METRICS: [(&str, &[&str]); 26] = [
    (
        "keyfold_build_info",
        &["application_id", "commit", "version"],
    ),
    ("keyfold_commit_duration_seconds_count", &[]),
    ("keyfold_consumer_lag_records", &["partition", "topic"]),
    ("keyfold_consumer_lag_seconds", &["partition", "topic"]),
    ("keyfold_end_to_end_latency_seconds_count", &[]),
    ("keyfold_event_lateness_seconds_count", &["source"]),
    ("keyfold_input_records_total", &["source"]),
    ("keyfold_last_commit_timestamp_seconds", &[]),
    ("keyfold_max_reject_ratio", &[]),
    ("keyfold_partitions_unowned", &["topic"]),
    ("keyfold_rebalances_total", &[]),
    ("keyfold_records_total", &["outcome", "source"]),
    ("keyfold_rejections_total", &["code", "source", "stage"]),
    ("keyfold_restore_records_total", &[]),
    ("keyfold_snapshots_total", &["kind"]),
    ("keyfold_state_bytes", &[]),
    ("keyfold_state_customers", &[]),
    ("keyfold_state_largest_customer_bytes", &[]),
    ("keyfold_state_max_customer_bytes", &[]),
    ("keyfold_transactions_total", &["result"]),
    ("keyfold_warnings_total", &["code", "source"]),
    ("keyfold_worker_state", &["state", "worker"]),
    ("process_cpu_seconds_total", &[]),
    ("process_open_fds", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
];

fn labels(sample: &str) -> Vec<&str> {
    let labels = sample.split_once('{').map_or("", |(_, labels)| labels);
    let labels = labels.trim_end_matches('}').split(',');
    let mut names: Vec<&str> = labels
        .filter_map(|label| Some(label.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn the_metrics_are_those_of_the_contract() {
    let mut app = App::new();
    app.set(&["processing", "workers"], 2);
    app.create();
    let records: Vec<Record> = app.stream(faulty(61, 200)).take(3_000).collect();
    let mut keyfold = app.run_ready();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);
    let metrics = keyfold.settled_metrics();
    for (name, expected) in METRICS {
        let named = |sample: &&String| sample.split('{').next() == Some(name);
        let sample = metrics.keys().find(named);
        let sample = sample.unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(labels(sample), expected, "{sample}");
    }
    app.assert_ledger(&[&metrics]);
    let total = |name, labels: &[(&str, &str)]| sum(&metrics, name, labels);
    let arrived = total("keyfold_records_total", &[("source", "forwarded")]);
    let latencies = total("keyfold_end_to_end_latency_seconds_count", &[]);
    let inputs = total("keyfold_input_records_total", &[]);
    assert_eq!(inputs, 3_000.0, "{arrived} forwarded");
    assert!(arrived > 0.0, "nothing was forwarded");
    assert!(total("keyfold_last_commit_timestamp_seconds", &[]) > 1.7e9);
    assert!(latencies >= 3_000.0, "{latencies}, {arrived} forwarded");
    assert!(total("keyfold_event_lateness_seconds_count", &[]) > 0.0);
    assert!(total("keyfold_warnings_total", &[]) > 0.0);
    assert!(keyfold.log().contains("accepted with a warning"));
    assert!(total("keyfold_commit_duration_seconds_count", &[]) > 0.0);
    let committed = [("result", "committed")];
    assert!(total("keyfold_transactions_total", &committed) > 0.0);
    assert!(total("keyfold_rebalances_total", &[]) >= 1.0);
    assert!(total("keyfold_state_bytes", &[]) > 0.0);
    assert_eq!(
        total(
            "keyfold_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))]
        ),
        1.0
    );
    for source in Source::BUILT_IN {
        let topic = app.input(source);
        keyfold.wait_for(keyfold_harness::app::LIMIT, "to show no lag", |keyfold| {
            let lag = [("topic", topic.as_str())];
            let lag = sum(&keyfold.metrics(), "keyfold_consumer_lag_records", &lag);
            (lag == 0.0).then_some(())
        });
    }
    assert_names_no_customer(&app, &keyfold, &metrics);
    assert_eq!(keyfold.terminate(), 0);
}

/// Neither metrics nor the log name a customer.
#[track_caller]
fn assert_names_no_customer(app: &App, keyfold: &Keyfold, metrics: &Metrics) {
    let fields = ["123456789", "customerId"];
    for sample in metrics.keys() {
        assert!(
            fields.iter().all(|field| !sample.contains(field)),
            "{sample}"
        );
    }
    let log = keyfold.log();
    for key in app.newest_snapshots().into_keys() {
        let id = String::from_utf8(key).expect("an id of text");
        // an id of a few digits may stand in an offset
        assert!(
            id.len() < 8 || !log.contains(&id),
            "a customer id in the log"
        );
    }
}

/// A customer that takes nothing more is seen, and seen to come.
#[test]
fn the_largest_state_is_told_and_how_near_to_the_limit_others_are() {
    let mut app = App::new();
    app.set(&["validation", "max_state_bytes"], 40_000);
    app.create();
    let customer = |customer: &str, bytes: usize| {
        let text = "x".repeat(bytes);
        let value = format!(
            r#"{{"customerId":"{customer}","version":1,"attributes":{{"text":"{text}"}}}}"#
        );
        let record = app.record(Source::ConsoleCustomers);
        record.key(customer).value(value)
    };
    app.client.produce(&[
        customer("one-of-30", 30_000),
        customer("one-of-25", 25_000),
        customer("one-of-10", 10_000),
        customer("one-of-60", 60_000),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let largest = |keyfold: &Keyfold| {
        let name = "keyfold_state_largest_customer_bytes";
        sum(&keyfold.metrics(), name, &[])
    };
    keyfold.wait_for(keyfold_harness::app::LIMIT, "to tell", |keyfold| {
        (30_000.0..31_000.0)
            .contains(&largest(keyfold))
            .then_some(())
    });
    // another that is too large is logged with what is known by now
    assert_eq!(keyfold.terminate(), 0);
    app.client.produce(&[customer("one-of-61", 61_000)]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    let log = keyfold.log();
    let line = log.lines().find(|line| line.contains("state_too_large"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    for told in [
        "max_state_bytes=40000",
        "largest_customer_bytes=30",
        "customers_above_half=2",
        "offset=",
        &app.input(Source::ConsoleCustomers),
    ] {
        assert!(line.contains(told), "{told} in {line}");
    }
    assert!(!log.contains("one-of-"), "a customer id in the log");
}

#[test]
fn http_answers_as_the_contract_says() {
    let app = App::new();
    app.create();
    let event = |customer: &str| {
        let value = format!(
            r#"{{"eventType":"CUSTOMER","eventAction":"CREATED","version":1.0,"body":{{"customerId":"{customer}",
            "status":"ACTIVE","addresses":[],"createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:00:00Z"}}}}"#
        );
        app.record(Source::LoyaltyCustomers)
            .key(customer)
            .value(value)
    };
    app.client.produce(&[
        event("ada"),
        event("a b/ü"),
        event("gone"),
        app.record(Source::LoyaltyCustomers).key("gone"),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let get = |path: &str| keyfold.http_get(path).expect("an answer");
    let published = app.newest_snapshots();
    for (path, id) in [
        ("/customers/ada", "ada"),
        ("/customers/a%20b%2F%C3%BC", "a b/ü"),
    ] {
        let (status, body) = get(path);
        assert_eq!(status, 200, "{path}");
        assert_eq!(body.as_bytes(), published[id.as_bytes()], "{path}");
    }
    assert_eq!(get("/customers/gone").0, 404);
    assert_eq!(get("/customers/nobody").0, 404);
    assert_eq!(get("/healthz").0, 200);
    assert_eq!(get("/readyz").0, 200);
    let (status, page) = get("/");
    assert_eq!(status, 200);
    assert!(page.contains("<html") && page.contains("keyfold"));
    assert_eq!(get("/elsewhere").0, 404);
    assert_eq!(keyfold.terminate(), 0);
    assert_eq!(keyfold.http_get("/healthz"), None, "the server ends too");
}

#[test]
fn half_open_requests_keep_no_probe_out() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    let connect = || {
        let mut stream = TcpStream::connect(keyfold.http_address()).expect("a connection");
        stream
            .write_all(b"GET /metrics HT")
            .expect("a part of a head");
        stream
    };
    let mut dripping: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    for _ in 0..3 {
        for path in ["/healthz", "/metrics", "/readyz"] {
            let (status, _) = keyfold.http_get(path).expect("an answer");
            assert_eq!(status, 200, "{path}");
        }
        for stream in &mut dripping {
            if stream.write_all(b"T").is_err() {
                *stream = connect();
            }
        }
    }
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn customers_are_not_shown_where_they_are_switched_off() {
    let mut app = App::new();
    app.set(&["http", "customers"], "off");
    app.create();
    let mut keyfold = app.run_ready();
    let (status, _) = keyfold.http_get("/customers/ada").expect("an answer");
    assert_eq!(status, 403);
    assert_eq!(keyfold.terminate(), 0);
}
