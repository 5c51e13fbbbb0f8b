//! Values of a definition: where they come from and what they become.

use std::collections::BTreeMap;

use super::builtin::text;
use super::json::Json;
use super::time;

/// A value as a definition writes it.
#[derive(Clone, Debug, Default)]
pub struct Value {
    pub from: Vec<String>,
    pub constant: Option<Json>,
    pub required: bool,
    pub map: Option<BTreeMap<String, Json>>,
    pub otherwise: Option<Json>,
    pub case: Option<String>,
    pub unit: Option<String>,
}

impl Value {
    pub fn of(toml: &toml::Value) -> Value {
        let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
        let texts = |value: &toml::Value| match value {
            toml::Value::Array(list) => list.iter().map(text).collect(),
            one => vec![text(one)],
        };
        let toml::Value::Table(table) = toml else {
            return Value {
                from: texts(toml),
                ..Value::default()
            };
        };
        Value {
            from: table.get("from").map(texts).unwrap_or_default(),
            constant: table.get("const").map(Json::of_toml),
            required: table.get("required").and_then(toml::Value::as_bool) == Some(true),
            map: table.get("map").map(|map| {
                let pairs = map.as_table().unwrap().iter();
                pairs
                    .map(|(from, to)| (from.clone(), Json::of_toml(to)))
                    .collect()
            }),
            otherwise: table.get("otherwise").map(Json::of_toml),
            case: table.get("case").map(text),
            unit: table.get("unit").map(text),
        }
    }

    /// The pointer of its violation if nothing is there, without what stands before.
    pub fn first_pointer(&self) -> Option<&str> {
        let mut pointers = self.from.iter();
        pointers
            .find(|from| from.is_empty() || from.starts_with('/') || from.starts_with("root:"))
            .map(String::as_str)
    }
}

/// What was found where a value comes from.
#[derive(Clone, Debug)]
pub struct Found {
    pub value: Json,
    /// Where in the record; empty if it is from elsewhere.
    pub pointer: String,
    /// A text that stands for a number where one is wanted: a key, a header.
    pub is_plain: bool,
    /// The timestamp of the record.
    pub is_timestamp: bool,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Kept as it came.
    Text,
    Trimmed,
    OneOf(&'static [&'static str]),
    Flag,
    Date,
    Time,
    Country,
    /// Only of two letters.
    Alpha2,
    Rank,
    /// The type of an action.
    Type,
    Any,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    Text(String),
    Flag(bool),
    Time(i64),
    Rank(u64),
    /// Alpha-2, or a text that names no country.
    Country(Result<String, String>),
    Any(Json),
}

impl Made {
    /// As the snapshot shows it.
    pub fn json(&self) -> String {
        match self {
            Made::Text(text) => text::quote(text),
            Made::Flag(flag) => flag.to_string(),
            Made::Time(at) => text::quote(&text::format_instant(*at)),
            Made::Rank(rank) => rank.to_string(),
            Made::Country(Ok(text) | Err(text)) => text::quote(text),
            Made::Any(json) => json.canonical(),
        }
    }

    pub fn text(self) -> String {
        match self {
            Made::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn time(self) -> i64 {
        match self {
            Made::Time(at) => at,
            other => panic!("{other:?} is no time"),
        }
    }
}

/// What a value becomes, or the keyword of its violation.
pub fn make(kind: Kind, value: &Value, found: &Found) -> Result<Made, &'static str> {
    let mut found = found.clone();
    if let Some(map) = &value.map {
        let text = match &found.value {
            Json::Text(text) => text.clone(),
            Json::Number(_) | Json::Flag(_) => found.value.canonical(),
            _ => return Err("type"),
        };
        let mapped = map.get(&text).or(value.otherwise.as_ref());
        found.value = mapped.ok_or("map")?.clone();
        found.is_plain = false;
    }
    match kind {
        Kind::Text => Ok(Made::Text(cased(value, text_of(&found)?))),
        Kind::Trimmed => {
            let text = text_of(&found)?.trim().to_owned();
            Ok(Made::Text(cased(value, text)))
        }
        Kind::OneOf(texts) => {
            let text = cased(value, text_of(&found)?);
            match texts.contains(&text.as_str()) {
                true => Ok(Made::Text(text)),
                false => Err("enum"),
            }
        }
        Kind::Type => {
            let text = cased(value, text_of(&found)?);
            match (1..=64).contains(&text.chars().count()) {
                true => Ok(Made::Text(text)),
                false => Err("format"),
            }
        }
        Kind::Country | Kind::Alpha2 => {
            let text = cased(value, text_of(&found)?.trim().to_owned());
            Ok(Made::Country(text::country(&text, kind == Kind::Country)))
        }
        Kind::Flag => match found.value {
            Json::Flag(flag) => Ok(Made::Flag(flag)),
            _ => Err("type"),
        },
        Kind::Time => moment(value, &found).map(Made::Time),
        Kind::Date => date(value, &found).map(Made::Text),
        Kind::Rank => rank(&found.value).map(Made::Rank),
        Kind::Any => Ok(Made::Any(found.value)),
    }
}

fn cased(value: &Value, text: String) -> String {
    match value.case.as_deref() {
        Some("lower") => text.to_lowercase(),
        Some("upper") => text.to_uppercase(),
        _ => text,
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text, or the digits of an integer.
fn text_of(found: &Found) -> Result<String, &'static str> {
    match &found.value {
        Json::Text(text) => Ok(text.clone()),
        Json::Number(number) if digits(number.strip_prefix('-').unwrap_or(number)) => {
            Ok(number.clone())
        }
        _ => Err("type"),
    }
}

/// The number that a value with a unit is.
fn number(value: &Value, found: &Found) -> Option<(String, String)> {
    let unit = match found.is_timestamp {
        true => "millis".to_owned(),
        false => value.unit.clone()?,
    };
    match &found.value {
        Json::Number(number) => Some((number.clone(), unit)),
        Json::Text(text) if found.is_plain && digits(text) => Some((text.clone(), unit)),
        _ => None,
    }
}

fn moment(value: &Value, found: &Found) -> Result<i64, &'static str> {
    if let Some((number, unit)) = number(value, found) {
        return time::scaled(&number, &unit).ok_or("format");
    }
    match &found.value {
        Json::Text(text) => time::instant(text).ok_or("format"),
        _ => Err("type"),
    }
}

fn date(value: &Value, found: &Found) -> Result<String, &'static str> {
    if let Some((number, unit)) = number(value, found) {
        let at = time::scaled(&number, &unit).ok_or("format")?;
        return Ok(text::format_instant(at)[..10].to_owned());
    }
    match &found.value {
        Json::Text(text) => time::date(text)
            .or_else(|| time::instant(text).and_then(|_| time::date(&text[..10])))
            .ok_or("format"),
        _ => Err("type"),
    }
}

/// A whole number from 0 to 2^63−1, as a number or as a text of digits.
fn rank(value: &Json) -> Result<u64, &'static str> {
    let number = match value {
        Json::Number(number) => number.as_str(),
        Json::Text(text) if digits(text) => text,
        _ => return Err("type"),
    };
    let whole = number.strip_suffix(".0").unwrap_or(number);
    if !digits(whole.strip_prefix('-').unwrap_or(whole)) {
        return Err("type");
    }
    let whole = whole.parse::<i128>().ok();
    whole
        .and_then(|rank| i64::try_from(rank).ok())
        .and_then(|rank| u64::try_from(rank).ok())
        .ok_or("format")
}
