//! Runs the tests in a definition: each record is judged under the default settings and folded alone, and what comes of
//! it is compared with what the test says (docs/contract.md, section 9).

use std::sync::Arc;

use serde_json::Value;

use super::OfflineFold;
use crate::config::{Config, SourceConfig, Sources};
use crate::definition::{Expected, Plan, Test};
use crate::model::record::{Code, DeclaredSource, Header, RawRecord, Rejection, Source};
use crate::source::framing::Payload;

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The line of the definition at which the test begins.
    pub line: usize,
    /// None if the test holds.
    pub differences: Vec<Difference>,
}

/// Something that is not as the test says. The records of tests are the definition's own, so values may be quoted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// In the snapshot, or in the record for a violation.
    pub pointer: String,
    pub message: String,
}

impl Difference {
    fn new(pointer: &str, message: impl Into<String>) -> Difference {
        Difference {
            pointer: pointer.to_owned(),
            message: message.into(),
        }
    }
}

/// The configuration by which a definition is tested: the defaults, with this source alone.
pub fn config_of(source: DeclaredSource, plan: &Arc<Plan>) -> Config {
    let mut sources: Sources = [].into_iter().collect();
    sources.declare(source, SourceConfig::default(), Arc::clone(plan));
    Config {
        sources,
        ..Config::default()
    }
}

/// Runs all tests of a definition in their order. `source` is the name that snapshots show.
pub fn run(source: DeclaredSource, plan: &Arc<Plan>) -> Vec<Outcome> {
    let config = config_of(source, plan);
    let tests = plan.definition.tests.iter();
    tests
        .map(|test| Outcome {
            line: test.line,
            differences: differences(test, source, &config),
        })
        .collect()
}

fn differences(test: &Test, source: DeclaredSource, config: &Config) -> Vec<Difference> {
    let record = RawRecord {
        source: Source::Declared(source),
        timestamp: test.timestamp,
        key: test.key.as_deref().map(str::as_bytes),
        value: test.record.as_deref().map(str::as_bytes),
    };
    let payload = record.value.map_or(Payload::Null, Payload::Json);
    let headers: Vec<Header<'_>> = test
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
        .collect();
    let mut fold = OfflineFold::new(config);
    let rejections = fold.opened(&record, &payload, &headers);
    let snapshots = || -> Vec<Value> {
        let texts = fold.snapshots().filter_map(|(_, text)| text);
        texts
            .filter_map(|text| serde_json::from_slice(&text).ok())
            .collect()
    };
    match (&test.expected, rejections.as_slice()) {
        (Expected::Rejected { code, pointers }, _) => of_rejection(*code, pointers, &rejections),
        (_, [_, ..]) => rejections.iter().flat_map(rejected).collect(),
        (Expected::Nothing, []) => snapshots()
            .iter()
            .map(|shown| {
                Difference::new(
                    "",
                    format!("expected nothing to show, found {}", cut(shown)),
                )
            })
            .collect(),
        (Expected::Snapshot(expected), []) => of_snapshots(expected, &snapshots()),
    }
}

/// The rejections must be one of this code whose violations have these pointers; without pointers any.
fn of_rejection(code: Code, pointers: &[String], rejections: &[Rejection]) -> Vec<Difference> {
    let Some(rejection) = rejections.first() else {
        let message = format!("expected a rejection with {}, found none", code.name());
        return vec![Difference::new("", message)];
    };
    let mut differences = Vec::new();
    if rejection.code != code {
        let message = format!(
            "expected the code {}, found {}",
            code.name(),
            rejection.code.name()
        );
        differences.push(Difference::new("", message));
    }
    let found: Vec<&str> = rejection
        .violations
        .iter()
        .map(|violation| violation.pointer.as_str())
        .collect();
    if !pointers.is_empty() {
        for missing in pointers.iter().filter(|one| !found.contains(&one.as_str())) {
            differences.push(Difference::new(missing, "expected a violation, found none"));
        }
        let violations = rejection.violations.iter();
        differences.extend(
            violations
                .filter(|violation| !pointers.contains(&violation.pointer))
                .map(|violation| {
                    let message = format!("expected no violation, found {}", violation.message);
                    Difference::new(&violation.pointer, message)
                }),
        );
    } else if rejection.code != code {
        differences.extend(rejected(rejection));
    }
    differences
}

/// A rejection where none was expected.
fn rejected(rejection: &Rejection) -> Vec<Difference> {
    let code = rejection.code.name();
    if rejection.violations.is_empty() {
        let message = format!("it is rejected with {code}: {}", rejection.message);
        return vec![Difference::new("", message)];
    }
    let violations = rejection.violations.iter();
    violations
        .map(|violation| {
            let message = format!("it is rejected with {code}: {}", violation.message);
            Difference::new(&violation.pointer, message)
        })
        .collect()
}

