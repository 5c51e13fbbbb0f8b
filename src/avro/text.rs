//! Logical types as the texts that JSON has for them.

use crate::model::time::{Date, Instant};

/// The unit in which a timestamp counts since 1970-01-01T00:00:00 in UTC. A local timestamp is taken as UTC too, like a
/// `date-time` without an offset (docs/contract.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// Replaces a time that the texts of the sources cannot express. It violates the JSON Schema's `format`.
const OUT_OF_RANGE: &[u8] = b"outside the years 0001 to 9999";

/// Appends a timestamp as a `date-time`. Digits beyond the microsecond are truncated.
pub fn write_timestamp(out: &mut Vec<u8>, unit: Unit, count: i64) {
    let micros = match unit {
        Unit::Millis => count.checked_mul(1000),
        Unit::Micros => Some(count),
        Unit::Nanos => Some(count.div_euclid(1000)),
    };
    match micros.and_then(Instant::checked_from_micros) {
        Some(instant) => instant.write(out),
        None => out.extend_from_slice(OUT_OF_RANGE),
    }
}

/// Appends a day counted from 1970-01-01 as a `date`.
pub fn write_date(out: &mut Vec<u8>, day: i32) {
    match Date::from_epoch_day(day) {
        Some(date) => out.extend_from_slice(date.bytes()),
        None => out.extend_from_slice(OUT_OF_RANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(unit: Unit, count: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, unit, count);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timestamps_are_texts_to_the_microsecond() {
        for (unit, count, text) in [
            (Unit::Millis, 1_707_213_600_500, "2024-02-06T10:00:00.500Z"),
            (Unit::Micros, 1, "1970-01-01T00:00:00.000001Z"),
            (Unit::Nanos, 1_999, "1970-01-01T00:00:00.000001Z"),
            // Truncated like the digits of a text, not rounded towards 1970.
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
}
