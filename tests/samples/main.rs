//! Records that are made of definitions (`keyfold generate --definition`): of every preset and every example all are
//! valid, or as many as asked for are not, and every field that a definition maps comes to be shown.

mod demanding;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use keyfold::config::Config;
use keyfold::definition::{self, ElementField, Plan, Tells};
use keyfold::fold::OfflineFold;
use keyfold::fold::examples::config_of;
use keyfold::model::record::{DeclaredSource, Header, RawRecord, Source};
use keyfold::sample::Samples;
use keyfold::source::framing::Payload;
use keyfold_generate::{GeneratedRecord, Kind, Options, OwnGenerator};
use serde_json::Value as Json;

use demanding::DEMANDING;

const RECORDS: usize = 5_000;
/// Of these a share has faults, which is slow to make.
const FAULTY: usize = 1_000;

/// Every definition that comes with keyfold.
fn definitions() -> Vec<String> {
    let presets = definition::presets::PRESETS.iter();
    let presets = presets.map(|preset| format!("preset:{}", preset.name));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let examples = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path().to_str().unwrap().to_owned();
        (path.ends_with(".toml") && !path.ends_with("keyfold.toml")).then_some(path)
    });
    presets.chain(examples).collect()
}

fn plan(definition: &str) -> Arc<Plan> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    definition::load(definition, read).unwrap()
}

/// A definition that a test writes, with its schema.
fn written(text: &str, schema: &str) -> Arc<Plan> {
    let read = |path: &str| match path {
        "own.toml" => Ok(text.to_owned()),
        "own.json" => Ok(schema.to_owned()),
        other => Err(format!("{other}?")),
    };
    definition::load("own.toml", read).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn source() -> DeclaredSource {
    DeclaredSource::new("made")
}

fn config(plan: &Arc<Plan>) -> Arc<Config> {
    Arc::new(config_of(source(), plan))
}

fn samples(plan: &Arc<Plan>) -> Result<Samples, Vec<String>> {
    Samples::new(Source::Declared(source()), config(plan))
}

type Made = (GeneratedRecord<()>, Kind);

fn made(plan: &Arc<Plan>, options: &Options, count: usize) -> Vec<Made> {
    let samples = samples(plan).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let mut stream = OwnGenerator::new(options, samples);
    (0..count).map(|_| stream.next_with_kind()).collect()
}

/// A fold of records, and how many of them were rejected.
fn folded<'c>(config: &'c Config, records: &[Made]) -> (OfflineFold<'c>, usize, Vec<String>) {
    let mut fold = OfflineFold::new(config);
    let mut rejected = 0;
    let mut wrong = Vec::new();
    for (record, kind) in records {
        let raw = RawRecord {
            source: Source::Declared(source()),
            timestamp: Some(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        let payload = raw.value.map_or(Payload::Null, Payload::Json);
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_slice())))
            .collect();
        let rejections = fold.opened(&raw, &payload, &headers);
        rejected += usize::from(!rejections.is_empty());
        if rejections.is_empty() == matches!(kind, Kind::Invalid(_)) {
            let text = String::from_utf8_lossy(raw.value.unwrap_or_default()).into_owned();
            wrong.push(format!("{kind:?} {rejections:?} {text}"));
        }
    }
    (fold, rejected, wrong)
}

