//! The same value in either form comes to the same result; and the reading of Avro is held against `apache-avro`,
//! which knows nothing of ours.

mod many_elements;

use std::collections::BTreeMap;
use std::fs;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use keyfold::avro::{self, Plan, snapshot};
use keyfold::config::Config;
use keyfold::customer::snapshot::View;
use keyfold::customer::{Customer, Keep, contribution::Contribution};
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{Code, RawRecord, Rejection, Source};
use keyfold::model::time::Instant;
use keyfold::source::{self, Judged, Verdict};
use keyfold_harness::avro_evolution::{self, Evolution, Evolved};
use keyfold_harness::examples::{self, Example};
use keyfold_harness::random_documents;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use serde_json::value::RawValue;

fn reader(source: Source) -> String {
    fs::read_to_string(format!("schemas/{}.avsc", source.name())).unwrap()
}

/// JSON nested as deep as is allowed (docs/contract.md, section 2).
fn parsed(text: &[u8]) -> Value {
    let text = std::str::from_utf8(text).unwrap();
    strict::read(text, Plain::<Value>::default()).unwrap()
}

fn record(source: Source, value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        source,
        timestamp: Some(examples::TIMESTAMP),
        key: None,
        value: Some(value),
    }
}

/// What a verdict comes to: the contributions, the rejection, the warnings. The elements of a batch are each judged
/// again as a batch of their own, by the `plan` of an Avro value.
fn comparable(
    judged: Judged<'_>,
    of: &RawRecord<'_>,
    plan: Option<&Plan>,
) -> (Vec<Contribution>, Option<Rejection>, String) {
    let warnings = format!("{:?}", judged.warnings);
    match judged.verdict {
        Verdict::Valid(contribution) => (vec![contribution], None, warnings),
        Verdict::Rejected(rejection) => (Vec::new(), Some(rejection), warnings),
        Verdict::Batch {
            elements,
            rejection,
        } => {
            let mut contributions = Vec::new();
            for element in elements {
                let alone = element.alone();
                let record = RawRecord {
                    value: Some(&alone),
                    ..*of
                };
                let value = match plan {
                    Some(plan) => source::Value::Avro(plan, &alone),
                    None => source::Value::Json(&alone),
                };
                let judged = source::judge_value(&record, value, &Config::default());
                let Verdict::Batch {
                    mut elements,
                    rejection: None,
                } = judged.verdict
                else {
                    panic!("an element alone is no good batch");
                };
                let again = elements.pop().map(|element| element.contribution);
                assert_eq!(
                    format!("{again:?}"),
                    format!("{:?}", Some(&element.contribution))
                );
                assert!(elements.is_empty());
                contributions.push(element.contribution);
            }
            (contributions, rejection, warnings)
        }
    }
}

/// The snapshots that contributions fold to, to be compared with those of the other form. Integers beyond 64 bits are
/// compared as doubles: one of the two forms has come through a library that knows them as such only.
fn rounded(contributions: Vec<Contribution>) -> BTreeMap<String, serde_json::Value> {
    let value = |(id, text): (String, Vec<u8>)| {
        let mut reader = serde_json::Deserializer::from_slice(&text);
        // attributes may be nested as deep as a record may
        reader.disable_recursion_limit();
        let value = serde::Deserialize::deserialize(&mut reader).expect("a snapshot is JSON");
        (id, value)
    };
    snapshots(contributions).into_iter().map(value).collect()
}

/// The snapshots that contributions fold to.
fn snapshots(contributions: Vec<Contribution>) -> BTreeMap<String, Vec<u8>> {
    let config = Config::default();
    let mut customers: BTreeMap<String, Customer> = BTreeMap::new();
    for Contribution { customer, data } in contributions {
        customers
            .entry(customer)
            .or_default()
            .join(data, Keep::of(&config));
    }
    let text = |(id, customer): (String, Customer)| {
        let mut text = Vec::new();
        keyfold::customer::snapshot::write(&customer, &id, &View::of(&config), &mut text);
        (id, text)
    };
    customers.into_iter().map(text).collect()
}

