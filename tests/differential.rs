//! The typed reading and the JSON Schema are two readings of one format. They must come to the same verdict, here
//! on mutated examples and on random documents that follow the schema loosely.

use keyfold::config::Config;
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{Code, RawRecord, Rejection, Source, Stage};
use keyfold::source::{
    self, Verdict, console_customers, loyalty_actions, loyalty_customers, publisher_customers,
};
use keyfold_harness::{examples, json_mutations, random_documents};
use serde_json::Value;
use serde_json::value::RawValue;

/// Whether the typed reading takes a text.
fn typed(source: Source, text: &str) -> bool {
    match source {
        Source::LoyaltyCustomers => {
            strict::read(text, Plain::<loyalty_customers::EventWire>).is_ok()
        }
        Source::LoyaltyActions => strict::read(text, Plain::<loyalty_actions::EventWire>).is_ok(),
        Source::ConsoleCustomers => {
            strict::read(text, Plain::<console_customers::CustomerWire>).is_ok()
        }
        Source::PublisherCustomers => {
            let element = |raw: &&RawValue| {
                strict::read(raw.get(), Plain::<publisher_customers::CustomerWire>).is_ok()
            };
            strict::read(text, Plain::<publisher_customers::BatchWire>)
                .is_ok_and(|batch| batch.customers.iter().all(element))
        }
        Source::Declared(_) => unreachable!("only the built-in sources have typed readings"),
    }
}

fn judged(source: Source, text: &str) -> Option<Rejection> {
    let record = RawRecord {
        source,
        timestamp: Some(examples::TIMESTAMP),
        key: None,
        value: Some(text.as_bytes()),
    };
    match source::judge(&record, &Config::default()).verdict {
        Verdict::Valid(_) | Verdict::Nothing => None,
        Verdict::Batch { rejection, .. } => rejection,
        Verdict::Rejected(rejection) => Some(rejection),
    }
}

/// A well-formed text as a value, nested as deep as is allowed (docs/contract.md, section 2).
fn parsed(text: &str) -> Option<Value> {
    strict::check(text).ok()?;
    strict::read(text, Plain::<Value>).ok()
}

/// Holds the two readings of a value against each other.
fn compare(source: Source, value: &Value) {
    compare_text(source, &serde_json::to_string(value).unwrap());
}

/// Holds the two readings of a text against each other, and the verdict against both. What is nested too deep is
/// out of the schema's reach.
fn compare_text(source: Source, text: &str) {
    let Some(value) = parsed(text) else {
        let code = judged(source, text).map(|rejection| rejection.code);
        assert_eq!(code, Some(Code::InvalidJson), "{text}");
        return;
    };
    let accepted = source::schema::of(source).unwrap().accepts(&value);
    assert_eq!(
        typed(source, text),
        accepted,
        "{source}, schema first: {text}"
    );

    let rejection = judged(source, text);
    if accepted {
        let stage = rejection.map(|rejection| rejection.code.stage());
        assert!(matches!(stage, None | Some(Stage::Semantic)), "{text}");
        return;
    }
    let Some(rejection) = rejection else {
        panic!("{source} is let through: {text}");
    };
    assert!(!rejection.violations.is_empty(), "{text}");
    assert!(!rejection.message.contains("please report"), "{text}");
    if source == Source::PublisherCustomers {
        // its first bad element may break a semantic rule
        return;
    }
    assert_eq!(rejection.code, Code::SchemaViolation, "{text}");
    assert_eq!(listed(&rejection), in_one_go(source, &value), "{text}");
}

/// Pointer and keyword of what a rejection lists.
fn listed(rejection: &Rejection) -> Vec<(String, String)> {
    let violations = rejection.violations.iter();
    violations
        .map(|one| (one.pointer.clone(), one.keyword.to_owned()))
        .collect()
}

/// What a rejection must list, from one run of the whole schema over the whole value.
fn in_one_go(source: Source, value: &Value) -> Vec<(String, String)> {
    thread_local! {
        static VALIDATORS: [jsonschema::Validator; 4] = Source::BUILT_IN.map(|source| {
            let schema = random_documents::schema(source);
            jsonschema::options()
                .with_draft(jsonschema::Draft::Draft7)
                .should_validate_formats(true)
                .with_format("date", |text: &str| keyfold::model::time::Date::parse(text).is_some())
                .with_format("date-time", |text: &str| keyfold::model::time::Instant::parse(text).is_some())
                .build(&schema)
                .unwrap()
        });
    }
    VALIDATORS.with(|validators| {
        let errors = validators[source.index()].iter_errors(value);
        let mut all: Vec<(String, String)> = errors
            .map(|error| {
                (
                    error.instance_path().to_string(),
                    error.kind().keyword().to_owned(),
                )
            })
            .collect();
        all.sort();
        all.truncate(16);
        all
    })
}