/// Of a batch any of the snapshots may be the expected one.
fn of_snapshots(expected: &Value, snapshots: &[Value]) -> Vec<Difference> {
    let all = snapshots.iter().map(|found| {
        let mut differences = Vec::new();
        compare(expected, found, &mut String::new(), &mut differences);
        differences
    });
    let nearest = all.min_by_key(Vec::len);
    nearest.unwrap_or_else(|| {
        vec![Difference::new(
            "",
            "expected a snapshot, found nothing to show",
        )]
    })
}

/// Adds what of `expected` is not in `found`. An object may have further members, a list no further elements; a null
/// stands for a member that is not there.
fn compare(expected: &Value, found: &Value, pointer: &mut String, out: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, expected) in expected {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                match found.get(name) {
                    Some(found) => compare(expected, found, pointer, out),
                    None if expected.is_null() => {}
                    None => {
                        let message = format!("expected {}, found nothing", cut(expected));
                        out.push(Difference::new(pointer, message));
                    }
                }
                pointer.truncate(length);
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            if expected.len() != found.len() {
                let message = format!(
                    "expected {} elements, found {}",
                    expected.len(),
                    found.len()
                );
                out.push(Difference::new(pointer, message));
            }
            for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                let length = pointer.len();
                pointer.push_str(&format!("/{at}"));
                compare(expected, found, pointer, out);
                pointer.truncate(length);
            }
        }
        (expected, found) if is_equal(expected, found) => {}
        (expected, found) => {
            let message = format!("expected {}, found {}", cut(expected), cut(found));
            out.push(Difference::new(pointer, message));
        }
    }
}

/// 1 and 1.0 are the same.
fn is_equal(one: &Value, other: &Value) -> bool {
    let is_same_number = || one.as_f64().is_some() && one.as_f64() == other.as_f64();
    let are_whole = one.is_i64() && other.is_i64() || one.is_u64() && other.is_u64();
    one == other || (!are_whole && is_same_number())
}

/// The text of a value, shortened.
fn cut(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(expected: Value, found: Value) -> Vec<(String, String)> {
        let differences = of_snapshots(&expected, &[found]);
        let pairs = differences.into_iter();
        pairs.map(|one| (one.pointer, one.message)).collect()
    }

    #[test]
    fn an_expected_snapshot_is_contained_in_the_found_one() {
        let found = json!({"a": 1, "b": [{"c": "x", "d": 2}], "e": {"f": null}});
        for contained in [
            json!({}),
            json!({"a": 1.0}),
            json!({"b": [{"c": "x"}]}),
            json!({"e": {"f": null, "g": null}}),
            json!({"not there": null}),
        ] {
            assert_eq!(compared(contained, found.clone()), []);
        }
        let pair = |pointer: &str, message: &str| (pointer.to_owned(), message.to_owned());
        for (expected, difference) in [
            (json!({"a": null}), pair("/a", "expected null, found 1")),
            (json!({"a": "1"}), pair("/a", "expected \"1\", found 1")),
            (json!({"a": 2}), pair("/a", "expected 2, found 1")),
            (
                json!({"x/y~": {"z": 1}}),
                pair("/x~1y~0", "expected {\"z\":1}, found nothing"),
            ),
            (json!({"b": []}), pair("/b", "expected 0 elements, found 1")),
            (
                json!({"b": [{"d": 3}]}),
                pair("/b/0/d", "expected 3, found 2"),
            ),
        ] {
            assert_eq!(compared(expected, found.clone()), [difference]);
        }
    }

    #[test]
    fn of_several_snapshots_the_nearest_counts() {
        let found = [json!({"a": 1, "b": 1}), json!({"a": 2, "b": 2})];
        assert_eq!(of_snapshots(&json!({"a": 2, "b": 2}), &found), []);
        assert_eq!(of_snapshots(&json!({"a": 2, "b": 3}), &found).len(), 1);
        assert_eq!(of_snapshots(&json!({}), &[]).len(), 1);
    }

    #[test]
    fn a_rejection_has_the_code_and_the_pointers() {
        let violation = |pointer: &str| {
            crate::model::record::Violation::semantic(pointer.to_owned(), Code::BlankId)
        };
        let found = [Rejection::with_violations(
            Code::BlankId,
            vec![violation("/a"), violation("/b")],
        )];
        let of = |code, pointers: &[&str]| {
            let pointers: Vec<String> = pointers.iter().map(ToString::to_string).collect();
            let differences = of_rejection(code, &pointers, &found).into_iter();
            differences.map(|one| one.pointer).collect::<Vec<_>>()
        };
        assert!(of(Code::BlankId, &[]).is_empty());
        assert!(of(Code::BlankId, &["/b", "/a"]).is_empty());
        assert_eq!(of(Code::BlankId, &["/a"]), ["/b"]);
        assert_eq!(of(Code::BlankId, &["/a", "/b", "/c"]), ["/c"]);
        assert_eq!(of(Code::CountryCode, &["/a", "/b"]), [""]);
        assert_eq!(of(Code::CountryCode, &[]), ["", "/a", "/b"]);
        assert_eq!(of_rejection(Code::BlankId, &[], &[]).len(), 1);
    }
}