/// Judges a value in both forms and holds the results against each other.
fn same(example: &Example, plan: &Plan, bytes: &[u8], schema: &str) {
    let config = Config::default();
    let record = example.record();
    let from_json = source::judge(&record, &config);
    let from_avro = source::judge_value(&record, source::Value::Avro(plan, bytes), &config);
    let name = &example.name;
    let (json, json_rejection, json_warnings) = comparable(from_json, &record, None);
    let (avro, avro_rejection, avro_warnings) = comparable(from_avro, &record, Some(plan));
    assert_eq!(avro_rejection, json_rejection, "{name}: {schema}");
    assert_eq!(avro_warnings, json_warnings, "{name}: {schema}");
    let (avro, json) = (rounded(avro), rounded(json));
    assert_eq!(avro, json, "{name}: {schema}");
}

/// Writes an example by a writer schema and compares. False where the schema can't hold the value.
fn write_and_compare(example: &Example, evolved: &Evolved) -> bool {
    let Some(value) = &example.value else {
        return true;
    };
    let schema = Schema::parse_str(&evolved.text).unwrap();
    let Some(value) = evolved.value(Some(&parsed(value)), &schema) else {
        return false;
    };
    let bytes = avro_evolution::written(&schema, value);
    let plan = Plan::compile(example.source, &evolved.text, &[]).unwrap();
    same(example, &plan, &bytes, &evolved.text);
    true
}

/// The reader schema itself, then schemas that have evolved in one way, then in all.
fn evolutions() -> Vec<Evolution> {
    let none = Evolution::default();
    let all = Evolution {
        layout: true,
        promotions: true,
        times: true,
    };
    let layout = Evolution {
        layout: true,
        ..none
    };
    let promotions = Evolution {
        promotions: true,
        ..none
    };
    let times = Evolution {
        times: true,
        ..none
    };
    [vec![none, layout, promotions, times], vec![all; 8]].concat()
}

#[test]
fn valid_examples_say_the_same_in_either_form() {
    let mut random = StdRng::seed_from_u64(4);
    for example in examples::all("valid") {
        for evolution in evolutions() {
            let evolved = Evolved::of(&reader(example.source), evolution, &mut random);
            assert!(
                write_and_compare(&example, &evolved),
                "{}: not written",
                example.name
            );
        }
    }
}

/// Those that Avro can carry: the verdict, and every violation, are the same.
#[test]
fn invalid_examples_get_the_same_rejection_in_either_form() {
    let mut random = StdRng::seed_from_u64(5);
    let mut compared = 0;
    for example in examples::all("invalid") {
        // what fails to decode as JSON has no Avro form
        let stage = &example.rejection.as_ref().unwrap()["stage"];
        let Some(value) = example.value.as_deref().filter(|_| stage != "decode") else {
            continue;
        };
        // a null means something else in Avro
        if String::from_utf8_lossy(value).contains("null") {
            continue;
        }
        for evolution in evolutions() {
            let evolved = Evolved::of(&reader(example.source), evolution, &mut random);
            compared += usize::from(write_and_compare(&example, &evolved));
        }
    }
    assert!(compared > 400, "{compared}");
}

