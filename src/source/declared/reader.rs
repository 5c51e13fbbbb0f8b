//! Reads the values of one customer as its definition says, and collects what is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::found::{Found, Got, Pointers, Row, Spot};
use super::number::{self, OutOfRange};
use super::outside::Outside;
use super::violations::Violations;
use crate::definition::pass::{Captured, Raw};
use crate::definition::{Case, Mapped, Nulls, Place, Plan, ValuePlan};
use crate::model::time::{Date, Instant};
use crate::source::rules::RuleCheck;

/// What Debezium writes in the place of a value that the database did not tell.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The text of a record, or of an element of a batch, and what is around it.
pub(super) struct Reader<'r, 'a> {
    pub plan: &'r Plan,
    /// Whether the envelope is Debezium's.
    pub is_debezium: bool,
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
            Raw::Text(text) if !self.is_debezium => Some(Some(Got::Text(text))),
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
                Some(Got::Text(UNAVAILABLE)) if self.is_debezium => None,
                got => Some(got),
            },
        }
    }

    /// Whether a value is found in the record itself, be it of the right kind or not.
    pub fn is_there(&self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> bool {
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
    fn of_other_type<T>(
        &mut self,
        must_be: &str,
        got: Got<'_>,
        at: (Spot<'_>, Option<&Row<'_, '_>>),
    ) -> Found<'r, T> {
        let message = format!("must be {must_be}, but is {}", got.kind());
        self.violation(at, "type", message)
    }

    /// A text, as it is but for its case.
    #[inline]
    pub fn text(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
    ) -> Found<'r, Cow<'r, str>> {
        match self.find(value, row) {
            Found::Absent => Found::Absent,
            Found::Null => Found::Null,
            // Nearly every text is one without more ado.
            Found::Is(Got::Text(text), spot) if value.value.case.is_none() => {
                Found::Is(Cow::Borrowed(text), spot)
            }
            Found::Is(got, spot) => self.other_text(value, got, (spot, row)),
        }
    }

    #[inline(never)]
    fn other_text(
        &mut self,
        value: &'r ValuePlan,
        got: Got<'r>,
        (spot, row): (Spot<'r>, Option<&Row<'r, 'a>>),
    ) -> Found<'r, Cow<'r, str>> {
        match got.text() {
            Some(text) => Found::Is(cased(text, value.value.case), spot),
            None => self.of_other_type("a string or a whole number", got, (spot, row)),
        }
    }

    pub fn flag(&mut self, value: &'r ValuePlan) -> Found<'r, bool> {
        self.convert(value, None, |got| match got {
            Got::Flag(flag) => Ok(flag),
            _ => Err(Wrong::Type("true or false")),
        })
    }

    pub fn date(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Date> {
        let unit = value.value.unit;
        self.convert(value, row, |got| match (got, unit) {
            (Got::Moment(at), _) => Ok(day(at.micros())?),
            (got, Some(unit)) if let Some(micros) = number::micros(got, unit) => Ok(day(micros?)?),
            (Got::Text(text) | Got::Outer(text), _) => date(text).ok_or(Wrong::Format(DATE)),
            _ => Err(Wrong::Type("a date in a string")),
        })
    }

    pub fn time(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Instant> {
        // The check of the schema may have read it already.
        if let (Some(first), None) = (value.from.first(), &value.value.map) {
            let raw = match (&first.place, row) {
                (Place::Here(column), _) => self.here.cell(*column),
                (Place::Row(column), Some(row)) => row.rows.cell(row.at, *column),
                _ => Raw::Absent,
            };
            if let Raw::Time(_, at) = raw {
                return Found::Is(at, Spot::at(first));
            }
        }
        let unit = value.value.unit;
        self.convert(value, row, |got| match (got, unit) {
            (Got::Moment(at), _) => Ok(at),
            (got, Some(unit)) if let Some(micros) = number::micros(got, unit) => {
                Instant::checked_from_micros(micros?).ok_or(Wrong::Format(RANGE))
            }
            (Got::Text(text) | Got::Outer(text), _) => {
                Instant::parse(text).ok_or(Wrong::Format(TIME))
            }
            (_, Some(_)) => Err(Wrong::Type("a number, or a date-time in a string")),
            (_, None) => Err(Wrong::Type("a date-time in a string")),
        })
    }

    /// A whole number from 0 to 2^63−1.
    pub fn rank(&mut self, value: &'r ValuePlan) -> Found<'r, u64> {
        self.convert(value, None, rank)
    }

    /// A number of any kind.
    pub fn number(&mut self, value: &'r ValuePlan) -> Found<'r, f64> {
        self.convert(value, None, |got| match got {
            Got::Positive(number) => Ok(number as f64),
            Got::Negative(number) => Ok(number as f64),
            Got::Double(number) => Ok(number),
            Got::Digits(digits) => digits.parse().map_err(|_| Wrong::Type("a number")),
            Got::Outer(text) => text.parse().map_err(|_| Wrong::Type("a number")),
            _ => Err(Wrong::Type("a number")),
        })
    }

    fn convert<T>(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
        convert: impl FnOnce(Got<'r>) -> Result<T, Wrong>,
    ) -> Found<'r, T> {
        let (got, spot) = match self.find(value, row) {
            Found::Absent => return Found::Absent,
            Found::Null => return Found::Null,
            Found::Is(got, spot) => (got, spot),
        };
        match convert(got) {
            Ok(converted) => Found::Is(converted, spot),
            Err(Wrong::Type(must_be)) => self.of_other_type(must_be, got, (spot, row)),
            Err(Wrong::Format(message)) => {
                self.violation((spot, row), "format", message.to_owned())
            }
        }
    }
}

/// Why a value cannot become what its field asks for.
enum Wrong {
    Type(&'static str),
    Format(&'static str),
}

const DATE: &str = "must be a date like 2024-02-29, or a date-time, in the years 0001 to 9999";
const TIME: &str = "must be a date-time of RFC 3339 like 2024-02-29T12:30:00.5Z or \
                    2024-02-29T12:30:00+01:00, in the years 0001 to 9999";
const RANGE: &str = "must be a time in the years 0001 to 9999";

impl From<OutOfRange> for Wrong {
    fn from(_: OutOfRange) -> Wrong {
        Wrong::Format(RANGE)
    }
}

/// The number of a rank, whatever form it has.
pub(super) fn rank_of(got: Got<'_>) -> Option<u64> {
    rank(got).ok()
}

fn rank(got: Got<'_>) -> Result<u64, Wrong> {
    const OUT_OF_RANGE: Wrong = Wrong::Format("must be from 0 to 9223372036854775807");
    let in_range = |number: u64| match number <= i64::MAX.unsigned_abs() {
        true => Ok(number),
        false => Err(OUT_OF_RANGE),
    };
    let of_double = |number: f64| match number.fract() == 0.0 {
        // 2^63 is the first double out of range, and every smaller one fits.
        true if (0.0..9_223_372_036_854_775_808.0).contains(&number) => Ok(number as u64),
        true => Err(OUT_OF_RANGE),
        false => Err(Wrong::Type("a whole number")),
    };
    match got {
        Got::Positive(number) => in_range(number),
        Got::Negative(_) => Err(OUT_OF_RANGE),
        Got::Double(number) => of_double(number),
        Got::Digits(digits) => of_double(digits.parse().unwrap_or(f64::NAN)),
        Got::Moment(at) => in_range(u64::try_from(at.micros() / 1000).unwrap_or_default()),
        Got::Text(text) | Got::Outer(text) => {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Wrong::Type("a whole number"));
            }
            in_range(text.parse().map_err(|_| OUT_OF_RANGE)?)
        }
        _ => Err(Wrong::Type("a whole number")),
    }
}

/// A date, or the first ten characters of a date-time.
fn date(text: &str) -> Option<Date> {
    if let Some(date) = Date::parse(text) {
        return Some(date);
    }
    Instant::parse(text)?;
    Date::parse(text.get(..10)?)
}

/// The day of an instant in UTC.
fn day(micros: i64) -> Result<Date, Wrong> {
    let day = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok();
    day.and_then(Date::from_epoch_day)
        .ok_or(Wrong::Format("must be a date in the years 0001 to 9999"))
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
