//! What stands around the bodies of records.

use proptest::prelude::*;
use proptest::sample::select;

use super::body::body;
use super::definition::Shape;
use super::json::{MILLIS, instant, millis};
use crate::oracle::Record;
use crate::oracle::json::Json;

/// All that a record may be made of, whatever the shape of its source.
#[derive(Clone, Debug)]
pub struct Loose {
    bodies: Vec<String>,
    is_null: bool,
    key: String,
    timestamp: Option<i64>,
    headers: Vec<(String, String)>,
    /// An instant of an envelope, as JSON text.
    time: String,
    millis: i64,
    position: String,
    op: &'static str,
    /// Which of the forms that the envelope has.
    form: u8,
}

pub fn loose() -> impl Strategy<Value = Loose> {
    let header = |name: &'static str, values: &'static [&'static str]| {
        let value = select(values).prop_map(move |value| (name.to_owned(), value.to_owned()));
        prop::option::of(value)
    };
    let headers = (
        header("h", &["x", " hé ", "12"]),
        header("rev", &["0", "1", "2"]),
        header("days", &["19000", "0"]),
        header("h", &["later"]),
    );
    let headers = headers.prop_map(|(a, b, c, d)| [a, b, c, d].into_iter().flatten().collect());
    let positions = [
        r#""lsn":5,"file":null"#,
        r#""lsn":7"#,
        r#""file":"mysql-bin.000003","pos":154"#,
        r#""file":"mysql-bin.000004","pos":4"#,
        r#""file":"mysql-bin.4294967295","pos":4"#,
        r#""name":"db""#,
    ];
    let ops = vec!["c", "u", "u", "r", "d", "t", "m"];
    (
        prop::collection::vec(body(), 1..=3),
        prop::bool::weighted(0.08),
        select(vec!["c1", "c1", "c2", "7"]),
        prop_oneof![9 => millis().prop_map(Some), 1 => Just(None)],
        headers,
        instant(),
        select(MILLIS.to_vec()),
        select(positions.to_vec()),
        select(ops),
        0..8_u8,
    )
        .prop_map(
            |(bodies, is_null, key, timestamp, headers, time, millis, position, op, form)| Loose {
                bodies,
                is_null,
                key: key.to_owned(),
                timestamp,
                headers,
                time,
                millis,
                position: position.to_owned(),
                op,
                form,
            },
        )
}

/// The record of a source of that shape.
pub fn wrap(shape: Shape, source: usize, loose: Loose) -> Record {
    let mut record = Record {
        source,
        key: Some(loose.key.clone()),
        value: Some(loose.bodies[0].clone()),
        timestamp: loose.timestamp,
        headers: loose.headers.clone(),
    };
    match shape {
        _ if loose.is_null => record.value = None,
        Shape::Plain => {}
        Shape::Batch => {
            let people = loose.bodies.join(",");
            record.value = Some(match loose.form {
                0 => r#"{"people":null,"meta":1}"#.to_owned(),
                1 => r#"{"people":{}}"#.to_owned(),
                _ => format!(r#"{{"meta":{{"t":"m"}},"people":[{people}]}}"#),
            });
        }
        Shape::Debezium => record.value = Some(debezium(&loose, &mut record)),
        Shape::CloudEvents => record.value = Some(cloud_event(&loose, &mut record)),
    }
    record
}

fn debezium(loose: &Loose, record: &mut Record) -> String {
    let Loose {
        bodies,
        millis,
        position,
        op,
        ..
    } = loose;
    // which names of an envelope are mapped depends on what it tells: none is given twice here
    let row = Json::read(&bodies[0]).filter(Json::has_twice);
    let row = row.map_or(bodies[0].clone(), |row| row.canonical());
    let row = row.replace(r#""y":"N""#, r#""y":"__debezium_unavailable_value""#);
    if loose.form == 0 {
        let prefix = if millis % 2 == 0 { "__source_" } else { "__" };
        let named = |position: String, name: &str| {
            position.replace(&format!("\"{name}\""), &format!("\"{prefix}{name}\""))
        };
        let position = ["lsn", "file", "pos"]
            .into_iter()
            .fold(position.clone(), named);
        let deleted = if *op == "d" { "true" } else { "false" };
        let inner = row.strip_suffix('}').unwrap();
        return format!(
            r#"{inner},"__deleted":"{deleted}","__op":"{op}","__source_ts_ms":{millis},{position}}}"#
        );
    }
    let (before, after) = match (*op, loose.form) {
        ("d", 1) => {
            record.key = Some(r#"{"schema":{},"payload":{"id":"c1"}}"#.to_owned());
            ("null", "null")
        }
        ("d", _) => (row.as_str(), "null"),
        _ => ("null", row.as_str()),
    };
    let time = match loose.form {
        2 => format!(r#""ts_ms":1,"ts_us":{millis}001"#),
        _ => format!(r#""ts_ms":{millis}"#),
    };
    let payload = format!(
        r#"{{"before":{before},"after":{after},"source":{{{time},{position}}},"op":"{op}","ts_ms":1}}"#
    );
    match loose.form {
        3 => format!(r#"{{"schema":{{"type":"struct"}},"payload":{payload}}}"#),
        _ => payload,
    }
}

fn cloud_event(loose: &Loose, record: &mut Record) -> String {
    let event = |body: &str| {
        let time = &loose.time;
        match loose.form {
            0 => format!(r#"{{"specversion":"1.0","type":"t","time":"x","data":{body}}}"#),
            1 => format!(r#"{{"data":{body},"specversion":"1.0","type":"t"}}"#),
            _ => format!(r#"{{"specversion":"1.0","type":"t","time":{time},"data":{body}}}"#),
        }
    };
    match loose.form {
        2 | 3 => {
            let time: String = serde_json::from_str(&loose.time).unwrap();
            record.headers.push(("ce_specversion".into(), "1.0".into()));
            record.headers.push(("ce_time".into(), time));
            loose.bodies[0].clone()
        }
        4 => {
            let events: Vec<String> = loose.bodies.iter().map(|body| event(body)).collect();
            format!("[{}]", events.join(","))
        }
        _ => event(&loose.bodies[0]),
    }
}
