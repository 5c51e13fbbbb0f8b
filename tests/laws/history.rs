//! Random histories: valid records of all four sources in a small universe, so
//! that ties, late events and erasures at the very instant of a datum are
//! common. The same value often comes in several spellings.
//!
//! Every record is valid under the default rules (some cause warnings), but
//! for two things that depend on [`Settings`] and that the oracle passes over.

mod console;
mod json;
mod loyalty;
mod publisher;
mod records;

use proptest::prelude::*;
use proptest::sample::select;

use crate::oracle::{Input, Settings, Src, Tomb};

/// Up to this many records a history.
const MAX_RECORDS: usize = 16;

/// A history: records in any order, as keyfold could read them.
pub fn history() -> impl Strategy<Value = Vec<Input>> {
    let of = |record: BoxedStrategy<Input>| prop::collection::vec(record, 0..=MAX_RECORDS);
    // All sources together, or one of them at length, for ties among its own.
    prop_oneof![
        3 => of(records::record().boxed()),
        2 => of(records::or_null(loyalty::event()).boxed()),
        1 => of(records::or_null(loyalty::action()).boxed()),
        1 => of(records::or_null(console::customer_object()).boxed()),
        1 => of(records::or_null(publisher::batch()).boxed()),
    ]
}

/// The settings that a snapshot depends on.
pub fn settings() -> impl Strategy<Value = Settings> {
    let tombstone = prop_oneof![
        2 => Just(Settings::default().tombstone),
        3 => prop::array::uniform4(select(vec![Tomb::Erase, Tomb::Retract, Tomb::Reject])),
    ];
    (
        any::<bool>(),
        select(vec![100, 1, 2, 3]),
        select(vec![20, 1, 2]),
        any::<bool>(),
        tombstone,
        any::<bool>(),
    )
        .prop_map(
            |(union, max_actions, recent_actions, deleted_tombstone, tombstone, country_warn)| {
                Settings {
                    union,
                    max_actions,
                    max_hidden: 100,
                    recent_actions,
                    deleted_tombstone,
                    tombstone,
                    country_warn,
                }
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::fold;

    proptest! {
        /// A sanity check of oracle and histories in one.
        #[test]
        fn the_oracle_depends_on_the_set_alone(records in history(), settings in settings()) {
            let once = fold(&records, &settings);
            let mut twice: Vec<Input> = records.iter().rev().cloned().collect();
            twice.extend(records);
            prop_assert_eq!(once, fold(&twice, &settings));
        }
    }

    /// Histories reach the corners that they are for.
    #[test]
    fn histories_are_varied() {
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;

        let mut runner = TestRunner::deterministic();
        let mut snapshots = Vec::new();
        let mut nulls = 0;
        for _ in 0..500 {
            let records = history().new_tree(&mut runner).unwrap().current();
            let settings = settings().new_tree(&mut runner).unwrap().current();
            for snapshot in fold(&records, &settings).into_values() {
                match snapshot {
                    Some(snapshot) => snapshots.push(snapshot),
                    None => nulls += 1,
                }
            }
        }
        assert!(nulls > 20, "{nulls} null snapshots");
        for (least, needle) in [
            (20, "\"source\":\"console\""),
            (20, "\"source\":\"loyalty\""),
            (20, "\"dependents\":[{"),
            (20, "\"phones\":[{"),
            (20, "\"attributes\":{\""),
            (20, "\"accounts\":[{"),
            (20, "\"truncated\":true"),
            (20, "\"firstTouch\""),
            (20, "\"status\":\"CANCELLED\""),
            (20, "\"country\":"),
            (20, "59.999999Z"),
            (20, "\\u0001"),
        ] {
            let found = snapshots.iter().filter(|s| s.contains(needle)).count();
            assert!(found >= least, "{found} snapshots with {needle}");
        }
        for source in Src::ALL {
            let name = match source {
                Src::LoyaltyCustomers => "\"loyalty\":{",
                Src::LoyaltyActions => "\"actions\":{\"updatedAt\"",
                Src::ConsoleCustomers => "\"console\":{",
                Src::PublisherCustomers => "\"publisher\":{",
            };
            let found = snapshots.iter().filter(|s| s.contains(name)).count();
            assert!(found > 100, "{found} snapshots of {source:?}");
        }
    }
}
