//! What a record says of a customer: the fields, the attributes and the lists.

use std::borrow::Cow;

use super::found::{Found, Got, Spot};
use super::list;
use super::reader::{Reader, Times, cased, one_of};
use crate::customer::declared::{DeclaredCustomer, Scalar, Told};
use crate::customer::fields::trim;
use crate::customer::texts::{Span, Texts};
use crate::definition::{FieldsPlan, Merge, Nulls, ValuePlan};
use crate::json::canonical::{write_instant_text, write_plain, write_string};
use crate::json::members::members;
use crate::model::time::Instant;

/// Reads a customer. `created_at` is the field of that name.
pub(super) fn read<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    fields: &'r FieldsPlan,
    created_at: Found<'r, Instant>,
    times: Times,
    pool: &mut Texts,
) -> DeclaredCustomer {
    let mut scalars = Vec::with_capacity(fields.scalars.len() + 1);
    let created_at = told(created_at, pool, write_instant_text);
    scalars.extend(created_at.map(|told| (Scalar::CreatedAt, told)));
    for (field, value) in &fields.scalars {
        if let Some(told) = scalar(reader, *field, value, pool) {
            scalars.push((*field, told));
        }
    }
    let [addresses, phones, dependents] = &fields.lists;
    DeclaredCustomer {
        whole: reader.plan.definition.merge == Merge::Whole,
        scalars,
        attributes: attributes(reader, fields, pool),
        addresses: list::read(reader, addresses, times, pool),
        phones: list::read(reader, phones, times, pool),
        dependents: list::read(reader, dependents, times, pool),
    }
}

fn scalar<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    field: Scalar,
    value: &'r ValuePlan,
    pool: &mut Texts,
) -> Option<Told> {
    match field {
        Scalar::Status => {
            let text = reader.text(value, None);
            let text = one_of(reader, text, None, &["ACTIVE", "DELETED"]);
            told(text, pool, |out, text| write_plain(out, text.as_bytes()))
        }
        Scalar::FirstName | Scalar::LastName | Scalar::DisplayName | Scalar::EmailAddress => {
            let text = reader.text(value, None);
            told(text, pool, |out, text| write_string(out, trim(&text)))
        }
        Scalar::DateOfBirth => {
            let date = reader.date(value, None);
            told(date, pool, |out, date| write_plain(out, date.bytes()))
        }
        Scalar::MarketingOptIn | Scalar::SmsOptIn => {
            let flag = reader.flag(value);
            told(flag, pool, |out, flag| {
                out.extend_from_slice(if flag { b"true" } else { b"false" });
            })
        }
        // It is a field of its own in a definition, and read with the other times.
        Scalar::CreatedAt => None,
    }
}

fn told<T>(
    found: Found<'_, T>,
    pool: &mut Texts,
    write: impl FnOnce(&mut Vec<u8>, T),
) -> Option<Told> {
    match found {
        Found::Absent => None,
        Found::Null => Some(Told::Nothing),
        Found::Is(value, _) => Some(Told::Text(pool.write(|out| write(out, value)))),
    }
}

fn attributes<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    fields: &'r FieldsPlan,
    pool: &mut Texts,
) -> Vec<(Span, Told)> {
    if fields.attribute.is_empty() && fields.attributes.is_none() {
        return Vec::new();
    }
    let mut all: Vec<(Cow<'r, str>, Told)> = Vec::new();
    for (name, value) in &fields.attribute {
        let case = value.value.case;
        let found = match reader.find(value, None) {
            Found::Is(Got::Text(text) | Got::Outer(text), spot) => {
                Found::Is(Attribute::Text(cased(text.into(), case)), spot)
            }
            Found::Is(got, spot) => Found::Is(Attribute::Other(got), spot),
            Found::Absent => Found::Absent,
            Found::Null => Found::Null,
        };
        let told = told(found, pool, |out, attribute| match attribute {
            Attribute::Text(text) => write_string(out, &text),
            Attribute::Other(got) => out.extend_from_slice(&got.json()),
        });
        all.extend(told.map(|told| (Cow::from(name.as_str()), told)));
    }
    if let Some(value) = &fields.attributes {
        whole_object(reader, value, &mut all, pool);
    }
    // `attributes.NAME` comes first, and so wins for its name.
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.dedup_by(|(one, _), (other, _)| one == other);
    let named = |(name, told): (Cow<'_, str>, Told)| (pool.add(name.as_bytes()), told);
    all.into_iter().map(named).collect()
}

enum Attribute<'v> {
    Text(Cow<'v, str>),
    Other(Got<'v>),
}

/// Appends the members of an object, each of which is an attribute.
fn whole_object<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    value: &'r ValuePlan,
    all: &mut Vec<(Cow<'r, str>, Told)>,
    pool: &mut Texts,
) {
    let (got, spot): (Got<'r>, Spot<'r>) = match reader.find(value, None) {
        Found::Is(got, spot) => (got, spot),
        // Which attributes a null would clear is not known.
        Found::Absent | Found::Null => return,
    };
    let members = match got {
        Got::Canonical(text) => members(text),
        _ => None,
    };
    let Some(members) = members else {
        let message = format!("must be an object, but is {}", got.kind());
        reader.violation::<()>((spot, None), "type", message);
        return;
    };
    for (name, text) in members {
        let told = match text {
            "null" if reader.plan.definition.nulls == Nulls::Absent => continue,
            "null" => Told::Nothing,
            text => Told::Text(pool.add(text.as_bytes())),
        };
        all.push((name, told));
    }
}
