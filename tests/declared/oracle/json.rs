//! JSON as plain values that keep the digits of their numbers, and every member of an object, even those of one name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builtin::text::{array, object, quote, sorted};

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Flag(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The members of an object, as they came.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl Json {
    /// None if the text is no JSON.
    pub fn read(text: &str) -> Option<Json> {
        let raw: Box<RawValue> = serde_json::from_str(text).ok()?;
        let text = raw.get();
        Some(match text.as_bytes()[0] {
            b'n' => Json::Null,
            b't' => Json::Flag(true),
            b'f' => Json::Flag(false),
            b'"' => Json::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let list: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
                let list = list.iter().map(|one| Json::read(one.get()));
                Json::List(list.collect::<Option<_>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let members = members.into_iter().map(|(name, value)| {
                    let value = Json::read(value.get())?;
                    Some((name, value))
                });
                Json::Object(members.collect::<Option<_>>()?)
            }
            _ => Json::Number(text.to_owned()),
        })
    }

    /// A value of a definition.
    pub fn of_toml(value: &toml::Value) -> Json {
        match value {
            toml::Value::String(text) => Json::Text(text.clone()),
            toml::Value::Integer(number) => Json::Number(number.to_string()),
            toml::Value::Boolean(flag) => Json::Flag(*flag),
            other => panic!("no value of a definition: {other}"),
        }
    }

    /// Compact, with sorted members at every level; of one name the last.
    pub fn canonical(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Flag(flag) => flag.to_string(),
            Json::Number(number) => sorted(number),
            Json::Text(text) => quote(text),
            Json::List(list) => array(&list.iter().map(Json::canonical).collect::<Vec<_>>()),
            Json::Object(_) => {
                let members = self.members();
                let texts: Vec<(&str, Option<String>)> = members
                    .iter()
                    .map(|(name, value)| (*name, Some(value.canonical())))
                    .collect();
                object(&texts)
            }
        }
    }

    /// The members of an object by name; of one name the last.
    pub fn members(&self) -> std::collections::BTreeMap<&str, &Json> {
        match self {
            Json::Object(members) => members
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
            _ => Default::default(),
        }
    }

    pub fn member(&self, name: &str) -> Option<&Json> {
        self.members().get(name).copied()
    }

    /// What a JSON pointer leads to.
    pub fn at(&self, pointer: &str) -> Option<&Json> {
        let mut here = self;
        for part in parts(pointer) {
            here = match here {
                Json::Object(_) => here.member(&part)?,
                Json::List(list) => list.get(index(&part)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// Whether a name is given twice in one object, anywhere.
    pub fn has_twice(&self) -> bool {
        match self {
            Json::Object(members) => {
                self.members().len() < members.len()
                    || members.iter().any(|(_, value)| value.has_twice())
            }
            Json::List(list) => list.iter().any(Json::has_twice),
            _ => false,
        }
    }

    /// Whether a name on the way of a pointer is given twice in one object.
    pub fn twice_on(&self, pointer: &str) -> bool {
        let mut here = vec![self];
        for part in parts(pointer) {
            let mut next = Vec::new();
            for value in here {
                match value {
                    Json::Object(members) => {
                        let named = members.iter().filter(|(name, _)| *name == part);
                        let named: Vec<&Json> = named.map(|(_, value)| value).collect();
                        if named.len() > 1 {
                            return true;
                        }
                        next.extend(named);
                    }
                    Json::List(list) => next.extend(index(&part).and_then(|at| list.get(at))),
                    _ => {}
                }
            }
            here = next;
        }
        false
    }
}

fn parts(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// An index of a list has no leading zero.
fn index(part: &str) -> Option<usize> {
    let is_index = part == "0" || !part.starts_with('0') && !part.starts_with('+');
    part.parse().ok().filter(|_| is_index)
}
