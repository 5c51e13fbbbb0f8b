//! Random documents that follow a schema, with a fault here and there.

use std::fs;

use keyfold::model::record::Source;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

pub fn schema(source: Source) -> Value {
    let path = format!("schemas/{}.schema.json", source.name());
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The same seed gives the same document.
pub fn document(schema: &Value, seed: u64) -> Value {
    let mut random = StdRng::seed_from_u64(seed);
    // some documents have no faults, so that the schemas accept a good part
    let faults = *[0.0, 0.0, 0.01, 0.05, 0.3].choose(&mut random).unwrap();
    following(schema, faults, 0, &mut random)
}

fn following(schema: &Value, faults: f64, depth: usize, random: &mut StdRng) -> Value {
    if random.random_bool(faults) {
        return anything(depth, random);
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let branch = branches.choose(random).unwrap();
        return following(branch, faults, depth, random);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.choose(random).unwrap().clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.choose(random).unwrap().as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => object(schema, faults, depth, random),
        Some("array") => {
            let length = *[0, 1, 1, 2, 3, 20].choose(random).unwrap();
            let item = |_| following(&schema["items"], faults, depth + 1, random);
            (0..length).map(item).collect()
        }
        Some("string") => text(schema, random).into(),
        Some("boolean") => random.random::<bool>().into(),
        Some("integer" | "number") => number(random),
        Some("null") => Value::Null,
        _ => anything(depth, random),
    }
}

fn object(schema: &Value, faults: f64, depth: usize, random: &mut StdRng) -> Value {
    let mut fields = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = schema["required"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == name));
        let left_out = if required { faults / 2.0 } else { 0.4 };
        if !random.random_bool(left_out) {
            fields.insert(name.clone(), following(property, faults, depth + 1, random));
        }
    }
    if random.random_bool(0.2) {
        fields.insert("unknown".to_owned(), anything(depth, random));
    }
    Value::Object(fields)
}

fn text(schema: &Value, random: &mut StdRng) -> &'static str {
    let texts: &[&str] = match schema["format"].as_str() {
        Some("date") => &[
            "2024-02-29",
            "0001-01-01",
            "9999-12-31",
            "2023-02-29",
            "0000-01-01",
            "2024-2-9",
        ],
        Some("date-time") => &[
            "2024-02-06T10:00:00",
            "2024-02-06t10:00:00.123456789z",
            "2023-12-31T23:59:60Z",
            "2024-01-01T00:59:60+01:00",
            "2023-12-31T23:58:60Z",
            "0001-01-01T00:00:00+00:01",
            "2024-02-06",
        ],
        _ if schema["pattern"].is_string() => &[
            "0",
            "007",
            "9223372036854775807",
            "9223372036854775808",
            "x",
        ],
        _ => &["", " ", "c1", "GB", "CUSTOMER", "é\u{0}\"\\", "😀"],
    };
    // mostly one of the first, which are good
    let last = if random.random_bool(0.1) {
        texts.len()
    } else {
        2
    };
    texts[..last].choose(random).unwrap()
}

fn number(random: &mut StdRng) -> Value {
    let numbers = [
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(0),
        json!(-0.0),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
    ];
    numbers.choose(random).unwrap().clone()
}

fn anything(depth: usize, random: &mut StdRng) -> Value {
    match random.random_range(0..8) {
        0 => Value::Null,
        1 => random.random::<bool>().into(),
        2 => number(random),
        3 => "2024-02-06T10:00:00Z".into(),
        4 => "x".into(),
        5 if depth < 5 => (0..random.random_range(0..3))
            .map(|_| anything(depth + 1, random))
            .collect(),
        6 if depth < 5 => {
            let names = ["customerId", "version", "body", "key", "x", ""];
            let field = |_| {
                (
                    (*names.choose(random).unwrap()).to_owned(),
                    anything(depth + 1, random),
                )
            };
            (0..2).map(field).collect::<Map<_, _>>().into()
        }
        _ => json!({}),
    }
}
