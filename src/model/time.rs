//! Instants and dates: reads RFC 3339 to the microsecond, and writes one canonical text
//! (docs/contract.md, sections 2 and 4).

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 1970-01-01, counted from 0001-01-01 as day 1.
const EPOCH_DAY: i64 = 719_163;
/// 9999-12-31, counted from 0001-01-01 as day 1.
const LAST_DAY: u32 = 3_652_059;

/// Microseconds since 1970-01-01T00:00:00Z, within the years 0001 to 9999 unless it is [`Instant::NEVER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// Earlier than every instant that a record can contain.
    pub const NEVER: Instant = Instant(i64::MIN);
    const FIRST: i64 = (1 - EPOCH_DAY) * MICROS_PER_DAY;
    const LAST: i64 = 253_402_300_799_999_999;

    /// The instant of a record's timestamp in milliseconds. The timestamp must be
    /// [usable](crate::model::record::usable_timestamp).
    pub fn from_millis(millis: i64) -> Instant {
        Instant(millis.saturating_mul(1000).clamp(Self::FIRST, Self::LAST))
    }

    /// The number from which [`Instant::from_micros`] restores the same instant.
    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn from_micros(micros: i64) -> Instant {
        Instant(micros)
    }

    /// None outside the years 0001 to 9999.
    pub(crate) fn checked_from_micros(micros: i64) -> Option<Instant> {
        let years = Self::FIRST..=Self::LAST;
        years.contains(&micros).then_some(Instant(micros))
    }

    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    pub fn saturating_add(self, duration: std::time::Duration) -> Instant {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Instant(self.0.saturating_add(micros))
    }

    /// Reads a `date-time` of RFC 3339. The offset may be missing, which means UTC. A leap second becomes the last
    /// microsecond of its minute; digits beyond the microsecond are cut off. None for any other text, and for an
    /// instant outside the years 0001 to 9999 in UTC.
    pub fn parse(text: &str) -> Option<Instant> {
        let (head, rest) = text.as_bytes().split_first_chunk::<19>()?;
        let day = i64::from(parse_day(head.first_chunk()?)?) - EPOCH_DAY;
        if !matches!(head[10], b'T' | b't') || head[13] != b':' || head[16] != b':' {
            return None;
        }
        let hour = two_digits(head, 11)?;
        let minute = two_digits(head, 14)?;
        let second = two_digits(head, 17)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, rest) = parse_fraction(rest)?;
        let offset_minutes = parse_offset(rest)?;

        // a leap second can only be the last second of a day in UTC
        let minute_of_day = i64::from(hour * 60 + minute) - offset_minutes;
        let (second, fraction) = match second {
            60 if minute_of_day.rem_euclid(1440) == 1439 => (59, 999_999),
            60 => return None,
            second => (i64::from(second), fraction),
        };
        Self::checked_from_micros(
            day * MICROS_PER_DAY + (minute_of_day * 60 + second) * MICROS_PER_SECOND + fraction,
        )
    }

    /// The canonical text, see [`Instant::write`].
    pub fn canonical(self) -> Vec<u8> {
        let mut text = Vec::with_capacity(27);
        self.write(&mut text);
        text
    }

    /// Appends the canonical text: UTC with `Z`, and no, three or six fraction digits, whichever is sufficient.
    pub fn write(self, out: &mut Vec<u8>) {
        // counted from the first instant, so that nothing is negative: divisions of unsigned numbers are cheaper, and
        // those of 32 bits cheaper still
        let since = self.0.clamp(Self::FIRST, Self::LAST).abs_diff(Self::FIRST);
        let day = (since / MICROS_PER_DAY.unsigned_abs()) as u32;
        let within = since % MICROS_PER_DAY.unsigned_abs();
        let (year, month, date) = civil_of_day(day + 1);
        let second = (within / MICROS_PER_SECOND.unsigned_abs()) as u32;
        let fraction = (within % MICROS_PER_SECOND.unsigned_abs()) as u32;

        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put_two(&mut text, 0, year / 100);
        put_two(&mut text, 2, year % 100);
        put_two(&mut text, 5, month);
        put_two(&mut text, 8, date);
        put_two(&mut text, 11, second / 3600);
        put_two(&mut text, 14, second / 60 % 60);
        put_two(&mut text, 17, second % 60);
        let length = if fraction == 0 {
            19
        } else {
            put_two(&mut text, 20, fraction / 10_000);
            put_two(&mut text, 22, fraction / 100 % 100);
            put_two(&mut text, 24, fraction % 100);
            if fraction.is_multiple_of(1000) {
                23
            } else {
                26
            }
        };
        text[length] = b'Z';
        // a copy of a fixed length is compiled to a few moves instead of a call
        let end = out.len() + length + 1;
        out.extend_from_slice(&text);
        out.truncate(end);
    }
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.canonical()))
    }
}

