//! Values of declared sources: what random schemas of all types write is their JSON text, and resolving it against
//! another random schema gives what `apache-avro` gives.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use base64::prelude::{BASE64_STANDARD, Engine};
use keyfold::avro::declared::ReaderSchema;
use keyfold::avro::{self, Plan};
use keyfold::json::strict;
use keyfold_harness::avro_evolution;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::random_types::{Kind, Types};

fn plan(reader: Option<&Value>, writer: &Value) -> Plan {
    let reader = reader.map(|reader| ReaderSchema::parse(&reader.to_string()).unwrap());
    Plan::declared(reader.as_ref(), &writer.to_string(), &[])
        .unwrap_or_else(|error| panic!("{error}: {writer}"))
}

/// Values of all types are written by `apache-avro`, which does not see the logical types: they do not change how a
/// value is written.
#[test]
fn random_values_are_the_json_text_that_they_should_be() {
    let mut read = 0;
    for seed in 0..600 {
        let mut types = Types::new(seed);
        let kind = types.record(4);
        let schema = Schema::parse_str(&types.schema(&kind, false).to_string()).unwrap();
        let logical = types.schema(&kind, true);
        let plan = plan(None, &logical);
        for _ in 0..4 {
            let mut text = String::new();
            let value = types.value(&kind, &mut text);
            let bytes = avro_evolution::written(&schema, value);
            let found = avro::to_json(&plan, &bytes, usize::MAX).unwrap();
            assert_eq!(found, text, "{logical}");
            strict::check(&found).unwrap();
            read += 1;
        }
    }
    assert_eq!(read, 2_400);
}

/// The reader schema of a record in which fields are in another order, left out and added, and numbers are wider.
fn evolved(types: &mut Types, kind: &Kind) -> Kind {
    match kind {
        Kind::Int => types.one_of(&[Kind::Int, Kind::Long, Kind::Double]),
        Kind::Long => types.one_of(&[Kind::Long, Kind::Double]),
        Kind::Text => types.one_of(&[Kind::Text, Kind::Bytes]),
        Kind::Array(item) => Kind::Array(Box::new(evolved(types, item))),
        Kind::Map(value) => Kind::Map(Box::new(evolved(types, value))),
        Kind::Union(branches) => {
            // numbers that are widened could fit two branches
            let mut branches = branches.clone();
            branches.shuffle(&mut types.random);
            Kind::Union(branches)
        }
        Kind::Record(name, fields) => {
            let mut new: Vec<(String, Kind)> = Vec::new();
            for (name, kind) in fields {
                if types.random.random_bool(0.8) {
                    new.push((name.clone(), evolved(types, kind)));
                }
            }
            if types.random.random_bool(0.5) {
                new.push(("added".to_owned(), Kind::Defaulted));
            }
            new.shuffle(&mut types.random);
            Kind::Record(name.clone(), new)
        }
        other => other.clone(),
    }
}

/// What `apache-avro` reads, in the form of the JSON text. Nulls are left out of objects: for a field that the writer
/// does not have, the text has none.
fn json_of(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(truth) => truth.into(),
        Avro::Int(number) => f64::from(number).into(),
        Avro::Long(number) => (number as f64).into(),
        Avro::Float(number) => f64::from(number).into(),
        Avro::Double(number) => number.into(),
        Avro::String(text) | Avro::Enum(_, text) => text.into(),
        Avro::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => json!({"base64": BASE64_STANDARD.encode(error.as_bytes())}),
        },
        Avro::Fixed(_, bytes) => json!({"base64": BASE64_STANDARD.encode(bytes)}),
        Avro::Union(_, value) => json_of(*value),
        Avro::Array(items) => items.into_iter().map(json_of).collect(),
        Avro::Map(members) => object(members),
        Avro::Record(fields) => object(fields),
        other => panic!("{other:?}"),
    }
}

fn object(members: impl IntoIterator<Item = (String, Avro)>) -> Value {
    let members = members.into_iter();
    let members = members.map(|(name, value)| (name, json_of(value)));
    Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
}

/// Numbers as doubles, and objects without nulls.
fn comparable(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(comparable).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (name, comparable(value)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

#[test]
fn values_are_resolved_as_apache_avro_resolves_them() {
    let mut compared = 0;
    for seed in 0..600 {
        let mut types = Types::plain(seed);
        let kind = types.record(3);
        let writer = types.schema(&kind, false);
        let reader = evolved(&mut types, &kind);
        let reader = types.schema(&reader, false);
        let plan = plan(Some(&reader), &writer);
        let written = Schema::parse_str(&writer.to_string()).unwrap();
        let wanted = Schema::parse_str(&reader.to_string()).unwrap();
        for _ in 0..4 {
            let value = types.value(&kind, &mut String::new());
            let bytes = avro_evolution::written(&written, value);
            let ours = avro::to_json(&plan, &bytes, usize::MAX);
            let Some(theirs) = avro_evolution::read(&written, Some(&wanted), &bytes) else {
                continue;
            };
            let ours = ours.unwrap_or_else(|error| panic!("{error}: {writer} as {reader}"));
            let ours: Value = serde_json::from_str(&ours).unwrap();
            assert_eq!(comparable(ours), json_of(theirs), "{writer} as {reader}");
            compared += 1;
        }
    }
    assert!(compared > 1_800, "{compared}");
}

/// Bytes that nobody meant to be a value are refused, or are JSON all the same.
#[test]
fn hostile_bytes_of_random_schemas_are_refused_or_json() {
    let mut read = 0;
    for seed in 0..200 {
        let mut types = Types::new(seed);
        let kind = types.record(4);
        let schema = Schema::parse_str(&types.schema(&kind, false).to_string()).unwrap();
        let plan = plan(None, &types.schema(&kind, true));
        let sound = avro_evolution::written(&schema, types.value(&kind, &mut String::new()));
        for _ in 0..100 {
            let bytes = mutated(&sound, &mut types.random);
            if let Ok(text) = avro::to_json(&plan, &bytes, 1_000_000) {
                strict::check(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                read += 1;
            }
        }
    }
    assert!(read > 1_000, "{read}");
}

fn mutated(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes.insert(at, random.random()),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// No value or schema needs more than the plan does.
#[test]
fn random_texts_are_no_schemas_or_sound_ones() {
    let mut random = StdRng::seed_from_u64(8);
    let parts = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"type\"",
        "\"record\"",
        "\"name\"",
        "\"R\"",
        "\"fields\"",
        "\"null\"",
        "\"R\"",
        "\"long\"",
        "\"logicalType\"",
        "\"decimal\"",
        "\"bytes\"",
        "7",
    ];
    for _ in 0..20_000 {
        let length = random.random_range(1..30);
        let text: String = (0..length)
            .filter_map(|_| parts.choose(&mut random).copied())
            .collect();
        if let Ok(plan) = Plan::declared(None, &text, &[]) {
            let _ = avro::to_json(&plan, b"\x02\x02a\0", 1_000);
        }
        let _ = ReaderSchema::parse(&text);
    }
}
