//! The fuzz targets of `fuzz/`, run without libFuzzer: over the committed corpus, the examples, and a bounded number
//! of seeded mutations of both.
//!
//! `KEYFOLD_FUZZ_INPUTS` says how many mutations each target gets, `KEYFOLD_FUZZ_SEED` which.

// The package `keyfold-fuzz` needs libFuzzer, which stable Rust and a C compiler alone do not build: so its source is
// included.
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use apache_avro::Schema;
use keyfold::config::Config;
use keyfold::customer::{Customer, Keep};
use keyfold::engine::origin::{Omitted, Origin};
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{RawRecord, Source};
use keyfold::source::framing;
use keyfold::source::{self, Verdict};
use keyfold_harness::avro_evolution::{self, Evolution, Evolved};
use keyfold_harness::{byte_mutations, examples};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs of a target that are committed, by their path. What is JSON starts from the examples as they are.
fn committed(target: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut folders = vec![folder().join("corpus").join(target)];
    if let Some(source) = target.strip_prefix("json_") {
        let source = source.replace('_', "-");
        folders
            .extend(["valid", "invalid"].map(|kind| examples::folder().join(kind).join(&source)));
    }
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    files
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Gives an input to a target. Should that panic, the input is kept, and its place is told.
fn give(target: &str, origin: &str, input: &[u8]) {
    if catch_unwind(|| targets::run(target, input)).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
        fs::write(&kept, input).unwrap();
        panic!(
            "{target} fails on {origin}; the input is in {}",
            kept.display()
        );
    }
}

fn run(target: &str) {
    let committed = committed(target);
    assert!(committed.len() >= 10, "{}", committed.len());
    for (path, input) in &committed {
        give(target, &path.display().to_string(), input);
    }
    let inputs: Vec<&Vec<u8>> = committed.values().collect();
    let seed = setting("KEYFOLD_FUZZ_SEED", 1);
    let mut random = StdRng::seed_from_u64(seed);
    for at in 0..setting("KEYFOLD_FUZZ_INPUTS", 10_000) {
        let (one, other) = (inputs.choose(&mut random), inputs.choose(&mut random));
        let input = byte_mutations::mutated(one.unwrap(), other.unwrap(), &mut random);
        give(target, &format!("mutation {at} of seed {seed}"), &input);
    }
}

/// A test for each target, which bears its name.
macro_rules! tests {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )+

        #[test]
        fn every_target_has_a_test_a_file_and_a_corpus() {
            let tested = [$(stringify!($name)),+];
            let all: Vec<&str> = targets::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested, *all);
            let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
            for name in all {
                let path = format!("fuzz_targets/{name}.rs");
                assert!(manifest.contains(&format!("path = \"{path}\"")), "{name}");
                let text = fs::read_to_string(folder().join(path)).unwrap();
                assert!(text.contains(&format!("run(\"{name}\"")), "{name}");
            }
            let folders = |of: &str| fs::read_dir(folder().join(of)).unwrap().count();
            assert_eq!((folders("fuzz_targets"), folders("corpus")), (tested.len(), tested.len()));
        }
    };
}

tests! {
    json_loyalty_customers
    json_loyalty_actions
    json_console_customers
    json_publisher_customers
    avro_loyalty_customers
    avro_loyalty_actions
    avro_console_customers
    avro_publisher_customers
    avro_writer_schema
    state
    envelope
    frame
    definition
    declared
}