/// A `full-date` of RFC 3339 in the years 0001 to 9999, as it was written: ten ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date([u8; 10]);

impl Date {
    pub fn parse(text: &str) -> Option<Date> {
        // an instant may be written with a day of the year 0 if its offset moves it into the year 1
        let text: &[u8; 10] = text.as_bytes().try_into().ok()?;
        parse_day(text).filter(|day| *day >= 1)?;
        Some(Date(*text))
    }

    pub const fn bytes(&self) -> &[u8; 10] {
        &self.0
    }

    /// The date this number of days after 1970-01-01. None outside the years 0001 to 9999.
    pub(crate) fn from_epoch_day(day: i32) -> Option<Date> {
        let day = u32::try_from(i64::from(day) + EPOCH_DAY).ok()?;
        if !(1..=LAST_DAY).contains(&day) {
            return None;
        }
        let (year, month, date) = civil_of_day(day);
        let mut text = *b"0000-00-00";
        put_two(&mut text, 0, year / 100);
        put_two(&mut text, 2, year % 100);
        put_two(&mut text, 5, month);
        put_two(&mut text, 8, date);
        Some(Date(text))
    }

    /// The number of days since 1970-01-01.
    pub(crate) fn epoch_day(&self) -> i64 {
        parse_day(&self.0).map_or(0, |day| i64::from(day) - EPOCH_DAY)
    }
}

/// The day of `YYYY-MM-DD`, counted from 0001-01-01 as day 1.
#[inline]
fn parse_day(text: &[u8; 10]) -> Option<i32> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two_digits(text, 0)? * 100 + two_digits(text, 2)?;
    let month = two_digits(text, 5)?;
    let date = two_digits(text, 8)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (before, length) = *MONTHS.get(usize::from(is_leap))?.get(month as usize)?;
    if date == 0 || date > length {
        return None;
    }
    // years are counted from 400 years earlier, so that nothing is negative
    let years = year + 399;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + before + date;
    Some(days as i32 - DAYS_OF_400_YEARS)
}

const DAYS_OF_400_YEARS: i32 = 146_097;

/// How many days of a year are before each month, and the month's length, in common years and in leap years. There is no
/// month 0, so that has no day.
const MONTHS: [[(u32, u32); 13]; 2] = {
    let mut all = [[(0, 0); 13]; 2];
    let mut leap = 0;
    while leap < 2 {
        let mut before = 0;
        let mut month = 1;
        while month <= 12 {
            let length = match month {
                2 => 28 + leap as u32,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            all[leap][month] = (before, length);
            before += length;
            month += 1;
        }
        leap += 1;
    }
    all
};

/// The year, month and day of month of a day, counted from 0001-01-01 as day 1. It must be in the years 0001 to 9999.
fn civil_of_day(day: u32) -> (u32, u32, u32) {
    // days and years are counted from March of the year 0, so that a leap day is the last day of its year
    let day = day + 305;
    let era = day / 146_097;
    let day_of_era = day % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    (year, month, date)
}

#[inline]
fn two_digits<const N: usize>(text: &[u8; N], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens * 10 + ones))
}

/// The numbers below a hundred in two digits.
const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut all = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < all.len() {
        all[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    all
};

fn put_two<const N: usize>(text: &mut [u8; N], at: usize, number: u32) {
    text[at..at + 2].copy_from_slice(&TWO_DIGITS[number as usize]);
}

/// Reads the fraction of a second. Returns it in microseconds, and the rest of the text.
#[inline]
fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let mut rest = digits;
    let (mut micros, mut unit) = (0, 100_000);
    while let Some((digit @ b'0'..=b'9', behind)) = rest.split_first() {
        micros += u32::from(digit - b'0') * unit;
        unit /= 10;
        rest = behind;
    }
    (rest.len() < digits.len()).then_some((i64::from(micros), rest))
}

