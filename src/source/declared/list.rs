//! The lists of a customer: addresses, phones and dependents.

use super::found::{Found, Row, Spot, list_pointer};
use super::reader::{Reader, Times, one_of};
use crate::customer::declared::DeclaredElement;
use crate::customer::fields::{FieldName, put, put_trimmed};
use crate::customer::texts::Texts;
use crate::definition::pass::ListState;
use crate::definition::{ElementField, ListPlan, Nulls, ValuePlan};
use crate::model::record::Code;
use crate::model::time::Instant;
use crate::source::rules::{Country, repeated};

/// So many elements get their memory at once; the other ones as they come, for a row may be no element.
const AT_ONCE: usize = 64;

/// Reads a list, which several tables may fill. None if the record does not tell it.
pub(super) fn read<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    tables: &'r [ListPlan],
    times: Times,
    pool: &mut Texts,
) -> Option<Vec<DeclaredElement>> {
    let mut is_told = false;
    let mut elements = Elements::default();
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
                let pointer = list_pointer(table, reader.pointers);
                let message = "must be an array or an object".to_owned();
                reader.violations.add(pointer, "type", message);
            }
            ListState::Array | ListState::Object => {
                is_told = true;
                elements.told.reserve_exact(rows.len().min(AT_ONCE));
                for at in 0..rows.len() {
                    let row = Row {
                        table,
                        captured,
                        rows,
                        at,
                    };
                    read_element(reader, &row, times, &mut elements, pool);
                }
            }
        }
    }
    for at in repeated(elements.told.iter().map(|element| pool.get(element.id))) {
        let pointers = reader.pointers;
        let place = at.checked_sub(1).and_then(|at| elements.other_ids.get(at));
        reader.check.broken(Code::DuplicateElement, || {
            place.map_or_else(String::new, |(row, spot)| {
                spot.pointer_in(Some(row), pointers)
            })
        });
    }
    is_told.then_some(elements.told)
}

/// The elements of a list.
#[derive(Default)]
struct Elements<'r, 'a> {
    told: Vec<DeclaredElement>,
    /// Where the ids of all but the first were found. The first is never one that repeats another.
    other_ids: Vec<(Row<'r, 'a>, Spot<'r>)>,
}

fn read_element<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    row: &Row<'r, 'a>,
    times: Times,
    elements: &mut Elements<'r, 'a>,
    pool: &mut Texts,
) {
    let table = row.table;
    let mut fields = table.fields.iter();
    if !fields.any(|(_, value)| reader.is_there(value, Some(row))) {
        return;
    }
    let body = pool.write(|out| {
        for (field, value) in &table.fields {
            put_field(reader, *field, value, row, out);
        }
    });
    let (created_at, updated_at) = element_times(reader, row, times);
    let (id, spot) = match reader.text(&table.id, Some(row)) {
        Found::Is(id, spot) => (id, spot),
        Found::Absent | Found::Null => {
            // A value of another type is a violation already.
            if !reader.is_there(&table.id, Some(row)) && !table.id.value.required {
                reader.missing(&table.id, Some(row));
            }
            return;
        }
    };
    let pointers = reader.pointers;
    reader
        .check
        .id(&id, || spot.pointer_in(Some(row), pointers));
    if !elements.told.is_empty() {
        elements.other_ids.push((*row, spot));
    }
    elements.told.push(DeclaredElement {
        id: pool.add(id.as_bytes()),
        updated_at,
        created_at,
        body,
    });
}

/// The times of an element: its own, or those of the record.
fn element_times<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    row: &Row<'r, 'a>,
    times: Times,
) -> (Option<Instant>, Instant) {
    let table = row.table;
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
        let pointer = || spot.pointer_in(Some(row), pointers);
        reader.check.updated_at(at, pointer);
    }
    let created = own_created.map(|(at, _)| at).or(times.created_at);
    let updated = own_updated.map_or(times.updated_at, |(at, _)| at);
    // An element without times of its own has those of its record, which are checked already.
    let spot = own_created.or(own_updated).map(|(_, spot)| spot);
    if let Some(spot) = spot
        && !updated.is_never()
        && created.is_some_and(|created| created > updated)
    {
        let pointers = reader.pointers;
        let pointer = || spot.pointer_in(Some(row), pointers);
        reader.check.broken(Code::CreatedAfterUpdated, pointer);
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
        text = one_of(reader, text, Some(row), &["Unknown", "Phone", "Mobile"]);
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
            let pointer = || spot.pointer_in(Some(row), pointers);
            let country = reader.check.country(&text, pointer);
            return match country {
                Country::Known(code) => put(out, FieldName::CountryCode, code),
                Country::Unknown(text) => put(out, FieldName::Country, text),
            };
        }
    };
    put_trimmed(out, name, Some(&text));
}
