//! Letting go of hidden elements (`merge.max_hidden`) is a join like the rest of the fold. Its universe is its own: the
//! bounds are smaller than the histories, ids are few, and an element's own time often goes back.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::folding::{Fold, config, offline};
use crate::oracle::{self, Input, Settings, Src};

const TEN: i64 = 1_707_213_600_000;
const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// An event at a second with a list of ids, each with its own time or with the event's.
pub fn listing(second: i64, created: bool, elements: &[(&str, Option<i64>)]) -> Input {
    let time = |second: i64| format!("2024-02-06T10:00:{second:02}Z");
    let element = |(id, own): &(&str, Option<i64>)| {
        let mut element = json!({
            "addressId": id, "line1": format!("of {second}"), "city": "York", "zipCode": "z", "countryCode": "GB",
        });
        if let Some(own) = own {
            element["updatedAt"] = time(*own).into();
        }
        element
    };
    let addresses: Vec<Value> = elements.iter().map(element).collect();
    let event = json!({
        "eventType": "CUSTOMER", "eventAction": if created { "CREATED" } else { "UPDATED" }, "version": 1,
        "body": {
            "customerId": "c", "addresses": addresses, "createdAt": time(0), "updatedAt": time(second),
        },
    });
    Input {
        source: Src::LoyaltyCustomers,
        key: None,
        value: Some(event.to_string().into_bytes()),
        timestamp: Some(TEN + second * 1000),
    }
}

fn null(second: i64) -> Input {
    Input {
        source: Src::LoyaltyCustomers,
        key: Some(b"c".to_vec()),
        value: None,
        timestamp: Some(TEN + second * 1000),
    }
}

/// An event whose elements have times of their own, later ones too.
fn event() -> impl Strategy<Value = Input> {
    let elements = prop::collection::vec((0..IDS.len(), prop::option::of(1..12_i64)), 0..=3);
    (1..10_i64, any::<bool>(), elements).prop_map(|(second, created, elements)| {
        let elements: Vec<_> = elements.iter().map(|(id, own)| (IDS[*id], *own)).collect();
        listing(second, created, &elements)
    })
}

fn history() -> impl Strategy<Value = Vec<Input>> {
    let event_or_null = prop_oneof![6 => event(), 1 => (1..11_i64).prop_map(null)];
    prop_oneof![
        prop::collection::vec(event().boxed(), 0..=14),
        prop::collection::vec(event_or_null.boxed(), 0..=14),
    ]
}

/// Events whose elements have any times.
pub fn events() -> impl Strategy<Value = Vec<Input>> {
    prop::collection::vec(event(), 0..=14)
}

/// Two orders of a history, and for each record of the second the part that it goes to.
fn orders() -> impl Strategy<Value = (Vec<Input>, Vec<Input>, Vec<usize>)> {
    history().prop_flat_map(|records| {
        let parts = prop::collection::vec(0..3_usize, records.len());
        (Just(records.clone()), Just(records).prop_shuffle(), parts)
    })
}

fn keeping(max_hidden: usize, union: bool) -> Settings {
    Settings {
        max_hidden,
        union,
        ..Settings::default()
    }
}

proptest! {
    #![proptest_config(crate::cases(8192))]

    #[test]
    fn letting_go_is_a_join(
        (records, shuffled, parts) in orders(), max_hidden in 0..4_usize, union in any::<bool>(),
    ) {
        let settings = keeping(max_hidden, union);
        let config = config(&settings);
        let whole = Fold::of(&config, &records);
        prop_assert_eq!(offline(&records, &config), oracle::fold(&records, &settings));
        prop_assert_eq!(whole.bytes(), Fold::of(&config, &shuffled).bytes());

        let apart = [0, 1, 2].map(|part| {
            let own = shuffled.iter().zip(&parts).filter(|(_, of)| **of == part);
            Fold::of(&config, own.map(|(record, _)| record))
        });
        let mut merged = Fold::new(&config);
        for part in &apart {
            let before = merged.bytes();
            merged.merge(part.clone());
            merged.merge(part.clone());
            prop_assert!(merged.bytes() == before || part.bytes() != before);
        }
        prop_assert_eq!(merged.bytes(), whole.bytes());

        let mut stored = Fold::new(&config);
        for record in shuffled.iter().chain(&records) {
            let before = stored.bytes();
            let changed = stored.record(record);
            let is_known = before.contains_key("c");
            prop_assert!(!is_known || changed.contains("c") == (stored.bytes() != before));
            stored = stored.stored_and_read();
        }
        prop_assert_eq!(stored.bytes(), whole.bytes());
    }
}

