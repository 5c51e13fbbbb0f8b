//! The laws of the fold (docs/contract.md, section 3): on random histories the state depends on the set of records
//! alone, and what is published is what a second, naive implementation makes of the definition.

mod explained;
mod folding;
mod hidden;
mod history;
mod oracle;
mod traps;

use keyfold::config::Config;
use keyfold::customer::{Customer, Keep};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

use folding::{Fold, config, encoded, offline};
use history::{history, settings};
use oracle::Input;

/// Cases a property. Failures are kept next to the tests and tried first ever after.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/laws/proptest-regressions.txt",
        ))),
        ..ProptestConfig::default()
    }
}

/// A history and its records in another order.
fn shuffled() -> impl Strategy<Value = (Vec<Input>, Vec<Input>)> {
    history().prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle()))
}

/// A history, and for each record the part that it goes to.
fn split() -> impl Strategy<Value = Vec<(Input, usize)>> {
    history().prop_flat_map(|records| {
        let parts = prop::collection::vec(0..3_usize, records.len());
        parts.prop_map(move |parts| records.iter().cloned().zip(parts).collect())
    })
}

/// The three parts of a history, each folded by itself.
fn apart<'c>(split: &[(Input, usize)], config: &'c Config) -> [Fold<'c>; 3] {
    [0, 1, 2].map(|part| {
        let own = split.iter().filter(|(_, of)| *of == part);
        Fold::of(config, own.map(|(record, _)| record))
    })
}

fn merged<'c>(left: &Fold<'c>, right: &Fold<'c>) -> Fold<'c> {
    let mut merged = left.clone();
    merged.merge(right.clone());
    merged
}

proptest! {
    #![proptest_config(cases(16_384))]

    #[test]
    fn the_snapshots_are_those_of_the_oracle(records in history(), settings in settings()) {
        prop_assert_eq!(offline(&records, &config(&settings)), oracle::fold(&records, &settings));
    }
}

proptest! {
    #![proptest_config(cases(4096))]

    #[test]
    fn any_order_gives_the_same((records, shuffled) in shuffled(), settings in settings()) {
        let config = config(&settings);
        prop_assert_eq!(offline(&records, &config), offline(&shuffled, &config));
        let one = Fold::of(&config, &records);
        prop_assert_eq!(one.bytes(), Fold::of(&config, &shuffled).bytes());
    }

    #[test]
    fn repetition_changes_nothing(
        records in history(),
        again in prop::collection::vec((any::<Index>(), any::<Index>()), 0..12),
        settings in settings(),
    ) {
        let config = config(&settings);
        let mut repeated = records.clone();
        for (which, place) in again {
            if !records.is_empty() {
                repeated.insert(place.index(repeated.len() + 1), which.get(&records).clone());
            }
        }
        let once = Fold::of(&config, &records);
        prop_assert_eq!(once.bytes(), Fold::of(&config, &repeated).bytes());
        prop_assert_eq!(offline(&records, &config), offline(&repeated, &config));
    }

    #[test]
    fn parts_folded_apart_come_together(split in split(), settings in settings()) {
        let config = config(&settings);
        let whole = Fold::of(&config, split.iter().map(|(record, _)| record));
        let [one, two, three] = apart(&split, &config);
        let mut merged = three;
        merged.merge(one);
        merged.merge(two);
        prop_assert_eq!(merged.bytes(), whole.bytes());
        let records: Vec<Input> = split.into_iter().map(|(record, _)| record).collect();
        prop_assert_eq!(merged.snapshots(), oracle::fold(&records, &settings));
    }

    #[test]
    fn merging_is_a_join(split in split(), settings in settings()) {
        let config = config(&settings);
        let [one, two, three] = apart(&split, &config);
        let left = merged(&merged(&one, &two), &three);
        let right = merged(&one, &merged(&two, &three));
        prop_assert_eq!(left.bytes(), right.bytes());
        prop_assert_eq!(merged(&one, &two).bytes(), merged(&two, &one).bytes());
        prop_assert_eq!(merged(&one, &one).bytes(), one.bytes());
        prop_assert_eq!(merged(&left, &two).bytes(), left.bytes());
    }

    /// The outcome is `merged` if and only if the state is another one.
    #[test]
    fn a_change_is_told_if_and_only_if_there_is_one(split in split(), settings in settings()) {
        let config = config(&settings);
        let mut fold = Fold::new(&config);
        for (record, _) in &split {
            let before = fold.bytes();
            let changed = fold.record(record);
            // a customer who is new is in the fold even if the record says nothing
            let after = fold.bytes();
            for (id, state) in &after {
                let known = before.get(id);
                let new = encoded(&Customer::default());
                let was = known.unwrap_or(&new);
                prop_assert_eq!(was != state, changed.contains(id));
            }
        }
        let [one, two, _] = apart(&split, &config);
        for (id, mut customer) in one.customers.clone() {
            if let Some(other) = two.customers.get(&id) {
                let before = encoded(&customer);
                let changed = customer.merge(other.clone(), Keep::of(&config));
                prop_assert_eq!(changed, before != encoded(&customer));
            }
        }
    }

    #[test]
    fn a_state_may_be_stored_at_any_point(
        records in history(),
        stored in prop::collection::vec(any::<bool>(), 16),
        settings in settings(),
    ) {
        let config = config(&settings);
        let mut fold = Fold::new(&config);
        for (at, record) in records.iter().enumerate() {
            fold.record(record);
            if stored[at % stored.len()] {
                fold = fold.stored_and_read();
            }
        }
        let bytes = fold.bytes();
        prop_assert_eq!(&bytes, &Fold::of(&config, &records).bytes());
        prop_assert_eq!(&bytes, &fold.stored_and_read().bytes());
        prop_assert_eq!(fold.snapshots(), oracle::fold(&records, &settings));
    }

    /// A damaged state is an error or another state, never a panic or a demand for all memory.
    #[test]
    fn damaged_states_are_survived(
        records in history(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let config = config(&oracle::Settings::default());
        for state in Fold::of(&config, &records).bytes().into_values() {
            let mut damaged = state.clone();
            for (at, byte) in &damage {
                let at = at.index(damaged.len());
                damaged[at] ^= byte;
            }
            folding::survive(damaged);
            let cut = cut.index(state.len());
            prop_assert!(Customer::decode(&state[..cut]).is_err());
            let longer = [&state[..], &[0]].concat();
            prop_assert!(Customer::decode(longer).is_err());
        }
    }

    #[test]
    fn any_bytes_are_survived(
        mut bytes in prop::collection::vec(any::<u8>(), 0..256),
        known_layout in any::<bool>(),
    ) {
        if let (true, Some(layout)) = (known_layout, bytes.first_mut()) {
            *layout = keyfold::customer::codec::LAYOUT;
        }
        folding::survive(bytes);
    }

    #[test]
    fn snapshots_keep_to_their_schema(records in history(), settings in settings()) {
        for snapshot in offline(&records, &config(&settings)).into_values().flatten() {
            let value = serde_json::from_str(&snapshot).unwrap();
            let errors: Vec<String> = folding::SNAPSHOT_SCHEMA
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            prop_assert!(errors.is_empty(), "{:?} in {}", errors, snapshot);
        }
    }
}
