//! A null value erases the customer of its key, in the format that the source says.

use std::fs;

use serde_json::Value;

use crate::keyfold;

/// A null value whose key is framed or quoted erases nobody, unless `key_format` says how to read it.
#[test]
fn a_null_value_erases_whom_its_key_names() {
    let event = br#"{"topic":"loyalty.customers","ts":1700000000000,"key":"c1","payload":"{\"eventType\":\"CUSTOMER\",\"eventAction\":\"CREATED\",\"version\":1,\"body\":{\"customerId\":\"c1\",\"addresses\":[],\"createdAt\":\"2023-11-01T00:00:00Z\",\"updatedAt\":\"2023-11-01T00:00:00Z\"}}"}"#;
    let folded = |key: &[u8], millis: i64, format: &str| {
        let end = format!(r#"","ts":{millis},"offset":7,"payload":null}}"#);
        let null = [
            br#"{"topic":"loyalty.customers","key":""#,
            key,
            end.as_bytes(),
        ]
        .concat();
        let input = [&event[..], &null].join(&b'\n');
        let set = [("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__KEY_FORMAT", format)];
        let folded = keyfold(&["fold"], &input, &set);
        let verdicts = keyfold(&["validate"], &input, &set);
        let erased = folded.out == "{\"key\":\"c1\",\"value\":null}\n";
        let rejected = verdicts
            .out
            .contains(r#""stage":"decode","code":"invalid_key""#);
        assert_eq!(folded.out.lines().count(), 1, "{}", folded.out);
        (erased, rejected, folded.err)
    };
    let later = 1_700_000_000_000;
    let quiet = |erased, rejected| (erased, rejected, String::new());
    let framed: &[u8] = b"\\u0000\\u0000\\u0000\\u0000\\u0001\\u0004c1";
    assert_eq!(folded(b"c1", later, "text"), quiet(true, false));
    assert_eq!(folded(b"\\\"c1\\\"", later, "text"), quiet(false, true));
    assert_eq!(folded(framed, later, "text"), quiet(false, true));
    assert_eq!(folded(b"\\\"c1\\\"", later, "json"), quiet(true, false));
    assert_eq!(folded(b"c1", later, "json"), quiet(false, true));
    assert_eq!(folded(framed, later, "avro"), quiet(true, false));
    assert_eq!(folded(b"c1", later, "avro"), quiet(false, true));
    // the customer claims a later time than the erasure
    let (erased, _, warning) = folded(b"c1", 1_690_000_000_000, "text");
    assert!(!erased);
    assert!(
        warning.contains("outlives_erasure: loyalty.customers 0 7"),
        "{warning}"
    );
}

/// Where schemas can be looked up, that of an Avro key must be string: other bytes may look like one.
#[test]
fn the_key_of_a_null_value_is_a_string_of_avro() {
    let folder = tempfile::tempdir().unwrap();
    for (id, schema) in [
        (1, r#""string""#),
        (2, r#"{"type":"string","avro.java.string":"String"}"#),
        (3, r#""bytes""#),
        (4, r#"["null","string"]"#),
        (
            5,
            r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"string"}]}"#,
        ),
    ] {
        fs::write(folder.path().join(format!("{id}.avsc")), schema).unwrap();
    }
    let set = [("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__KEY_FORMAT", "avro")];
    let schemas = ["--schemas", folder.path().to_str().unwrap()];
    for id in 1..=5 {
        let line = format!(
            r#"{{"topic":"loyalty.customers","key":"\u0000\u0000\u0000\u0000\u000{id}\u0004c1","ts":1700000000000,"payload":null}}"#
        );
        let run = keyfold(
            &[&["validate"][..], &schemas].concat(),
            line.as_bytes(),
            &set,
        );
        let is_string = id <= 2;
        assert_eq!(run.code, Some(i32::from(!is_string)), "{id}: {}", run.err);
        let verdict: Value = serde_json::from_str(&run.out).unwrap();
        if !is_string {
            assert_eq!(verdict["code"], "invalid_key", "{verdict}");
            let message =
                format!("the writer schema {id} of the key of a null value is not string");
            assert_eq!(verdict["message"], message);
        }
    }
}