/// The examples that are JSON.
fn documents() -> Vec<(Source, Value)> {
    let all = examples::all("valid").into_iter();
    all.chain(examples::all("invalid"))
        .filter(|example| {
            let decode = example
                .rejection
                .as_ref()
                .map(|verdict| verdict["stage"] == "decode");
            decode != Some(true)
        })
        .filter_map(|example| {
            let text = std::str::from_utf8(example.record().value?).unwrap();
            Some((example.source, parsed(text).unwrap()))
        })
        .collect()
}

#[test]
fn examples_get_one_verdict() {
    for (source, document) in documents() {
        compare(source, &document);
        // and what is an example of one source is a document to the others
        for other in Source::BUILT_IN {
            compare(other, &document);
        }
    }
}

#[test]
fn mutated_examples_get_one_verdict() {
    let mut count = 0;
    for (source, document) in documents() {
        for mutated in json_mutations::all(&document) {
            compare(source, &mutated);
            count += 1;
        }
    }
    assert!(count > 50_000, "{count} mutations");
}

#[test]
fn mutated_dates_get_one_verdict() {
    let mut count = 0;
    for example in examples::all("valid") {
        if !example.name.contains("source-") {
            continue;
        }
        let document: Value = serde_json::from_slice(example.value.as_deref().unwrap()).unwrap();
        for mutated in json_mutations::dates(&document) {
            compare(example.source, &mutated);
            count += 1;
        }
    }
    assert!(count > 5_000, "{count} mutations");
}

/// Numbers, and texts that are nearly numbers, as a version may be spelled.
const SPELLINGS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "1e3",
    "1E+3",
    "0.1e1",
    "1.5",
    "1.9999999999999999",
    "1.99999999999999",
    "0.9999999999999999",
    "0.99999999999999999999",
    "2",
    "-1",
    "1e-400",
    "1e308",
    "9007199254740993",
    "9007199254740993.0",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775807.0",
    "9223372036854774784.0",
    "9223372036854775808",
    "9223372036854775808.0",
    "9.223372036854775807e18",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "5e-324",
    "123456789012345678901234567890",
    "0.00000000000000000000000000000000001",
    "7.0e-0",
    r#""0""#,
    r#""-0""#,
    r#""+1""#,
    r#""1.0""#,
    r#""1e3""#,
    r#""9223372036854775807""#,
    r#""9223372036854775808""#,
    r#""09223372036854775807""#,
    r#""99999999999999999999""#,
    r#""00000000000000000000000000000000000007""#,
    r#""0000000000000000000009223372036854775808""#,
    r#""9999999999999999999""#,
    r#""922337203685477580""#,
    r#""1 ""#,
    r#""\n1""#,
    r#""1\n""#,
    r#""１""#,
    r#""٣""#,
    r#""""#,
    r#""\u0037""#,
];

/// Numbers are read from their text, which a document in memory no longer has.
#[test]
fn numbers_in_any_spelling_get_one_verdict() {
    for (source, document) in documents() {
        let text = serde_json::to_string(&document).unwrap();
        let Some(version) = text.find("\"version\":") else {
            continue;
        };
        let from = version + "\"version\":".len();
        let Some(length) = text[from..].find([',', '}']) else {
            continue;
        };
        for spelling in SPELLINGS {
            let mutated = format!("{}{spelling}{}", &text[..from], &text[from + length..]);
            compare_text(source, &mutated);
        }
    }
}

#[test]
fn random_documents_get_one_verdict() {
    for source in Source::BUILT_IN {
        let schema = random_documents::schema(source);
        let mut accepted = 0;
        for seed in 0..10_000 {
            let document = random_documents::document(&schema, seed);
            compare(source, &document);
            accepted += u32::from(source::schema::of(source).unwrap().accepts(&document));
        }
        // neither all good nor all bad, or the comparison is worth little
        assert!(
            (500..9_500).contains(&accepted),
            "{source}: {accepted} accepted"
        );
    }
}

/// A known field given twice is a matter of decoding, an unknown one is none.
#[test]
fn fields_given_twice_are_told_by_the_schema() {
    for (source, document) in documents() {
        if judged(source, &document.to_string()).is_some() {
            continue;
        }
        let schema = random_documents::schema(source);
        for (text, known) in json_mutations::repeated_fields(&document, &schema) {
            let code = judged(source, &text).map(|rejection| rejection.code);
            let expected = known.then_some(Code::DuplicateField);
            assert_eq!(code, expected, "{source}: {text}");
        }
    }
}
