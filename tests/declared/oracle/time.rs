//! Texts and numbers that stand for instants and dates.

use chrono::NaiveDate;

use super::builtin::text::parse_instant;

const FIRST: i128 = -62_135_596_800_000_000;
const LAST: i128 = 253_402_300_799_999_999;

/// Microseconds since 1970 of a date-time. None if the text is none, or not in the years 0001 to 9999.
pub fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let head = bytes.get(..19)?;
    let pattern = "0000-00-00t00:00:00".bytes();
    let fits = head.iter().zip(pattern).all(|(byte, of)| match of {
        b'0' => byte.is_ascii_digit(),
        b't' => matches!(byte, b'T' | b't'),
        other => *byte == other,
    });
    if !fits {
        return None;
    }
    NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").ok()?;
    let number = |from: usize| text[from..from + 2].parse::<i64>().unwrap();
    let (hour, minute, second) = (number(11), number(14), number(17));
    let rest = match text[19..].strip_prefix('.') {
        None => &text[19..],
        Some(fraction) => {
            let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == fraction.len() {
                return None;
            }
            rest
        }
    };
    let offset = match rest.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), a, b, b':', c, d]
            if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) =>
        {
            let hours = i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let minutes = i64::from(c - b'0') * 10 + i64::from(d - b'0');
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let of_day = (hour * 60 + minute - offset).rem_euclid(1440);
    if hour > 23 || minute > 59 || second > 60 || second == 60 && of_day != 1439 {
        return None;
    }
    let at = parse_instant(text);
    (FIRST..=LAST).contains(&i128::from(at)).then_some(at)
}

/// A date of the years 0001 to 9999.
pub fn date(text: &str) -> Option<String> {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 10 || !shape || text.starts_with("0000") {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(text.to_owned())
}

/// Microseconds of a JSON number in a unit, cut. None outside the years 0001 to 9999.
pub fn scaled(number: &str, unit: &str) -> Option<i64> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (factor, tens) = match unit {
        "seconds" => (1, 6),
        "millis" => (1, 3),
        "micros" => (1, 0),
        "nanos" => (1, -3),
        "days" => (86_400, 6),
        other => panic!("no unit: {other}"),
    };
    let tens = exponent - i32::try_from(fraction.len()).ok()? + tens;
    let product = digits * factor;
    let micros = match tens {
        0.. => product.checked_mul(10_i128.checked_pow(tens.unsigned_abs())?)?,
        _ => product / 10_i128.checked_pow(tens.unsigned_abs())?,
    };
    let years = FIRST..=LAST;
    years.contains(&micros).then_some(micros as i64)
}
