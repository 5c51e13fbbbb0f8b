//! The laws of the fold, on random records in a small universe.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const SOURCES: [&str; 2] = ["crm", "zoo"];
const TEXTS: [Option<&str>; 6] = [
    None,
    Some("\"a\""),
    Some("\"b\""),
    Some("true"),
    Some("{\"x\":1}"),
    Some("12"),
];

/// What the definition of a source says.
#[derive(Debug, Clone, Copy)]
struct Definition {
    order: Order,
    whole: bool,
    actions: bool,
}

fn definition() -> impl Strategy<Value = Definition> {
    (select(vec![Order::UpdatedAt, Order::Rank]), any::<bool>()).prop_flat_map(|(order, whole)| {
        prop::bool::weighted(0.2).prop_map(move |actions| Definition {
            order: if actions { Order::UpdatedAt } else { order },
            whole,
            actions,
        })
    })
}

fn element() -> impl Strategy<Value = Element> {
    let created = prop::option::of(0..3_i64);
    (
        select(vec!["1", "2", "3"]),
        0..7_i64,
        created,
        select(vec!["x", "xy", "z"]),
    )
        .prop_map(|(id, at, created_at, text)| Element {
            id,
            at,
            created_at,
            text,
        })
}

fn list() -> impl Strategy<Value = Option<Vec<Element>>> {
    prop::option::of(prop::collection::vec(element(), 0..4))
}