/// The offset from UTC in minutes; an empty text means UTC.
#[inline]
fn parse_offset(text: &[u8]) -> Option<i64> {
    match text {
        b"" | b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let text: &[u8; 6] = text.try_into().ok()?;
            let (hours, minutes) = (two_digits(text, 1)?, two_digits(text, 4)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i64::from(hours * 60 + minutes);
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Option<String> {
        Instant::parse(text).map(|instant| instant.to_string())
    }

    #[test]
    fn reads_what_the_contract_accepts() {
        for (text, expected) in [
            ("2024-02-06T10:00:00", "2024-02-06T10:00:00Z"),
            ("2024-02-06t10:00:00z", "2024-02-06T10:00:00Z"),
            ("2024-02-06T10:00:00.5+01:30", "2024-02-06T08:30:00.500Z"),
            (
                "2024-02-06T10:00:00.1234567-00:00",
                "2024-02-06T10:00:00.123456Z",
            ),
            ("2024-02-29T23:59:60Z", "2024-02-29T23:59:59.999999Z"),
            (
                "2024-03-01T00:59:60.25+01:00",
                "2024-02-29T23:59:59.999999Z",
            ),
            ("0000-12-31T23:30:00-01:00", "0001-01-01T00:30:00Z"),
            ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2024-02-06",
            "2024-02-06 10:00:00",
            "2024-02-06T10:00",
            "2024-02-30T10:00:00Z",
            "2024-02-06T24:00:00Z",
            "2024-02-06T10:60:00Z",
            "2024-02-06T10:00:61Z",
            "2024-02-06T10:00:60Z",
            "2024-02-06T10:00:00.",
            "2024-02-06T10:00:00.Z",
            "2024-02-06T10:00:00+24:00",
            "2024-02-06T10:00:00+0100",
            "2024-02-06T10:00:00+01",
            "2024-02-06T10:00:00 Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２024-02-06T10:00:00Z",
            "2024-02-06T10:00:00Zé",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn dates_lie_in_the_years_0001_to_9999() {
        for text in ["0001-01-01", "9999-12-31", "2024-02-29"] {
            assert!(Date::parse(text).is_some(), "{text}");
        }
        for text in ["0000-01-01", "0000-12-31", "0000-02-29", "2023-02-29"] {
            assert!(Date::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn days_outside_the_calendar_are_no_dates() {
        for day in [i32::MIN, i32::MAX, 2_932_897, -719_163, -719_528] {
            assert_eq!(Date::from_epoch_day(day), None, "{day}");
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_one(day in -719_162..=2_932_896) {
            let date = Date::from_epoch_day(day).unwrap();
            let text = std::str::from_utf8(date.bytes()).unwrap();
            prop_assert_eq!(Date::parse(text), Some(date));
            prop_assert_eq!(date.epoch_day(), i64::from(day));
            prop_assert_eq!(text.to_owned(), NaiveDate::from_num_days_from_ce_opt(day + 719_163).unwrap().to_string());
        }

        #[test]
        fn days_agree_with_chrono(year in 0..=9999, month in 0..=13_u32, date in 0..=32_u32) {
            let text = format!("{year:04}-{month:02}-{date:02}");
            let expected = NaiveDate::from_ymd_opt(year, month, date);
            let expected = expected.map(|date| chrono::Datelike::num_days_from_ce(&date));
            prop_assert_eq!(parse_day(text.as_bytes().try_into().unwrap()), expected);
        }

        #[test]
        fn text_and_instant_are_one(micros in Instant::FIRST..=Instant::LAST) {
            let instant = Instant(micros);
            prop_assert_eq!(Instant::parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn agrees_with_chrono(micros in Instant::FIRST..=Instant::LAST) {
            let expected = chrono::DateTime::from_timestamp_micros(micros).expect("within range");
            let text = expected.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            prop_assert_eq!(Instant::parse(&text), Some(Instant(micros)));
        }
    }
}
