//! Strategies for records of any source, and what the sources share.

use proptest::prelude::*;
use proptest::sample::select;

use super::json::millis;
use super::{console, loyalty, publisher};
use crate::oracle::{Input, Src};

/// The customers: as key and as JSON text. Ids are not trimmed.
const CUSTOMERS: [(&str, &str); 3] = [
    ("c1", r#""c1""#),
    ("c2", r#""\u0063\u0032""#),
    (" č\u{1}\"", r#"" č\u0001\"""#),
];

/// Ids of elements. Their order by bytes is not that of numbers or letters.
pub const ELEMENTS: [&str; 3] = [r#""10""#, r#""9""#, r#""é""#];

/// Any record. Nulls come from all sources, whatever the settings make of them.
pub fn record() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => loyalty::event(),
        6 => loyalty::action(),
        3 => console::customer_object(),
        3 => publisher::batch(),
        3 => tombstone(),
    ]
}

/// A record of one source, or a null of any.
pub fn or_null(record: impl Strategy<Value = Input> + 'static) -> impl Strategy<Value = Input> {
    prop_oneof![6 => record, 1 => tombstone()]
}

/// The index of a customer, mostly the first.
fn index() -> impl Strategy<Value = usize> {
    select(vec![0, 0, 0, 1, 1, 2])
}

pub fn customer() -> impl Strategy<Value = String> {
    index().prop_map(|index| CUSTOMERS[index].1.to_owned())
}

pub fn input(source: Src, value: String, timestamp: Option<i64>) -> Input {
    Input {
        source,
        // The key of a record with a value says nothing.
        key: Some(b"anything".to_vec()),
        value: Some(value.into_bytes()),
        timestamp,
    }
}

fn tombstone() -> impl Strategy<Value = Input> {
    let source = prop_oneof![
        3 => Just(Src::LoyaltyCustomers),
        2 => Just(Src::ConsoleCustomers),
        1 => Just(Src::LoyaltyActions),
        1 => Just(Src::PublisherCustomers),
    ];
    (source, index(), millis()).prop_map(|(source, index, timestamp)| Input {
        source,
        key: Some(CUSTOMERS[index].0.as_bytes().to_vec()),
        value: None,
        timestamp: Some(timestamp),
    })
}

/// Countries of console and publisher: alpha-2, alpha-3, names, unknown ones.
pub const COUNTRIES: [&str; 7] = [
    r#""AU""#,
    r#"" aus ""#,
    r#""AUSTRALIA""#,
    r#""cÔte d'ivoire""#,
    r#""United States of America""#,
    r#"" Atlantis""#,
    r#""""#,
];
