//! `keyfold explain` on a real Kafka.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyfold::model::partition;
use keyfold::model::record::Source;
use serde_json::{Value, json};

use keyfold_harness::app::{App, EXAMPLE_TIME, faulty, text_of};
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::record::Record;

const ROWS: &str = r#"
envelope = "debezium"
nulls = "clear"
customer_id = "/id"

[fields]
firstName = "/given"
lastName = "/family"
"#;

fn event(minute: u32, body: Value) -> String {
    let mut all = json!({
        "customerId": "c-1", "addresses": [], "createdAt": "2024-02-06T10:00:00Z",
        "updatedAt": format!("2024-02-06T10:{minute:02}:00Z"),
    });
    if let (Value::Object(all), Value::Object(body)) = (&mut all, body) {
        all.extend(body);
    }
    json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1, "body": all})
        .to_string()
}

fn row(op: &str, second: i64, row: Value) -> String {
    let (before, after) = match op {
        "d" => (row, Value::Null),
        _ => (Value::Null, row),
    };
    json!({"op": op, "before": before, "after": after,
        "source": {"ts_ms": EXAMPLE_TIME + second * 1000, "lsn": second}})
    .to_string()
}

#[track_caller]
fn explain(app: &App, args: &[&str], code: i32) -> Value {
    let all = [&["explain", "c-1", "--output", "json"], args].concat();
    let output = app.command(&all, b"");
    assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn part<'e>(explained: &'e Value, pointer: &str) -> &'e Value {
    let mut parts = explained["parts"].as_array().expect("parts").iter();
    parts
        .find(|part| part["pointer"] == pointer)
        .unwrap_or(&Value::Null)
}

#[track_caller]
fn came(explained: &Value) -> Vec<(String, i64, String)> {
    let records = explained["records"].as_array().expect("records").iter();
    let mut all: Vec<(String, i64, String)> = records
        .map(|record| {
            let text = |name: &str| record[name].as_str().expect("text").to_owned();
            let offset = record["offset"].as_i64().expect("an offset");
            (text("source"), offset, text("became"))
        })
        .collect();
    all.sort();
    all
}

