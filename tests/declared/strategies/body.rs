//! Random bodies of records: JSON objects whose members have, mostly, the types that definitions expect of them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::json::{INSTANTS, MILLIS, TEXTS, created, instant};
use super::records::{COUNTRIES, ELEMENTS};

/// A member: its name, what it mostly is, and what it is now and then in a wild record.
type Member = (
    &'static str,
    BoxedStrategy<Option<String>>,
    &'static [&'static str],
);

fn texts(good: &[&str]) -> BoxedStrategy<String> {
    let good: Vec<String> = good.iter().map(|text| (*text).to_owned()).collect();
    select(good).boxed()
}

/// Mostly there, sometimes missing or null.
fn some(good: BoxedStrategy<String>) -> BoxedStrategy<Option<String>> {
    prop_oneof![
        6 => good.prop_map(Some),
        2 => Just(None),
        1 => Just(Some("null".to_owned())),
    ]
    .boxed()
}

fn always(good: BoxedStrategy<String>) -> BoxedStrategy<Option<String>> {
    good.prop_map(Some).boxed()
}

/// An object of members. In a wild one every seventh is wrong.
fn object(members: Vec<Member>) -> BoxedStrategy<String> {
    let names: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
    let each: Vec<_> = members
        .into_iter()
        .map(|(_, good, wrong)| {
            let wrong = select(wrong).prop_map(str::to_owned);
            (
                good,
                prop::option::weighted(0.15, prop::option::weighted(0.9, wrong)),
            )
        })
        .collect();
    let twice = prop::option::weighted(0.15, any::<Index>());
    (each, prop::bool::weighted(0.15), any::<bool>(), twice)
        .prop_map(move |(members, wild, backwards, twice)| {
            let mut there: Vec<String> = names
                .iter()
                .zip(members)
                .filter_map(|(name, (good, wrong))| {
                    let text = if wild { wrong.unwrap_or(good) } else { good }?;
                    Some(format!("\"{name}\":{text}"))
                })
                .collect();
            if backwards {
                there.reverse();
            }
            if let (true, Some(twice), false) = (wild, twice, there.is_empty()) {
                there.push(twice.get(&there).clone());
            }
            format!("{{{}}}", there.join(","))
        })
        .boxed()
}

const NO_TEXT: &[&str] = &["1.5", "true", "{}", "[1]", "null"];