/// What `apache-avro` reads, as JSON in the form of [`avro::to_json`].
fn json_of(value: Avro) -> Value {
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
    for source in Source::ALL {
        let json_schema = random_documents::schema(source);
        let reader = Schema::parse_str(&reader(source)).unwrap();
        for seed in 0..300 {
            let document = random_documents::document(&json_schema, seed);
            let mut random = StdRng::seed_from_u64(seed);
            let evolved = Evolved::of(&self::reader(source), evolution, &mut random);
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

/// Some writer schemas for hostile bytes, with bytes that are sound.
fn sound_values() -> Vec<(Source, Plan, Vec<u8>)> {
    let mut random = StdRng::seed_from_u64(6);
    let all = evolutions().pop().unwrap();
    let mut values = Vec::new();
    for example in examples::all("valid") {
        let Some(value) = &example.value else {
            continue;
        };
        let evolved = Evolved::of(&reader(example.source), all, &mut random);
        let schema = Schema::parse_str(&evolved.text).unwrap();
        let value = evolved.value(Some(&parsed(value)), &schema).unwrap();
        let bytes = avro_evolution::written(&schema, value);
        let plan = Plan::compile(example.source, &evolved.text, &[]).unwrap();
        values.push((example.source, plan, bytes));
    }
    values
}

/// Judges any bytes: they are `invalid_avro`, or the value gets the verdict of the JSON text that says the same.
fn judge_hostile(source: Source, plan: &Plan, bytes: &[u8]) {
    let config = Config::default();
    let value = source::Value::Avro(plan, bytes);
    let judged = source::judge_value(&record(source, bytes), value, &config);
    let Ok(text) = avro::to_json(plan, bytes, usize::MAX) else {
        let Verdict::Rejected(rejection) = judged.verdict else {
            panic!("{source}: {bytes:?} was read");
        };
        assert_eq!(rejection.code, Code::InvalidAvro);
        return;
    };
    let (avro, avro_rejection, avro_warnings) =
        comparable(judged, &record(source, bytes), Some(plan));
    let record = record(source, text.as_bytes());
    let (json, json_rejection, json_warnings) =
        comparable(source::judge(&record, &config), &record, None);
    assert_eq!(avro_rejection, json_rejection, "{text}");
    assert_eq!(avro_warnings, json_warnings, "{text}");
    assert_eq!(rounded(avro), rounded(json), "{text}");
}

#[test]
fn hostile_bytes_are_refused_or_read_as_their_json_is() {
    let mut random = StdRng::seed_from_u64(7);
    for (source, plan, bytes) in sound_values() {
        judge_hostile(source, &plan, &bytes);
        for _ in 0..300 {
            let mut bytes = bytes.clone();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..5) {
                    0 => bytes[at] = random.random(),
                    1 => bytes[at] ^= 1 << random.random_range(0..8),
                    2 => bytes.truncate(at.max(1)),
                    3 => bytes.insert(at, random.random()),
                    _ => bytes[at] = bytes[at].wrapping_add(2),
                }
            }
            judge_hostile(source, &plan, &bytes);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for source in Source::ALL {
            let plan = Plan::compile(source, &reader(source), &[]).unwrap();
            judge_hostile(source, &plan, &bytes);
        }
    }

    #[test]
    fn random_schemas_do_no_harm(text in ".{0,60}") {
        let _ = Plan::compile(Source::LoyaltyActions, &text, &[]);
    }
}

/// The attribute is the JSON text that the snapshot's JSON has.
#[test]
fn a_long_integer_in_attributes_is_kept_in_avro() {
    let value =
        br#"{"customerId":"c","version":1,"attributes":{"sim":[89310410106543789301,-0,1e3]}}"#;
    let record = record(Source::ConsoleCustomers, value);
    let judged = source::judge(&record, &Config::default());
    let (contributions, _, _) = comparable(judged, &record, None);
    let text = snapshots(contributions).into_values().next().unwrap();
    let mut bytes = Vec::new();
    snapshot::encode(&text, &mut bytes).unwrap();
    let attribute = b"[89310410106543789301,0,1000.0]";
    for form in [text, bytes] {
        let found = form.windows(attribute.len()).any(|part| part == attribute);
        assert!(found, "{}", String::from_utf8_lossy(&form));
    }
}

#[test]
fn snapshots_say_the_same_in_either_form() {
    let schema = Schema::parse_str(snapshot::SCHEMA).unwrap();
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for example in examples::all("valid") {
        let judged = source::judge(&example.record(), &Config::default());
        let (contributions, _, _) = comparable(judged, &example.record(), None);
        texts.extend(snapshots(contributions).into_values());
    }
    for file in fs::read_dir(examples::folder().join("golden")).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().ends_with(".records.ndjson") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let line: BTreeMap<String, &RawValue> = serde_json::from_str(line).unwrap();
            texts.push(line["value"].get().as_bytes().to_vec());
        }
    }
    let mut compared = 0;
    for text in texts {
        if text.is_empty() || text == b"null" {
            continue;
        }
        let mut bytes = Vec::new();
        snapshot::encode(&text, &mut bytes).unwrap();
        let mut again = Vec::new();
        snapshot::encode(&text, &mut again).unwrap();
        assert_eq!(bytes, again);
        let decoded = avro_evolution::read(&schema, None, &bytes).unwrap();
        assert_eq!(json_of(decoded), parsed(&text));
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

/// CPU nanoseconds of this thread.
fn cpu() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// The least CPU time that `work` takes for one of `count` records, in nanoseconds.
fn measure(count: usize, mut work: impl FnMut()) -> u64 {
    let runs = (0..15).map(|_| {
        let start = cpu();
        work();
        cpu() - start
    });
    runs.min().unwrap() / count as u64
}

/// What a record costs in either form. `KEYFOLD_EVENTS` names a file with an event a line: topic, key and JSON,
/// separated by tabs. Linux only.
#[test]
#[ignore = "a measurement"]
fn cpu_per_record() {
    let lines = fs::read_to_string(std::env::var("KEYFOLD_EVENTS").unwrap()).unwrap();
    let time = r#"["string",{"type":"long","logicalType":"timestamp-micros"}]"#;
    let optional = r#"["null","string",{"type":"long","logicalType":"timestamp-micros"}]"#;
    for (topic, source) in [
        ("loyalty.customers", Source::LoyaltyCustomers),
        ("loyalty.customer-actions", Source::LoyaltyActions),
    ] {
        let texts: Vec<&str> = lines
            .lines()
            .filter_map(|line| {
                line.strip_prefix(topic)?
                    .strip_prefix('\t')?
                    .split('\t')
                    .nth(1)
            })
            .filter(|text| {
                let judged = source::judge(&record(source, text.as_bytes()), &Config::default());
                matches!(judged.verdict, Verdict::Valid(_))
            })
            .collect();
        let config = Config::default();
        let json = measure(texts.len(), || {
            for text in &texts {
                std::hint::black_box(source::judge(&record(source, text.as_bytes()), &config));
            }
        });
        println!("{source}: {} records, JSON {json} ns", texts.len());
        let micros = parsed(reader(source).as_bytes()).to_string();
        let as_text = micros
            .replace(optional, r#"["null","string"]"#)
            .replace(time, r#""string""#);
        for (form, schema) in [("times as micros", micros), ("times as text", as_text)] {
            let plan = Plan::compile(source, &schema, &[]).unwrap();
            let parsed_schema = Schema::parse_str(&schema).unwrap();
            let evolved = Evolved::of(&schema, Evolution::default(), &mut StdRng::seed_from_u64(1));
            let values: Vec<Vec<u8>> = texts
                .iter()
                .map(|text| {
                    let value = evolved.value(Some(&parsed(text.as_bytes())), &parsed_schema);
                    avro_evolution::written(&parsed_schema, value.unwrap())
                })
                .collect();
            let avro = measure(values.len(), || {
                for bytes in &values {
                    let value = source::Value::Avro(&plan, bytes);
                    std::hint::black_box(source::judge_value(
                        &record(source, bytes),
                        value,
                        &config,
                    ));
                }
            });
            println!("{source}: Avro, {form}: {avro} ns");
        }
    }
}
