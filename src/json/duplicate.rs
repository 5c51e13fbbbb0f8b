//! Finds a known field that occurs twice in one object of a JSON text. Everything else about the text must have been
//! checked before.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::strict::{self, Text, ignore_scalars};

/// A known field that occurs twice.
#[derive(Debug)]
pub struct Duplicate {
    pub name: String,
    /// The pointer to the object. Names of known fields need no escaping in a pointer.
    pub pointer: String,
}

/// The first field of the text that occurs twice. The known fields are the `properties` of the JSON Schema.
pub fn find(schema: &Value, text: &str) -> Option<Duplicate> {
    let found = RefCell::new(Duplicate {
        name: String::new(),
        pointer: String::new(),
    });
    let search = Search {
        schema,
        found: &found,
    };
    strict::read(text, search).err()?;
    Some(found.into_inner()).filter(|found| !found.name.is_empty())
}

#[derive(Clone, Copy)]
struct Search<'s, 'f> {
    schema: &'s Value,
    /// Its pointer leads to the value that is being read. When the search finds a duplicate, the pointer stays there.
    found: &'f RefCell<Duplicate>,
}

impl<'s> Search<'s, '_> {
    /// Reads an inner value; during that, its name or index is appended to the pointer.
    fn within<T, E>(
        self,
        step: &dyn std::fmt::Display,
        schema: &'s Value,
        read: impl FnOnce(Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let length = self.found.borrow().pointer.len();
        let step = format!("/{step}");
        self.found.borrow_mut().pointer.push_str(&step);
        let value = read(Search { schema, ..self })?;
        self.found.borrow_mut().pointer.truncate(length);
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_, '_> {
    type Value = ();

    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let schema = &self.schema["items"];
        for at in 0.. {
            let item = self.within(&at, schema, |item| items.next_element_seed(item))?;
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let known = self.schema["properties"].as_object();
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            let Some((name, schema)) = known.and_then(|known| known.get_key_value(&*name)) else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen.contains(&name.as_str()) {
                self.found.borrow_mut().name.clone_from(name);
                return Err(A::Error::custom("a field is given twice"));
            }
            seen.push(name);
            self.within(name, schema, |value| fields.next_value_seed(value))?;
        }
        Ok(())
    }
}
