//! The source `console-customers`: customer objects of the commerce console. A null means that the field is absent.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::rules::RuleCheck;
use crate::customer::contribution::{Console, ConsoleParts, Contribution, Data, Fact};
use crate::customer::texts::{Span, Texts};
use crate::json::canonical::{
    CanonicalObject, open_object, write_field, write_string, write_trimmed,
};
use crate::json::strict::{Text, wire_enum, wire_object};
use crate::model::record::Code;
use crate::model::time::Instant;

wire_enum! {
    /// The kind of a phone.
    pub enum PhoneKind {
        Unknown = "Unknown",
        Phone = "Phone",
        Mobile = "Mobile",
    }
}

wire_object! {
    pub struct CustomerWire<'a> at depth 1 {
        required customer_id: Text<'a> = "customerId",
        required version: Version = "version",
        nullable first_name: Text<'a> = "firstName",
        nullable last_name: Text<'a> = "lastName",
        nullable display_name: Text<'a> = "displayName",
        nullable email_address: Text<'a> = "emailAddress",
        nullable phones: Vec<PhoneWire<'a>> = "phones",
        nullable addresses: Vec<AddressWire<'a>> = "addresses",
        nullable attributes: Attributes = "attributes",
    }
}

wire_object! {
    pub struct PhoneWire<'a> at depth 3 {
        required key: Text<'a> = "key",
        nullable kind: PhoneKind = "type",
        nullable country: Text<'a> = "country",
        nullable number_local: Text<'a> = "numberLocal",
        nullable number_international: Text<'a> = "numberInternational",
    }
}

wire_object! {
    pub struct AddressWire<'a> at depth 3 {
        required key: Text<'a> = "key",
        nullable address1: Text<'a> = "address1",
        nullable address2: Text<'a> = "address2",
        nullable suburb: Text<'a> = "suburb",
        nullable postcode: Text<'a> = "postcode",
        nullable state: Text<'a> = "state",
        nullable country: Text<'a> = "country",
    }
}

/// The version of a customer object: a JSON integer (`7`, `7.0`) or ASCII digits, from 0 to 2^63−1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u64);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct VersionVisitor;
        impl Visitor<'_> for VersionVisitor {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Version, E> {
                if number > i64::MAX as u64 {
                    return Err(E::custom("the version is too large"));
                }
                Ok(Version(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Version, E> {
                // 2^63 is the first double out of range; every smaller one fits.
                if number.fract() != 0.0 || !(0.0..9_223_372_036_854_775_808.0).contains(&number) {
                    return Err(E::custom("the version is no whole number in range"));
                }
                Ok(Version(number as u64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Version, E> {
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(E::custom("the version has other characters than digits"));
                }
                let number = text.bytes().try_fold(0_u64, |number, digit| {
                    number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
                });
                self.visit_u64(number.ok_or_else(|| E::custom("the version is too large"))?)
            }
        }
        json.deserialize_any(VersionVisitor)
    }
}

/// The free-form attributes as canonical JSON.
#[derive(Debug)]
pub struct Attributes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(CanonicalObject).map(Attributes)
    }
}

/// Checks the semantic rules for a customer object and normalises it; `at` is the record's timestamp.
pub fn normalize(
    wire: CustomerWire<'_>,
    at: Option<Instant>,
    check: &mut RuleCheck<'_>,
) -> Contribution {
    check.id(&wire.customer_id, || "/customerId".to_owned());
    if at.is_none() {
        check.broken(Code::NoTimestamp, String::new);
    }
    let mut pool = Texts::with_capacity(512);
    let names = pool.write(|out| {
        let start = out.len();
        write_trimmed(out, "firstName", wire.first_name.as_ref());
        write_trimmed(out, "lastName", wire.last_name.as_ref());
        write_trimmed(out, "displayName", wire.display_name.as_ref());
        write_trimmed(out, "emailAddress", wire.email_address.as_ref());
        if out.len() > start {
            // `write_trimmed` puts the comma before each name; the names need it after each one.
            out.remove(start);
            out.push(b',');
        }
    });
    let phones = wire.phones.unwrap_or_default();
    let addresses = wire.addresses.unwrap_or_default();
    let parts = ConsoleParts {
        names,
        phones: normalize_phones(&phones, check, &mut pool),
        addresses: normalize_addresses(&addresses, check, &mut pool),
        attributes: match wire.attributes {
            Some(Attributes(text)) => pool.add(&text),
            None => pool.add(b"{}"),
        },
    };
    let fact = Fact::Console(Console {
        version: wire.version.0,
        at: at.unwrap_or(Instant::NEVER),
        parts,
    });
    Contribution {
        customer: wire.customer_id.0.into_owned(),
        data: Data { fact, texts: pool },
    }
}

fn normalize_phones(list: &[PhoneWire<'_>], check: &mut RuleCheck<'_>, pool: &mut Texts) -> Span {
    check.element_ids(list, |phone| &phone.key, |at| format!("/phones/{at}/key"));
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort_by(|one, other| one.key.as_bytes().cmp(other.key.as_bytes()));
    pool.write(|out| {
        out.push(b'[');
        for (at, phone) in sorted.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let start = out.len();
            write_field(out, "key", &phone.key);
            if let Some(kind) = phone.kind {
                write_field(out, "type", kind.text());
            }
            write_trimmed(out, "country", phone.country.as_ref());
            write_trimmed(out, "numberLocal", phone.number_local.as_ref());
            write_trimmed(
                out,
                "numberInternational",
                phone.number_international.as_ref(),
            );
            open_object(out, start);
            out.push(b'}');
        }
        out.push(b']');
    })
}

fn normalize_addresses(
    list: &[AddressWire<'_>],
    check: &mut RuleCheck<'_>,
    pool: &mut Texts,
) -> Span {
    check.element_ids(
        list,
        |address| &address.key,
        |at| format!("/addresses/{at}/key"),
    );
    let mut sorted: Vec<(&AddressWire<'_>, Option<(&str, &str)>)> = Vec::with_capacity(list.len());
    for (at, address) in list.iter().enumerate() {
        let country = address.country.as_ref().map(|country| {
            check
                .country(country, || format!("/addresses/{at}/country"))
                .field()
        });
        sorted.push((address, country));
    }
    sorted.sort_by(|(one, _), (other, _)| one.key.as_bytes().cmp(other.key.as_bytes()));
    pool.write(|out| {
        for (at, (address, country)) in sorted.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"source\":\"console\",\"addressId\":");
            write_string(out, &address.key);
            write_trimmed(out, "line1", address.address1.as_ref());
            write_trimmed(out, "line2", address.address2.as_ref());
            write_trimmed(out, "city", address.suburb.as_ref());
            write_trimmed(out, "province", address.state.as_ref());
            write_trimmed(out, "zipCode", address.postcode.as_ref());
            if let Some((name, text)) = country {
                write_field(out, name, text);
            }
            out.push(b'}');
        }
    })
}
