//! The lists of a customer: addresses, phones and dependents.

use std::borrow::Cow;

use super::found::{Found, Row, RowSpot, Spot};
use super::reader::{Reader, Times, one_of};
use crate::customer::declared::DeclaredElement;
use crate::customer::fields::{FieldName, put, put_trimmed};
use crate::customer::texts::Texts;
use crate::definition::pass::{Captured, ListRows, ListState};
use crate::definition::{ElementField, ListPlan, Nulls, ValuePlan};
use crate::model::record::Code;
use crate::model::time::Instant;
use crate::source::rules::{Country, repeated};

/// Reads a list, which several tables may fill. None if the record does not tell it.
pub(super) fn read<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    tables: &'r [ListPlan],
    times: Times,
    pool: &mut Texts,
) -> Option<Vec<DeclaredElement>> {
    let mut is_told = false;
    let mut elements: Vec<Element<'r>> = Vec::new();
    for table in tables {
        let captured = match table.is_of_record {
            true => reader.around,
            false => Some(reader.here),
        };
        let number = table.number;
        let found = captured.and_then(|captured| Some((captured, captured.list(number?)?)));
        let Some((captured, rows)) = found else {
            continue;
        };
        match rows.state {
            ListState::Absent => {}
            ListState::Null => is_told |= reader.plan.definition.nulls == Nulls::Clear,
            ListState::Other => {
                let pointer = spot(table, None).pointer(reader.pointers);
                let message = "must be an array or an object".to_owned();
                reader.violations.add(pointer, "type", message);
            }
            ListState::Array | ListState::Object => {
                is_told = true;
                read_table(reader, table, (captured, rows), times, &mut elements, pool);
            }
        }
    }
    for at in repeated(elements.iter().map(|element| &*element.id)) {
        let pointer = reader.pointer(elements[at].id_spot);
        reader.check.broken(Code::DuplicateElement, || pointer);
    }
    is_told.then(|| {
        let of = |element: Element<'_>| DeclaredElement {
            id: pool.add(element.id.as_bytes()),
            ..element.declared
        };
        elements.into_iter().map(of).collect()
    })
}

/// An element, and its id with the place where it was found.
struct Element<'r> {
    id: Cow<'r, str>,
    id_spot: Spot<'r>,
    /// Its id is put in later.
    declared: DeclaredElement,
}

fn spot(table: &ListPlan, index: Option<u32>) -> RowSpot<'_> {
    RowSpot {
        list: &table.pointer,
        is_of_record: table.is_of_record,
        index,
    }
}

fn read_table<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    table: &'r ListPlan,
    (captured, rows): (&'r Captured<'a>, &'r ListRows<'a>),
    times: Times,
    elements: &mut Vec<Element<'r>>,
    pool: &mut Texts,
) {
    for at in 0..rows.len() {
        let index = (rows.state == ListState::Array).then(|| rows.index(at));
        let row = Row {
            captured,
            rows,
            at,
            spot: spot(table, index),
        };
        let mut fields = table.fields.iter();
        if !fields.any(|(_, value)| reader.is_there(value, Some(&row))) {
            continue;
        }
        elements.extend(read_element(reader, table, &row, times, pool));
    }
}

fn read_element<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    table: &'r ListPlan,
    row: &Row<'r, 'a>,
    times: Times,
    pool: &mut Texts,
) -> Option<Element<'r>> {
    let body = pool.write(|out| {
        for (field, value) in &table.fields {
            put_field(reader, *field, value, row, out);
        }
    });
    let (created_at, updated_at) = element_times(reader, table, row, times);
    let (id, id_spot) = match reader.text(&table.id, Some(row)) {
        Found::Is(id, spot) => (id, spot),
        Found::Absent | Found::Null => {
            // A value of another type is a violation already.
            if !reader.is_there(&table.id, Some(row)) && !table.id.value.required {
                reader.missing(&table.id, Some(row));
            }
            return None;
        }
    };
    if id.trim().is_empty() {
        let pointer = reader.pointer(id_spot);
        reader.check.id(&id, || pointer);
    }
    Some(Element {
        id,
        id_spot,
        declared: DeclaredElement {
            id: body,
            updated_at,
            created_at,
            body,
        },
    })
}

/// The times of an element: its own, or those of the record.
fn element_times<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    table: &'r ListPlan,
    row: &Row<'r, 'a>,
    times: Times,
) -> (Option<Instant>, Instant) {
    let mut own = |value: &'r Option<ValuePlan>| match value {
        Some(value) => match reader.time(value, Some(row)) {
            Found::Is(at, spot) => Some((at, spot)),
            Found::Absent | Found::Null => None,
        },
        None => None,
    };
    let (own_created, own_updated) = (own(&table.created_at), own(&table.updated_at));
    if let Some((at, spot)) = own_updated {
        let pointers = reader.pointers;
        reader.check.updated_at(at, || spot.pointer(pointers));
    }
    let created = own_created.map(|(at, _)| at).or(times.created_at);
    let updated = own_updated.map_or(times.updated_at, |(at, _)| at);
    // An element without times of its own has those of its record, which are checked already.
    let spot = own_created.or(own_updated).map(|(_, spot)| spot);
    if let Some(spot) = spot
        && created.is_some_and(|created| created > updated)
    {
        let pointers = reader.pointers;
        reader
            .check
            .broken(Code::CreatedAfterUpdated, || spot.pointer(pointers));
    }
    (created, updated)
}

fn put_field<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    field: ElementField,
    value: &'r ValuePlan,
    row: &Row<'r, 'a>,
    out: &mut Vec<u8>,
) {
    if field == ElementField::DateOfBirth {
        if let Found::Is(date, _) = reader.date(value, Some(row)) {
            put(out, FieldName::DateOfBirth, date.bytes());
        }
        return;
    }
    let mut text = reader.text(value, Some(row));
    if field == ElementField::PhoneType {
        text = one_of(reader, text, &["Unknown", "Phone", "Mobile"]);
    }
    let Found::Is(text, spot) = text else {
        return;
    };
    let name = match field {
        ElementField::Line1 => FieldName::Line1,
        ElementField::Line2 => FieldName::Line2,
        ElementField::City => FieldName::City,
        ElementField::Province => FieldName::Province,
        ElementField::ZipCode => FieldName::ZipCode,
        ElementField::PhoneType | ElementField::DependentType => FieldName::Kind,
        ElementField::PhoneCountry => FieldName::Country,
        ElementField::NumberLocal => FieldName::NumberLocal,
        ElementField::NumberInternational => FieldName::NumberInternational,
        ElementField::DateOfBirth => FieldName::DateOfBirth,
        ElementField::CountryCode => {
            let pointers = reader.pointers;
            let country = reader.check.country(&text, || spot.pointer(pointers));
            return match country {
                Country::Known(code) => put(out, FieldName::CountryCode, code),
                Country::Unknown(text) => put(out, FieldName::Country, text),
            };
        }
    };
    put_trimmed(out, name, Some(&text));
}
