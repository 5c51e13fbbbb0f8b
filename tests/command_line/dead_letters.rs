//! Lines of the dead-letter topic.

use serde_json::{Value, json};

use crate::keyfold;

/// A line of the dead-letter topic, which was written at another time than its record.
fn letter(offset: i64, more: &[&str], payload: Option<&Value>) -> Vec<u8> {
    let mut headers = vec![
        "trace",
        "1",
        "__keyfold.errors.topic",
        "publisher.customers",
        "__keyfold.errors.timestamp",
        "1707220000000",
        "__keyfold.errors.code",
        "schema_violation",
    ];
    headers.extend(more);
    let line = json!({
        "topic": "customers.dead-letters", "partition": 1, "offset": offset, "tstype": "create", "ts": 1795788000000_i64,
        "headers": headers, "key": null, "payload": payload.map(Value::to_string),
    });
    format!("{line}\n").into_bytes()
}

#[test]
fn dead_letters_are_judged_as_the_records_that_they_were() {
    let batch = json!({"customers": [{
        "sourceCustomerId": "c1", "organizationId": "1", "postalCode": "1", "country": "US",
        "customerCreationDate": "2017-01-01T08:00:00Z", "enrollmentStartDate": "2023-01-01T08:00:00Z",
        "enrollmentOptInStatus": "ACTIVE", "alertOptInStatus": ["ALL"], "targetingIndicator": "TARGET",
        "accounts": [],
    }]});
    let omitted = ["__keyfold.errors.value.omitted", "true"];
    let letters = [
        letter(1, &[], Some(&batch)),
        letter(2, &[], Some(&json!({"customers": 1}))),
        letter(3, &omitted, None),
        letter(4, &[], None),
    ]
    .concat();
    let judged = keyfold(&["validate"], &letters, &[]);
    assert_eq!(judged.code, Some(1), "{}", judged.err);
    let codes: Vec<Value> = judged
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|verdict| {
            assert_eq!(verdict["topic"], "customers.dead-letters");
            verdict["code"].clone()
        })
        .collect();
    let expected = [
        json!(null),
        json!("schema_violation"),
        json!("schema_violation"),
        json!("null_value"),
    ];
    assert_eq!(codes, expected, "{}", judged.out);

    let folded = keyfold(&["fold"], &letters, &[]);
    assert_eq!(folded.code, Some(0), "{}", folded.err);
    let line: Value = serde_json::from_str(&folded.out).unwrap();
    let time = &line["value"]["sources"]["publisher"]["updatedAt"];
    assert_eq!(
        time, "2024-02-06T11:46:40Z",
        "the record's own time orders it"
    );
}
