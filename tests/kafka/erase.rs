//! `keyfold erase`: what it covers, what it writes, and that nothing comes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyfold::model::partition;
use keyfold::model::record::Source;
use keyfold::model::time::Instant;
use serde_json::{Value, json};

use keyfold_harness::app::{App, text_of};
use keyfold_harness::client::Isolation;
use keyfold_harness::record::{Consumed, Record};

use crate::dlq::{dlq, json_lines};

/// 1 June 2025, in milliseconds.
const AT: i64 = 1_748_736_000_000;

/// A rank-ordered source.
const CRM: &str = r#"
customer_id = "/id"
updated_at = "/changed"
order = "rank"
rank = "/revision"

[fields]
lastName = "/family"
"#;

pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("a clock").as_millis()).expect("a time")
}

/// What `erase` said, a value a line.
pub struct Said(Vec<Value>);

impl Said {
    pub fn part(&self, name: &str) -> &Value {
        let mut lines = self.0.iter();
        lines
            .find_map(|line| line.get(name))
            .unwrap_or(&Value::Null)
    }

    pub fn plan(&self) -> &Value {
        self.part("plan")
    }

    /// The report on a place; of the inputs on the one that this topic is.
    pub fn place(&self, place: &str, topic: Option<&str>) -> &Value {
        let mut lines = self.0.iter();
        let is_asked = |line: &&Value| {
            line["place"] == place && topic.is_none_or(|topic| line["name"] == topic)
        };
        lines.find(is_asked).unwrap_or(&Value::Null)
    }

    /// The places where data of the customer are readable.
    pub fn open(&self) -> Vec<&Value> {
        let closed = ["done", "not_keyfolds"];
        let is_open = |line: &&Value| {
            let status = line["status"].as_str();
            status.is_some_and(|status| !closed.contains(&status))
        };
        self.0.iter().filter(is_open).collect()
    }
}

#[track_caller]
pub fn erase(app: &App, args: &[&str], code: i32) -> Said {
    let all = [&["erase", "--output", "json"], args].concat();
    let output = app.command(&all, b"");
    assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
    let said = String::from_utf8(output.stdout).expect("text");
    Said(json_lines(&said))
}

pub fn loyalty(app: &App, customer: &str, updated_at: &str, more: &Value) -> Record {
    let mut body = json!({
        "customerId": customer, "createdAt": "2024-01-01T00:00:00Z", "updatedAt": updated_at, "addresses": [],
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more.clone());
    }
    let event =
        json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1, "body": body});
    let record = app.record(Source::LoyaltyCustomers).key(customer);
    record.value(event.to_string()).at(AT)
}

fn action(app: &App, customer: &str) -> Record {
    let event = json!({"eventType": "CUSTOMER_ACTION", "eventAction": "CREATED", "version": 1, "body": {
        "interactionId": format!("i-{customer}"), "customerId": customer, "interaction": {"type": "SIGN_UP"},
        "createdAt": "2024-03-01T08:00:00Z", "updatedAt": "2024-03-01T08:00:00Z"}});
    // not in its customer's partition: it is forwarded
    let record = app.record(Source::LoyaltyActions).key("somebody");
    record.value(event.to_string()).at(AT)
}

fn console(app: &App, customer: &str, version: u64, at: i64) -> Record {
    let value = json!({"customerId": customer, "version": version, "firstName": "Ada"});
    let record = app.record(Source::ConsoleCustomers).key(customer);
    record.value(value.to_string()).at(at)
}

fn publisher(app: &App, customers: &[&str], at: i64) -> Record {
    let one = |id: &&str| {
        json!({"sourceCustomerId": id, "organizationId": "5", "postalCode": "78753", "country": "US",
            "customerCreationDate": "2017-01-01T08:00:00Z", "enrollmentStartDate": "2023-01-01T08:00:00Z",
            "enrollmentOptInStatus": "A", "alertOptInStatus": [], "targetingIndicator": "T", "accounts": []})
    };
    let batch: Vec<Value> = customers.iter().map(one).collect();
    let record = app.record(Source::PublisherCustomers).key("batch");
    record
        .value(json!({ "customers": batch }).to_string())
        .at(at)
}

fn crm(app: &App, source: Source, customer: &str, revision: u64, changed: &str) -> Record {
    let value =
        json!({"id": customer, "family": "Lovelace", "revision": revision, "changed": changed});
    let record = app.record(source).key(customer);
    record.value(value.to_string()).at(AT)
}

/// A loyalty event that is rejected: its country is none.
fn rejected(app: &App, customer: &str, updated_at: &str) -> Record {
    let address = json!({"addressId": "a", "line1": "1", "city": "York", "zipCode": "z", "countryCode": "Atlantis"});
    loyalty(app, customer, updated_at, &json!({"addresses": [address]}))
}

fn nulls(app: &App) -> Vec<Consumed> {
    let topic = app.input(Source::LoyaltyCustomers);
    let all = app.client.read_all(&topic, Isolation::ReadCommitted);
    all.into_iter()
        .filter(|record| record.value.is_none())
        .collect()
}

pub fn shown(app: &App, customer: &str) -> Option<Value> {
    let mut snapshots = app.newest_snapshots();
    let snapshot = snapshots.remove(customer.as_bytes())?;
    Some(serde_json::from_slice(&snapshot).expect("JSON"))
}

