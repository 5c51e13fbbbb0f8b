//! Values in Avro, with the schemas from a folder.

use std::fs;

use serde_json::{Value, json};

use crate::keyfold;

/// Avro in base64, framed by a number and named by a GUID, with the schemas from a folder.
#[test]
fn avro_is_read_with_schemas_from_a_folder() {
    const GUID: [u8; 16] = *b"0123456789abcdef";
    const AVRO: &[(&str, &str)] = &[("KEYFOLD__SOURCES__CONSOLE_CUSTOMERS__FORMAT", "avro")];
    let folder = tempfile::tempdir().unwrap();
    let schema = json!({"type": "record", "name": "Customer", "fields": [
        {"name": "customerId", "type": "string"}, {"name": "version", "type": "long"},
        {"name": "firstName", "type": ["null", "string"]}]});
    for name in ["7", "30313233-3435-3637-3839-616263646566"] {
        fs::write(
            folder.path().join(format!("{name}.avsc")),
            schema.to_string(),
        )
        .unwrap();
    }
    let line = |payload: &str, headers: &Value| {
        format!(
            r#"{{"topic":"console.customers","ts":1707220000000,"payload_base64":"{payload}","headers":{headers}}}"#
        )
    };
    // the id `c`, version 1, and the name `Ada` or `Bob`
    let guid = format!("\u{1}{}", String::from_utf8_lossy(&GUID));
    let lines = [
        line("AAAAAAcCYwICBkFkYQ==", &json!([])),
        line("AmQCAgZCb2I=", &json!(["__value_schema_id", guid])),
        line("AmQCAgZCb2I=", &json!([])),
    ]
    .join("\n");
    let schemas = ["--schemas", folder.path().to_str().unwrap()];
    let validate = [&["validate"][..], &schemas].concat();
    let run = keyfold(&validate, lines.as_bytes(), AVRO);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let verdicts: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: Vec<&Value> = verdicts.iter().map(|verdict| &verdict["code"]).collect();
    assert_eq!(codes, [&Value::Null, &Value::Null, &json!("invalid_avro")]);

    let fold = [&["fold"][..], &schemas].concat();
    let run = keyfold(&fold, lines.as_bytes(), AVRO);
    assert_eq!(run.code, Some(0), "{}", run.err);
    for (line, name) in run.out.lines().zip(["Ada", "Bob"]) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["value"]["firstName"], name);
    }
    assert_eq!(run.out.lines().count(), 2);

    let explain = [
        "explain", "c", "--values", "--output", "json", "--from", "-",
    ];
    let run = keyfold(&[&explain[..], &schemas].concat(), lines.as_bytes(), AVRO);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let explained: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(explained["snapshot"]["firstName"], "Ada");
    // of the record that is rejected, whose id is another one, nothing is told
    assert_eq!(
        explained["records"].as_array().unwrap().len(),
        1,
        "{explained}"
    );

    // what is not there is not the record's fault
    let unknown = line("AAAAAAgCYwICBkFkYQ==", &json!([]));
    let run = keyfold(&validate, unknown.as_bytes(), AVRO);
    assert_eq!(run.code, Some(2), "{}", run.out);
    assert!(run.err.contains("8.avsc"), "{}", run.err);
    let both = [&validate[..], &["--registry", "http://127.0.0.1:1"]].concat();
    assert_eq!(keyfold(&both, b"", AVRO).code, Some(2));
    let away = ["validate", "--registry", "http://127.0.0.1:1"];
    let run = keyfold(&away, unknown.as_bytes(), AVRO);
    assert_eq!(run.code, Some(3), "{}", run.out);
}