fn id() -> BoxedStrategy<String> {
    texts(&[
        r#""c1""#,
        r#""c1""#,
        r#""c1""#,
        r#""c2""#,
        r#""\u0063\u0032""#,
        "7",
    ])
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![4 => texts(&[r#""x""#, r#""y""#, "12", "-3"]), 1 => texts(&TEXTS)].boxed()
}

fn seconds() -> BoxedStrategy<String> {
    texts(&[
        "1707213600",
        "1707213600.5",
        "1707213600.5000019",
        "17072136e2",
        "1707213601.0",
    ])
}

fn element() -> BoxedStrategy<String> {
    object(vec![
        (
            "k",
            always(texts(&ELEMENTS)),
            &["null", "7", r#""""#, r#"" ""#, "1.5", "{}"],
        ),
        ("s1", some(text()), NO_TEXT),
        ("s2", some(text()), NO_TEXT),
        ("z", some(texts(&["6000", r#""6000 ""#])), NO_TEXT),
        ("co", some(texts(&COUNTRIES)), NO_TEXT),
        (
            "ty",
            some(texts(&[r#""Mobile""#, r#""Phone""#])),
            &[r#""mobile""#, "1", r#""""#],
        ),
        (
            "d",
            some(texts(&[r#""2024-01-01""#])),
            &[r#""2024-13-01""#, "3"],
        ),
        (
            "ch",
            some(instant().boxed()),
            &[r#""x""#, "5", r#""2030-01-01T00:00:00Z""#],
        ),
        ("cr", some(created().boxed()), &[r#""x""#, "5"]),
        ("s", some(seconds()), &[r#""1707213600""#, "1e300"]),
    ])
}

fn elements() -> BoxedStrategy<String> {
    let list = prop::collection::vec(prop_oneof![9 => element(), 1 => texts(&["null"])], 0..=3);
    list.prop_map(|list| format!("[{}]", list.join(",")))
        .boxed()
}

fn nested() -> BoxedStrategy<String> {
    object(vec![
        ("t", some(text()), NO_TEXT),
        ("id", some(id()), NO_TEXT),
        (
            "rev",
            some(texts(&["0", "1", "2"])),
            &["-1", r#""x""#, "1.5"],
        ),
        ("cr", some(created().boxed()), &[r#""x""#, "5"]),
        ("as", some(elements()), &["5", r#""x""#]),
    ])
}

/// The body of a record.
pub fn body() -> BoxedStrategy<String> {
    object(
        [ids_and_times(), values(), kinds()]
            .into_iter()
            .flatten()
            .collect(),
    )
}

fn ids_and_times() -> Vec<Member> {
    let millis = MILLIS.map(|millis| millis.to_string());
    let instants: Vec<&str> = INSTANTS
        .iter()
        .flat_map(|one| one.iter().copied())
        .collect();
    let at =
        prop_oneof![60 => texts(&instants), 1 => texts(&[r#""2030-01-01T00:00:00Z""#])].boxed();
    vec![
        (
            "id",
            always(id()),
            &["null", r#""""#, r#"" ""#, "1.5", "{}"],
        ),
        (
            "at",
            always(at),
            &["null", r#""x""#, "5", r#""2030-01-01T00:00:00Z""#],
        ),
        (
            "s",
            always(seconds()),
            &[r#""x""#, r#""1707213600""#, "1e300", "true", "-62135596801"],
        ),
        (
            "ms",
            always(select(millis.to_vec()).boxed()),
            &[r#""x""#, "1e30"],
        ),
        (
            "rev",
            some(texts(&["0", "1", "2", "1.0", r#""1""#])),
            &[
                "-1",
                "1.5",
                r#""x""#,
                "9223372036854775808",
                r#""9223372036854775808""#,
                "true",
            ],
        ),
        ("cr", some(created().boxed()), &[r#""x""#, "5", "{}"]),
    ]
}

fn values() -> Vec<Member> {
    let any_json = texts(&[
        "1",
        "1.50",
        r#""x""#,
        r#"{"b":[null,1e2],"a":"\u0041"}"#,
        "[]",
        "false",
        "123456789012345678901234567890",
    ]);
    let objects = texts(&[
        r#"{"a":1}"#,
        r#"{"a":null,"b":"x"}"#,
        "{}",
        r#"{"tier":[2]}"#,
    ]);
    vec![
        ("t1", some(text()), NO_TEXT),
        ("t2", some(text()), NO_TEXT),
        ("n", some(nested()), &["5", "[]"]),
        (
            "y",
            some(texts(&[r#""Y""#, r#""N""#, "7", "true"])),
            &[r#""Z""#, "{}", "7.0"],
        ),
        ("b1", some(texts(&["true", "false"])), &["1", r#""true""#]),
        ("b2", some(texts(&["true", "false"])), &["0", "{}"]),
        (
            "born",
            some(texts(&[
                r#""1998-02-01""#,
                r#""2024-02-29T23:00:00-01:00""#,
            ])),
            &[r#""0000-01-01""#, r#""1998-02-01T""#, "5", r#""1998-2-1""#],
        ),
        (
            "days",
            some(texts(&["0", "19000", "-1", "1.5"])),
            &[r#""19000""#, "1e9"],
        ),
        (
            "st",
            some(texts(&[r#""ACTIVE""#, r#""DELETED""#])),
            &[r#""active""#, r#"" ACTIVE""#],
        ),
        (
            "kind",
            always(texts(&[r#""CUSTOMER""#])),
            &["null", "{}", r#""X""#, "1", "1.0"],
        ),
        (
            "v",
            always(texts(&["1", "1.5", "10e-1"])),
            &["null", "2", "0.99", r#""1""#],
        ),
        ("any", some(any_json), &["null"]),
        ("attrs", some(objects), &["[]", "5"]),
        ("as", some(elements()), &["5", r#""x""#, "{}"]),
        ("o", some(element()), &["5", "[]"]),
        (
            "ns",
            some(texts(&[r#"["0400",7,null]"#, r#"["a","b","a"]"#, "[]"])),
            &["[1.5]", "[[]]", "true"],
        ),
        ("l", some(texts(&[r#"["x",3]"#, "[]", "[null]"])), &["5"]),
    ]
}

/// What says of which kind a record is.
fn kinds() -> Vec<Member> {
    vec![
        (
            "state",
            some(texts(&[r#""LIVE""#, r#""LIVE""#, r#""GONE""#, "1"])),
            &["true", "0", "0.0", r#""\"\u00e9""#],
        ),
        (
            "k",
            always(texts(&[r#""i1""#, r#""i2""#, r#""i10""#])),
            &["null", r#""""#, "7"],
        ),
        (
            "ty",
            always(texts(&[
                r#""SIGN_UP""#,
                r#""SUBSCRIPTION_CANCELLED""#,
                r#""PROMOTION_APPLIED""#,
                r#""order placed""#,
            ])),
            &[
                "null",
                r#""""#,
                "7",
                r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaä""#,
            ],
        ),
        ("co", some(texts(&[r#""s1""#, r#"" s1""#, "5"])), NO_TEXT),
    ]
}
