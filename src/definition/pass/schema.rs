//! Puts the checks of a JSON Schema at the places that they are for.

use serde_json::{Map, Value};

use super::check::{Unchecked, check_of};
use super::compile::{Builder, Position};
use crate::definition::Pointer;

impl Builder {
    /// The value at a position is checked by a schema. The elements of the list at `batch` are left out.
    ///
    /// # Errors
    /// A pass cannot check this schema; the builder is then of no use.
    pub fn check(
        &mut self,
        at: Position,
        schema: &Value,
        batch: Option<&[String]>,
    ) -> Result<(), Unchecked> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(keywords) => keywords,
            _ => return Err(Unchecked),
        };
        let check = check_of(keywords)?;
        self.add_check(at, check);
        let properties = keywords.get("properties").map(object).transpose()?;
        for (name, property) in properties.into_iter().flatten() {
            let inside = batch.and_then(|path| path.split_first());
            let inside = inside.filter(|(first, _)| *first == name);
            let member = self.follow(at, &Pointer(vec![name.clone()]));
            self.check(member, property, inside.map(|(_, rest)| rest))?;
        }
        if let Some(required) = keywords.get("required") {
            for name in required.as_array().ok_or(Unchecked)? {
                let name = name.as_str().ok_or(Unchecked)?;
                // Another name would be known by the pass although the schema does not describe it.
                if properties.is_none_or(|all| !all.contains_key(name)) {
                    return Err(Unchecked);
                }
                self.require(at, name);
            }
        }
        match keywords.get("items") {
            Some(items) if batch.is_none_or(|path| !path.is_empty()) => {
                let element = self.each_element(at);
                self.check(element, items, None)
            }
            _ => Ok(()),
        }
    }
}

fn object(value: &Value) -> Result<&Map<String, Value>, Unchecked> {
    value.as_object().ok_or(Unchecked)
}
