//! Random documents by random writer schemas are read as `apache-avro` reads them.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use keyfold::avro::{self, Plan};
use keyfold::model::record::Source;
use keyfold::model::time::Instant;
use keyfold::source;
use keyfold_harness::avro_evolution::{self, Evolution, Evolved};
use keyfold_harness::random_documents;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::{parsed, reader};

/// What `apache-avro` reads, as JSON in the form of [`avro::to_json`].
pub fn json_of(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(truth) => truth.into(),
        Avro::Int(number) => number.into(),
        Avro::Long(number) => number.into(),
        Avro::Float(number) => f64::from(number).into(),
        Avro::Double(number) => number.into(),
        Avro::String(text) | Avro::Enum(_, text) => text.into(),
        Avro::Bytes(bytes) => String::from_utf8(bytes).unwrap().into(),
        Avro::TimestampMicros(micros) => Instant::from_micros(micros).to_string().into(),
        Avro::Date(day) => {
            let text = Instant::from_micros(i64::from(day) * 86_400_000_000).to_string();
            text[..10].into()
        }
        Avro::Union(_, value) => json_of(*value),
        Avro::Array(items) => items.into_iter().map(json_of).collect(),
        Avro::Map(members) => {
            // JSON texts, the only maps of the reader schemas
            let member = |(name, value)| {
                let text = json_of(value);
                let value = match text.as_str() {
                    Some(text) => parsed(text.as_bytes()),
                    None => text,
                };
                (name, value)
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        Avro::Record(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, json_of(value)));
            let fields = fields.flat_map(|(name, value)| match value {
                // In JSON the declared sources stand directly in `sources`.
                Value::Object(sources) if name == "declared" => sources.into_iter().collect(),
                value => vec![(name, value)],
            });
            Value::Object(fields.filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// A number that the writer's type made whole is the same number.
fn same_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(same_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(fields.map(|(name, of)| (name, same_numbers(of))).collect())
        }
        other => other,
    }
}

/// Random documents by random writer schemas: our reading of the bytes and that of `apache-avro` are one.
#[test]
fn random_evolutions_are_read_as_apache_avro_reads_them() {
    // times in other units are left out: apache-avro refuses to resolve them
    let evolution = Evolution {
        layout: true,
        promotions: true,
        times: false,
    };
    let mut compared = 0;
    for source in Source::BUILT_IN {
        let json_schema = random_documents::schema(source);
        let reader = Schema::parse_str(&reader(source)).unwrap();
        for seed in 0..300 {
            let document = random_documents::document(&json_schema, seed);
            let mut random = StdRng::seed_from_u64(seed);
            let evolved = Evolved::of(&crate::reader(source), evolution, &mut random);
            let writer = Schema::parse_str(&evolved.text).unwrap();
            let Some(value) = evolved.value(Some(&document), &writer) else {
                continue;
            };
            let bytes = avro_evolution::written(&writer, value);
            let plan = Plan::compile(source, &evolved.text, &[]).unwrap();
            let ours = avro::to_json(&plan, &bytes, usize::MAX).unwrap();
            let ours = parsed(ours.as_bytes());
            let Some(theirs) = avro_evolution::read(&writer, Some(&reader), &bytes) else {
                // a null for what is required: with us the schema stage says so
                assert!(!source::schema::of(source).unwrap().accepts(&ours));
                continue;
            };
            let (ours, theirs) = (same_numbers(ours), same_numbers(json_of(theirs)));
            assert_eq!(ours, theirs, "{}", evolved.text);
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}