/// Records under any key, one that is rejected, rows of a database, then what keyfold publishes is meddled with, and
/// retention takes the inputs.
#[test]
fn an_explanation_holds_what_is_published() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    let rows = app.declare("rows", ROWS);
    app.create();
    let loyalty = |key: &str, value: String| {
        app.record(Source::LoyaltyCustomers)
            .partition(0)
            .key(key)
            .value(value)
            .at(EXAMPLE_TIME)
    };
    let of_rows = |value: String| app.record(rows).partition(0).value(value).at(EXAMPLE_TIME);
    let records: Vec<Record> = vec![
        loyalty("c-1", event(1, json!({"status": "ACTIVE"}))),
        loyalty("x", event(3, json!({"status": "DELETED"}))),
        loyalty("c-1", event(2, json!({"smsOptIn": true}))),
        loyalty("c-1", event(4, json!({"status": "GONE"}))),
        // of others
        loyalty(
            "c-1",
            event(9, json!({"status": "ACTIVE", "customerId": "c-2"})),
        ),
        loyalty(
            "c-1",
            event(9, json!({"status": "ACTIVE", "customerId": "c-11"})),
        ),
        of_rows(row(
            "c",
            1,
            json!({"id": "c-1", "given": "Ada", "family": "Example"}),
        )),
        of_rows(row(
            "u",
            2,
            json!({"id": "c-1", "given": null, "family": "Lovelace"}),
        )),
    ];
    let mut keyfold = app.run_ready();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);

    let explained = explain(&app, &[], 0);
    let expected = [
        ("loyalty-customers", 0, "superseded"),
        ("loyalty-customers", 1, "shown"),
        ("loyalty-customers", 2, "shown"),
        ("loyalty-customers", 3, "rejected"),
        ("rows", 0, "superseded"),
        ("rows", 1, "shown"),
    ];
    let expected =
        expected.map(|(source, offset, fate)| (source.to_owned(), offset, fate.to_owned()));
    assert_eq!(came(&explained), expected, "{explained:#}");
    assert_eq!(explained["published"]["equal"], true, "{explained:#}");
    let letters = explained["deadLetters"].as_array().expect("letters");
    assert_eq!(
        (letters.len(), &letters[0]["record"]["offset"]),
        (1, &json!(3))
    );
    let given = part(&explained, "/firstName");
    assert_eq!(
        (&given["shown"], &given["decisions"][0]["rule"]),
        (&json!(false), &json!("cleared"))
    );

    // the row goes, and so do its data
    let gone = app
        .record(rows)
        .partition(0)
        .value(row("d", 3, json!({"id": "c-1"})))
        .at(EXAMPLE_TIME);
    app.client.produce(&[gone]);
    app.wait_drained(&mut keyfold);
    let explained = explain(&app, &["--pointer", "/lastName"], 0);
    let family = &part(&explained, "/lastName")["decisions"][0];
    assert_eq!(
        (&family["rule"], &family["records"][0]["offset"]),
        (&json!("erased"), &json!(2))
    );
    assert_eq!(keyfold.terminate(), 0);

    // what is not committed yet
    let late = app.record(Source::LoyaltyCustomers).partition(0).key("c-1");
    app.client.produce(&[late
        .value(event(8, json!({"marketingOptIn": true})))
        .at(EXAMPLE_TIME)]);
    let explained = explain(&app, &[], 1);
    let records = explained["records"].as_array().expect("records").iter();
    let pending = records
        .filter(|record| record["committed"] == false)
        .count();
    assert_eq!(pending, 1, "{explained:#}");
    assert!(
        explained["published"]["differences"]
            .as_array()
            .expect("pointers")
            .contains(&json!("/marketingOptIn"))
    );
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    explain(&app, &[], 0);
    assert_eq!(keyfold.terminate(), 0);

    // retention has taken all records: the state knows what won, and from which source
    delete_before(&app, &app.input(Source::LoyaltyCustomers), 0, 3);
    for (partition, (begin, end)) in (0..).zip(app.client.watermarks(&app.forwarded())) {
        if begin < end {
            delete_before(&app, &app.forwarded(), partition, end);
        }
    }
    let explained = explain(&app, &["--values"], 0);
    let status = part(&explained, "/status");
    let decision = &status["decisions"][0];
    assert_eq!(
        (&status["value"], &decision["source"]),
        (&json!("DELETED"), &json!("loyalty-customers"))
    );
    assert_eq!(
        (&decision["time"], &decision["records"]),
        (&json!("2024-02-06T10:03:00Z"), &json!([]))
    );
    let output = app.command(&["explain", "c-1"], b"");
    let table = text_of(&output);
    assert!(table.contains("retention has taken records"), "{table}");
    assert!(table.contains("only keyfold's state knows it"), "{table}");
    assert!(table.contains("as published in"), "{table}");

    // somebody else wrote a snapshot
    let partitions = app.client.partitions(&app.snapshots()).expect("the topic");
    let own = partition::of_key(b"c-1", partitions);
    let planted = r#"{"schemaVersion":1,"customerId":"c-1","status":"ACTIVE"}"#;
    let planted = Record::to(&app.snapshots())
        .partition(own)
        .key("c-1")
        .value(planted);
    app.client.produce(&[planted]);
    let explained = explain(&app, &[], 1);
    let differences = explained["published"]["differences"]
        .as_array()
        .expect("pointers");
    assert!(differences.contains(&json!("/status")), "{explained:#}");
    let output = app.command(&["explain", "nobody"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
}

/// While records come in, what is published differs only by what is not committed yet. On a busy machine explanations take
/// longer, and so many more records come until there are enough of them.
#[test]
fn an_explanation_under_load_gives_no_false_alarm() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    app.create();
    let mut keyfold = app.run_ready();
    let records: Vec<Record> = app.stream(faulty(18, 30)).take(8_000).collect();
    let (at_least, more) = records.split_at(4_000);
    let mut customers: Vec<String> = Vec::new();
    for record in &records {
        let key = record.key.as_deref().map(String::from_utf8_lossy);
        if let Some(key) = key.filter(|key| !key.trim().is_empty() && !key.contains('"')) {
            customers.push(key.into_owned());
        }
    }
    customers.sort();
    customers.dedup();
    let explained = AtomicUsize::new(0);
    let is_enough = || explained.load(Ordering::Relaxed) >= 3;
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let more = more.chunks(100).take_while(|_| !is_enough());
            for part in at_least.chunks(100).chain(more) {
                app.client.produce(part);
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        for customer in customers.iter().cycle() {
            if producing.is_finished() {
                break;
            }
            let output = app.command(&["explain", "--output", "json", customer], b"");
            let code = output.status.code();
            let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let records = said["records"].as_array().expect("records").iter();
            let pending = records
                .filter(|record| record["committed"] == false)
                .count();
            let nothing = said["records"].as_array().is_some_and(Vec::is_empty);
            assert!(
                code == Some(0) || pending > 0 || nothing,
                "{}",
                text_of(&output)
            );
            explained.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(is_enough(), "{explained:?}");
    app.wait_drained(&mut keyfold);
    let snapshots = app.newest_snapshots();
    for customer in snapshots.keys().take(4) {
        let customer = std::str::from_utf8(customer).expect("an id of text");
        let output = app.command(&["explain", "--output", "json", customer], b"");
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    }
    assert_eq!(keyfold.terminate(), 0);
}