fn a_record(definitions: [Definition; 2]) -> impl Strategy<Value = Record> {
    let scalars = select(vec![Scalar::CreatedAt, Scalar::FirstName, Scalar::SmsOptIn]);
    let scalars = prop::collection::btree_map(scalars, select(TEXTS.to_vec()), 0..3);
    let attributes = select(vec!["", "a", "b"]);
    let attributes = prop::collection::btree_map(attributes, select(TEXTS.to_vec()), 0..3);
    let lists = [list(), list(), list()];
    let action = (
        select(vec!["1", "2", "3", "4", "5"]),
        select(vec!["SIGN_UP", "OPENED"]),
        prop::option::of(0..3_i64),
    );
    let stamp = (0..2_usize, 1..6_i64, 0..3_u64, prop::bool::weighted(0.9));
    (stamp, scalars, attributes, lists, action).prop_map(
        move |((at_source, at, rank, has_rank), scalars, attributes, lists, action)| {
            let definition = definitions[at_source];
            Record {
                source: SOURCES[at_source],
                order: definition.order,
                whole: definition.whole,
                has_rank,
                at,
                rank,
                // The time of creation is a date-time.
                scalars: scalars
                    .into_iter()
                    .map(|(scalar, text)| match (scalar, text) {
                        (Scalar::CreatedAt, Some(_)) => (scalar, Some("\"1970-01-01T00:00:00Z\"")),
                        other => other,
                    })
                    .collect(),
                attributes: attributes.into_iter().collect(),
                lists,
                action: definition.actions.then_some(action),
            }
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let whose = select(vec![
        None,
        Some("crm"),
        Some("zoo"),
        Some("loyalty-customers"),
    ]);
    [definition(), definition()].prop_flat_map(move |definitions| {
        let record = a_record(definitions).prop_map(Event::Record);
        let erasure = (whose.clone(), 0..6_i64);
        let erasure = erasure.prop_map(|(only, at)| Event::Erase(only, at));
        prop::collection::vec(prop_oneof![5 => record, 1 => erasure], 1..9)
    })
}

/// Events, and how much is kept of them.
pub(super) fn kept_events() -> impl Strategy<Value = (Vec<Event>, Keep)> {
    let keep = (
        select(vec![1, 2, 100]),
        select(vec![0, 1, 2, 100, usize::MAX]),
    )
        .prop_map(|(actions, hidden)| Keep { actions, hidden });
    (events(), keep)
}

fn snapshots(customer: &Customer) -> [serde_json::Value; 2] {
    [false, true].map(|union| shown_with(customer, &View { union, ..view() }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 3000 }))]

    #[test]
    fn the_state_depends_on_the_set_of_records(
        ((events, keep), order) in kept_events().prop_flat_map(|(events, keep)| {
            let repeated: Vec<usize> = (0..events.len()).chain(0..events.len() / 2).collect();
            (Just((events, keep)), Just(repeated).prop_shuffle())
        }),
        stored in any::<u16>(),
    ) {
        let expected = fold_with(&events, keep);
        let mut customer = Customer::default();
        for (at, index) in order.iter().enumerate() {
            let before = encoded(&customer);
            let changed = customer.join(events[*index].data(), keep);
            let after = encoded(&customer);
            prop_assert_eq!(changed, before != after);
            if stored >> (at % 16) & 1 != 0 {
                customer = Customer::decode(after.clone()).unwrap();
                prop_assert_eq!(encoded(&customer), after);
            }
        }
        prop_assert_eq!(encoded(&customer), encoded(&expected));
        prop_assert_eq!(snapshots(&customer), snapshots(&expected));
    }

    #[test]
    fn parts_that_were_folded_apart_join(
        ((events, keep), cut) in kept_events().prop_flat_map(|(events, keep)| {
            let length = events.len();
            (Just((events, keep)), 0..=length)
        }),
    ) {
        let expected = fold_with(&events, keep);
        let (one, other) = events.split_at(cut);
        for (one, other) in [(one, other), (other, one)] {
            let (mut joined, other) = (fold_with(one, keep), fold_with(other, keep));
            let before = encoded(&joined);
            let changed = joined.merge(other.clone(), keep);
            prop_assert_eq!(changed, before != encoded(&joined));
            prop_assert_eq!(encoded(&joined), encoded(&expected));
            prop_assert!(!joined.merge(other, keep));
            prop_assert!(!joined.merge(expected.clone(), keep));
        }
    }

    /// Reads the contract naively: from all records, without a state.
    #[test]
    fn the_fields_are_those_that_the_contract_says(events in events()) {
        let records: Vec<&Record> = events
            .iter()
            .filter_map(|event| match event {
                Event::Record(record) if record.action.is_none() => Some(record),
                _ => None,
            })
            .collect();
        let erased = |source: &str| {
            let times = events.iter().filter_map(|event| match event {
                Event::Erase(only, at) if only.is_none_or(|only| only == source) => Some(*at),
                _ => None,
            });
            times.max().unwrap_or(-1)
        };
        let customer = fold(&events);
        for source in customer.declared_sources() {
            let name = std::str::from_utf8(customer.texts.get(source.name)).unwrap();
            let attributes: BTreeMap<String, String> = source
                .attributes
                .shown(&customer.texts)
                .map(|(name, _, text)| [name, text].map(|text| String::from_utf8(text.to_vec()).unwrap()).into())
                .collect();
            let told = |record: &Record, place: &str| {
                let told = record.attributes.iter().find(|(name, _)| *name == place);
                let nothing = record.whole.then_some("null");
                told.map(|(_, text)| text.unwrap_or("null")).or(nothing)
            };
            let of_source = || records.iter().filter(|record| record.source == name);
            for place in ["", "a", "b"] {
                let winner = of_source()
                    .filter(|record| record.order == Order::Rank || record.at > erased(name))
                    .filter_map(|record| {
                        let stamp = match record.order {
                            Order::UpdatedAt => (record.at, record.rank as i64),
                            Order::Rank => (record.rank as i64, record.at),
                        };
                        Some((stamp, told(record, place)?, record.at))
                    })
                    .max();
                let expected = winner.filter(|(_, text, at)| *text != "null" && *at > erased(name));
                let expected = expected.map(|(_, text, _)| text);
                prop_assert_eq!(attributes.get(place).map(String::as_str), expected);
            }
            if let Some(seen) = source.seen.newest() {
                let stamp = |record: &Record| DeclaredStamp::new(record.order, second(record.at), record.rank);
                let newest = of_source().filter(|record| record.at > erased(name)).map(|record| stamp(record));
                prop_assert_eq!(Some(seen.stamp), newest.max());
            }
        }
    }
}
