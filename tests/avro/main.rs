//! The same value in either form comes to the same result; and the reading of Avro is held against `apache-avro`,
//! which knows nothing of ours.

mod against_apache_avro;
mod batches;
mod cost;
mod declared;
mod hostile;
mod many_elements;
mod random_types;

use std::collections::BTreeMap;
use std::fs;

use apache_avro::Schema;
use keyfold::avro::{Plan, snapshot};
use keyfold::config::Config;
use keyfold::customer::snapshot::View;
use keyfold::customer::{Customer, Keep, contribution::Contribution};
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{RawRecord, Rejection, Source};
use keyfold::source::{self, Judged, Verdict};
use keyfold_harness::avro_evolution::{self, Evolution, Evolved};
use keyfold_harness::examples::{self, Example};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::against_apache_avro::json_of;

fn reader(source: Source) -> String {
    fs::read_to_string(format!("schemas/{}.avsc", source.name())).unwrap()
}

/// JSON nested as deep as is allowed (docs/contract.md, section 2).
fn parsed(text: &[u8]) -> Value {
    let text = std::str::from_utf8(text).unwrap();
    strict::read(text, Plain::<Value>).unwrap()
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
        Verdict::Nothing => (Vec::new(), None, warnings),
        Verdict::Rejected(rejection) => (Vec::new(), Some(rejection), warnings),
        Verdict::Batch {
            elements,
            rejection,
        } => {
            let mut contributions = Vec::new();
            for element in elements {
                let alone = element.batch_of_one();
                let record = RawRecord {
                    value: Some(&alone),
                    ..*of
                };
                let value = match plan {
                    Some(plan) => source::Value::Avro(plan, &alone),
                    None => source::Value::Json(&alone),
                };
                let judged = source::judge_value(&record, value, &[], &Config::default());
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
    let from_avro = source::judge_value(&record, source::Value::Avro(plan, bytes), &[], &config);
    let name = &example.name;
    let (json, json_rejection, json_warnings) = comparable(from_json, &record, None);
    let (avro, avro_rejection, avro_warnings) = comparable(from_avro, &record, Some(plan));
    assert_eq!(avro_rejection, json_rejection, "{name}: {schema}");
    assert_eq!(avro_warnings, json_warnings, "{name}: {schema}");
    let (avro, json) = (rounded(avro), rounded(json));
    assert_eq!(avro, json, "{name}: {schema}");
}

/// Writes an example by a writer schema and compares. False where the schema cannot hold the value.
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
    // These have declared sources too.
    for file in fs::read_dir("schemas/states/layout-5").unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            texts.push(fs::read_to_string(path).unwrap().trim_end().into());
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
