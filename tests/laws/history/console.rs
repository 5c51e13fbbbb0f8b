//! Strategies for the records of the console.

use proptest::prelude::*;

use super::json::{Field, TEXTS, array, millis, nullable, object, one, spelling};
use super::records::{COUNTRIES, ELEMENTS, customer, input};
use crate::oracle::{Input, Src};

/// A version, as a number and as text.
fn version() -> impl Strategy<Value = String> {
    one(&[
        "0",
        "1",
        "2",
        "3",
        r#""0""#,
        r#""1""#,
        r#""02""#,
        r#""\u0033""#,
    ])
}

fn attributes() -> impl Strategy<Value = Option<String>> {
    nullable(&[
        "{}",
        r#"{"b":1,"a":{"z":null,"é":[{"y":true,"x":false},[]],"B":" untrimmed "},"":""}"#,
        r#"{ "n" : [0, -1, 9223372036854775807, -9223372036854775808, 18446744073709551615] }"#,
        r#"{"n":[1.0,1.5e3,1e-7,0.1,1e300,18446744073709551616,1E2]}"#,
        r#"{"sim":89310410106543789301,"n":[-0,-0.0,{"b":[-89310410106543789301],"a":123456789012345678901234567890}]}"#,
        // Decimals that a quick parser gives the neighbouring double.
        r#"{"n":[926.8358777037621,908.7044644376757,-967.8787496945147]}"#,
        r#"{"d":1,"e":0,"d":{"k":"\u0041\ud83d\ude00","k":"\u000b\""}}"#,
        r#"{"customerId":null,"version":"x","attributes":{"attributes":{}}}"#,
    ])
}

/// A customer object.
pub fn customer_object() -> impl Strategy<Value = Input> {
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
        version(),
        names,
        list(phone().boxed()),
        list(address().boxed()),
        attributes(),
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

fn address() -> impl Strategy<Value = String> {
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
