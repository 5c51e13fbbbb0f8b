//! Spelling: JSON text, instants and countries (docs/contract.md, sections 2 and 4).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use serde_json::value::RawValue;

/// A JSON object whose fields are not yet looked at. Of equal names the last
/// one stays.
pub type Object = BTreeMap<String, Box<RawValue>>;

/// A JSON string: only `"`, `\` and the control characters below U+0020 are
/// escaped.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A compact JSON object of the fields that are there, in the order given.
pub fn object(fields: &[(&str, Option<String>)]) -> String {
    let there: Vec<String> = fields
        .iter()
        .filter_map(|(name, text)| Some(format!("{}:{}", quote(name), text.as_ref()?)))
        .collect();
    format!("{{{}}}", there.join(","))
}

/// A compact JSON array.
pub fn array(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

/// Any JSON value as `attributes` shows it: compact, sorted by key at every
/// level, nothing trimmed, nulls kept.
pub fn sorted(value: &str) -> String {
    let value = value.trim();
    match value.as_bytes()[0] {
        b'{' => {
            let fields: Object = serde_json::from_str(value).unwrap();
            let fields: Vec<(&str, Option<String>)> = fields
                .iter()
                .map(|(name, inner)| (name.as_str(), Some(sorted(inner.get()))))
                .collect();
            object(&fields)
        }
        b'[' => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(value).unwrap();
            let elements: Vec<String> = elements.iter().map(|inner| sorted(inner.get())).collect();
            array(&elements)
        }
        b'"' => quote(&serde_json::from_str::<String>(value).unwrap()),
        b't' | b'f' | b'n' => value.to_owned(),
        _ => number(value),
    }
}

/// Integers digit by digit, other numbers as the shortest text of their double.
/// The standard library rounds correctly, whatever the features of serde_json
/// are.
fn number(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits {
        "0" => "0".to_owned(),
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => text.to_owned(),
        _ => serde_json::to_string(&text.parse::<f64>().unwrap()).unwrap(),
    }
}

/// Microseconds since 1970 of a date-time: RFC 3339, or without an offset,
/// which is UTC. Digits beyond the sixth are cut. A leap second becomes the
/// last microsecond of its minute.
pub fn parse_instant(text: &str) -> i64 {
    let day = NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").unwrap();
    let days = day
        .signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1).unwrap())
        .num_days();
    assert!(matches!(text.as_bytes()[10], b'T' | b't'));
    let number = |digits: &str| digits.parse::<i64>().unwrap();
    let hours = number(&text[11..13]);
    let minutes = number(&text[14..16]);
    let mut seconds = number(&text[17..19]);

    let (mut micros, offset) = match text[19..].strip_prefix('.') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let six: String = format!("{}000000", &rest[..end]).chars().take(6).collect();
            (number(&six), &rest[end..])
        }
        None => (0, &text[19..]),
    };
    let offset_minutes = match offset {
        "" | "Z" | "z" => 0,
        _ => {
            let minutes = number(&offset[1..3]) * 60 + number(&offset[4..6]);
            if offset.starts_with('-') {
                -minutes
            } else {
                minutes
            }
        }
    };
    if seconds == 60 {
        seconds = 59;
        micros = 999_999;
    }
    let whole = (days * 24 + hours) * 3600 + (minutes - offset_minutes) * 60 + seconds;
    whole * 1_000_000 + micros
}

/// UTC with `Z`, and no, three or six digits of fraction.
pub fn format_instant(micros: i64) -> String {
    let instant = DateTime::from_timestamp_micros(micros).unwrap();
    let whole = instant.format("%Y-%m-%dT%H:%M:%S");
    match micros.rem_euclid(1_000_000) {
        0 => format!("{whole}Z"),
        fraction if fraction % 1000 == 0 => format!("{whole}.{:03}Z", fraction / 1000),
        fraction => format!("{whole}.{fraction:06}Z"),
    }
}

/// The countries that the histories use: alpha-2, alpha-3, English short name.
const COUNTRIES: [(&str, &str, &str); 4] = [
    ("AU", "AUS", "Australia"),
    ("CI", "CIV", "Côte d'Ivoire"),
    (
        "GB",
        "GBR",
        "United Kingdom of Great Britain and Northern Ireland",
    ),
    ("US", "USA", "United States of America"),
];

/// The alpha-2 code of a country, or its trimmed text if nothing knows it.
/// `by_name`: alpha-3 codes and names are accepted too.
pub fn country(text: &str, by_name: bool) -> Result<String, String> {
    let trimmed = text.trim();
    let upper = trimmed.to_uppercase();
    for (alpha2, alpha3, name) in COUNTRIES {
        if upper == alpha2 || by_name && (upper == alpha3 || upper == name.to_uppercase()) {
            return Ok(alpha2.to_owned());
        }
    }
    Err(trimmed.to_owned())
}
