//! `keyfold explain` on random definitions and records: see `tests/laws/explained.rs`.

use std::collections::BTreeMap;

use keyfold::customer::bounded::Limits;
use keyfold::customer::contribution::Data;
use keyfold::model::record::Source;
use keyfold_harness::explained::{History, contributions, counted};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::cases;
use crate::folding::{Fold, Setup};
use crate::strategies::{Case, case};

fn limits(setup: &Setup) -> Limits {
    Limits {
        view: setup.view.clone(),
        ..Limits::of(&setup.config)
    }
}

fn by_customer(setup: &Setup, case: &Case) -> BTreeMap<String, Vec<(Source, Data)>> {
    let mut all: BTreeMap<String, Vec<(Source, Data)>> = BTreeMap::new();
    for event in &case.events {
        let source = setup.source_of(event);
        for contribution in setup.judge(event, |judged| contributions(judged.verdict)) {
            let of_customer = all.entry(contribution.customer).or_default();
            of_customer.push((source, contribution.data));
        }
    }
    all
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn without_what_is_named_the_snapshot_is_another(case in case()) {
        let setup = Setup::of(&case);
        let limits = limits(&setup);
        let snapshots = Fold::of(&setup, &case.events).snapshots();
        for (customer, records) in by_customer(&setup, &case) {
            let history = History { customer: &customer, records, limits: &limits };
            let explained = history.explain(|_| true).snapshot;
            let explained = explained.map(|text| String::from_utf8(text).unwrap());
            prop_assert_eq!(&explained, &snapshots[&customer]);
            history.check().map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn explanations_are_varied() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::new();
    for _ in 0..1500 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let setup = Setup::of(&case);
        let limits = limits(&setup);
        for (customer, records) in by_customer(&setup, &case) {
            let history = History {
                customer: &customer,
                records,
                limits: &limits,
            };
            counted(&history.explain(|_| true), &mut found);
        }
    }
    for name in [
        "hidden",
        "erased",
        "let_go",
        "highest_rank",
        "greater_text",
        "greater_rank",
        "priority",
        "newest_source",
        "cleared",
        "whole",
        "union",
        "not_listed",
    ] {
        let times = found.get(name).copied().unwrap_or_default();
        assert!(times >= 4, "{name} occurs {times} times: {found:?}");
    }
}
