//! Instants and dates, and the ways in which producers write them.

use chrono::{DateTime, Datelike, Timelike};

use super::random::Random;

/// Microseconds since 1970, UTC.
pub(super) type Micros = i64;

pub(super) const SECOND: Micros = 1_000_000;
pub(super) const MINUTE: Micros = 60 * SECOND;
pub(super) const HOUR: Micros = 60 * MINUTE;
pub(super) const DAY: Micros = 24 * HOUR;
pub(super) const YEAR: Micros = 365 * DAY;

/// How one record writes its instants. All instants of a record share a style: truncated to the same precision they
/// keep their order, so `createdAt` is never after `updatedAt`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// How many digits follow the second: 0, 3 or 6.
    fraction: u8,
    zone: Zone,
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    Z,
    /// No offset at all, which means UTC (docs/contract.md, section 2).
    Missing,
    /// Minutes east of Greenwich.
    Offset(i16),
}

impl Style {
    /// Whole seconds with `Z`.
    pub(super) const SECONDS: Style = Style {
        fraction: 0,
        zone: Zone::Z,
    };

    pub(super) fn draw(random: &mut Random) -> Style {
        let fraction = match random.below(100) {
            0..12 => 0,
            12..90 => 3,
            _ => 6,
        };
        let zone = match random.below(100) {
            0..86 => Zone::Z,
            86..93 => Zone::Missing,
            _ => Zone::Offset(random.pick(&[0, 60, 120, 330, 540, 660, -180, -300, -480])),
        };
        Style { fraction, zone }
    }

    /// The instant as a date-time of RFC 3339, or without an offset.
    pub(super) fn write(self, at: Micros) -> String {
        let offset = match self.zone {
            Zone::Offset(minutes) => minutes,
            Zone::Z | Zone::Missing => 0,
        };
        let local = at.saturating_add(i64::from(offset) * MINUTE);
        let time = DateTime::from_timestamp_micros(local).unwrap_or_default();
        let mut text = String::with_capacity(32);
        push_date(&mut text, &time);
        text.push('T');
        push_digits(&mut text, time.hour(), 2);
        text.push(':');
        push_digits(&mut text, time.minute(), 2);
        text.push(':');
        push_digits(&mut text, time.second(), 2);
        let micros = time.timestamp_subsec_micros();
        match self.fraction {
            0 => {}
            3 => {
                text.push('.');
                push_digits(&mut text, micros / 1000, 3);
            }
            _ => {
                text.push('.');
                push_digits(&mut text, micros, 6);
            }
        }
        match self.zone {
            Zone::Z => text.push('Z'),
            Zone::Missing => {}
            Zone::Offset(minutes) => {
                text.push(if minutes < 0 { '-' } else { '+' });
                let minutes = u32::from(minutes.unsigned_abs());
                push_digits(&mut text, minutes / 60, 2);
                text.push(':');
                push_digits(&mut text, minutes % 60, 2);
            }
        }
        text
    }
}

/// The day of an instant, as `YYYY-MM-DD`.
pub(super) fn date(at: Micros) -> String {
    let time = DateTime::from_timestamp_micros(at).unwrap_or_default();
    let mut text = String::with_capacity(10);
    push_date(&mut text, &time);
    text
}

fn push_date(text: &mut String, time: &DateTime<chrono::Utc>) {
    push_digits(text, time.year().unsigned_abs(), 4);
    text.push('-');
    push_digits(text, time.month(), 2);
    text.push('-');
    push_digits(text, time.day(), 2);
}

fn push_digits(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.push(char::from(b'0' + digit as u8));
    }
}

/// The time of an event that is recorded now: mostly a little earlier, sometimes minutes earlier, and rarely some
/// seconds later, because clocks differ.
pub(super) fn happened(random: &mut Random, now: Micros) -> Micros {
    match random.below(100) {
        0..90 => now - random.between(SECOND / 200, 2 * SECOND),
        90..98 => now - random.between(2 * SECOND, 10 * MINUTE),
        _ => now + random.between(0, 5 * SECOND),
    }
}

/// The time of an event that is recorded now and follows another one of the same customer: later than that one, if only
/// a little.
pub(super) fn happened_after(random: &mut Random, now: Micros, last: Micros) -> Micros {
    let soon = last + random.between(SECOND / 1000, SECOND / 20);
    // However fast the events of a customer come, the time must not run far ahead of record time.
    happened(random, now).max(soon.min(now)).max(last + 1)
}

/// How long a very late event takes to arrive: minutes to days.
pub(super) fn delay(random: &mut Random) -> Micros {
    if random.chance(0.7) {
        random.between(10 * MINUTE, 12 * HOUR)
    } else {
        random.between(12 * HOUR, 10 * DAY)
    }
}

/// An instant at least ten minutes before `now` and not before `earliest`; none if that is impossible.
pub(super) fn long_ago(random: &mut Random, now: Micros, earliest: Micros) -> Option<Micros> {
    let at = (now - delay(random)).max(earliest);
    (at <= now - 10 * MINUTE).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_style_writes_the_same_instant() {
        let at = 1_692_067_463_688_123;
        let write = |fraction, zone| Style { fraction, zone }.write(at);
        assert_eq!(write(0, Zone::Z), "2023-08-15T02:44:23Z");
        assert_eq!(write(3, Zone::Missing), "2023-08-15T02:44:23.688");
        assert_eq!(
            write(6, Zone::Offset(330)),
            "2023-08-15T08:14:23.688123+05:30"
        );
        assert_eq!(write(0, Zone::Offset(-180)), "2023-08-14T23:44:23-03:00");
        assert_eq!(date(at), "2023-08-15");
        assert_eq!(date(-DAY), "1969-12-31");
    }
}
