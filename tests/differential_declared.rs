//! The preset `loyalty-customers` says what the built-in source of that name says. Both must come to the same verdicts,
//! and fold to the same snapshots but for the name of the source: on all examples, on a generated stream, and on
//! mutations.

use keyfold::config::{Config, RuleAction, SourceConfig, Tombstone};
use keyfold::definition;
use keyfold::fold::OfflineFold;
use keyfold::model::record::{Code, DeclaredSource, RawRecord, Source, Violation};
use keyfold::source::{self, Verdict};
use keyfold_generate::{Generator, Options, Shares};
use keyfold_harness::{byte_mutations, examples, json_mutations, random_documents};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

/// The name under which the preset runs.
const NAME: &str = "preset";

struct Pair {
    built_in: Config,
    declared: Config,
    source: Source,
}

impl Pair {
    fn new(rules: &[(Code, RuleAction)]) -> Pair {
        let mut built_in = Config::default();
        // the two states differ in size
        built_in.validation.max_state_bytes = 1 << 40;
        for (code, action) in rules {
            built_in.validation.rules.set(*code, *action);
        }
        let mut declared = built_in.clone();
        let source = DeclaredSource::new(NAME);
        let settings = SourceConfig {
            topics: vec![NAME.to_owned()],
            tombstone: Tombstone::Erase,
            ..SourceConfig::default()
        };
        let plan = definition::load("preset:loyalty-customers", |file| Err(file.to_owned()));
        declared
            .sources
            .declare(source, settings, plan.expect("the preset is valid"));
        Pair {
            built_in,
            declared,
            source: Source::Declared(source),
        }
    }

    /// Holds the two verdicts on a record against each other. Says whether the record is valid.
    fn compare(&self, record: &RawRecord<'_>) -> bool {
        let declared = RawRecord {
            source: self.source,
            ..*record
        };
        let expected = Said::of(source::judge(record, &self.built_in));
        let found = Said::of(source::judge(&declared, &self.declared));
        assert_eq!(found, expected, "{}", shown(record));
        expected.code.is_none()
    }

    /// Compares the verdicts on a record, and what it alone folds to.
    fn compare_alone(&self, record: &RawRecord<'_>) -> bool {
        let is_valid = self.compare(record);
        if is_valid {
            let mut folds = self.folds();
            folds.record(record, self.source);
            folds.compare();
        }
        is_valid
    }

    fn folds(&self) -> Folds<'_> {
        Folds {
            built_in: OfflineFold::new(&self.built_in),
            declared: OfflineFold::new(&self.declared),
        }
    }
}

fn shown(record: &RawRecord<'_>) -> String {
    let text =
        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!(
        "{:?} {:?} {:?}",
        record.timestamp,
        text(record.key),
        text(record.value)
    )
}

/// What is compared of a verdict.
#[derive(Debug, PartialEq)]
struct Said {
    code: Option<Code>,
    violations: Vec<(String, String)>,
    warnings: Vec<(String, String)>,
    customer: Option<String>,
}

impl Said {
    fn of(judged: source::Judged<'_>) -> Said {
        let places = |violations: &[Violation]| {
            let violations = violations.iter();
            violations
                .map(|one| (one.pointer.clone(), one.keyword.to_owned()))
                .collect()
        };
        let warnings = places(&judged.warnings);
        let (code, violations, customer) = match judged.verdict {
            Verdict::Valid(contribution) => (None, Vec::new(), Some(contribution.customer)),
            Verdict::Rejected(rejection) => {
                (Some(rejection.code), places(&rejection.violations), None)
            }
            Verdict::Nothing | Verdict::Batch { .. } => panic!("an event is of one customer"),
        };
        Said {
            code,
            violations,
            warnings,
            customer,
        }
    }
}

/// The folds of the same records as records of the one source and of the other.
struct Folds<'c> {
    built_in: OfflineFold<'c>,
    declared: OfflineFold<'c>,
}

impl Folds<'_> {
    fn record(&mut self, record: &RawRecord<'_>, declared: Source) {
        let expected = self.built_in.record(record);
        let found = self.declared.record(&RawRecord {
            source: declared,
            ..*record
        });
        assert_eq!(found.len(), expected.len(), "{}", shown(record));
        assert_eq!(self.declared.outlived(), self.built_in.outlived());
    }

    /// Compares all snapshots, byte for byte, and says how many there are.
    fn compare(&self) -> usize {
        let mut found = self.declared.snapshots();
        let mut count = 0;
        for (id, expected) in self.built_in.snapshots() {
            let (same, snapshot) = found.next().expect("a customer is missing");
            assert_eq!(same, id);
            let snapshot = snapshot.map(|text| renamed(&text));
            let expected = expected.map(|text| String::from_utf8(text).unwrap());
            assert_eq!(snapshot, expected);
            count += usize::from(expected.is_some());
        }
        assert!(found.next().is_none());
        count
    }
}

