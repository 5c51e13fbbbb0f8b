//! Numbers that stand for times.

use super::found::Got;
use crate::definition::NumberUnit;

/// More digits than matter: a time in days has 7, and a microsecond is the eleventh behind the point.
const MAX_DIGITS: usize = 25;

/// A number of a unit in microseconds; further digits are cut. The error: it is out of every range.
pub(super) fn micros(got: Got<'_>, unit: NumberUnit) -> Option<Result<i64, OutOfRange>> {
    let (factor, power) = match unit {
        NumberUnit::Seconds => (1, 6),
        NumberUnit::Millis => (1, 3),
        NumberUnit::Micros => (1, 0),
        NumberUnit::Nanos => (1, -3),
        NumberUnit::Days => (86_400, 6),
    };
    let (number, exponent) = match got {
        Got::Positive(number) => (i128::from(number), 0),
        Got::Negative(number) => (i128::from(number), 0),
        Got::Digits(digits) => match decimal(digits) {
            Some(decimal) => decimal,
            None => return Some(Err(OutOfRange)),
        },
        Got::Outer(text) if is_number(text) => match decimal(text) {
            Some(decimal) => decimal,
            None => return Some(Err(OutOfRange)),
        },
        _ => return None,
    };
    Some(scaled(number * factor, exponent.saturating_add(power)).ok_or(OutOfRange))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange;

/// Whether text of the key or of a header is digits, with a sign or a fraction.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

/// A number and the power of ten by which it is multiplied. None if its exponent is beyond all reason.
fn decimal(text: &str) -> Option<(i128, i32)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)),
        None => (text, 0),
    };
    let is_negative = mantissa.starts_with('-');
    let mut number: i128 = 0;
    let mut digits = 0;
    let mut power = exponent;
    let mut is_fraction = false;
    for byte in mantissa.bytes() {
        match byte {
            b'.' => is_fraction = true,
            b'0'..=b'9' => {
                if digits < MAX_DIGITS {
                    number = number * 10 + i128::from(byte - b'0');
                    digits += usize::from(number != 0);
                    power -= i64::from(is_fraction);
                } else {
                    power += i64::from(!is_fraction);
                }
            }
            _ => {}
        }
    }
    let power = i32::try_from(power.clamp(-1_000_000, 1_000_000)).ok()?;
    Some((if is_negative { -number } else { number }, power))
}

/// The size of an exponent, or that of one that is as good.
fn exponent_of(text: &str) -> i64 {
    const BEYOND: i64 = 1_000_000_000;
    let beyond = match text.starts_with('-') {
        true => -BEYOND,
        false => BEYOND,
    };
    let number = text.parse::<i64>().unwrap_or(beyond);
    number.clamp(-BEYOND, BEYOND)
}

/// A number multiplied by a power of ten, without its fraction.
fn scaled(number: i128, power: i32) -> Option<i64> {
    if number == 0 {
        return Some(0);
    }
    let factor = 10_i128.checked_pow(power.unsigned_abs());
    let scaled = match (power < 0, factor) {
        (true, Some(factor)) => number / factor,
        (true, None) => 0,
        (false, factor) => number.checked_mul(factor?)?,
    };
    i64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_to_the_microsecond() {
        let of = |text, unit| micros(Got::Digits(text), unit).unwrap();
        assert_eq!(
            of("1700000000.1234569", NumberUnit::Seconds),
            Ok(1_700_000_000_123_456)
        );
        assert_eq!(of("1.7e9", NumberUnit::Seconds), Ok(1_700_000_000_000_000));
        assert_eq!(of("-1.5", NumberUnit::Millis), Ok(-1500));
        assert_eq!(of("1999.9", NumberUnit::Nanos), Ok(1));
        assert_eq!(of("0.5", NumberUnit::Days), Ok(43_200_000_000));
        assert_eq!(of("19000", NumberUnit::Days), Ok(1_641_600_000_000_000));
        assert_eq!(
            of(
                "0.000000000000000000000000000000000001e36",
                NumberUnit::Micros
            ),
            Ok(1)
        );
        assert_eq!(of("1e-999999999999999999999", NumberUnit::Days), Ok(0));
        assert_eq!(of("0e999999999999", NumberUnit::Days), Ok(0));
        for beyond in ["1e99", "1e400000000000", "99999999999999999999999999999999"] {
            assert_eq!(of(beyond, NumberUnit::Seconds), Err(OutOfRange), "{beyond}");
        }
        assert_eq!(
            micros(Got::Positive(u64::MAX), NumberUnit::Days),
            Some(Err(OutOfRange))
        );
        assert_eq!(
            micros(Got::Outer("12.5"), NumberUnit::Millis),
            Some(Ok(12_500))
        );
        for no_number in ["", "-", "1.", ".5", "1e5", "1 "] {
            assert_eq!(
                micros(Got::Outer(no_number), NumberUnit::Millis),
                None,
                "{no_number}"
            );
        }
        assert_eq!(micros(Got::Text("1"), NumberUnit::Millis), None);
    }
}
