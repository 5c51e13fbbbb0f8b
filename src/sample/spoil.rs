//! Records with a fault. Whether it is one is decided by the reader: a part that nobody looks at may be wrong.

use keyfold_generate::{Content, Random, Subject};
use serde_json::{Value as Json, json};

use super::{Samples, check};

/// A year and more.
const FAR: i64 = 400 * 86_400_000_000;
/// How many places are tried for a fault.
const ATTEMPTS: usize = 12;

/// A kind of fault.
struct Fault {
    name: &'static str,
    put: Put,
}

enum Put {
    /// Into the text of the record.
    Text(fn(&mut Random, &str) -> Option<Vec<u8>>),
    /// In the place of a value, which may also be left out.
    Value(fn(&mut Random, &Json) -> Option<Json>),
    Remove,
    /// All that is told happens far in the future.
    Future,
}

#[rustfmt::skip]
const FAULTS: [Fault; 10] = [
    Fault { name: "cut in half", put: Put::Text(cut) },
    Fault { name: "wrong type", put: Put::Value(wrong_type) },
    Fault { name: "missing field", put: Put::Remove },
    Fault { name: "invalid UTF-8", put: Put::Text(invalid_utf8) },
    Fault { name: "blank text", put: Put::Value(blank) },
    Fault { name: "duplicate field", put: Put::Text(duplicate) },
    Fault { name: "unknown value", put: Put::Value(unknown) },
    Fault { name: "updated in the far future", put: Put::Future },
    Fault { name: "null", put: Put::Value(null) },
    Fault { name: "not a record", put: Put::Text(other_value) },
];

/// A record that is rejected, and the name of its fault.
pub(super) fn spoilt(
    samples: &mut Samples,
    random: &mut Random,
    subjects: &[Subject],
    timestamp: i64,
) -> Option<(Content, &'static str)> {
    let whole = samples.make(random, subjects, false);
    for _ in 0..FAULTS.len() {
        let fault = &FAULTS[samples.next_fault % FAULTS.len()];
        samples.next_fault += 1;
        for _ in 0..ATTEMPTS {
            let content = fault.put.put_into(samples, random, &whole, subjects);
            if let Some(content) = content
                && check::rejection(samples, &content, timestamp).is_some()
            {
                return Some((content, fault.name));
            }
        }
    }
    None
}

impl Put {
    fn put_into(
        &self,
        samples: &Samples,
        random: &mut Random,
        whole: &Content,
        subjects: &[Subject],
    ) -> Option<Content> {
        let value = whole.value.as_deref()?;
        let with = |value| {
            Some(Content {
                value: Some(value),
                ..whole.clone()
            })
        };
        match self {
            Put::Text(put) => with(put(random, std::str::from_utf8(value).ok()?)?),
            Put::Future => {
                let later = subjects.iter().cloned().map(|subject| Subject {
                    at: subject.at + FAR,
                    ..subject
                });
                let later: Vec<Subject> = later.collect();
                Some(samples.make(random, &later, false))
            }
            Put::Value(_) | Put::Remove => {
                let mut json: Json = serde_json::from_slice(value).ok()?;
                let pointers = pointers(&json);
                let pointer = pointers.get(random.index(pointers.len()))?;
                match self {
                    Put::Value(put) => {
                        let place = json.pointer_mut(pointer)?;
                        *place = put(random, place)?;
                    }
                    _ => remove(&mut json, pointer)?,
                }
                with(json.to_string().into_bytes())
            }
        }
    }
}

/// The pointers of all values in a value.
fn pointers(json: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), json)];
    while let Some((pointer, value)) = left.pop() {
        match value {
            Json::Object(members) => left.extend(members.iter().map(|(name, inner)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                (format!("{pointer}/{name}"), inner)
            })),
            Json::Array(items) => {
                let items = items.iter().enumerate();
                left.extend(items.map(|(at, item)| (format!("{pointer}/{at}"), item)));
            }
            _ => {}
        }
        if !pointer.is_empty() {
            found.push(pointer);
        }
    }
    found
}

fn remove(json: &mut Json, pointer: &str) -> Option<()> {
    let (parent, name) = pointer.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    let members = json.pointer_mut(parent)?.as_object_mut()?;
    members.remove(&name).map(drop)
}

fn cut(_: &mut Random, text: &str) -> Option<Vec<u8>> {
    let mut end = text.len() / 2;
    // Not within a character, because that would be invalid UTF-8 instead.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).map(|half| half.as_bytes().to_vec())
}

fn invalid_utf8(random: &mut Random, text: &str) -> Option<Vec<u8>> {
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at + 1).collect();
    let (before, after) = text.split_at_checked(*quotes.get(random.index(quotes.len()))?)?;
    Some([before.as_bytes(), b"\xff", after.as_bytes()].concat())
}

/// A member of an object twice.
fn duplicate(random: &mut Random, text: &str) -> Option<Vec<u8>> {
    let json: Json = serde_json::from_str(text).ok()?;
    let pointers = pointers(&json);
    let pointer = pointers.get(random.index(pointers.len()))?;
    let (parent, _) = pointer.rsplit_once('/')?;
    let object = json.pointer(parent)?.as_object()?;
    let value = json.pointer(pointer)?;
    let name = pointer.rsplit('/').next()?;
    let name = json!(name.replace("~1", "/").replace("~0", "~"));
    let once = json!(object).to_string();
    let twice = format!("{{{name}:{value},{}", once.strip_prefix('{')?);
    Some(json.to_string().replacen(&once, &twice, 1).into_bytes())
}

fn other_value(random: &mut Random, _: &str) -> Option<Vec<u8>> {
    let others = ["{}", "[]", "null", "42", "\"deleted\""];
    Some(random.pick(&others).as_bytes().to_vec())
}

fn wrong_type(random: &mut Random, value: &Json) -> Option<Json> {
    let others = match value {
        Json::String(_) => [json!(true), json!([]), json!({ "value": 1 })],
        Json::Number(_) => [json!("many"), json!([]), json!(0.5)],
        Json::Bool(_) => [json!("yes"), json!(1), json!([])],
        _ => [json!("text"), json!(7), json!(false)],
    };
    others.get(random.index(others.len())).cloned()
}

fn blank(random: &mut Random, value: &Json) -> Option<Json> {
    let blanks = ["", " ", "\t\u{a0}"];
    value.is_string().then(|| json!(random.pick(&blanks)))
}

fn unknown(random: &mut Random, value: &Json) -> Option<Json> {
    let texts = ["yesterday", "2024-02-30T10:00:00Z", "???", "UNKNOWN"];
    match value {
        Json::String(_) => Some(json!(random.pick(&texts))),
        Json::Number(_) => Some(json!(-1)),
        _ => None,
    }
}

fn null(_: &mut Random, value: &Json) -> Option<Json> {
    (!value.is_null()).then_some(Json::Null)
}
