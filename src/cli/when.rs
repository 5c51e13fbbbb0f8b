//! Points in time on the command line, and in tables.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::time::Instant;

/// A point in time: RFC 3339, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Instant),
    Ago(Duration),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        if let Some(at) = Instant::parse(text) {
            return Ok(When::At(at));
        }
        let ago = humantime::parse_duration(text.trim_end_matches(" ago"));
        ago.map(When::Ago).map_err(|_| {
            "must be a time such as 2027-01-15T03:05:00Z, or how long ago it was, such as 2h or 30m"
                .to_owned()
        })
    }
}

impl When {
    /// In milliseconds since 1970.
    pub fn millis(self, now: i64) -> i64 {
        match self {
            When::At(at) => at.micros().div_euclid(1000),
            When::Ago(ago) => {
                now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// In milliseconds since 1970.
pub fn now_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// As RFC 3339.
pub fn text(millis: i64) -> String {
    Instant::from_millis(millis).to_string()
}

/// For a table: hours and minutes in UTC, with the day if it is not today.
pub fn cell(millis: Option<i64>, now: i64) -> String {
    let Some(millis) = millis else {
        return "-".to_owned();
    };
    let (text, now) = (text(millis), text(now));
    let (day, time) = (text.get(..10), text.get(11..16));
    match (day, time) {
        (Some(day), Some(time)) if now.starts_with(day) => time.to_owned(),
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_or_so_long_ago() {
        let at = |text: &str| text.parse::<When>().map(|when| when.millis(10_000_000));
        assert_eq!(at("1970-01-01T00:00:01Z"), Ok(1_000));
        assert_eq!(at("1970-01-01T01:00:01+01:00"), Ok(1_000));
        assert_eq!(at("2h"), Ok(2_800_000));
        assert_eq!(at("30m ago"), Ok(8_200_000));
        for wrong in ["", "yesterday", "2", "2027-01-15", "-2h"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_name_the_day_if_it_is_another_one() {
        let now = 1_800_000_000_000;
        assert_eq!(cell(Some(now - 60_000), now), "07:59");
        assert_eq!(cell(Some(now - 86_400_000), now), "2027-01-14 08:00");
        assert_eq!(cell(None, now), "-");
    }
}