/// What the elements of the snapshot say, as `id:line1`.
fn shown(settings: &Settings, records: &[Input]) -> Vec<String> {
    let config = config(settings);
    let text = offline(records, &config)["c"].clone().unwrap();
    let mut reversed = records.to_vec();
    reversed.reverse();
    assert_eq!(offline(&reversed, &config)["c"].as_deref(), Some(&*text));
    assert_eq!(
        oracle::fold(records, settings)["c"].as_deref(),
        Some(&*text)
    );
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let addresses = snapshot["addresses"].as_array().unwrap().iter();
    let field = |address: &Value, name: &str| address[name].as_str().unwrap().to_owned();
    addresses
        .map(|address| {
            format!(
                "{}:{}",
                field(address, "addressId"),
                field(address, "line1")
            )
        })
        .collect()
}

#[test]
fn those_listed_last_are_kept() {
    // each list hides the one before; a comes back with an older time of its own than it had
    let last = [
        listing(1, false, &[("a", Some(9))]),
        listing(2, false, &[("b", None)]),
        listing(3, false, &[("c", None)]),
        listing(4, false, &[("a", Some(2))]),
    ];
    assert_eq!(shown(&keeping(2, false), &last), ["a:of 1"]);
    let back = [
        last[0].clone(),
        last[1].clone(),
        listing(3, false, &[("a", Some(2))]),
    ];
    assert_eq!(shown(&keeping(1, false), &back), ["a:of 1"]);
    assert_eq!(shown(&keeping(0, false), &back), ["a:of 3"]);
    // it was let go, and is judged like a new one
    assert_eq!(shown(&keeping(1, false), &last), ["a:of 4"]);
    assert_eq!(shown(&keeping(0, false), &last), ["a:of 4"]);
    // nothing is hidden, so nothing is let go
    let all = shown(&keeping(0, true), &last);
    assert_eq!(all, ["a:of 1", "b:of 2", "c:of 3"]);

    // an element that every list has takes no place of a hidden one
    let beside = |second, id, own| listing(second, false, &[("h", None), (id, own)]);
    let beside = [
        beside(1, "a", Some(9)),
        beside(2, "b", Some(9)),
        beside(3, "c", None),
        beside(4, "b", Some(1)),
    ];
    assert_eq!(shown(&keeping(1, false), &beside), ["b:of 2", "h:of 4"]);
}

/// The elements that the snapshot of each order shows: all orders must show the same.
fn shown_in_any_order(max_hidden: usize, records: &[Input]) -> Vec<String> {
    let Some(last) = records.len().checked_sub(1) else {
        return Vec::new();
    };
    // Heap's algorithm.
    fn turn(at: usize, records: &mut [Input], each: &mut dyn FnMut(&[Input])) {
        if at == 0 {
            return each(records);
        }
        for turned in 0..=at {
            turn(at - 1, records, each);
            let other = if at % 2 == 1 { turned } else { 0 };
            records.swap(other, at);
        }
    }
    let settings = keeping(max_hidden, false);
    let config = config(&settings);
    let expected = shown(&settings, records);
    let bytes = Fold::of(&config, records).bytes();
    let mut orders = 0;
    turn(last, &mut records.to_vec(), &mut |records| {
        orders += 1;
        assert_eq!(shown(&settings, records), expected);
        assert_eq!(Fold::of(&config, records).bytes(), bytes);
    });
    assert_eq!(orders, (1..=records.len()).product::<usize>());
    expected
}

