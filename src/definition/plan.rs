//! What is prepared once for a definition, so that following it for a record needs no look-ups.

use super::Definition;

/// A definition, prepared.
#[derive(Debug)]
pub struct Plan {
    pub definition: Definition,
}

impl Plan {
    /// # Errors
    /// A message for each problem: the schema is no JSON Schema, the reader schema is no Avro schema.
    pub fn new(definition: Definition) -> Result<Plan, Vec<String>> {
        Ok(Plan { definition })
    }

    /// Whether records are judged by their headers too, which are read only if they are needed.
    pub fn needs_headers(&self) -> bool {
        false
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Plan) -> bool {
        self.definition == other.definition
    }
}