/// The names of all fields that snapshots show.
fn shown(fold: &OfflineFold<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, snapshot) in fold.snapshots() {
        let Some(text) = snapshot else { continue };
        let Json::Object(snapshot) = serde_json::from_slice(&text).unwrap() else {
            panic!("a snapshot is an object");
        };
        for (name, value) in snapshot {
            match (name.as_str(), value) {
                (list, Json::Array(elements)) => {
                    let elements = elements.iter().filter_map(Json::as_object);
                    let fields = elements.flat_map(|element| element.keys());
                    names.extend(fields.map(|field| format!("{list}.{field}")));
                }
                ("attributes", Json::Object(all)) => {
                    names.extend(all.keys().map(|name| format!("attributes.{name}")));
                }
                (name, _) => {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

/// The names of all fields that a definition maps.
fn mapped(plan: &Plan) -> Vec<String> {
    let Tells::Customer {
        scalars,
        attribute,
        lists,
        ..
    } = &plan.definition.tells
    else {
        return vec!["actions".to_owned()];
    };
    let mut names: Vec<String> = scalars
        .iter()
        .map(|(scalar, _)| scalar.name().to_owned())
        .collect();
    names.extend(
        attribute
            .iter()
            .map(|(name, _)| format!("attributes.{name}")),
    );
    for table in lists {
        let list = format!("{:?}", table.list).to_lowercase();
        names.extend(
            table
                .fields
                .iter()
                .map(|(field, _)| format!("{list}.{}", field_name(*field))),
        );
    }
    names
}

fn field_name(field: ElementField) -> String {
    match field {
        ElementField::PhoneType | ElementField::DependentType => "type".to_owned(),
        ElementField::PhoneCountry => "country".to_owned(),
        field => {
            let name = format!("{field:?}");
            name[..1].to_lowercase() + &name[1..]
        }
    }
}

/// What is wrong with 5,000 records of a definition.
fn problems_of(plan: &Arc<Plan>) -> Vec<String> {
    let mut problems = Vec::new();
    let config = config(plan);
    let valid = Options {
        invalid: 0.0,
        customers: 300,
        ..Options::default()
    };
    let (fold, rejected, mut wrong) = folded(&config, &made(plan, &valid, RECORDS));
    if rejected > 0 {
        problems.push(format!("{rejected} rejected"));
    }
    let shown = shown(&fold);
    let missing = mapped(plan)
        .into_iter()
        .filter(|name| !shown.contains(name));
    problems.extend(missing.map(|name| format!("{name} is never shown")));
    let faulty = Options {
        invalid: 0.2,
        ..valid
    };
    let records = made(plan, &faulty, FAULTY);
    let (_, rejected, more) = folded(&config, &records);
    wrong.extend(more);
    if !(FAULTY * 15 / 100..FAULTY * 25 / 100).contains(&rejected) {
        problems.push(format!("{rejected} rejected of a share of 0.2"));
    }
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, kind) in &records {
        if let Kind::Invalid(name) = kind {
            *faults.entry(name).or_default() += 1;
        }
    }
    if faults.len() < 6 {
        problems.push(format!("few kinds of faults: {faults:?}"));
    }
    problems.extend(wrong.into_iter().take(3));
    problems
}

#[test]
fn what_comes_with_keyfold_gets_valid_records() {
    let mut wrong = Vec::new();
    let definitions = definitions();
    assert!(definitions.len() >= 6, "{definitions:?}");
    for definition in definitions {
        let problems = problems_of(&plan(&definition));
        wrong.extend(
            problems
                .into_iter()
                .map(|problem| format!("{definition}: {problem}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands before the fields of the definitions below.
const HEAD: &str = "schema = \"own.json\"\ncustomer_id = \"/id\"\nupdated_at = \"/at\"\n";

#[test]
fn demanding_definitions_get_valid_records() {
    let mut wrong = Vec::new();
    for (name, text, schema) in DEMANDING {
        let problems = problems_of(&written(text, schema));
        wrong.extend(
            problems
                .into_iter()
                .map(|problem| format!("{name}: {problem}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_made_is_named() {
    for (fields, schema, message) in [
        (
            "firstName = \"/name\"",
            r#"{"properties": {"name": {"type": "object"}}}"#,
            "`/name`: it must be a text or a whole number",
        ),
        (
            "dateOfBirth = \"/born\"",
            r#"{"properties": {"born": {"type": "integer"}}}"#,
            "`/born`: it must be a time in a text",
        ),
        (
            "smsOptIn = \"/sms\"",
            r#"{"properties": {"sms": {"enum": ["yes", "no"]}}}"#,
            "`/sms`: no value is taken by all that looks at it",
        ),
        (
            "firstName = \"/a/b\"",
            r#"{"additionalProperties": false, "properties": {"a": {}}}"#,
            "`/at`: it must be there, but its schema forbids it",
        ),
        (
            "firstName = \"/name\"",
            r#"{"properties": {"name": {"type": "string", "not": {"minLength": 1}}}}"#,
            "`/name`: values that are made are rejected with schema_violation",
        ),
        (
            "firstName = \"/name\"",
            r##"{"properties": {"parent": {"$ref": "#"}}, "required": ["parent"], "type": "object"}"##,
            "it would be nested too deep",
        ),
    ] {
        let plan = written(&format!("{HEAD}[fields]\n{fields}\n"), schema);
        let problems = samples(&plan).err().unwrap_or_default();
        let is_told = problems.iter().any(|problem| problem.contains(message));
        assert!(is_told, "{schema}: {problems:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_records() {
    let plan = plan("preset:shopify-customer");
    let make = |seed| {
        let options = Options {
            seed,
            invalid: 0.1,
            ..Options::default()
        };
        made(&plan, &options, 500)
    };
    assert_eq!(make(7), make(7));
    assert_ne!(make(7), make(8));
}
