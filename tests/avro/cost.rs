//! What a record costs in either form.

use std::fs;

use apache_avro::Schema;
use keyfold::avro::Plan;
use keyfold::config::Config;
use keyfold::model::record::Source;
use keyfold::source::{self, Verdict};
use keyfold_harness::avro_evolution::{self, Evolution, Evolved};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::{parsed, reader, record};

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

/// The values of the topic that are valid.
fn valid_texts<'l>(lines: &'l str, topic: &str, source: Source) -> Vec<&'l str> {
    let values = lines.lines().filter_map(|line| {
        let rest = line.strip_prefix(topic)?.strip_prefix('\t')?;
        rest.split('\t').nth(1)
    });
    let is_valid = |text: &&str| {
        let judged = source::judge(&record(source, text.as_bytes()), &Config::default());
        matches!(judged.verdict, Verdict::Valid(_))
    };
    values.filter(is_valid).collect()
}

/// What one of the texts costs in Avro of this writer schema.
fn nanoseconds_of_avro(source: Source, schema: &str, texts: &[&str]) -> u64 {
    let config = Config::default();
    let plan = Plan::compile(source, schema, &[]).unwrap();
    let parsed_schema = Schema::parse_str(schema).unwrap();
    let evolved = Evolved::of(schema, Evolution::default(), &mut StdRng::seed_from_u64(1));
    let values: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            let value = evolved.value(Some(&parsed(text.as_bytes())), &parsed_schema);
            avro_evolution::written(&parsed_schema, value.unwrap())
        })
        .collect();
    measure(values.len(), || {
        for bytes in &values {
            let value = source::Value::Avro(&plan, bytes);
            std::hint::black_box(source::judge_value(
                &record(source, bytes),
                value,
                &[],
                &config,
            ));
        }
    })
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
        let texts = valid_texts(&lines, topic, source);
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
            let avro = nanoseconds_of_avro(source, &schema, &texts);
            println!("{source}: Avro, {form}: {avro} ns");
        }
    }
}
