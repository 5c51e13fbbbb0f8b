//! Strategies for the records of each source.

use proptest::prelude::*;
use proptest::sample::select;

use super::json::{
    Field, NAMES, TEXTS, array, created, instant, maybe, millis, nullable, nullable_time, object,
    one, spelling,
};
use crate::oracle::{Input, Src};

/// The customers: as key and as JSON text. Ids are not trimmed.
const CUSTOMERS: [(&str, &str); 3] = [
    ("c1", r#""c1""#),
    ("c2", r#""\u0063\u0032""#),
    (" č\u{1}\"", r#"" č\u0001\"""#),
];

/// Ids of elements. Their order by bytes is not that of numbers or letters.
const ELEMENTS: [&str; 3] = [r#""10""#, r#""9""#, r#""é""#];

const INTERACTIONS: [&str; 4] = [r#""i2""#, r#""i1""#, r#""I\n""#, r#""i10""#];

/// Any record. Nulls come from all sources, whatever the settings make of them.
pub fn record() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => loyalty(),
        6 => action(),
        3 => console(),
        3 => batch(),
        3 => tombstone(),
    ]
}

/// A record of one source, or a null of any.
pub fn or_null(record: impl Strategy<Value = Input> + 'static) -> impl Strategy<Value = Input> {
    prop_oneof![6 => record, 1 => tombstone()]
}

/// The index of a customer, mostly the first.
fn index() -> impl Strategy<Value = usize> {
    select(vec![0, 0, 0, 1, 1, 2])
}

fn customer() -> impl Strategy<Value = String> {
    index().prop_map(|index| CUSTOMERS[index].1.to_owned())
}

fn input(source: Src, value: String, timestamp: Option<i64>) -> Input {
    Input {
        source,
        // The key of a record with a value says nothing.
        key: Some(b"anything".to_vec()),
        value: Some(value.into_bytes()),
        timestamp,
    }
}

fn tombstone() -> impl Strategy<Value = Input> {
    let source = prop_oneof![
        3 => Just(Src::LoyaltyCustomers),
        2 => Just(Src::ConsoleCustomers),
        1 => Just(Src::LoyaltyActions),
        1 => Just(Src::PublisherCustomers),
    ];
    (source, index(), millis()).prop_map(|(source, index, timestamp)| Input {
        source,
        key: Some(CUSTOMERS[index].0.as_bytes().to_vec()),
        value: None,
        timestamp: Some(timestamp),
    })
}

/// A loyalty event around its body.
fn event(
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

pub fn loyalty() -> impl Strategy<Value = Input> {
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
    event(Src::LoyaltyCustomers, "CUSTOMER", body)
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
    event(Src::LoyaltyActions, "CUSTOMER_ACTION", body)
}

/// Countries of console and publisher: alpha-2, alpha-3, names, unknown ones.
const COUNTRIES: [&str; 7] = [
    r#""AU""#,
    r#"" aus ""#,
    r#""AUSTRALIA""#,
    r#""cÔte d'ivoire""#,
    r#""United States of America""#,
    r#"" Atlantis""#,
    r#""""#,
];

pub fn console() -> impl Strategy<Value = Input> {
    let version = one(&[
        "0",
        "1",
        "2",
        "3",
        r#""0""#,
        r#""1""#,
        r#""02""#,
        r#""\u0033""#,
    ]);
    let attributes = nullable(&[
        "{}",
        r#"{"b":1,"a":{"z":null,"é":[{"y":true,"x":false},[]],"B":" untrimmed "},"":""}"#,
        r#"{ "n" : [0, -1, 9223372036854775807, -9223372036854775808, 18446744073709551615] }"#,
        r#"{"n":[1.0,1.5e3,1e-7,0.1,1e300,18446744073709551616,1E2]}"#,
        // Decimals that a quick parser gives the neighbouring double.
        r#"{"n":[926.8358777037621,908.7044644376757,-967.8787496945147]}"#,
        r#"{"d":1,"e":0,"d":{"k":"\u0041\ud83d\ude00","k":"\u000b\""}}"#,
        r#"{"customerId":null,"version":"x","attributes":{"attributes":{}}}"#,
    ]);
    let names = (
        nullable(&TEXTS),
        nullable(&[r#""L""#]),
        nullable(&[r#""\tD""#]),
        nullable(&[r#"" a@b.example ""#]),
    );
    let list = |element| {
        prop_oneof![
            1 => Just(None),
            1 => Just(Some("null".to_owned())),
            4 => prop::collection::vec(element, 0..=3).prop_map(|all| Some(array(all))),
        ]
    };
    (
        customer(),
        version,
        names,
        list(phone().boxed()),
        list(console_address().boxed()),
        attributes,
        millis(),
        spelling(),
    )
        .prop_map(
            |(customer, version, names, phones, addresses, attributes, timestamp, spelling)| {
                let (first, last, display, email) = names;
                let fields: Vec<Field> = vec![
                    ("customerId", Some(customer)),
                    ("version", Some(version)),
                    ("firstName", first),
                    ("lastName", last),
                    ("displayName", display),
                    ("emailAddress", email),
                    ("phones", phones),
                    ("addresses", addresses),
                    ("attributes", attributes),
                ];
                input(
                    Src::ConsoleCustomers,
                    object(fields, spelling),
                    Some(timestamp),
                )
            },
        )
}

fn phone() -> impl Strategy<Value = String> {
    (
        one(&ELEMENTS),
        nullable(&[r#""Mobile""#, r#""Phone""#, r#""Unknown""#]),
        nullable(&[r#"" au ""#, r#""Atlantis""#]),
        nullable(&[r#""0400 ""#]),
        nullable(&TEXTS),
        spelling(),
    )
        .prop_map(|(key, kind, country, local, international, spelling)| {
            let fields: Vec<Field> = vec![
                ("key", Some(key)),
                ("type", kind),
                ("country", country),
                ("numberLocal", local),
                ("numberInternational", international),
            ];
            object(fields, spelling)
        })
}

fn console_address() -> impl Strategy<Value = String> {
    (
        one(&ELEMENTS),
        nullable(&TEXTS),
        nullable(&[r#""2""#, r#""""#]),
        nullable(&[r#"" S""#]),
        nullable(&[r#""P ""#]),
        nullable(&[r#""T""#]),
        nullable(&COUNTRIES),
        spelling(),
    )
        .prop_map(
            |(key, line1, line2, suburb, postcode, state, country, spelling)| {
                let fields: Vec<Field> = vec![
                    ("key", Some(key)),
                    ("address1", line1),
                    ("address2", line2),
                    ("suburb", suburb),
                    ("postcode", postcode),
                    ("state", state),
                    ("country", country),
                ];
                object(fields, spelling)
            },
        )
}

pub fn batch() -> impl Strategy<Value = Input> {
    let customers = prop::collection::vec(publisher(), 0..=4);
    (customers, millis(), spelling()).prop_map(|(customers, timestamp, spelling)| {
        let fields: Vec<Field> = vec![("customers", Some(array(customers)))];
        input(
            Src::PublisherCustomers,
            object(fields, spelling),
            Some(timestamp),
        )
    })
}

fn publisher() -> impl Strategy<Value = String> {
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