/// A snapshot of the declared source as the built-in one has it: with its name, and without what only a declared source
/// shows. No text in it can look like this, for it has its quotes escaped.
fn renamed(snapshot: &[u8]) -> String {
    let text = String::from_utf8(snapshot.to_vec()).unwrap();
    let text = text.replace(
        r#"{"source":"preset","addressId":"#,
        r#"{"source":"loyalty","addressId":"#,
    );
    let text = text.replace(r#"{"source":"preset","dependentId":"#, r#"{"dependentId":"#);
    let text = text.replace(r#""sources":{"preset":"#, r#""sources":{"loyalty":"#);
    let (before, sources) = text.rsplit_once(r#""sources":"#).unwrap();
    let sources = sources.replacen(r#","rank":0,"#, ",", 1);
    let sources = sources.replacen(r#","rank":1,"#, ",", 1);
    format!(r#"{before}"sources":{sources}"#)
}

/// The examples of the built-in source.
fn loyalty(kind: &str) -> Vec<examples::Example> {
    let examples = examples::all(kind).into_iter();
    examples
        .filter(|example| example.source == Source::LoyaltyCustomers)
        .collect()
}

fn all_examples() -> Vec<examples::Example> {
    [loyalty("valid"), loyalty("invalid")]
        .into_iter()
        .flatten()
        .collect()
}

/// The semantic rules set to something else than their defaults.
fn other_rules(action: RuleAction) -> Vec<(Code, RuleAction)> {
    let codes = Code::SEMANTIC.into_iter();
    codes.map(|code| (code, action)).collect()
}

fn pairs() -> Vec<Pair> {
    let actions = [RuleAction::Reject, RuleAction::Warn, RuleAction::Off];
    let mut pairs = vec![Pair::new(&[])];
    pairs.extend(actions.map(|action| Pair::new(&other_rules(action))));
    pairs
}

#[test]
fn examples_get_one_verdict() {
    for pair in pairs() {
        for example in all_examples() {
            pair.compare_alone(&example.record());
        }
    }
}

#[test]
fn examples_of_other_sources_get_one_verdict() {
    let pair = Pair::new(&[]);
    for example in ["valid", "invalid"].into_iter().flat_map(examples::all) {
        pair.compare_alone(&RawRecord {
            source: Source::LoyaltyCustomers,
            ..example.record()
        });
    }
}

fn of_value(value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        source: Source::LoyaltyCustomers,
        timestamp: Some(examples::TIMESTAMP),
        key: None,
        value: Some(value),
    }
}

/// The values of the examples that are JSON.
fn documents() -> Vec<Value> {
    let examples = all_examples().into_iter();
    examples
        .filter_map(|example| serde_json::from_slice(example.value.as_deref()?).ok())
        .collect()
}

#[test]
fn mutated_examples_get_one_verdict() {
    let pair = Pair::new(&other_rules(RuleAction::Warn));
    let (mut count, mut valid) = (0, 0);
    for document in documents() {
        for mutated in json_mutations::all(&document) {
            let text = mutated.to_string();
            count += 1;
            valid += usize::from(pair.compare_alone(&of_value(text.as_bytes())));
        }
    }
    assert!(count > 20_000 && valid > 1_000, "{count}, {valid} valid");
}

#[test]
fn mutated_dates_get_one_verdict() {
    let pair = Pair::new(&[]);
    let mut count = 0;
    for example in loyalty("valid") {
        if example.name.ends_with("/source-example") {
            let document = serde_json::from_slice(example.value.as_deref().unwrap()).unwrap();
            for mutated in json_mutations::dates(&document) {
                pair.compare_alone(&of_value(mutated.to_string().as_bytes()));
                count += 1;
            }
        }
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn repeated_fields_get_one_verdict() {
    let pair = Pair::new(&[]);
    let schema = random_documents::schema(Source::LoyaltyCustomers);
    for document in documents() {
        for (text, _) in json_mutations::repeated_fields(&document, &schema) {
            pair.compare(&of_value(text.as_bytes()));
        }
    }
}

#[test]
fn random_documents_get_one_verdict() {
    let pair = Pair::new(&[]);
    let schema = random_documents::schema(Source::LoyaltyCustomers);
    for seed in 0..10_000 {
        let text = random_documents::document(&schema, seed).to_string();
        pair.compare_alone(&of_value(text.as_bytes()));
    }
}

#[test]
fn mutated_bytes_get_one_verdict() {
    let pair = Pair::new(&[]);
    let mut random = StdRng::seed_from_u64(1);
    let values: Vec<Vec<u8>> = all_examples()
        .into_iter()
        .filter_map(|example| example.value)
        .filter(|value| value.len() < 4_000)
        .collect();
    for round in 0..20 {
        for (at, value) in values.iter().enumerate() {
            let other = &values[(at + 1 + round) % values.len()];
            let mutated = byte_mutations::mutated(value, other, &mut random);
            pair.compare(&of_value(&mutated));
        }
    }
}

/// How many records of the stream are compared: all of them where the tests are optimised, or as many as
/// `KEYFOLD_TEST_RECORDS` says.
fn records() -> usize {
    let asked = std::env::var("KEYFOLD_TEST_RECORDS");
    match asked.ok().and_then(|number| number.parse().ok()) {
        Some(asked) => asked,
        None if cfg!(debug_assertions) => 20_000,
        None => 200_000,
    }
}

/// A stream with late, repeated and bad records and with null values, of few customers, so that much is folded.
#[test]
fn a_generated_stream_folds_to_the_same_snapshots() {
    let pair = Pair::new(&[]);
    let mut folds = pair.folds();
    let options = Options {
        seed: 17,
        customers: 3_000,
        invalid: 0.05,
        late: 0.1,
        null: 0.02,
        shares: Shares {
            loyalty_customers: 1.0,
            loyalty_actions: 0.0,
            console_customers: 0.0,
            publisher_customers: 0.0,
        },
        ..Options::default()
    };
    let (mut valid, mut rejected) = (0, 0);
    for record in Generator::new(options).take(records()) {
        let record = RawRecord {
            source: Source::LoyaltyCustomers,
            timestamp: Some(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        match pair.compare(&record) {
            true => valid += 1,
            false => rejected += 1,
        }
        folds.record(&record, pair.source);
    }
    let snapshots = folds.compare();
    assert!(
        valid > 20 * snapshots / 10 && rejected > 100 && snapshots > 500,
        "{valid} valid, {rejected} rejected, {snapshots} snapshots"
    );
}
