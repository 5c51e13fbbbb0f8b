//! Strategies for the records of the loyalty sources.

use proptest::prelude::*;

use super::json::{Field, TEXTS, array, created, instant, maybe, millis, object, one, spelling};
use super::records::{ELEMENTS, customer, input};
use crate::oracle::{Input, Src};

const INTERACTIONS: [&str; 4] = [r#""i2""#, r#""i1""#, r#""I\n""#, r#""i10""#];

/// A loyalty event around its body.
fn envelope(
    source: Src,
    event_type: &'static str,
    body: impl Strategy<Value = String>,
) -> impl Strategy<Value = Input> {
    (
        one(&[r#""CREATED""#, r#""UPDATED""#]),
        one(&["1", "1.0", "1.25", "10e-1"]),
        body,
        prop::option::of(millis()),
        spelling(),
    )
        .prop_map(move |(action, version, body, timestamp, spelling)| {
            let fields: Vec<Field> = vec![
                ("eventType", Some(format!("\"{event_type}\""))),
                ("eventAction", Some(action)),
                ("version", Some(version)),
                ("body", Some(body)),
            ];
            input(source, object(fields, spelling), timestamp)
        })
}

/// A customer event.
pub fn event() -> impl Strategy<Value = Input> {
    let scalars = (
        maybe(&[r#""1998-02-01""#, r#""2024-02-29""#]),
        maybe(&[r#""ACTIVE""#, r#""DELETED""#]),
        maybe(&["true", "false"]),
        maybe(&["true", "false"]),
    );
    let lists = (
        prop::collection::vec(address(), 0..=3),
        prop::option::of(prop::collection::vec(dependent(), 0..=3)),
    );
    let body = (customer(), scalars, lists, created(), instant(), spelling()).prop_map(
        |(customer, (birth, status, marketing, sms), lists, created, updated, spelling)| {
            let (addresses, dependents) = lists;
            let fields: Vec<Field> = vec![
                ("customerId", Some(customer)),
                ("dateOfBirth", birth),
                ("status", status),
                ("marketingOptIn", marketing),
                ("smsOptIn", sms),
                ("dependents", dependents.map(array)),
                ("addresses", Some(array(addresses))),
                ("createdAt", Some(created)),
                ("updatedAt", Some(updated)),
            ];
            object(fields, spelling)
        },
    );
    envelope(Src::LoyaltyCustomers, "CUSTOMER", body)
}

fn address() -> impl Strategy<Value = String> {
    let country = prop_oneof![
        12 => one(&[r#""GB""#, r#"" gb\n""#, r#""au""#]),
        // Not recognised in the loyalty sources.
        1 => one(&[r#"" aus""#, r#""Côte d'Ivoire""#, r#""""#]),
    ];
    let texts = (
        one(&TEXTS),
        maybe(&TEXTS),
        maybe(&[r#""p""#, r#"" p""#]),
        country,
    );
    (
        one(&ELEMENTS),
        texts,
        prop::option::weighted(0.3, created()),
        prop::option::weighted(0.4, instant()),
        spelling(),
    )
        .prop_map(
            |(id, (line1, line2, province, country), created, updated, spelling)| {
                let fields: Vec<Field> = vec![
                    ("addressId", Some(id)),
                    ("line1", Some(line1)),
                    ("line2", line2),
                    ("city", Some(r#"" Perth ""#.to_owned())),
                    ("province", province),
                    ("zipCode", Some(r#""\u00a06000""#.to_owned())),
                    ("countryCode", Some(country)),
                    ("createdAt", created),
                    ("updatedAt", updated),
                ];
                object(fields, spelling)
            },
        )
}

fn dependent() -> impl Strategy<Value = String> {
    (
        one(&ELEMENTS),
        one(&[r#""cat""#, r#"" cat ""#, r#""""#]),
        prop::option::weighted(0.3, created()),
        prop::option::weighted(0.4, instant()),
        spelling(),
    )
        .prop_map(|(id, kind, created, updated, spelling)| {
            let fields: Vec<Field> = vec![
                ("dependentId", Some(id)),
                ("dateOfBirth", Some(r#""2024-01-01""#.to_owned())),
                ("type", Some(kind)),
                ("createdAt", created),
                ("updatedAt", updated),
            ];
            object(fields, spelling)
        })
}

/// A customer action.
pub fn action() -> impl Strategy<Value = Input> {
    let interaction = (
        one(&[
            r#""SIGN_UP""#,
            r#""SUBSCRIPTION_RESTARTED""#,
            r#""SUBSCRIPTION_CANCELLED""#,
            r#""PROMOTION_APPLIED""#,
        ]),
        maybe(&[r#""s1""#, r#"" s1""#, r#""""#]),
        spelling(),
    )
        .prop_map(|(kind, contract, spelling)| {
            object(
                vec![("type", Some(kind)), ("subscriptionContractId", contract)],
                spelling,
            )
        });
    let utm = (
        maybe(&TEXTS),
        maybe(&[r#""m""#, r#"" m""#, r#""""#]),
        spelling(),
    )
        .prop_map(|(source, terms, spelling)| {
            object(vec![("utmSource", source), ("utmTerms", terms)], spelling)
        });
    let body = (
        customer(),
        one(&INTERACTIONS),
        interaction,
        prop::option::of(utm),
        created(),
        instant(),
        spelling(),
    )
        .prop_map(
            |(customer, id, interaction, utm, created, updated, spelling)| {
                let fields: Vec<Field> = vec![
                    ("interactionId", Some(id)),
                    ("customerId", Some(customer)),
                    ("interaction", Some(interaction)),
                    ("utmParameters", utm),
                    ("createdAt", Some(created)),
                    ("updatedAt", Some(updated)),
                ];
                object(fields, spelling)
            },
        );
    envelope(Src::LoyaltyActions, "CUSTOMER_ACTION", body)
}