/// An app with a rank-ordered source beside the four, and what all of them say of two customers.
fn of_all_sources() -> (App, Source) {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["processing", "workers"], 2);
    let source = app.declare("crm", CRM);
    app.create();
    let records: Vec<Record> = ["c-1", "c-2"]
        .into_iter()
        .flat_map(|customer| {
            [
                loyalty(
                    &app,
                    customer,
                    "2024-02-01T00:00:00Z",
                    &json!({"status": "ACTIVE"}),
                ),
                action(&app, customer),
                console(&app, customer, 9, AT),
                crm(&app, source, customer, 7, "2024-05-01T00:00:00Z"),
                rejected(&app, customer, "2024-06-01T00:00:00Z"),
            ]
        })
        .chain([publisher(&app, &["c-2", "c-1"], AT)])
        .collect();
    app.client.produce(&records);
    (app, source)
}

/// Everything late, and everything again.
fn late(app: &App, source: Source) -> Vec<Record> {
    vec![
        loyalty(
            app,
            "c-1",
            "2025-02-01T00:00:00Z",
            &json!({"smsOptIn": true}),
        ),
        action(app, "c-1"),
        console(app, "c-1", 8, AT + 5),
        console(app, "c-1", 10, AT - 5),
        publisher(app, &["c-1"], AT - 5),
        crm(app, source, "c-1", 8, "2024-07-01T00:00:00Z"),
    ]
}

#[track_caller]
fn plan_writes_nothing(app: &App) {
    let said = erase(app, &["c-1"], 1);
    let topic = app.input(Source::LoyaltyCustomers);
    let partition = partition::of_key(b"c-1", 4);
    assert_eq!(
        (&said.plan()["topic"], &said.plan()["because"]),
        (&json!(topic), &json!("now"))
    );
    assert_eq!(said.plan()["partition"], partition);
    assert_eq!(said.place("snapshots", None)["status"], "pending");
    for input in app.inputs() {
        assert_eq!(
            said.place("input", Some(&input))["status"],
            "not_bounded",
            "{input}"
        );
    }
    assert_eq!(said.place("dead_letters", None)["data"], 1);
    assert_eq!(nulls(app).len(), 0);
}

#[track_caller]
fn erase_once(app: &App) {
    let partition = partition::of_key(b"c-1", 4);
    let said = erase(app, &["c-1", "--execute", "--wait"], 0);
    let written = nulls(app);
    assert_eq!(written.len(), 1);
    assert_eq!(
        (written[0].partition, written[0].key_text()),
        (partition, "c-1")
    );
    assert_eq!(said.part("written")["offset"], written[0].offset);
    assert_eq!(said.part("processed")["shown"], false);
    assert_eq!(
        said.place("state", None)["status"],
        "pending",
        "its old states"
    );
    assert_eq!(shown(app, "c-1"), None);
}

/// All sources, a record that was forwarded, a batch, a dead letter: erased, and nothing brings them back.
#[test]
fn an_erased_customer_does_not_come_back() {
    let (mut app, source) = of_all_sources();
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let other = shown(&app, "c-2");
    assert!(other.is_some() && shown(&app, "c-1").is_some());

    plan_writes_nothing(&app);
    erase_once(&app);

    // again: nothing is sent
    let said = erase(&app, &["c-1", "--execute", "--wait"], 0);
    assert_eq!(
        (&said.plan()["because"], &said.plan()["timestamp"]),
        (&json!("covered"), &Value::Null)
    );
    assert_eq!(nulls(&app).len(), 1);

    // late, again, and from the dead letters
    app.client.produce(&late(&app, source));
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    app.set(&["validation", "rules", "country_code"], "warn");
    let mut keyfold = app.run_ready();
    dlq(&app, &["replay", "--key", "c-1", "--execute", "--wait"], 0);
    app.wait_drained(&mut keyfold);
    assert_eq!((shown(&app, "c-1"), shown(&app, "c-2")), (None, other));
    let said = erase(&app, &["c-1", "--execute"], 0);
    assert_eq!(nulls(&app).len(), 1);

    // what comes from the customer afterwards counts, and is erased anew
    let erased = said.plan()["claim"]["time"].as_str().expect("a time");
    let erased = Instant::parse(erased).expect("a time");
    let afterwards = erased.saturating_add(Duration::from_millis(1)).to_string();
    let later = loyalty(&app, "c-1", &afterwards, &json!({"status": "ACTIVE"})).at(now());
    app.client.produce(&[later]);
    app.wait_drained(&mut keyfold);
    assert!(shown(&app, "c-1").is_some(), "{afterwards}");
    erase(&app, &["c-1", "--execute", "--wait"], 0);
    assert_eq!((nulls(&app).len(), shown(&app, "c-1")), (2, None));
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// What is not processed yet counts too, and what is erased is not erased again before it is processed.
#[test]
fn an_erasure_covers_what_keyfold_has_not_read_yet() {
    let (app, _) = of_all_sources();
    let said = erase(&app, &["c-1", "--execute"], 0);
    let known = said.plan()["known"].as_array().expect("places");
    assert_eq!(known.len(), 5, "{known:?}");
    erase(&app, &["c-1", "--execute"], 0);
    assert_eq!(nulls(&app).len(), 1);
    let output = app.command(
        &["erase", "c-1", "--execute", "--wait", "--timeout", "1s"],
        b"",
    );
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("has not processed") && text.contains("--wait"),
        "{text}"
    );
    let mut keyfold = app.run_ready();
    erase(&app, &["c-1", "--execute", "--wait"], 0);
    app.wait_drained(&mut keyfold);
    assert_eq!(shown(&app, "c-1"), None);
    assert!(shown(&app, "c-2").is_some());
    // of somebody else nothing is known, and nothing is written
    let said = erase(&app, &["c-3", "--execute", "--wait"], 0);
    assert_eq!(said.plan()["because"], "nothing_known");
    assert_eq!(said.open(), Vec::<&Value>::new());
    assert_eq!(nulls(&app).len(), 1);
    assert_eq!(keyfold.terminate(), 0);
}
