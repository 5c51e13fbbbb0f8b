//! Which known field of a JSON text is given twice in one object. Everything else about the text must have been
//! checked before.

use std::cell::RefCell;
use std::fmt::Write;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::strict::{self, Text, ignore_scalars};

/// A known field that is given twice.
pub struct Duplicate {
    pub name: String,
    /// To the object that it is in. Its names are known ones, which need no escapes in a pointer.
    pub pointer: String,
}

/// The first field of the text that is given twice. The known fields are the `properties` of the JSON Schema.
pub fn find(schema: &Value, text: &str) -> Option<Duplicate> {
    let way = RefCell::new(Vec::new());
    let twice = Look { schema, way: &way };
    strict::read(text, twice).err()?;
    let mut way = way.into_inner();
    let name = match way.pop() {
        Some(Step::Field(name)) => name.to_owned(),
        _ => return None,
    };
    let mut pointer = String::new();
    for step in way {
        // writing to a string does not fail
        let _ = match step {
            Step::Field(name) => write!(pointer, "/{name}"),
            Step::Element(at) => write!(pointer, "/{at}"),
        };
    }
    Some(Duplicate { name, pointer })
}

enum Step<'s> {
    Field(&'s str),
    Element(usize),
}

#[derive(Clone, Copy)]
struct Look<'s, 'w> {
    schema: &'s Value,
    /// The way from the root to the value that is read. A search that ends early leaves the place it ended at.
    way: &'w RefCell<Vec<Step<'s>>>,
}

impl<'de> DeserializeSeed<'de> for Look<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_, '_> {
    type Value = ();

    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let item = Look {
            schema: &self.schema["items"],
            way: self.way,
        };
        for at in 0.. {
            self.way.borrow_mut().push(Step::Element(at));
            let is_there = items.next_element_seed(item)?.is_some();
            self.way.borrow_mut().pop();
            if !is_there {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let known = self.schema["properties"].as_object();
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            match known.and_then(|known| known.get_key_value(&*name)) {
                Some((name, schema)) => {
                    self.way.borrow_mut().push(Step::Field(name));
                    if seen.contains(&name.as_str()) {
                        return Err(A::Error::custom("a field is given twice"));
                    }
                    seen.push(name);
                    let way = self.way;
                    fields.next_value_seed(Look { schema, way })?;
                    self.way.borrow_mut().pop();
                }
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
