//! Hostile records, and what must not matter.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::definition::ElementField;

fn rich() -> Definition {
    let mut addresses = table(ListName::Addresses, "/a", "/id");
    addresses.fields = vec![
        (ElementField::Line1, value("/s")),
        (ElementField::CountryCode, value("/c")),
    ];
    let mut definition = with_lists(vec![addresses]);
    if let Tells::Customer {
        scalars,
        attributes,
        attribute,
        ..
    } = &mut definition.tells
    {
        scalars.push((Scalar::FirstName, value("/n/first")));
        scalars.push((Scalar::SmsOptIn, value("/n/sms")));
        *attributes = Some(value("/x"));
        attribute.push(("first".to_owned(), value("/a/0")));
    }
    definition.rank = Some(value("/r"));
    definition
}

#[test]
fn a_mapped_name_is_given_once() {
    let definition = rich();
    let twice = |text: &str| said(&definition, text).unwrap_err();
    assert_eq!(twice(r#"{"id":"c","r":1,"r":1}"#), "duplicate_field");
    assert_eq!(twice(r#"{"id":"c","n":{},"n":null}"#), "duplicate_field");
    assert_eq!(
        twice(r#"{"id":"c","a":[{"s":1,"s":2}]}"#),
        "duplicate_field"
    );
    assert!(
        said(
            &definition,
            r#"{"id":"c","q":1,"q":2,"x":{"s":1,"s":2},"n":{"q":1,"q":1}}"#
        )
        .is_ok()
    );
    // What is not JSON is not judged further.
    assert_eq!(twice(r#"{"id":"c","r":1,"r":1"#), "invalid_json");
    let message = |text: &str| {
        with_judged(&definition, record(text), |judged| match judged.verdict {
            Verdict::Rejected(rejection) => rejection.message,
            other => panic!("{other:?}"),
        })
    };
    let text = message(r#"{"id":"c","a":[{},{"s":1,"s":2}]}"#);
    assert_eq!(
        text,
        "the known field \"s\" is given twice in one object: /a/1"
    );
}

#[test]
fn every_part_of_a_record_is_read_strictly() {
    let definition = rich();
    for bad in [
        "",
        "\u{feff}{}",
        r#"{"id":"c"} x"#,
        r#"{"id":"c","q":"\ud800"}"#,
        r#"{"id":"c","x":{"k":"\ud800"}}"#,
        r#"{"id":"c","q":1e999}"#,
        r#"{"id":"c","r":1e999}"#,
        r#"{"id":"c","r":{"k":1e999}}"#,
        r#"{"id":"c","a":[{"q":[1e999]}]}"#,
        r#"{"id":"c","x":{"k":-1e999}}"#,
    ] {
        assert_eq!(
            said(&definition, bad),
            Err("invalid_json".to_owned()),
            "{bad}"
        );
    }
    let nested = |depth: usize, name: &str| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        said(
            &definition,
            &format!(r#"{{"id":"c","{name}":{open}{close}}}"#),
        )
    };
    for name in ["q", "x", "a", "r"] {
        assert_eq!(nested(128, name), Err("invalid_json".to_owned()), "{name}");
        assert_ne!(nested(127, name), Err("invalid_json".to_owned()), "{name}");
    }
}

#[test]
fn hostile_records_take_linear_time() {
    let definition = rich();
    let began = Instant::now();
    let deep = "[".repeat(500_000);
    let elements = format!(r#"{{"id":"c","a":[{}1]}}"#, "1,".repeat(500_000));
    let bad = format!(r#"{{"id":"c","a":[{}1]}}"#, r#"{"s":[]},"#.repeat(100_000));
    let names: String = (0..10_000).map(|at| format!(r#""k{at}":1,"#)).collect();
    let names = format!(r#"{{{}"id":"c"}}"#, names.repeat(2));
    let twice = format!(r#"{{{}"id":"c"}}"#, r#""r":1,"#.repeat(10_000));
    let ids = format!(
        r#"{{"id":"c","a":[{}1]}}"#,
        r#"{"id":"","s":"x"},"#.repeat(50_000)
    );
    assert_eq!(said(&definition, &deep), Err("invalid_json".to_owned()));
    assert!(said(&definition, &elements).is_ok());
    let found = said(&definition, &bad).unwrap_err();
    assert!(
        found.starts_with("schema_violation /a/0/id:required /a/0/s:type /a/1/id:required"),
        "{found}"
    );
    assert!(said(&definition, &names).is_ok());
    assert_eq!(said(&definition, &twice), Err("duplicate_field".to_owned()));
    assert!(said(&definition, &ids).unwrap_err().starts_with("blank_id"));
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

/// The text of a value with its members in another order, with white space and members that nobody knows.
fn disguised(value: &Json, seed: u64, out: &mut String) {
    let space = if seed.is_multiple_of(3) { " \n\t" } else { "" };
    match value {
        Json::Object(members) if !members.is_empty() => {
            let mut all: Vec<_> = members.iter().collect();
            let at = seed as usize % all.len();
            all.rotate_left(at);
            if seed.is_multiple_of(2) {
                all.reverse();
            }
            out.push('{');
            out.push_str(space);
            for (name, value) in all {
                out.push_str(&format!("{}{space}:", json!(name)));
                disguised(value, seed / 2 + 1, out);
                out.push_str(&format!("{space},"));
            }
            out.push_str(r#""unknown":{"id":[1]}"#);
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                disguised(item, seed + at as u64, out);
            }
            out.push_str(space);
            out.push(']');
        }
        value => out.push_str(&value.to_string()),
    }
}

fn json_value() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(|flag| json!(flag)),
        (0..5_i64).prop_map(|number| json!(number)),
        Just(json!(1.5)),
        prop::sample::select(vec!["", "a", "NL", "é\"", "ACTIVE"]).prop_map(|text| json!(text)),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let names = prop::sample::select(vec!["id", "a", "n", "first", "sms", "s", "c", "r", "q"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| json!(all)),
            prop::collection::btree_map(names, inner, 0..5).prop_map(|all| json!(all)),
        ]
    })
}

proptest! {
    #[test]
    fn order_space_and_unknown_members_change_nothing(
        members in prop::collection::btree_map(
            prop::sample::select(vec!["id", "a", "n", "r", "q"]), json_value(), 0..5),
        seed in any::<u64>(),
    ) {
        // Attributes show unknown members, so none is taken whole here.
        let mut definition = rich();
        if let Tells::Customer { attributes, attribute, .. } = &mut definition.tells {
            *attributes = None;
            attribute.clear();
        }
        let record = json!(members);
        let mut other = String::new();
        disguised(&record, seed, &mut other);
        prop_assert_eq!(said(&definition, &record.to_string()), said(&definition, &other));
    }
}
