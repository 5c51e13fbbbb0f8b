//! Bytes that nobody meant to be Avro, and schemas that nobody meant to be one.

use apache_avro::Schema;
use keyfold::avro::{self, Plan};
use keyfold::config::Config;
use keyfold::model::record::{Code, Source};
use keyfold::source::{self, Verdict};
use keyfold_harness::avro_evolution::{self, Evolved};
use keyfold_harness::examples;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{comparable, evolutions, parsed, reader, record, rounded};

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
    let judged = source::judge_value(&record(source, bytes), value, &[], &config);
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
        for source in Source::BUILT_IN {
            let plan = Plan::compile(source, &reader(source), &[]).unwrap();
            judge_hostile(source, &plan, &bytes);
        }
    }

    #[test]
    fn random_schemas_do_no_harm(text in ".{0,60}") {
        let _ = Plan::compile(Source::LoyaltyActions, &text, &[]);
    }
}
