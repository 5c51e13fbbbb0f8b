//! Letting go of hidden elements (`merge.max_hidden`) is a join like the rest of the fold, for declared sources too. Its
//! universe is its own: the bounds are smaller than the histories, ids are few, an element's own time often goes back or
//! is later than its record's, and erasures are many.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::oracle::{Definition, Event, Record, Settings};
use crate::strategies::Case;

const TEN: i64 = 1_707_213_600_000;
const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn definition() -> impl Strategy<Value = String> {
    let order = select(vec!["updated_at", "updated_at", "rank"]);
    let merge = select(vec!["fields", "fields", "whole"]);
    (order, merge).prop_map(|(order, merge)| {
        format!(
            r#"
order = "{order}"
merge = "{merge}"
customer_id = "/id"
updated_at = "/at"
rank = "/rank"
[[lists.addresses]]
each = "/homes"
id = "/id"
updated_at = "/at"
fields = {{ line1 = "/line" }}
[[lists.dependents]]
each = "/pets"
id = "/id"
updated_at = "/at"
fields = {{ type = "/line" }}
"#
        )
    })
}

fn time(second: i64) -> String {
    format!("2024-02-06T10:00:{second:02}Z")
}

fn record(timestamp: i64, value: Option<String>) -> Event {
    Event::Declared(Record {
        source: 0,
        key: Some("c".to_owned()),
        value,
        timestamp: Some(TEN + timestamp * 1000),
        headers: Vec::new(),
    })
}

fn list() -> impl Strategy<Value = Option<serde_json::Value>> {
    let element = (select(IDS.to_vec()), prop::option::of(1..12_i64), 0..2_u8);
    let elements = prop::collection::vec(element, 0..=3);
    prop::option::weighted(0.8, elements).prop_map(|elements| {
        let elements = elements?.into_iter().map(|(id, own, line)| {
            let mut element = json!({"id": id, "line": format!("line {line}")});
            if let Some(own) = own {
                element["at"] = time(own).into();
            }
            element
        });
        Some(elements.collect())
    })
}

fn event() -> impl Strategy<Value = Event> {
    let told = (1..10_i64, 0..3_u64, list(), list()).prop_map(|(second, rank, homes, pets)| {
        let mut value = json!({"id": "c", "at": time(second), "rank": rank});
        for (name, list) in [("homes", homes), ("pets", pets)] {
            if let Some(list) = list {
                value[name] = list;
            }
        }
        record(9, Some(value.to_string()))
    });
    prop_oneof![6 => told, 1 => (1..11_i64).prop_map(|second| record(second, None))]
}

/// One source whose records tell lists, and nulls that retract them.
pub fn case() -> impl Strategy<Value = Case> {
    let events = prop::collection::vec(event(), 0..=14);
    (definition(), events, 0..4_usize, prop::bool::weighted(0.2)).prop_map(
        |(text, events, max_hidden, union)| Case {
            definitions: vec![Definition::new("crm", &text, "retract")],
            texts: vec![text],
            events,
            settings: Settings {
                union,
                max_hidden: Some(max_hidden),
                ..Settings::default()
            },
        },
    )
}
