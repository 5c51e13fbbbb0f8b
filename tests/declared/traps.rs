//! The traps of declared sources, each by its name. What is expected is worked out by hand from the contract
//! (docs/contract.md, sections 3 and 9), and must come out of every order of the records.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::folding::{Fold, Setup};
use crate::oracle::{self, Definition, Event, Input, Record, Settings, Src};
use crate::strategies::Case;

/// 2024-02-06T10:00:00Z in milliseconds. The seconds of the tests count from here.
const TEN: i64 = 1_707_213_600_000;

fn record(source: usize, second: i64, value: &Value) -> Event {
    Event::Declared(Record {
        source,
        key: None,
        value: Some(value.to_string()),
        timestamp: Some(TEN + second * 1000),
        headers: Vec::new(),
    })
}

fn null(source: usize, second: i64) -> Event {
    Event::Declared(Record {
        source,
        key: Some("c".to_owned()),
        value: None,
        timestamp: Some(TEN + second * 1000),
        headers: Vec::new(),
    })
}

fn time(second: i64) -> String {
    format!("2024-02-06T10:00:{second:02}Z")
}

/// Every order of the events.
fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    let Some((first, rest)) = events.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(rest) {
        for at in 0..=order.len() {
            let mut order = order.clone();
            order.insert(at, first.clone());
            all.push(order);
        }
    }
    all
}

/// The snapshot of the customer `c`, the same after every order of the events; null if there is none.
fn shown_with(settings: &Settings, definitions: &[&str], events: Vec<Event>) -> Value {
    let named = definitions.iter().zip(crate::strategies::NAMES);
    let case = Case {
        definitions: named
            .map(|(text, name)| Definition::new(name, text, "retract"))
            .collect(),
        texts: definitions.iter().map(|text| (*text).to_owned()).collect(),
        events,
        settings: settings.clone(),
    };
    let setup = Setup::of(&case);
    let expected = oracle::fold(&case.definitions, &case.events, &case.settings);
    for order in orders(&case.events) {
        assert_eq!(Fold::of(&setup, &order).snapshots(), expected);
    }
    let snapshot = expected["c"].as_deref().unwrap_or("null");
    serde_json::from_str(snapshot).unwrap()
}

fn shown(definition: &str, events: Vec<Event>) -> Value {
    shown_with(&Settings::default(), &[definition], events)
}

const FIELDS: &str = r#"
customer_id = "/id"
updated_at = "/at"
[fields]
firstName = "/first"
lastName = "/last"
"attributes.a" = "/a"
[[lists.addresses]]
each = "/homes"
id = "/id"
updated_at = "/at"
fields = { line1 = "/line" }
"#;

fn clearing() -> String {
    format!("nulls = \"clear\"\n{FIELDS}")
}

#[test]
fn a_hidden_winner_beats_lower_ranks() {
    let ranked = format!("order = \"rank\"\nrank = \"/rank\"\n{FIELDS}");
    let told = |rank: u64, second: i64, name: &str| {
        let value = json!({"id": "c", "at": time(second), "rank": rank, "first": name});
        record(0, second, &value)
    };
    // the winner's time is covered, and the later time of a lower rank does not bring its value back
    let snapshot = shown(
        &ranked,
        vec![told(2, 1, "two"), told(1, 5, "one"), null(0, 3)],
    );
    assert_eq!(snapshot.get("firstName"), None);
    assert_eq!(
        snapshot["sources"]["a-shop"],
        json!({"rank": 1, "updatedAt": time(5)})
    );
    let snapshot = shown(
        &ranked,
        vec![told(2, 4, "two"), told(1, 5, "one"), null(0, 3)],
    );
    assert_eq!(snapshot["firstName"], "two");
}

#[test]
fn a_null_that_clears_is_the_greater_text_of_a_tie() {
    let told = |second: i64, name: Value| {
        record(0, 9, &json!({"id": "c", "at": time(second), "first": name}))
    };
    let both = vec![told(1, json!("x")), told(1, json!(null))];
    assert_eq!(shown(&clearing(), both.clone()).get("firstName"), None);
    assert_eq!(shown(FIELDS, both)["firstName"], "x");
    let later = vec![told(1, json!(null)), told(2, json!("x"))];
    assert_eq!(shown(&clearing(), later)["firstName"], "x");
}

