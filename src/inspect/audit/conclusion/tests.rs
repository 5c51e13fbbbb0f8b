use bytes::Bytes;

use super::super::evidence::InputAt;
use super::super::partials::{Counts, Partials};
use super::*;
use crate::customer::bounded::Limits;
use crate::model::record::{RawRecord, Source};
use crate::source::{self, Verdict};

const ID: &str = "c";
const HERE: At = At {
    partition: 1,
    offset: 7,
};

/// What an event of the loyalty programme says, at a minute.
fn event(fields: &str, minute: u32) -> String {
    format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"{ID}","addresses":[],
        {fields}"createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:{minute:02}:00Z"}}}}"#
    )
}

fn active() -> (Source, String) {
    (Source::LoyaltyCustomers, event(r#""status":"ACTIVE","#, 1))
}

fn opted_in() -> (Source, String) {
    (Source::LoyaltyCustomers, event(r#""smsOptIn":true,"#, 2))
}

fn console() -> (Source, String) {
    let value = format!(r#"{{"customerId":"{ID}","version":1,"firstName":"Ada"}}"#);
    (Source::ConsoleCustomers, value)
}

/// The fold of records.
fn folded(records: &[(Source, String)]) -> Customer {
    let config = Config::default();
    let limits = Limits::of(&config);
    let mut partials = Partials::default();
    for (source, value) in records {
        let record = RawRecord {
            source: *source,
            timestamp: Some(1_800_000_000_000),
            key: None,
            value: Some(value.as_bytes()),
        };
        let at = InputAt { input: 0, at: HERE };
        match source::judge(&record, &config).verdict {
            Verdict::Valid(contribution) => {
                partials.add(contribution, at, Counts::Yes, &limits);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut evidence = Evidence::default();
    for (_, part) in partials.drain() {
        evidence.join(&part, &limits);
    }
    evidence.fold.unwrap()
}

fn encoded(customer: &Customer) -> Bytes {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes.into()
}

fn snapshot_of(customer: &Customer) -> Bytes {
    let view = View::of(&Config::default());
    let mut text = Vec::new();
    assert!(snapshot::write(customer, ID, &view, &mut text));
    text.into()
}

/// What there is if records are left of those that lead to the state and the snapshot.
fn evidence(
    records: &[(Source, String)],
    state: &[(Source, String)],
    snapshot: &[(Source, String)],
) -> Evidence {
    let of = |records: &[(Source, String)]| (!records.is_empty()).then(|| folded(records));
    Evidence {
        fold: of(records),
        state: of(state).map(|state| (HERE, encoded(&state))),
        snapshot: of(snapshot).map(|state| (HERE, snapshot_of(&state))),
        ..Evidence::default()
    }
}

fn basis(is_complete: bool) -> Basis {
    Basis::new(&Config::default(), is_complete)
}

fn complete(evidence: &Evidence) -> Conclusion {
    conclude(ID, evidence, &basis(true))
}

fn cut(evidence: &Evidence) -> Conclusion {
    conclude(ID, evidence, &basis(false))
}

/// The differences: kind, place, pointers, explanation.
fn differences(conclusion: Conclusion) -> Vec<(Kind, Place, String, Option<Because>)> {
    match conclusion {
        Conclusion::Differs(differences) => {
            let all = differences.into_iter();
            all.map(|one| (one.kind, one.place, one.pointers.join(" "), one.because))
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

fn one(kind: Kind, place: Place, pointers: &str) -> Vec<(Kind, Place, String, Option<Because>)> {
    vec![(kind, place, pointers.to_owned(), None)]
}

const BY_RECORDS: Conclusion = Conclusion::Equal(Proof::Records);
const BY_STATE: Conclusion = Conclusion::Equal(Proof::State);

#[test]
fn all_records_prove_state_and_snapshot() {
    let all = [active(), opted_in(), console()];
    assert_eq!(complete(&evidence(&all, &all, &all)), BY_RECORDS);
    assert_eq!(cut(&evidence(&all, &all, &all)), BY_RECORDS);
    assert_eq!(complete(&Evidence::default()), BY_RECORDS);
}

#[test]
fn a_snapshot_that_was_overwritten_is_different() {
    let (all, other) = ([active(), opted_in()], [active(), console()]);
    let pointers = "/firstName /smsOptIn /sources/console /sources/loyalty/updatedAt /updatedAt";
    let found = differences(complete(&evidence(&all, &all, &other)));
    let expected = (
        Kind::Different,
        Place::Snapshot,
        pointers.to_owned(),
        Some(Because::NotTheView),
    );
    assert_eq!(found, [expected]);
    let found = differences(cut(&evidence(&all[..1], &all, &other)));
    assert_eq!(found, one(Kind::Different, Place::Snapshot, pointers));
}

#[test]
fn a_snapshot_may_be_missing_or_too_many() {
    let all = [active()];
    for judge in [complete, cut] {
        let found = differences(judge(&evidence(&all, &all, &[])));
        assert_eq!(found, one(Kind::Missing, Place::Snapshot, ""));
        let found = differences(judge(&evidence(&[], &[], &all)));
        assert_eq!(found, one(Kind::TooMany, Place::Snapshot, ""));
    }
}

#[test]
fn a_state_may_be_missing_too_many_or_different() {
    let (all, other) = ([active(), opted_in()], [active()]);
    for judge in [complete, cut] {
        let found = differences(judge(&evidence(&all, &[], &all)));
        assert_eq!(found, one(Kind::Missing, Place::State, ""));
    }
    let found = differences(complete(&evidence(&[], &all, &[])));
    assert_eq!(found, one(Kind::TooMany, Place::State, ""));
    // it knows less than the records say
    let found = differences(cut(&evidence(&all, &other, &other)));
    let pointers = "/smsOptIn /sources/loyalty/updatedAt /updatedAt";
    assert_eq!(found, one(Kind::Different, Place::State, pointers));
    // it knows more, which only complete inputs can tell
    let found = differences(complete(&evidence(&other, &all, &other)));
    assert_eq!(found[0].1, Place::State, "{found:?}");
    assert_eq!(cut(&evidence(&other, &all, &all)), BY_STATE);
    assert_eq!(cut(&evidence(&[], &all, &all)), BY_STATE);
}

#[test]
fn a_state_that_cannot_be_decoded_is_told() {
    let all = [active()];
    let mut damaged = evidence(&all, &all, &all);
    damaged.state = Some((HERE, Bytes::from_static(b"\xff")));
    for judge in [complete, cut] {
        let found = differences(judge(&damaged));
        assert_eq!(found[0].3, Some(Because::Unreadable));
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn data_of_a_source_that_is_gone_stay_and_are_no_difference() {
    let mut config = Config::default();
    let loyalty = Source::LoyaltyCustomers;
    let of_loyalty = crate::config::SourceConfig::of(loyalty);
    config.sources = [(loyalty, of_loyalty)].into_iter().collect();
    let basis = Basis::new(&config, true);
    let both = [active(), console()];
    let found = conclude(ID, &evidence(&[active()], &both, &both), &basis);
    assert_eq!(found, BY_STATE);
    let wrong = evidence(&[opted_in()], &both, &both);
    let found = differences(conclude(ID, &wrong, &basis));
    assert_eq!(found[0].1, Place::State);
}

#[test]
fn a_record_with_a_dead_letter_that_is_valid_today_explains_a_difference() {
    let mut with_letter = evidence(&[active()], &[active()], &[active()]);
    with_letter.otherwise = Some(folded(&[opted_in()]));
    for judge in [complete, cut] {
        let found = differences(judge(&with_letter));
        assert_eq!((found.len(), found[0].3), (1, Some(Because::ValidToday)));
        assert!(found[0].2.starts_with("/smsOptIn"), "{found:?}");
    }
    // it came again, and was processed then
    let all = [active(), opted_in()];
    for records in [&all[..], &all[..1]] {
        let mut again = evidence(records, &all, &all);
        again.otherwise = Some(folded(&[opted_in()]));
        assert!(matches!(complete(&again), Conclusion::Equal(_)));
        assert!(matches!(cut(&again), Conclusion::Equal(_)));
    }
}

#[test]
fn a_record_without_a_dead_letter_that_is_rejected_today_explains_a_difference() {
    let both = [active(), opted_in()];
    let mut accepted = evidence(&both[..1], &both, &both);
    accepted.accepted = Some(folded(&[opted_in()]));
    let found = differences(complete(&accepted));
    assert_eq!((found.len(), found[0].3), (1, Some(Because::RejectedToday)));
    // it was rejected, and only its letter is lost
    let mut rejected = evidence(&both[..1], &both[..1], &both[..1]);
    rejected.accepted = Some(folded(&[opted_in()]));
    assert_eq!(complete(&rejected), BY_RECORDS);
    assert!(matches!(cut(&accepted), Conclusion::Equal(_)));
}

#[test]
fn where_the_order_decides_nothing_is_called_different() {
    let all = [active(), opted_in()];
    let mut large = evidence(&all, &all[..1], &all[..1]);
    large.depends_on_order = true;
    for judge in [complete, cut] {
        assert_eq!(judge(&large), Conclusion::NotProvable(NotProvable::Order));
    }
    let mut equal = evidence(&all, &all, &all);
    equal.depends_on_order = true;
    assert_eq!(complete(&equal), BY_RECORDS);
}

#[test]
fn what_lies_in_another_partition_is_too_many() {
    let all = [active()];
    let mut stray = evidence(&all, &all, &all);
    stray.stray_snapshots.push(HERE);
    for judge in [complete, cut] {
        let found = differences(judge(&stray));
        let expected = (
            Kind::TooMany,
            Place::Snapshot,
            String::new(),
            Some(Because::Partition),
        );
        assert_eq!(found, [expected]);
    }
}
