//! What stands around a record: an element of a batch, Debezium's envelope, a CloudEvent.

use super::definition::Definition;
use super::json::Json;
use super::{Record, time};

/// What is judged by itself: a record, an element of a batch, a row, the data of an event.
#[derive(Clone, Debug)]
pub struct Part {
    pub here: Json,
    /// What stands before its pointers in violations.
    pub base: String,
    pub root: Json,
    /// What stands before pointers from the root.
    pub root_base: String,
    /// In microseconds; none if the part is not there.
    pub time: Option<i64>,
    pub rank: u64,
    /// The envelope says that the customer is deleted.
    pub is_delete: bool,
    /// Where a deleted customer's id is if it is not in the row.
    pub key: Option<Json>,
    /// What is wrong with the envelope: pointer and keyword.
    pub violations: Vec<(String, String)>,
}

pub enum Opened {
    Nothing,
    One(Part),
    Many(Vec<Part>),
    /// No batch at all: pointer and keyword.
    Bad(String, &'static str),
}

fn plain(root: &Json, record: &Record) -> Part {
    Part {
        here: root.clone(),
        base: String::new(),
        root: root.clone(),
        root_base: String::new(),
        time: usable(record),
        rank: 0,
        is_delete: false,
        key: None,
        violations: Vec::new(),
    }
}

/// The record's timestamp in microseconds.
pub fn usable(record: &Record) -> Option<i64> {
    let millis = record.timestamp?;
    (0..=253_402_300_799_999)
        .contains(&millis)
        .then(|| millis * 1000)
}

pub fn open(definition: &Definition, root: &Json, record: &Record) -> Opened {
    match definition.word("envelope", "none") {
        "debezium" => return debezium(root, record),
        "cloudevents" => return cloud_events(definition, root, record),
        _ => {}
    }
    let Some(each) = definition.toml.get("each") else {
        return Opened::One(plain(root, record));
    };
    let each = each.as_str().unwrap();
    match root.at(each) {
        None | Some(Json::Null) => Opened::Bad(each.to_owned(), "required"),
        Some(Json::List(list)) => Opened::Many(
            list.iter()
                .enumerate()
                .map(|(at, element)| Part {
                    here: element.clone(),
                    base: format!("{each}/{at}"),
                    ..plain(root, record)
                })
                .collect(),
        ),
        Some(_) => Opened::Bad(each.to_owned(), "type"),
    }
}

/// The number of a member, none if it is null or not there.
fn whole(of: Option<&Json>, name: &str) -> Option<i64> {
    match of?.member(name)? {
        Json::Number(number) => number.parse().ok(),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn text<'j>(of: &'j Json, name: &str) -> Option<&'j str> {
    match of.member(name)? {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

/// The place in the log: Postgres' number, or the number of MySQL's file above the place in it.
fn place(source: Option<&Json>, lsn: &str, file: &str, pos: &str) -> u64 {
    if let Some(lsn) = whole(source, lsn) {
        return lsn.max(0).unsigned_abs();
    }
    let Some(pos) = whole(source, pos) else {
        return 0;
    };
    let file = source.and_then(|source| text(source, file)).unwrap_or("");
    let digits = file.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number: u128 = digits.parse().unwrap_or(0);
    let rank = number << 32 | pos.max(0).unsigned_abs() as u128;
    rank.min(i64::MAX as u128) as u64
}

fn debezium(root: &Json, record: &Record) -> Opened {
    let payload = match (root.member("schema"), root.member("payload")) {
        (Some(_), Some(payload)) => payload,
        _ => root,
    };
    if *payload == Json::Null {
        return Opened::Nothing;
    }
    let mut part = plain(payload, record);
    // a row may have a column of that name
    let mut parts = ["before", "after", "source"].into_iter();
    let is_envelope = parts.any(|part| payload.member(part).is_some());
    let Some(op) = text(payload, "op").filter(|_| is_envelope) else {
        return match text(payload, "__op") {
            None | Some("c" | "u" | "r" | "d") => Opened::One(flattened(payload, part, record)),
            Some(_) => Opened::Nothing,
        };
    };
    let source = payload.member("source");
    let micros = whole(source, "ts_us");
    let time = micros.or_else(|| Some(whole(source, "ts_ms")? * 1000));
    part.time = time.or(part.time);
    part.rank = place(source, "lsn", "file", "pos");
    let row = |name| payload.member(name).cloned().unwrap_or(Json::Null);
    match op {
        "c" | "u" => part.here = row("after"),
        "r" => {
            part.here = row("after");
            part.rank = 0;
        }
        "d" => {
            part.here = row("before");
            part.is_delete = true;
            part.key = key(record);
        }
        _ => return Opened::Nothing,
    }
    Opened::One(part)
}

fn flattened(row: &Json, mut part: Part, record: &Record) -> Part {
    let source = Some(row);
    let micros = whole(source, "__source_ts_us");
    let millis = whole(source, "__source_ts_ms").map(|millis| millis * 1000);
    let of_connector =
        || whole(source, "__ts_us").or_else(|| Some(whole(source, "__ts_ms")? * 1000));
    part.time = micros.or(millis).or_else(of_connector).or(part.time);
    // each part of the position has two names, of which that with the struct comes first
    let named = |name: &str| {
        let [long, short] = [format!("__source_{name}"), format!("__{name}")];
        let is_there = row.member(&long).is_some_and(|value| *value != Json::Null);
        if is_there { long } else { short }
    };
    part.rank = place(source, &named("lsn"), &named("file"), &named("pos"));
    if text(row, "__op") == Some("r") {
        part.rank = 0;
    }
    let deleted = row.member("__deleted");
    part.is_delete =
        matches!(deleted, Some(Json::Flag(true))) || text(row, "__deleted") == Some("true");
    part.key = part.is_delete.then(|| key(record)).flatten();
    part
}

/// The key of a record as JSON: a struct with or without its schema, or a text.
fn key(record: &Record) -> Option<Json> {
    let text = record.key.as_ref()?;
    let json = Json::read(text).unwrap_or(Json::Text(text.clone()));
    match (json.member("schema"), json.member("payload")) {
        (Some(_), Some(payload)) => Some(payload.clone()),
        _ => Some(json),
    }
}

fn cloud_events(definition: &Definition, root: &Json, record: &Record) -> Opened {
    // the time of an event is judged only if it is the record's
    let needs_time = !definition.toml.contains_key("updated_at");
    let header = |name: &str| {
        let found = record.headers.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    if header("ce_specversion").is_some() {
        let mut part = plain(root, record);
        if let Some(time) = header("ce_time").filter(|_| needs_time) {
            timed(&mut part, time, "");
        }
        return Opened::One(part);
    }
    if let Json::List(events) = root {
        let each = events.iter().enumerate();
        return Opened::Many(
            each.map(|(at, event)| structured(event, record, &format!("/{at}"), needs_time))
                .collect(),
        );
    }
    Opened::One(structured(root, record, "", needs_time))
}

fn structured(event: &Json, record: &Record, base: &str, needs_time: bool) -> Part {
    let mut part = plain(event, record);
    part.here = event.member("data").cloned().unwrap_or(Json::Null);
    part.base = format!("{base}/data");
    part.root_base = base.to_owned();
    if event.member("specversion").is_none() {
        let violation = (format!("{base}/specversion"), "required".to_owned());
        part.violations.push(violation);
    }
    if let Some(time) = text(event, "time").filter(|_| needs_time) {
        timed(&mut part, time, &format!("{base}/time"));
    }
    part
}

fn timed(part: &mut Part, text: &str, pointer: &str) {
    part.time = time::instant(text);
    if part.time.is_none() {
        let violation = (pointer.to_owned(), "format".to_owned());
        part.violations.push(violation);
    }
}