#[test]
fn a_whole_record_tells_what_it_leaves_out_as_nothing() {
    let whole = format!("merge = \"whole\"\n{FIELDS}");
    let one = json!({"id": "c", "at": time(1), "first": "Ada", "a": 1, "homes": [{"id": "h", "line": "1"}]});
    let two = json!({"id": "c", "at": time(2), "last": "L"});
    let snapshot = shown(&whole, vec![record(0, 9, &one), record(0, 9, &two)]);
    assert_eq!(snapshot.get("firstName"), None);
    assert_eq!(snapshot["lastName"], "L");
    assert_eq!(snapshot["attributes"], json!({}));
    assert_eq!(snapshot["addresses"], json!([]));
    // at a tie the greater text of each place counts, and `null` is greater than a text and a number
    let tied = json!({"id": "c", "at": time(1), "last": "L", "homes": []});
    let snapshot = shown(&whole, vec![record(0, 9, &one), record(0, 9, &tied)]);
    assert_eq!(snapshot.get("firstName"), None);
    assert_eq!(snapshot.get("lastName"), None);
    assert_eq!(snapshot["attributes"], json!({}));
    assert_eq!(snapshot["addresses"].as_array().unwrap().len(), 1);
}

#[test]
fn a_hidden_element_keeps_its_newest_content() {
    let listing = |second: i64, homes: Value| {
        let value = json!({"id": "c", "at": time(second), "homes": homes});
        record(0, 9, &value)
    };
    let events = vec![
        listing(1, json!([{"id": "h", "line": "newest", "at": time(8)}])),
        listing(2, json!([])),
        listing(3, json!([{"id": "h", "line": "older"}])),
    ];
    let snapshot = shown(FIELDS, events);
    assert_eq!(snapshot["addresses"][0]["line1"], "newest");
    let events = vec![
        listing(1, json!([{"id": "h", "line": "l"}])),
        listing(2, json!(null)),
    ];
    assert_eq!(shown(&clearing(), events)["addresses"], json!([]));
}

#[test]
fn an_erasure_covers_each_datum_by_its_own_time() {
    let homes = json!([
        {"id": "old", "line": "1", "at": time(2)}, {"id": "new", "line": "2", "at": time(6)},
    ]);
    let early = json!({"id": "c", "at": time(1), "first": "Ada"});
    let late = json!({"id": "c", "at": time(5), "last": "L", "homes": homes});
    let erasing = Event::BuiltIn(Input {
        source: Src::LoyaltyCustomers,
        key: Some(b"c".to_vec()),
        value: None,
        timestamp: Some(TEN + 3000),
    });
    let told = vec![record(0, 9, &early), record(0, 9, &late)];
    for eraser in [null(0, 3), erasing] {
        let events = [told.clone(), vec![eraser]].concat();
        let snapshot = shown(FIELDS, events);
        assert_eq!(snapshot.get("firstName"), None);
        assert_eq!(snapshot["lastName"], "L");
        assert_eq!(snapshot["addresses"].as_array().unwrap().len(), 1);
        assert_eq!(snapshot["addresses"][0]["addressId"], "new");
    }
    // a null of another source that retracts covers nothing of this one
    let events = [told.clone(), vec![null(1, 9)]].concat();
    let snapshot = shown_with(&Settings::default(), &[FIELDS, FIELDS], events);
    assert_eq!(snapshot["firstName"], "Ada");
    let gone = [told, vec![null(0, 5)]].concat();
    assert_eq!(shown(FIELDS, gone), Value::Null);
}

