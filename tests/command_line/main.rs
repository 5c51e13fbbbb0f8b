//! The program without Kafka: its commands, exit codes and messages (docs/contract.md, section 7).

mod avro;
mod completions;
mod dead_letters;
mod doctor;
mod ends;
mod erase;
mod explain;
mod generate;
mod healthcheck;
mod kcat_lines;
mod null_values;
mod settings;
mod sources;
mod terminal;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn keyfold(args: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyfold"))
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // one that stops at a wrong setting reads nothing
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A line as kcat prints it. Key and payload are JSON strings as raw bytes, for kcat does not check them.
fn line(topic: &str, offset: i64, time: &str, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"topic":"{topic}","partition":3,"offset":{offset},{time},"broker":1,"headers":["#
    );
    [
        head.as_bytes(),
        b"\"trace\",\"a\xffb\",\"empty\",null],\"key\":",
        key,
        b",\"payload\":",
        payload,
        b"}\n",
    ]
    .concat()
}

const CREATED: &str = r#""tstype":"create","ts":1707220000000"#;
const APPENDED: &str = r#""tstype":"logappend","ts":1707220000000"#;
const UNKNOWN: &str = r#""tstype":"unknown","ts":0"#;

fn quoted(value: &Value) -> Vec<u8> {
    Value::from(value.to_string()).to_string().into_bytes()
}

fn event(customer: &str, country: &str) -> Vec<u8> {
    quoted(
        &json!({"eventType": "CUSTOMER", "eventAction": "CREATED", "version": 1.0, "body": {
            "customerId": customer, "createdAt": "2024-02-06T10:00:00Z", "updatedAt": "2024-02-06T10:00:00Z",
            "addresses": [{"addressId": "a", "line1": "Secret Street", "city": "x", "zipCode": "1", "countryCode": country}],
        }}),
    )
}

fn console(customer: &str) -> Vec<u8> {
    quoted(
        &json!({"customerId": customer, "version": 1, "addresses": [{"key": "k", "country": "Atlantis"}]}),
    )
}

fn with_config(folder: &Path, text: &str) -> String {
    let file = folder.join("keyfold.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}
