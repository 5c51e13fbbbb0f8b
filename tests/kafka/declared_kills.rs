//! Declared sources beside the built-in ones, all of the same customers, while instances are killed.

use serde_json::{Value, json};

use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;

/// A table of a database, as Debezium's connector for Postgres tells it.
const TABLE: &str = r#"
envelope = "debezium"
nulls = "clear"
customer_id = "/customer_id"

[fields]
status = { from = "/state", map = { active = "ACTIVE", closed = "DELETED" } }
firstName = "/first_name"
emailAddress = { from = "/email", case = "lower" }
dateOfBirth = { from = "/born", unit = "days" }
"attributes.tier" = "/tier"

[[lists.addresses]]
each = ""
id = { const = "home" }
fields = { line1 = "/street", city = "/city", countryCode = "/country" }
"#;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// A change of a row, or the null value behind a delete.
fn change(numbers: &mut Numbers, id: &str, at: i64) -> (Vec<u8>, Option<Value>) {
    let key = json!({"customer_id": id}).to_string().into_bytes();
    let state = ["active", "active", "closed", "unknown"][numbers.below(4)];
    let country = ["NL", "Netherlands", "nld"][numbers.below(3)];
    let row = json!({
        "customer_id": id,
        "state": state,
        "first_name": if numbers.one_in(4) { Value::Null } else { json!(format!("F{}", numbers.below(9))) },
        "email": if numbers.one_in(5) { json!("__debezium_unavailable_value") } else { json!("A@B.example") },
        "born": numbers.below(20_000),
        "tier": numbers.below(3),
        "street": format!(" street {} ", numbers.below(9)),
        "city": "Utrecht",
        "country": country,
    });
    let source =
        json!({"ts_ms": at - numbers.below(5_000) as i64, "lsn": numbers.below(1_000_000)});
    let (before, after, op) = match numbers.below(10) {
        0 => (json!({"customer_id": id}), Value::Null, "d"),
        1 => (Value::Null, row, "r"),
        2 => return (key, None),
        3 => (Value::Null, Value::Null, "m"),
        _ => (Value::Null, row, ["c", "u"][numbers.below(2)]),
    };
    let payload = json!({"before": before, "after": after, "op": op, "source": source});
    let value = match numbers.one_in(2) {
        true => json!({"schema": {"type": "struct"}, "payload": payload}),
        false => payload,
    };
    (key, Some(value))
}

/// A call of Segment's `identify`.
fn identify(numbers: &mut Numbers, id: &str, at: i64) -> Value {
    let time = time_text(at - numbers.below(60_000) as i64);
    let plan = ["free", "pro"][numbers.below(2)];
    json!({
        "type": "identify",
        "userId": id,
        "anonymousId": "a1b2",
        "messageId": format!("m{}", numbers.below(1_000_000)),
        "timestamp": time, "sentAt": time, "receivedAt": time, "originalTimestamp": time,
        "context": {"library": {"name": "analytics.js", "version": "4.1"}, "ip": null},
        "traits": {
            "email": format!("U{}@Example.com", numbers.below(50)),
            "firstName": "Ada", "lastName": null, "plan": plan,
            "logins": numbers.below(100),
            "address": {"street": "Main 1", "city": "Paris", "postalCode": "75001", "country": "France", "state": ""},
        },
        "integrations": {}, "version": 2,
    })
}

/// Milliseconds since 1970 in RFC 3339.
fn time_text(millis: i64) -> String {
    keyfold::model::time::Instant::from_millis(millis).to_string()
}

fn records(app: &App, ids: &[String], numbers: &mut Numbers, count: usize) -> Vec<Record> {
    let (table, calls) = (
        format!("{}.customers-table", app.id),
        format!("{}.segment", app.id),
    );
    let mut records = Vec::new();
    for _ in 0..count {
        let id = &ids[numbers.below(ids.len())];
        let at = EXAMPLE_TIME + numbers.below(3_600_000) as i64;
        if numbers.one_in(2) {
            let (key, value) = change(numbers, id, at);
            let mut record = Record::to(&table).at(at);
            record.key = Some(key);
            record.value = value.map(|value| value.to_string().into_bytes());
            records.push(record);
        } else {
            let mut record = Record::to(&calls).at(at);
            record.key = Some(id.clone().into_bytes());
            record.value = Some(identify(numbers, id, at).to_string().into_bytes());
            records.push(record);
        }
    }
    records
}

#[test]
fn declared_and_built_in_sources_survive_kill_9_together() {
    let mut app = App::new();
    app.declare("customers-table", TABLE);
    app.declare("segment", "preset:segment-identify");
    app.set(&["sources", "customers-table", "key_format"], "json");
    app.set(&["merge", "priority", "firstName"], vec!["segment"]);
    app.set(&["processing", "workers"], 2);
    app.set(&["processing", "max_batch_records"], 100);
    app.set(&["processing", "max_reject_share"], 1.0);
    app.create();
    let mut stream = app.stream(faulty(43, 300));
    let ids = stream.by_ref().take(2_000).filter_map(|record| {
        let key = record.key?;
        String::from_utf8(key)
            .ok()
            .filter(|id| !id.trim().is_empty())
    });
    let ids: Vec<String> = ids.collect();
    let mut numbers = Numbers(17);
    for _ in 0..3 {
        let mut some: Vec<Record> = stream.by_ref().take(3_000).collect();
        some.extend(records(&app, &ids, &mut numbers, 3_000));
        app.client.produce(&some);
        let mut keyfold = app.run();
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            let (_, metrics) = keyfold.http_get("/metrics")?;
            let merged = r#"keyfold_records_total{outcome="merged",source="segment"}"#;
            metrics.contains(merged).then_some(())
        });
        keyfold.kill9();
    }
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let shown = app.newest_snapshots();
    let of_all = shown.values().filter(|value| {
        let text = String::from_utf8_lossy(value);
        ["\"customers-table\":{", "\"segment\":{", "\"loyalty\":{"]
            .iter()
            .all(|source| text.contains(source))
    });
    assert!(
        of_all.count() > 20,
        "customers that several sources tell of"
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
