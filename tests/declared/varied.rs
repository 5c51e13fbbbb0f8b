//! Random cases reach the corners that they are for.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::oracle::{self, Verdict};
use crate::strategies::case;

#[test]
fn cases_are_varied() {
    let mut runner = TestRunner::deterministic();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: &str| *found.entry(what.to_owned()).or_default() += 1;
    for _ in 0..400 {
        let case = case().new_tree(&mut runner).unwrap().current();
        for record in case.declared() {
            let judged = oracle::judge(&case.definitions[record.source], record);
            if !judged.warnings.is_empty() {
                count("warnings");
            }
            let rejection = match judged.verdict {
                Verdict::Nothing => {
                    count("nothing");
                    continue;
                }
                Verdict::Valid(_) => {
                    count("valid");
                    continue;
                }
                Verdict::Rejected(rejection) => Some(rejection),
                Verdict::Batch { rejection, .. } => {
                    count("batch");
                    rejection
                }
            };
            let Some(rejection) = rejection else { continue };
            count(&rejection.code);
            for (_, keyword) in rejection.violations {
                count(&keyword);
            }
        }
        for snapshot in oracle::fold(&case.definitions, &case.events, &case.settings).values() {
            let Some(snapshot) = snapshot else {
                count("null snapshot");
                continue;
            };
            count("snapshot");
            for needle in [
                r#""addresses":[{"source":"a-shop""#,
                r#""phones":[{"source":"a-shop""#,
                r#""dependents":[{"source":"a-shop""#,
                r#""country":"#,
                r#""attributes":{""#,
                r#""status":"#,
                r#""smsOptIn":"#,
                r#""recent":[{"source""#,
                r#""order placed":"#,
                r#""rank":"#,
                r#""console":{"#,
                r#""crm":{"#,
                r#""dateOfBirth":"#,
                r#""truncated":true"#,
                r#""firstTouch""#,
            ] {
                if snapshot.contains(needle) {
                    count(needle);
                }
            }
        }
    }
    eprintln!("{found:#?}");
    for what in [
        "valid",
        "nothing",
        "batch",
        "warnings",
        "required",
        "type",
        "format",
        "enum",
        "map",
        "blank_id",
        "future_timestamp",
        "no_timestamp",
        "country_code",
        "created_after_updated",
        "duplicate_element",
        "null_value",
        "null snapshot",
        r#""phones":[{"source":"a-shop""#,
        r#""dependents":[{"source":"a-shop""#,
        r#""recent":[{"source""#,
        r#""order placed":"#,
        r#""rank":"#,
        r#""crm":{"#,
        r#""truncated":true"#,
    ] {
        assert!(found.get(what).is_some_and(|n| *n > 4), "too few of {what}");
    }
}
