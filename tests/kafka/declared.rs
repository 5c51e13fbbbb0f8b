//! Declared sources on a real Kafka.

use keyfold::model::record::Source;
use serde_json::{Value, json};

use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT, text_of};
use keyfold_harness::expected::{Repeats, error_header};
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;

/// One contact a record, or with `each` several.
const CONTACTS: &str = r#"
nulls = "clear"
customer_id = "/id"
updated_at = ["/modified", "timestamp"]

[fields]
firstName = "/given"
marketingOptIn = { from = "/optin", map = { Y = true, N = false } }
"attributes.region" = "header:region"
"attributes.sent" = "root:/sent"

[[lists.addresses]]
each = "/addresses"
id = "/id"
fields = { line1 = "/street", city = "/town" }

[deleted]
when = "/state"
is = ["GONE"]
"#;

fn contact(id: u32, minute: u32) -> Value {
    json!({
        "id": id, "modified": format!("2024-02-06T10:{minute:02}:00Z"), "given": format!("Ada {minute}"),
        "optin": if minute.is_multiple_of(2) { "Y" } else { "N" },
        "addresses": [{"id": "home", "street": format!("{minute} Baker Street")}],
    })
}

fn record(app: &App, source: Source, value: &Value) -> Record {
    let record = app.record(source).value(value.to_string());
    record.header("region", "EU").at(EXAMPLE_TIME)
}

fn snapshot(app: &App, id: &str) -> Value {
    let snapshots = app.newest_snapshots();
    let found = snapshots.get(id.as_bytes());
    found.map_or(Value::Null, |text| {
        serde_json::from_slice(text).expect("JSON")
    })
}

