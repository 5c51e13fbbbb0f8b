//! Logical types as the texts that JSON holds in their place.

use chrono::{Datelike, NaiveDate};

use crate::model::time::Instant;

/// What a timestamp counts since 1970-01-01T00:00:00, in UTC; a local one is taken as UTC too, as a `date-time`
/// without an offset is (docs/contract.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// Days from 0001-01-01, which chrono counts as day 1, to 1970-01-01.
const EPOCH_DAY: i32 = 719_163;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The first and the last microsecond of the years 0001 to 9999.
const INSTANTS: std::ops::RangeInclusive<i64> =
    (1 - EPOCH_DAY as i64) * MICROS_PER_DAY..=253_402_300_799_999_999;

/// What stands for a time that no text of the sources can say. It breaks the JSON Schema's `format`.
const OUT_OF_RANGE: &[u8] = b"outside the years 0001 to 9999";

/// Appends a timestamp as a `date-time`. Digits beyond the microsecond are cut.
pub fn write_timestamp(out: &mut Vec<u8>, unit: Unit, count: i64) {
    let micros = match unit {
        Unit::Millis => count.checked_mul(1000),
        Unit::Micros => Some(count),
        Unit::Nanos => Some(count.div_euclid(1000)),
    };
    match micros.filter(|micros| INSTANTS.contains(micros)) {
        Some(micros) => Instant::from_micros(micros).write(out),
        None => out.extend_from_slice(OUT_OF_RANGE),
    }
}

/// Appends a day counted from 1970-01-01 as a `date`.
pub fn write_date(out: &mut Vec<u8>, day: i32) {
    let date = day
        .checked_add(EPOCH_DAY)
        .and_then(NaiveDate::from_num_days_from_ce_opt)
        .filter(|date| (1..=9999).contains(&date.year()));
    let Some(date) = date else {
        out.extend_from_slice(OUT_OF_RANGE);
        return;
    };
    let year = date.year() as u32;
    write_two(out, year / 100);
    write_two(out, year % 100);
    out.push(b'-');
    write_two(out, date.month());
    out.push(b'-');
    write_two(out, date.day());
}

fn write_two(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
}

/// The day of a `date`, counted from 1970-01-01.
pub fn day_of(date: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    Some(date.num_days_from_ce() - EPOCH_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timestamp(unit: Unit, count: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, unit, count);
        String::from_utf8(out).unwrap()
    }

    fn date(day: i32) -> String {
        let mut out = Vec::new();
        write_date(&mut out, day);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timestamps_are_texts_to_the_microsecond() {
        for (unit, count, text) in [
            (Unit::Millis, 1_707_213_600_500, "2024-02-06T10:00:00.500Z"),
            (Unit::Micros, 1, "1970-01-01T00:00:00.000001Z"),
            (Unit::Nanos, 1_999, "1970-01-01T00:00:00.000001Z"),
            // cut as the digits of a text are, not rounded towards 1970
            (Unit::Nanos, -1, "1969-12-31T23:59:59.999999Z"),
            (
                Unit::Micros,
                253_402_300_799_999_999,
                "9999-12-31T23:59:59.999999Z",
            ),
            (Unit::Millis, -62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(unit, count), text);
        }
        for (unit, count) in [
            (Unit::Micros, 253_402_300_800_000_000),
            (Unit::Millis, -62_135_596_800_001),
            (Unit::Millis, i64::MAX),
            (Unit::Micros, i64::MIN),
        ] {
            assert_eq!(Instant::parse(&timestamp(unit, count)), None);
        }
    }

    #[test]
    fn days_outside_the_calendar_are_no_dates() {
        for day in [i32::MIN, i32::MAX, 2_932_897, -719_163, -719_528] {
            assert!(
                crate::model::time::Date::parse(&date(day)).is_none(),
                "{day}"
            );
        }
        assert_eq!(date(2_932_896), "9999-12-31");
        assert_eq!(date(-719_162), "0001-01-01");
    }

    proptest! {
        #[test]
        fn days_and_dates_are_one(day in -719_162..=2_932_896) {
            let text = date(day);
            prop_assert!(crate::model::time::Date::parse(&text).is_some());
            prop_assert_eq!(day_of(&text), Some(day));
        }
    }
}