/// An erasure covers the list that named an element, but not the element, which claims a later time: it is hidden by
/// nothing but the erasure, and whether it is let go must not depend on when the erasure came.
#[test]
fn an_erasure_leaves_the_same_whenever_it_comes() {
    let records = [
        listing(1, false, &[("x", Some(6))]),
        listing(5, false, &[("y", None)]),
        null(3),
        listing(7, false, &[("x", Some(4))]),
    ];
    assert_eq!(shown_in_any_order(0, &records), ["x:of 7"]);
    assert_eq!(shown_in_any_order(1, &records), ["x:of 1"]);

    // Those with the newest contents stay: y, then z, although z is shown, and x last.
    let more = [
        listing(1, false, &[("x", Some(6)), ("y", Some(9))]),
        null(3),
        listing(5, false, &[("z", Some(8))]),
        listing(7, false, &[("x", Some(4)), ("y", Some(4)), ("z", None)]),
    ];
    assert_eq!(shown_in_any_order(0, &more), ["x:of 7", "y:of 7", "z:of 5"]);
    for max_hidden in [1, 2] {
        let shown = shown_in_any_order(max_hidden, &more);
        assert_eq!(shown, ["x:of 7", "y:of 1", "z:of 5"]);
    }
    assert_eq!(shown_in_any_order(3, &more), ["x:of 1", "y:of 1", "z:of 5"]);
}

/// What a list let go stays away until an erasure covers the list. Then it is like all that the erasure left.
#[test]
fn an_erasure_forgets_that_a_list_let_an_element_go() {
    let records = [
        listing(1, false, &[("x", Some(9))]),
        listing(2, false, &[("y", None)]),
        listing(3, false, &[("z", None)]),
        listing(4, false, &[("x", None)]),
    ];
    assert_eq!(shown_in_any_order(1, &records), ["x:of 4"]);
    let erased = |at| [&records[..], &[null(at)]].concat();
    assert_eq!(shown_in_any_order(1, &erased(1)), ["x:of 1"]);
    assert_eq!(shown_in_any_order(1, &erased(2)), ["x:of 1"]);
    assert_eq!(shown_in_any_order(0, &erased(2)), ["x:of 4"]);
    // What is newer than all that was erased was let go with its list, and the older content with it.
    let again = [
        listing(1, false, &[("x", Some(7))]),
        null(2),
        listing(3, false, &[("x", Some(9))]),
        listing(4, false, &[("y", None)]),
        listing(5, false, &[("z", None)]),
        listing(6, false, &[("x", None)]),
    ];
    assert_eq!(shown_in_any_order(1, &again), ["x:of 6"]);
}

#[test]
fn a_source_that_makes_new_ids_does_not_fill_the_state() {
    let settings = Settings::default();
    let config = config(&settings);
    let mut fold = Fold::new(&config);
    let mut largest = 0;
    let mut records = Vec::new();
    for update in 0..1_000_i64 {
        let ids: Vec<String> = (0..3).map(|at| format!("addr-{update:06}-{at}")).collect();
        let elements: Vec<_> = ids.iter().map(|id| (id.as_str(), None)).collect();
        let text = listing(0, false, &elements);
        let value = String::from_utf8(text.value.unwrap()).unwrap();
        let (minute, second) = (update / 60, update % 60);
        let value = value.replace(
            "\"updatedAt\":\"2024-02-06T10:00:00Z\"",
            &format!("\"updatedAt\":\"2024-02-06T10:{minute:02}:{second:02}Z\""),
        );
        records.push(Input {
            value: Some(value.into_bytes()),
            ..text
        });
    }
    for record in &records {
        fold.record(record);
        largest = largest.max(fold.bytes()["c"].len());
    }
    assert!(largest < 16_000, "{largest} bytes");
    records.reverse();
    assert_eq!(Fold::of(&config, &records).bytes(), fold.bytes());
}
