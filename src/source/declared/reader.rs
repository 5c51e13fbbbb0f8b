//! Reads the values of one customer as its definition says, and collects what is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::found::{Found, Got, Pointers, Row, Spot};
use super::outside::Outside;
use super::violations::Violations;
use crate::definition::pass::{Captured, Raw};
use crate::definition::{Case, Mapped, Nulls, Place, Plan, ValuePlan};
use crate::model::time::Instant;
use crate::source::rules::RuleCheck;

/// What Debezium writes in the place of a value that the database did not tell.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// The text of a record, or of an element of a batch, and what is around it.
pub(super) struct Reader<'r, 'a> {
    pub plan: &'r Plan,
    /// Whether the record is a change of a row of a database, as Debezium tells it.
    pub is_of_row: bool,
    /// Of the record, or of the element of a batch.
    pub here: &'r Captured<'a>,
    /// Of the record, if the customer is an element of a batch.
    pub around: Option<&'r Captured<'a>>,
    pub outside: Outside<'r>,
    pub pointers: Pointers<'r>,
    pub violations: Violations,
    pub check: RuleCheck<'r>,
}

/// The times of a record, which the elements of its lists inherit.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub created_at: Option<Instant>,
    pub updated_at: Instant,
}

impl<'r, 'a: 'r> Reader<'r, 'a> {
    /// What is at a place. None: it is not there. Otherwise none: it is null.
    #[inline]
    fn at(&self, place: &'r Place, row: Option<&Row<'r, 'a>>) -> Option<Option<Got<'r>>> {
        let (raw, captured) = match (place, row) {
            (Place::Here(column), _) => (self.here.cell(*column), self.here),
            (Place::Row(column), Some(row)) => (row.rows.cell(row.at, *column), row.captured),
            (place, _) => return self.at_other_place(place),
        };
        match raw {
            Raw::Absent => None,
            Raw::Text(text) if !self.is_of_row => Some(Some(Got::Text(text))),
            raw => self.got(raw, captured),
        }
    }

    /// The same for the places at which few values are.
    #[inline(never)]
    fn at_other_place(&self, place: &'r Place) -> Option<Option<Got<'r>>> {
        match place {
            Place::Record(column) => {
                let around = self.around?;
                self.got(around.cell(*column), around)
            }
            place => self.outside.at_place(place).map(Some),
        }
    }

    /// What is captured, in any form.
    #[inline(never)]
    fn got(&self, raw: Raw<'a>, captured: &'r Captured<'a>) -> Option<Option<Got<'r>>> {
        match raw {
            Raw::Absent => None,
            raw => match Got::of(raw, captured) {
                Some(Got::Text(UNAVAILABLE)) if self.is_of_row => None,
                got => Some(got),
            },
        }
    }

    /// Whether a value is found at one of its places, be it of the right kind or not.
    pub(super) fn is_at_any_place(&self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> bool {
        let mut places = value.from.iter();
        places.any(|one| matches!(self.at(&one.place, row), Some(Some(_))))
    }

    /// The value before its field decides what it becomes.
    #[inline]
    pub fn find(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Got<'r>> {
        let mut has_null = false;
        for place in &value.from {
            match self.at(&place.place, row) {
                None => {}
                Some(None) => has_null = true,
                Some(Some(got)) => {
                    let spot = Spot::at(place);
                    return match &value.value.map {
                        None => Found::Is(got, spot),
                        Some(map) => self.mapped((value, map), got, (spot, row)),
                    };
                }
            }
        }
        self.not_found(value, row, has_null)
    }

    /// A value that is at none of its places, or null there.
    fn not_found(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
        has_null: bool,
    ) -> Found<'r, Got<'r>> {
        if let Some(constant) = &value.value.constant {
            return Found::Is(Got::of_mapped(constant), Spot::default());
        }
        if value.value.required {
            self.missing(value, row);
        }
        match has_null && row.is_none() && self.plan.definition.nulls == Nulls::Clear {
            true => Found::Null,
            false => Found::Absent,
        }
    }

    fn mapped(
        &mut self,
        (value, map): (&'r ValuePlan, &'r BTreeMap<String, Mapped>),
        got: Got<'r>,
        (spot, row): (Spot<'r>, Option<&Row<'r, 'a>>),
    ) -> Found<'r, Got<'r>> {
        let Some(key) = got.map_key() else {
            let must_be = "a string, a number, true or false";
            return self.of_other_type(must_be, got, (spot, row));
        };
        match map.get(&*key).or(value.value.otherwise.as_ref()) {
            Some(mapped) => Found::Is(Got::of_mapped(mapped), spot),
            None => {
                let message = "is none of the values that the map of its definition has".to_owned();
                self.violation((spot, row), "map", message)
            }
        }
    }

    /// Notes that a value that must be there is not.
    pub fn missing(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) {
        let spot = Spot::named(value);
        let message = "is required, but missing".to_owned();
        self.violation::<()>((spot, row), "required", message);
    }

    /// Notes what is wrong with a value, which is then as good as absent.
    #[cold]
    pub fn violation<T>(
        &mut self,
        (spot, row): (Spot<'_>, Option<&Row<'_, '_>>),
        keyword: &'static str,
        message: String,
    ) -> Found<'r, T> {
        let pointer = spot.pointer_in(row, self.pointers);
        self.violations.add(pointer, keyword, message);
        Found::Absent
    }

    #[cold]
    pub(super) fn of_other_type<T>(
        &mut self,
        must_be: &str,
        got: Got<'_>,
        at: (Spot<'_>, Option<&Row<'_, '_>>),
    ) -> Found<'r, T> {
        let message = format!("must be {must_be}, but is {}", got.kind());
        self.violation(at, "type", message)
    }
}

/// A text in the case that its definition asks for.
pub(super) fn cased(text: Cow<'_, str>, case: Option<Case>) -> Cow<'_, str> {
    match case {
        None => text,
        Some(Case::Lower) => text.to_lowercase().into(),
        Some(Case::Upper) => text.to_uppercase().into(),
    }
}

impl<'r, 'a: 'r> Reader<'r, 'a> {
    /// An id outside of lists, which must be there and not blank, and where it was found. None: it is not there, which
    /// is noted.
    pub fn required_id(&mut self, value: &'r ValuePlan) -> Option<(Cow<'r, str>, Spot<'r>)> {
        match self.text(value, None) {
            Found::Is(id, spot) => {
                let pointers = self.pointers;
                self.check.id(&id, || spot.pointer(pointers));
                Some((id, spot))
            }
            Found::Absent | Found::Null => {
                self.missing_unless_wrong(value);
                None
            }
        }
    }

    /// Notes that a value outside of lists is missing, unless it is there and of another type, which is noted already.
    pub fn missing_unless_wrong(&mut self, value: &'r ValuePlan) {
        if !self.is_there(value, None) && !value.value.required {
            self.missing(value, None);
        }
    }
}

/// A text that must be one of a few.
pub(super) fn one_of<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    text: Found<'r, Cow<'r, str>>,
    row: Option<&Row<'r, 'a>>,
    options: &[&str],
) -> Found<'r, Cow<'r, str>> {
    match text {
        Found::Is(text, spot) if !options.contains(&&*text) => {
            let message = format!("must be one of {}", options.join(", "));
            reader.violation((spot, row), "enum", message)
        }
        text => text,
    }
}