#[test]
fn a_deleted_record_retracts_as_of_its_own_time() {
    let deleting = format!("{FIELDS}\n[deleted]\nwhen = \"/state\"\nis = [\"GONE\"]\n");
    let told = |second: i64, name: &str| {
        let value = json!({"id": "c", "at": time(second), "first": name});
        record(0, 9, &value)
    };
    let gone = record(
        0,
        9,
        &json!({"id": "c", "at": time(3), "state": "GONE", "first": "no"}),
    );
    let snapshot = shown(&deleting, vec![told(2, "before"), gone.clone()]);
    assert_eq!(snapshot, Value::Null);
    let snapshot = shown(&deleting, vec![told(2, "before"), gone, told(4, "after")]);
    assert_eq!(snapshot["firstName"], "after");
}

#[test]
fn of_several_sources_the_first_that_has_a_value_is_shown() {
    let told = |source: usize, second: i64, name: Value| {
        let value = json!({"id": "c", "at": time(second), "first": name});
        record(source, 9, &value)
    };
    let definitions = [FIELDS, FIELDS, FIELDS];
    let events = vec![
        told(0, 1, json!("shop")),
        told(1, 2, json!("crm")),
        told(2, 3, json!("zeta")),
    ];
    let with = |field: &str, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let priority = BTreeMap::from([(field.to_owned(), names)]);
        let settings = Settings {
            priority,
            ..Settings::default()
        };
        shown_with(&settings, &definitions, events.clone())["firstName"].clone()
    };
    assert_eq!(with("lastName", &["a-shop"]), "zeta");
    assert_eq!(
        with("firstName", &["loyalty-customers", "a-shop", "zeta"]),
        "shop"
    );
    assert_eq!(with("*", &["crm"]), "crm");
    // at one time the greater text, by bytes
    let tied = vec![
        told(0, 1, json!("b")),
        told(1, 1, json!("B")),
        told(2, 0, json!("c")),
    ];
    let snapshot = shown_with(&Settings::default(), &definitions, tied);
    assert_eq!(snapshot["firstName"], "b");
}

#[test]
fn an_action_of_a_type_of_its_own_counts_and_no_more() {
    let actions = r#"
customer_id = "/id"
updated_at = "/at"
[action]
id = "/key"
type = "/type"
contract = "/contract"
utm.source = "/utm"
"#;
    let told = |key: &str, kind: &str, second: i64| {
        let value = json!({
            "id": "c", "at": time(second), "key": key, "type": kind, "contract": kind, "utm": "u",
        });
        record(0, 9, &value)
    };
    let events = vec![
        told("a", "ordered", 1),
        told("b", "SIGN_UP", 2),
        told("c", "left", 3),
    ];
    let snapshot = shown(actions, events);
    let actions = &snapshot["actions"];
    assert_eq!(actions["total"], 3);
    assert_eq!(
        actions["byType"],
        json!({"SIGN_UP": 1, "left": 1, "ordered": 1})
    );
    assert_eq!(actions["subscriptions"].as_array().unwrap().len(), 1);
    assert_eq!(actions["firstTouch"]["interactionId"], "b");
    assert_eq!(actions["lastTouch"]["interactionId"], "b");
    assert_eq!(actions["signedUpAt"], time(2));
    assert_eq!(actions["recent"][0]["source"], "a-shop");
    assert_eq!(actions["recent"][0]["interactionId"], "c");
    assert_eq!(snapshot["sources"]["a-shop"], json!({"updatedAt": time(3)}));
}

#[test]
fn a_row_of_a_snapshot_is_below_one_that_was_streamed() {
    let rows = "envelope = \"debezium\"\ncustomer_id = \"/id\"\n[fields]\nfirstName = \"/first\"\n";
    let row = |op: &str, lsn: u64, name: &str| {
        let source = json!({"ts_ms": TEN, "lsn": lsn});
        let after = json!({"id": "c", "first": name});
        record(
            0,
            9,
            &json!({"op": op, "before": null, "after": after, "source": source}),
        )
    };
    let snapshot = shown(
        rows,
        vec![row("r", 90, "z"), row("u", 5, "b"), row("c", 4, "c")],
    );
    assert_eq!(snapshot["firstName"], "b");
    let expected = json!({"rank": 5, "updatedAt": time(0)});
    assert_eq!(snapshot["sources"]["a-shop"], expected);
}
