//! `keyfold explain` names the records that decide a snapshot: on random histories the snapshot changes without those
//! that it names, and stays the same without those that it names as not decisive.

use std::collections::BTreeMap;

use keyfold::config::Config;
use keyfold::customer::bounded::Limits;
use keyfold::customer::contribution::Data;
use keyfold::fold::OfflineFold;
use keyfold::model::record::{RawRecord, Source, usable_timestamp};
use keyfold::source;
use keyfold_generate::{Generator, Options};
use keyfold_harness::explained::{History, contributions, counted};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::folding::{config, offline, raw};
use crate::history::{history, settings};
use crate::oracle::{Input, Settings};
use crate::{cases, hidden};

/// The records of each customer.
fn by_customer(records: &[Input], settings: &Settings) -> BTreeMap<String, Vec<(Source, Data)>> {
    let config = config(settings);
    let mut all: BTreeMap<String, Vec<(Source, Data)>> = BTreeMap::new();
    for record in records {
        let record = raw(record);
        for contribution in contributions(source::judge(&record, &config).verdict) {
            let of_customer = all.entry(contribution.customer).or_default();
            of_customer.push((record.source, contribution.data));
        }
    }
    all
}

fn check(records: &[Input], settings: &Settings) -> Result<(), TestCaseError> {
    let config = config(settings);
    let limits = Limits::of(&config);
    let snapshots = offline(records, &config);
    for (customer, records) in by_customer(records, settings) {
        let history = History {
            customer: &customer,
            records,
            limits: &limits,
        };
        let explained = history.explain(|_| true).snapshot;
        let explained = explained.map(|text| String::from_utf8(text).unwrap());
        prop_assert_eq!(&explained, &snapshots[&customer]);
        history.check().map_err(TestCaseError::fail)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(4096))]

    #[test]
    fn without_what_is_named_the_snapshot_is_another(records in history(), settings in settings()) {
        check(&records, &settings)?;
    }

    #[test]
    fn so_it_is_where_elements_are_let_go(records in hidden::events(), max_hidden in 0..3_usize) {
        check(&records, &Settings { max_hidden, ..Settings::default() })?;
    }
}

/// For each customer of a generated stream.
#[test]
fn so_it_is_for_generated_records() {
    let config = Config::default();
    let limits = Limits::of(&config);
    let options = Options {
        seed: 18,
        customers: 40,
        late: 0.2,
        repeated: 0.05,
        null: 0.02,
        ..Options::default()
    };
    let mut fold = OfflineFold::new(&config);
    let mut all: BTreeMap<String, Vec<(Source, Data)>> = BTreeMap::new();
    for record in Generator::new(options).take(1200) {
        let raw = RawRecord {
            source: record.source.into(),
            timestamp: usable_timestamp(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        fold.record(&raw);
        for contribution in contributions(source::judge(&raw, &config).verdict) {
            let of_customer = all.entry(contribution.customer).or_default();
            of_customer.push((raw.source, contribution.data));
        }
    }
    assert!(all.len() >= 40);
    for (customer, snapshot) in fold.snapshots() {
        let history = History {
            customer,
            records: all.remove(customer).unwrap(),
            limits: &limits,
        };
        assert_eq!(history.explain(|_| true).snapshot, snapshot);
        history.check().unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

/// A customer with very many records is explained in time that is proportional to them.
#[test]
fn many_records_are_explained_at_once() {
    let config = Config::default();
    let limits = Limits::of(&config);
    let event = |number: u32| {
        let time = format!(
            "2024-02-06T10:{:02}:{:02}.{:03}Z",
            number / 60_000 % 60,
            number / 1000 % 60,
            number % 1000
        );
        let address = json!({"addressId": format!("a{}", number % 7), "line1": "1", "city": "York", "zipCode": "z", "countryCode": "GB"});
        json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1, "body": {
            "customerId": "c", "status": "ACTIVE", "smsOptIn": number.is_multiple_of(2), "addresses": [address],
            "createdAt": time, "updatedAt": time}})
    };
    let mut records = Vec::new();
    for number in 0..10_000 {
        let value = event(number).to_string();
        let null = number % 50 == 25;
        let raw = RawRecord {
            source: Source::LoyaltyCustomers,
            timestamp: Some(1_707_213_600_000 + i64::from(number)),
            key: Some(b"c"),
            value: (!null).then_some(value.as_bytes()),
        };
        let of_record = contributions(source::judge(&raw, &config).verdict).into_iter();
        records.extend(of_record.map(|contribution| (raw.source, contribution.data)));
    }
    assert_eq!(records.len(), 10_000);
    let history = History {
        customer: "c",
        records,
        limits: &limits,
    };
    let began = std::time::Instant::now();
    let explanation = history.explain(|_| true);
    // Only a generous deadline: comparing each record with each other takes minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert_eq!(explanation.records.len(), 10_000);
}

/// The histories reach every fate and nearly every rule.
#[test]
fn explanations_are_varied() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::new();
    for _ in 0..1500 {
        let records = history().new_tree(&mut runner).unwrap().current();
        let settings = settings().new_tree(&mut runner).unwrap().current();
        let limits = Limits::of(&config(&settings));
        for (customer, records) in by_customer(&records, &settings) {
            let history = History {
                customer: &customer,
                records,
                limits: &limits,
            };
            counted(&history.explain(|_| true), &mut found);
        }
    }
    for name in [
        "shown",
        "erases",
        "hidden",
        "superseded",
        "erased",
        "let_go",
        "repeated",
        "only",
        "newest",
        "greater_rank",
        "greater_text",
        "highest_version",
        "newest_list",
        "union",
        "not_listed",
        "counted",
        "earliest",
        "latest",
        "deleted",
    ] {
        let times = found.get(name).copied().unwrap_or_default();
        assert!(times >= 10, "{name} occurs {times} times: {found:?}");
    }
}
