//! The laws of declared sources (docs/contract.md, section 9): on random definitions and random records the verdicts
//! and the snapshots are those of a second, naive implementation, and depend on the set of records alone.
//!
//! `KEYFOLD_DECLARED_CASES` says how many cases each property gets.

mod explained;
mod folding;
mod hidden;
mod oracle;
mod strategies;
mod traps;
mod varied;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

use folding::{Fold, Setup};
use keyfold::model::record::{MAX_VIOLATIONS, Source};
use oracle::{Event, Verdict};
use strategies::{Case, case};

/// Cases a property. Failures are kept next to the tests and tried first ever after.
fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("KEYFOLD_DECLARED_CASES");
    ProptestConfig {
        cases: asked.map_or(cases, |asked| asked.parse().unwrap()),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/declared/proptest-regressions.txt",
        ))),
        ..ProptestConfig::default()
    }
}

/// A case, its records in another order, and for each of those the part that it goes to.
fn split(
    case: impl Strategy<Value = Case>,
) -> impl Strategy<Value = (Case, Vec<Event>, Vec<usize>)> {
    case.prop_flat_map(|case| {
        let shuffled = Just(case.events.clone()).prop_shuffle();
        let parts = prop::collection::vec(0..3_usize, case.events.len());
        (Just(case), shuffled, parts)
    })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_verdicts_are_those_of_the_oracle(case in case()) {
        let setup = Setup::of(&case);
        for record in case.declared() {
            let expected = oracle::judge(&case.definitions[record.source], record);
            setup.judge_declared(record, |judged| {
                compare(&judged, &expected)?;
                // of more than are listed, the first
                let warnings = folding::listed(&judged.warnings);
                let is_cut = judged.warnings.len() >= MAX_VIOLATIONS;
                let is_rejected = matches!(expected.verdict, Verdict::Rejected(_));
                if is_cut {
                    prop_assert!(warnings.iter().all(|one| expected.warnings.contains(one)));
                } else if !is_rejected {
                    prop_assert_eq!(warnings, expected.warnings);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn the_snapshots_are_those_of_the_oracle(case in case()) {
        let setup = Setup::of(&case);
        let expected = oracle::fold(&case.definitions, &case.events, &case.settings);
        prop_assert_eq!(Fold::of(&setup, &case.events).snapshots(), expected);
    }
}

fn compare(
    judged: &keyfold::source::Judged<'_>,
    expected: &oracle::Judged,
) -> Result<(), TestCaseError> {
    use keyfold::source::Verdict as Got;
    match (&judged.verdict, &expected.verdict) {
        (Got::Nothing, Verdict::Nothing) => {}
        (Got::Valid(got), Verdict::Valid(expected)) => {
            prop_assert_eq!(&got.customer, &expected.customer);
        }
        (Got::Rejected(got), Verdict::Rejected(expected)) => {
            prop_assert_eq!(&folding::rejection(got), expected);
        }
        (
            Got::Batch {
                elements,
                rejection,
            },
            Verdict::Batch {
                valid,
                rejection: expected,
            },
        ) => {
            prop_assert_eq!(&rejection.as_ref().map(folding::rejection), expected);
            let got = elements.iter().map(|one| &one.contribution.customer);
            let got: Vec<&String> = got.collect();
            let valid: Vec<&String> = valid.iter().map(|one| &one.customer).collect();
            prop_assert_eq!(got, valid);
        }
        (got, expected) => {
            return Err(TestCaseError::fail(format!("{got:?}, not {expected:?}")));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn any_order_repetition_and_split_give_the_same(
        split in split(case()),
        again in prop::collection::vec((any::<Index>(), any::<Index>()), 0..6),
    ) {
        is_a_join(&split, &again)?;
    }

    #[test]
    fn a_state_may_be_stored_at_any_point(
        case in case(),
        stored in prop::collection::vec(any::<bool>(), 8),
    ) {
        may_be_stored(&case, &stored)?;
    }

    /// The definitions are ones that keyfold accepts.
    #[test]
    fn definitions_are_accepted(case in case()) {
        Setup::of(&case);
    }

    /// A sanity check of oracle and strategies in one.
    #[test]
    fn the_oracle_depends_on_the_set_alone((case, shuffled, _) in split(case())) {
        let once = oracle::fold(&case.definitions, &case.events, &case.settings);
        let mut twice = shuffled;
        twice.extend(case.events);
        prop_assert_eq!(once, oracle::fold(&case.definitions, &twice, &case.settings));
    }
}

proptest! {
    #![proptest_config(cases(100))]

    /// Valid records are made of any definition, but for those that want one value to be several things at once: they are
    /// refused, with the reason.
    #[test]
    fn valid_records_are_made_of_definitions(case in case()) {
        let setup = Setup::of(&case);
        for (source, ..) in setup.config.sources.declared() {
            let config = Arc::new(setup.config.clone());
            let samples = keyfold::sample::Samples::new(Source::Declared(source), config);
            let problems = samples.err().unwrap_or_default();
            let is_a_contradiction = |problem: &String| {
                let both = ["is taken by all", "duplicate_element", "created_after_updated"];
                both.iter().any(|part| problem.contains(part))
            };
            let others: Vec<&String> = problems.iter().filter(|one| !is_a_contradiction(one)).collect();
            prop_assert!(others.is_empty(), "{:?} {:#?}", others, case.texts);
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn letting_go_is_a_join(
        split in split(hidden::case()),
        again in prop::collection::vec((any::<Index>(), any::<Index>()), 0..6),
        stored in prop::collection::vec(any::<bool>(), 8),
    ) {
        let (case, ..) = &split;
        let expected = oracle::fold(&case.definitions, &case.events, &case.settings);
        prop_assert_eq!(Fold::of(&Setup::of(case), &case.events).snapshots(), expected);
        is_a_join(&split, &again)?;
        may_be_stored(case, &stored)?;
    }
}

/// Any order of the records, any repetition and any split gives the same state.
fn is_a_join(
    (case, shuffled, parts): &(Case, Vec<Event>, Vec<usize>),
    again: &[(Index, Index)],
) -> Result<(), TestCaseError> {
    let setup = Setup::of(case);
    let once = Fold::of(&setup, &case.events);
    prop_assert_eq!(once.bytes(), Fold::of(&setup, shuffled).bytes());

    let mut repeated = shuffled.clone();
    for (which, place) in again {
        if !shuffled.is_empty() {
            let place = place.index(repeated.len() + 1);
            repeated.insert(place, which.get(shuffled).clone());
        }
    }
    prop_assert_eq!(once.bytes(), Fold::of(&setup, &repeated).bytes());

    let part = |part: usize| {
        let own = shuffled.iter().zip(parts);
        let own = own.filter(move |(_, of)| **of == part);
        Fold::of(&setup, own.map(|(event, _)| event))
    };
    let merged = |left: &Fold<'_>, right: &Fold<'_>| {
        let mut merged = Fold::of(&setup, []);
        merged.merge(left.clone());
        merged.merge(right.clone());
        merged
    };
    let (one, two, three) = (part(0), part(1), part(2));
    let left = merged(&merged(&one, &two), &three);
    let right = merged(&one, &merged(&three, &two));
    prop_assert_eq!(left.bytes(), once.bytes());
    prop_assert_eq!(right.bytes(), once.bytes());
    prop_assert_eq!(merged(&left, &two).bytes(), once.bytes());
    prop_assert_eq!(left.snapshots(), once.snapshots());
    Ok(())
}

/// The state may be stored and read after any record; `stored` says after which.
fn may_be_stored(case: &Case, stored: &[bool]) -> Result<(), TestCaseError> {
    let setup = Setup::of(case);
    let mut fold = Fold::of(&setup, []);
    for (at, event) in case.events.iter().enumerate() {
        fold.event(event);
        if stored[at % stored.len()] {
            fold.stored_and_read();
        }
    }
    fold.stored_and_read();
    let once = Fold::of(&setup, &case.events);
    prop_assert_eq!(fold.bytes(), once.bytes());
    prop_assert_eq!(fold.snapshots(), once.snapshots());
    Ok(())
}
