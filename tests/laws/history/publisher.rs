//! Strategies for the records of the publisher.

use proptest::prelude::*;

use super::json::{
    Field, NAMES, array, created, millis, nullable, nullable_time, object, one, spelling,
};
use super::records::{COUNTRIES, customer, input};
use crate::oracle::{Input, Src};

/// A batch of customers, repeated ones among them.
pub fn batch() -> impl Strategy<Value = Input> {
    let customers = prop::collection::vec(enrolled(), 0..=4);
    (customers, millis(), spelling()).prop_map(|(customers, timestamp, spelling)| {
        let fields: Vec<Field> = vec![("customers", Some(array(customers)))];
        input(
            Src::PublisherCustomers,
            object(fields, spelling),
            Some(timestamp),
        )
    })
}

fn enrolled() -> impl Strategy<Value = String> {
    let enrollment = (
        nullable(&NAMES),
        one(&[r#""78753""#, r#"" 78753 ""#, r#""""#]),
        one(&COUNTRIES),
        one(&[r#""ACTIVE""#, r#"" OUT ""#]),
        one(&[r#"["ALL"]"#, "[]", r#"[ "B\t", "A" ]"#]),
    );
    let times = (created(), created(), nullable_time());
    (
        customer(),
        enrollment,
        times,
        prop::collection::vec(account(), 0..=2),
        spelling(),
    )
        .prop_map(|(customer, enrollment, times, accounts, spelling)| {
            let (parent, postal_code, country, opt_in, alerts) = enrollment;
            let (creation, start, end) = times;
            let fields: Vec<Field> = vec![
                ("sourceCustomerId", Some(customer)),
                ("sourceParentCustomerId", parent),
                ("organizationId", Some(r#"" 50004""#.to_owned())),
                ("postalCode", Some(postal_code)),
                ("country", Some(country)),
                ("customerCreationDate", Some(creation)),
                ("enrollmentStartDate", Some(start)),
                ("enrollmentEndDate", end),
                ("enrollmentOptInStatus", Some(opt_in)),
                ("alertOptInStatus", Some(alerts)),
                ("targetingIndicator", Some(r#""TARGET""#.to_owned())),
                ("accounts", Some(array(accounts))),
            ];
            object(fields, spelling)
        })
}

fn account() -> impl Strategy<Value = String> {
    let card = (nullable(&NAMES), nullable(&NAMES), nullable_time()).prop_map(
        |(account, last4, close)| {
            let fields: Vec<Field> = vec![
                ("sourceAccountId", account),
                ("sourceCustomerId", Some(NAMES[0].to_owned())),
                ("last4", last4),
                ("iin", Some("null".to_owned())),
                ("cardType", Some(r#"" CREDIT ""#.to_owned())),
                ("closeDate", close),
            ];
            object(fields, 0)
        },
    );
    let cards = prop_oneof![
        1 => Just(None),
        1 => Just(Some("null".to_owned())),
        3 => prop::collection::vec(card, 0..=2).prop_map(|cards| Some(array(cards))),
    ];
    (
        one(&NAMES),
        nullable(&["[]", r#"["A1"," A1 "]"#]),
        nullable(&NAMES),
        nullable(&[r#""OPEN""#, r#""""#]),
        nullable_time(),
        cards,
        spelling(),
    )
        .prop_map(|(id, ids, portfolio, status, open, cards, spelling)| {
            let fields: Vec<Field> = vec![
                ("sourceAccountId", Some(id)),
                ("sourceCustomerIds", ids),
                ("status", status),
                ("type", Some(r#"" DDA""#.to_owned())),
                ("sourcePortfolioId", portfolio),
                ("accountOpenDate", open),
                ("accountCloseDate", Some("null".to_owned())),
                ("cards", cards),
            ];
            object(fields, spelling)
        })
}
