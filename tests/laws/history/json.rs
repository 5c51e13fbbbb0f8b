//! Strategies for pieces of JSON text, each value in several spellings.

use proptest::prelude::*;
use proptest::sample::select;

/// A field of an object: its name, and its JSON text if it is there.
pub type Field = (&'static str, Option<String>);

/// The JSON text of an object, in one of three spellings: as given; backwards,
/// with white space; with fields that no schema knows, one of them twice.
pub fn object(fields: Vec<Field>, spelling: u8) -> String {
    let mut there: Vec<String> = fields
        .into_iter()
        .filter_map(|(name, text)| Some(format!("\"{name}\":{}", text?)))
        .collect();
    match spelling {
        0 => format!("{{{}}}", there.join(",")),
        1 => {
            there.reverse();
            format!("{{\r\n\t{}\n }}", there.join(" ,\n\t"))
        }
        _ => {
            let unknown = [
                r#""extra":null"#,
                r#""extra":{"customerId":"c9","updatedAt":[1e3,"\n"]}"#,
            ];
            there.splice(0..0, unknown.map(str::to_owned));
            format!("{{{}}}", there.join(","))
        }
    }
}

/// A spelling of an object, mostly the plain one.
pub fn spelling() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2)]
}

/// The JSON text of an array.
pub fn array(elements: Vec<String>) -> String {
    format!("[{}]", elements.join(","))
}

/// One of a few JSON texts; shrinks to the first.
pub fn one(texts: &[&str]) -> impl Strategy<Value = String> + use<> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    select(texts)
}

/// One of a few JSON texts, or none.
pub fn maybe(texts: &[&str]) -> impl Strategy<Value = Option<String>> + use<> {
    prop::option::of(one(texts))
}

/// One of a few JSON texts, or none, or a null, which means none. Only for
/// console and publisher.
pub fn nullable(texts: &[&str]) -> impl Strategy<Value = Option<String>> + use<> {
    prop_oneof![1 => Just(None), 1 => Just(Some("null".to_owned())), 4 => one(texts).prop_map(Some)]
}

/// Texts to trim: two that differ only around the edges, empty ones, escapes,
/// and characters that look like white space and are not.
pub const TEXTS: [&str; 8] = [
    r#""x""#,
    r#"" x\u00a0""#,
    r#""""#,
    r#""\u2003 \t""#,
    r#""Zoë \"q\" \\ \/ \u005a""#,
    r#""\u0001 \u001F\b\t.\n.\f.\r.\u007f""#,
    r#""\ud83d\ude00 \u200b""#,
    r#""\uFEFFx""#,
];

/// Texts that are kept as they came, never blank.
pub const NAMES: [&str; 3] = [r#""A1""#, r#"" A1 ""#, r#""\u00e9\"""#];

/// The instants, each in several spellings. All lie within 24 hours.
pub const INSTANTS: [&[&str]; 6] = [
    &[
        r#""2024-02-06T10:00:00Z""#,
        r#""2024-02-06T10:00:00""#,
        r#""2024-02-06t11:00:00.000000+01:00""#,
        r#""2024-02-06T10:00:00.0000009z""#,
    ],
    &[
        r#""2024-02-06T10:00:00.5Z""#,
        r#""2024-02-06T10:00:00.500""#,
        r#""2024-02-06T04:30:00.50000099-05:30""#,
    ],
    // Later than the millisecond of a record's timestamp.
    &[
        r#""2024-02-06T10:00:00.500001Z""#,
        r#""2024-02-06T10:00:00.5000019999999999999999""#,
    ],
    &[
        r#""2024-02-06T10:00:01Z""#,
        r#""2024-02-07T00:00:01.0+14:00""#,
    ],
    &[
        r#""2024-02-06T23:59:59.999999Z""#,
        r#""2024-02-06T23:59:60Z""#,
        r#""2024-02-06T23:59:60.25""#,
        r#""2024-02-07T01:29:60+01:30""#,
    ],
    &[
        r#""2024-02-07T00:00:00-00:00""#,
        r#""2024-02-06T12:00:00.000-12:00""#,
    ],
];

/// Timestamps of records, in milliseconds: the same instants where a
/// millisecond can say them, and one between.
pub const MILLIS: [i64; 6] = [
    1_707_213_600_000,
    1_707_213_600_500,
    1_707_213_600_501,
    1_707_213_601_000,
    1_707_263_999_999,
    1_707_264_000_000,
];

/// An instant that orders events.
pub fn instant() -> impl Strategy<Value = String> {
    let instants: Vec<&'static [&'static str]> = INSTANTS.to_vec();
    select(instants).prop_flat_map(one)
}

/// A time that orders nothing but itself: also before 1970, and the first and
/// last that there are.
pub fn created() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => instant(),
        1 => one(&[
            r#""1969-12-31T23:59:59.2500009Z""#,
            r#""0001-01-01T00:00:00""#,
            r#""9999-12-31T23:59:59.9999999Z""#,
            r#""2023-08-15T02:44:23.688Z""#,
        ]),
    ]
}

/// A time, or none, or a null.
pub fn nullable_time() -> impl Strategy<Value = Option<String>> {
    prop_oneof![1 => Just(None), 1 => Just(Some("null".to_owned())), 3 => created().prop_map(Some)]
}

/// The timestamp of a record.
pub fn millis() -> impl Strategy<Value = i64> {
    select(MILLIS.to_vec())
}