/// Writes what the corpus holds of the examples: each in Avro, with a writer schema, as a state, in a frame and with
/// an envelope. What fuzzing found and what is hostile stands beside it in files of other names. The members of a map
/// come in any order, so that files with more than one may differ from run to run.
#[test]
#[ignore = "writes the corpus"]
fn writes_the_corpus_of_the_examples() {
    let write = |target: &str, name: &str, input: &[u8]| {
        let name = name.replace('/', "-");
        fs::write(folder().join("corpus").join(target).join(name), input).unwrap();
    };
    for file in fs::read_dir("schemas/states/layout-5").unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            let hex = fs::read_to_string(&path).unwrap();
            let digits = hex.trim_end().as_bytes().chunks(2);
            let digits = digits.map(|digits| std::str::from_utf8(digits).unwrap());
            let state: Vec<u8> = digits
                .map(|digits| u8::from_str_radix(digits, 16).unwrap())
                .collect();
            write("state", path.file_stem().unwrap().to_str().unwrap(), &state);
        }
    }
    let mut random = StdRng::seed_from_u64(8);
    let all = Evolution {
        layout: true,
        promotions: true,
        times: true,
    };
    for example in examples::all("valid")
        .into_iter()
        .chain(examples::all("invalid"))
    {
        let (source, name) = (example.source, example.name.as_str());
        let stage = example.rejection.as_ref().map(|verdict| &verdict["stage"]);
        if stage.is_some_and(|stage| stage == "decode") {
            // what is no JSON says nothing that another form could say
            continue;
        }
        let own = fs::read_to_string(format!("schemas/{}.avsc", source.name())).unwrap();
        if let Some(body) = in_avro(&example.value, &own) {
            let target = format!("avro_{}", source.name().replace('-', "_"));
            write(&target, name, &body);
            if source == Source::LoyaltyActions {
                write(
                    "frame",
                    name,
                    &[&[2 | 1 << 2], &framing::frame(1)[..], &body].concat(),
                );
                let guid = [&[2 | 1 << 2 | 1 << 5, 17][..], &[1; 17], &body].concat();
                write("frame", &format!("{name}-guid"), &guid);
            }
        }
        let chosen = ["source-example", "source-template", "duplicate-elements"];
        if chosen.iter().any(|chosen| name.ends_with(chosen)) {
            for evolution in [Evolution::default(), all] {
                let evolved = Evolved::of(&own, evolution, &mut random);
                let body = evolved_value(&example.value, &evolved).unwrap();
                let first = [source.index() as u8];
                let input = [&first, evolved.text.as_bytes(), &[0], &body].concat();
                let kind = if evolution.layout { "evolved" } else { "own" };
                write("avro_writer_schema", &format!("{name}-{kind}"), &input);
            }
            let json = example.value.as_deref().unwrap();
            let first = (source.index() as u8) << 2 | 1;
            write(
                "frame",
                &format!("{name}-json"),
                &[&[first], &framing::frame(7)[..], json].concat(),
            );
            write("envelope", name, &enveloped(source, random.random()));
        }
        let states = states(&example.record());
        for (at, state) in states.iter().enumerate() {
            write("state", &format!("{name}-{at}"), state);
        }
    }
}

fn in_avro(json: &Option<Vec<u8>>, schema: &str) -> Option<Vec<u8>> {
    let evolved = Evolved::of(schema, Evolution::default(), &mut StdRng::seed_from_u64(1));
    evolved_value(json, &evolved)
}

fn evolved_value(json: &Option<Vec<u8>>, evolved: &Evolved) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(json.as_deref()?).ok()?;
    let json: Value = strict::read(text, Plain).ok()?;
    let schema = Schema::parse_str(&evolved.text).unwrap();
    let value = evolved.value(Some(&json), &schema)?;
    let body = avro_evolution::written(&schema, value);
    assert!(avro_evolution::read(&schema, None, &body).is_some());
    Some(body)
}

/// The states of the customers that a valid record speaks of.
fn states(record: &RawRecord<'_>) -> Vec<Vec<u8>> {
    let contributions = match source::judge(record, &Config::default()).verdict {
        Verdict::Valid(contribution) => vec![contribution],
        Verdict::Batch { elements, .. } => elements
            .into_iter()
            .map(|element| element.contribution)
            .collect(),
        Verdict::Rejected(_) | Verdict::Nothing => Vec::new(),
    };
    let states = contributions.into_iter().map(|contribution| {
        let mut customer = Customer::default();
        customer.join(contribution.data, Keep::of(&Config::default()));
        let mut state = Vec::new();
        customer.encode(&mut state);
        state
    });
    states.collect()
}

/// The headers of a forwarded record, in the form of the target `envelope`.
fn enveloped(source: Source, offset: u32) -> Vec<u8> {
    let origin = Origin {
        source,
        topic: "input".to_owned(),
        partition: 3,
        offset: offset.into(),
        timestamp: Some(examples::TIMESTAMP),
        key: Some(b"c\xff".to_vec()),
        omitted: Omitted::default(),
    };
    let mut bytes = b"\x0dtrace\x011\x0dempty\xff".to_vec();
    for (name, value) in origin.wrap(&[]) {
        let value = value.unwrap();
        let names = ["source", "topic", "partition", "offset", "timestamp", "key"];
        let at = names.iter().position(|one| name.ends_with(one)).unwrap();
        bytes.extend([at as u8, value.len() as u8]);
        bytes.extend(value);
    }
    bytes
}
