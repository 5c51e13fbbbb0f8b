//! What a value becomes: a text, a flag, a date, a time or a number.
//!
//! Nearly every value is in the one column that its plan names, and of the right kind already: what is captured there is
//! looked at first. Any other value is found by the [`Reader`], and converted.

use std::borrow::Cow;

use super::found::{Found, Got, Row, Spot};
use super::number::{self, OutOfRange};
use super::reader::{Reader, cased};
use crate::definition::pass::Raw;
use crate::definition::{Direct, ValuePlan};
use crate::model::time::{Date, Instant};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What a value's [`Direct`] says.
enum Column<'a> {
    /// This is captured there, which may be the value, and may be null.
    Is(Raw<'a>),
    /// The value is absent.
    Absent,
    /// The value is to be looked for.
    Unknown,
}

impl<'r, 'a: 'r> Reader<'r, 'a> {
    #[inline(always)]
    fn column(&self, value: &ValuePlan, row: Option<&Row<'r, 'a>>) -> Column<'a> {
        let Some(Direct {
            column,
            is_of_row,
            is_only,
        }) = value.direct
        else {
            return Column::Unknown;
        };
        let raw = match (is_of_row, row) {
            (false, _) => self.here.cell(column),
            (true, Some(row)) => row.rows.cell(row.at, column),
            (true, None) => return Column::Unknown,
        };
        match raw {
            Raw::Absent if is_only => Column::Absent,
            // A text may stand for a value that is not told.
            Raw::Absent | Raw::Text(_) if self.is_of_row => Column::Unknown,
            raw => Column::Is(raw),
        }
    }

    /// Whether a value is found in the record itself, be it of the right kind or not.
    pub fn is_there(&self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> bool {
        match self.column(value, row) {
            Column::Absent => false,
            Column::Is(Raw::Text(_) | Raw::Time(..) | Raw::Date(..)) => true,
            Column::Is(_) | Column::Unknown => self.is_at_any_place(value, row),
        }
    }

    /// A text, as it is but for its case.
    #[inline]
    pub fn text(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
    ) -> Found<'r, Cow<'r, str>> {
        match self.column(value, row) {
            Column::Is(Raw::Text(text)) => Found::Is(Cow::Borrowed(text), Spot::first(value)),
            Column::Absent => Found::Absent,
            Column::Is(_) | Column::Unknown => self.other_text(value, row),
        }
    }

    #[inline(never)]
    fn other_text(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
    ) -> Found<'r, Cow<'r, str>> {
        match self.find(value, row) {
            Found::Absent => Found::Absent,
            Found::Null => Found::Null,
            Found::Is(got, spot) => match got.text() {
                Some(text) => Found::Is(cased(text, value.value.case), spot),
                None => self.of_other_type("a string or a whole number", got, (spot, row)),
            },
        }
    }

    #[inline]
    pub fn flag(&mut self, value: &'r ValuePlan) -> Found<'r, bool> {
        match self.column(value, None) {
            Column::Is(Raw::Flag(flag)) => Found::Is(flag, Spot::first(value)),
            Column::Absent => Found::Absent,
            Column::Is(_) | Column::Unknown => self.convert(value, None, |got| match got {
                Got::Flag(flag) => Ok(flag),
                _ => Err(Wrong::Type("true or false")),
            }),
        }
    }

    #[inline]
    pub fn date(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Date> {
        match self.column(value, row) {
            // The check of the schema has read it already.
            Column::Is(Raw::Date(_, date)) => Found::Is(date, Spot::first(value)),
            Column::Absent => Found::Absent,
            Column::Is(_) | Column::Unknown => self.other_date(value, row),
        }
    }

    #[inline(never)]
    fn other_date(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Date> {
        let unit = value.value.unit;
        self.convert(value, row, |got| {
            if let Some(micros) = unit.and_then(|unit| number::micros(got, unit)) {
                return day(micros?);
            }
            match got {
                Got::Moment(at) => day(at.micros()),
                Got::Text(text) | Got::Outer(text) => date(text).ok_or(Wrong::Format(DATE)),
                _ => Err(Wrong::Type("a date in a string")),
            }
        })
    }

    #[inline]
    pub fn time(&mut self, value: &'r ValuePlan, row: Option<&Row<'r, 'a>>) -> Found<'r, Instant> {
        match self.column(value, row) {
            // The check of the schema has read it already.
            Column::Is(Raw::Time(_, at)) => Found::Is(at, Spot::first(value)),
            Column::Absent => Found::Absent,
            Column::Is(_) | Column::Unknown => self.other_time(value, row),
        }
    }

    #[inline(never)]
    fn other_time(
        &mut self,
        value: &'r ValuePlan,
        row: Option<&Row<'r, 'a>>,
    ) -> Found<'r, Instant> {
        let unit = value.value.unit;
        self.convert(value, row, |got| {
            if let Some(micros) = unit.and_then(|unit| number::micros(got, unit)) {
                return Instant::checked_from_micros(micros?).ok_or(Wrong::Format(RANGE));
            }
            match got {
                Got::Moment(at) => Ok(at),
                Got::Text(text) | Got::Outer(text) => {
                    Instant::parse(text).ok_or(Wrong::Format(TIME))
                }
                _ if unit.is_some() => Err(Wrong::Type("a number, or a date-time in a string")),
                _ => Err(Wrong::Type("a date-time in a string")),
            }
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