/// On any partition, under any key, out of order, some of them bad; with a restart in between.
#[test]
fn records_reach_their_customers_with_their_headers() {
    let mut app = App::new();
    app.set(&["processing", "max_batch_records"], 50);
    // One worker alone has all partitions, and forwards nothing.
    app.set(&["processing", "workers"], 2);
    let crm = app.declare("crm", CONTACTS);
    app.create();
    let mut keyfold = app.run_ready();
    // The series exist before the first record.
    let metrics = keyfold.metrics();
    for outcome in ["merged", "forwarded", "rejected"] {
        let labels = [("source", "crm"), ("outcome", outcome)];
        assert_eq!(sum(&metrics, "keyfold_records_total", &labels), 0.0);
        let line = format!("keyfold_records_total{{outcome=\"{outcome}\",source=\"crm\"}} 0");
        let (_, text) = keyfold.http_get("/metrics").expect("metrics");
        assert!(text.contains(&line), "{text}");
    }
    let some = |from: u32, to: u32| -> Vec<Record> {
        let numbers = from..to;
        numbers
            .map(|n| {
                let contact = contact(n % 20, (n * 7) % 60);
                record(&app, crm, &contact).partition(n as i32 % 3)
            })
            .collect()
    };
    app.client.produce(&some(0, 200));
    let bad = json!({"modified": "yesterday", "optin": "?"});
    app.client.produce(&[record(&app, crm, &bad).key("k")]);
    app.wait_drained(&mut keyfold);
    let metrics = keyfold.settled_metrics();
    app.assert_ledger(&[&metrics]);
    let of = |name: &str, labels: &[(&str, &str)]| sum(&metrics, name, labels);
    assert_eq!(
        of("keyfold_input_records_total", &[("source", "crm")]),
        201.0
    );
    let rejections = [("source", "crm"), ("code", "schema_violation")];
    assert_eq!(of("keyfold_rejections_total", &rejections), 1.0);
    let forwarded = [("source", "crm"), ("outcome", "forwarded")];
    assert!(of("keyfold_records_total", &forwarded) > 0.0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    let [letter] = &app.read_dead_letters()[..] else {
        panic!("one dead letter");
    };
    assert_eq!(error_header(letter, "source"), "crm");
    assert_eq!(error_header(letter, "stage"), "schema");
    let violations: Value = serde_json::from_str(error_header(letter, "violations")).expect("JSON");
    let found = violations.as_array().expect("a list").iter();
    let found: Vec<_> = found
        .map(|one| (&one["pointer"], &one["keyword"]))
        .collect();
    assert_eq!(
        found,
        [
            (&json!("/id"), &json!("required")),
            (&json!("/modified"), &json!("format")),
            (&json!("/optin"), &json!("map")),
        ]
    );
    assert_eq!(letter.header("region"), Some("EU"));

    let mut keyfold = app.run_ready();
    app.client.produce(&some(200, 400));
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(app.newest_snapshots().len(), 20);
    let shown = snapshot(&app, "7");
    assert_eq!(shown["attributes"], json!({"region": "EU"}));
    assert_eq!(shown["addresses"][0]["source"], "crm");
    assert_eq!(shown["sources"]["crm"]["updatedAt"], shown["updatedAt"]);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// Each contact of a batch is judged by itself; what is around them reaches each.
#[test]
fn a_batch_is_split_into_its_contacts() {
    let mut app = App::new();
    let crm = app.declare("crm", &format!("each = \"/contacts\"\n{CONTACTS}"));
    app.create();
    let batch = |contacts: Vec<Value>| {
        let batch = json!({"sent": 17, "contacts": contacts, "trailer": "x"});
        record(&app, crm, &batch)
    };
    app.client.produce(&[
        batch((0..30).map(|n| contact(n, n)).collect()),
        batch(vec![contact(1, 50), json!({"id": null}), contact(2, 51)]),
        batch(vec![
            json!({"id": 3, "modified": "2024-02-06T11:00:00Z", "state": "GONE"}),
        ]),
        batch(Vec::new()),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let metrics = keyfold.settled_metrics();
    app.assert_ledger(&[&metrics]);
    let of = |source: &str, outcome: &str| {
        let labels = [("source", source), ("outcome", outcome)];
        sum(&metrics, "keyfold_records_total", &labels)
    };
    assert_eq!(of("crm", "split"), 3.0);
    assert_eq!(of("crm", "rejected"), 1.0);
    assert_eq!(
        of("forwarded", "merged") + of("forwarded", "unchanged"),
        33.0
    );
    assert_eq!(of("forwarded", "rejected"), 0.0);
    assert_eq!(snapshot(&app, "1")["firstName"], "Ada 50");
    assert_eq!(
        snapshot(&app, "2")["attributes"],
        json!({"region": "EU", "sent": 17})
    );
    assert_eq!(snapshot(&app, "3"), Value::Null);
    assert_eq!(app.newest_snapshots().len(), 29);
    let [letter] = &app.read_dead_letters()[..] else {
        panic!("one dead letter");
    };
    assert!(error_header(letter, "violations").contains("\"/contacts/1/id\""));
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// By a null value, and by a record that says so. What claims a later time stays, and that is a warning.
#[test]
fn a_source_retracts_its_own_data() {
    let mut app = App::new();
    let crm = app.declare("crm", CONTACTS);
    app.create();
    let console = app
        .record(Source::ConsoleCustomers)
        .key("1")
        .at(EXAMPLE_TIME);
    let null = |id: &str, at| app.record(crm).key(id).at(at);
    app.client.produce(&[
        console.value(r#"{"customerId":"1","version":1,"firstName":"Console"}"#),
        record(&app, crm, &contact(1, 0)),
        record(&app, crm, &contact(2, 0)),
        record(&app, crm, &contact(3, 0)),
        null("1", EXAMPLE_TIME + 1),
        record(
            &app,
            crm,
            &json!({"id": 2, "state": "GONE", "modified": "2024-02-06T10:00:00Z"}),
        ),
        null("3", 1_000),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let shown = snapshot(&app, "1");
    assert_eq!(shown["firstName"], "Console");
    assert_eq!(shown["sources"].get("crm"), None);
    assert_eq!(snapshot(&app, "2"), Value::Null);
    assert_eq!(snapshot(&app, "3")["firstName"], "Ada 0");
    let labels = [("source", "crm"), ("code", "outlives_erasure")];
    assert_eq!(
        sum(&keyfold.metrics(), "keyfold_warnings_total", &labels),
        1.0
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// What it forwarded cannot be judged any more.
#[test]
fn a_forwarded_record_of_a_source_that_is_not_configured_stops_keyfold() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    let mut forwarded = Record::to(&app.forwarded())
        .partition(0)
        .key("1")
        .value("{}");
    for (name, value) in [
        ("source", "crm"),
        ("topic", "t"),
        ("partition", "0"),
        ("offset", "0"),
    ] {
        forwarded = forwarded.header(&format!("__keyfold.forwarded.{name}"), value);
    }
    app.client.produce(&[forwarded]);
    assert_eq!(keyfold.wait_exit(LIMIT), 3, "{}", keyfold.log());
    let said = keyfold.log();
    assert!(
        said.contains("Put [sources.crm] back until its forwarded records are consumed"),
        "{said}"
    );
}

#[test]
fn data_of_a_source_that_is_taken_out_stay() {
    let mut app = App::new();
    let crm = app.declare("crm", CONTACTS);
    app.create();
    app.client.produce(&[record(&app, crm, &contact(1, 0))]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let read = format!(
        "{}: {} has read it, and no source reads it now",
        app.input(crm),
        app.id
    );
    let before = app.command(&["topics"], b"");
    assert!(!text_of(&before).contains(&read), "{}", text_of(&before));

    app.unset(&["sources", "crm"]);
    let after = app.command(&["topics"], b"");
    assert_eq!(after.status.code(), before.status.code());
    assert!(text_of(&after).contains(&read), "{}", text_of(&after));
    let mut keyfold = app.run_ready();
    let console = app
        .record(Source::ConsoleCustomers)
        .key("1")
        .at(EXAMPLE_TIME);
    app.client
        .produce(&[console.value(r#"{"customerId":"1","version":1,"lastName":"Console"}"#)]);
    keyfold.wait_for(LIMIT, "to show both", |_| {
        let shown = snapshot(&app, "1");
        (shown["firstName"] == "Ada 0" && shown["lastName"] == "Console").then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
