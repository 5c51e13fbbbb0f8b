//! Values of declared sources, which are judged by their JSON text: how the text is made.
//!
//! Without a reader schema, everything that the writer wrote is in the text:
//!
//! | Avro | JSON |
//! |---|---|
//! | record, map | object. A null stays a null, because it may say that there is nothing |
//! | array | array |
//! | union | what its branch says |
//! | `string`, enumeration | string |
//! | `int`, `long`, also a time of day | number, all its digits |
//! | `float`, `double` | the shortest number that is the same float or double; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `timestamp-*`, `local-timestamp-*` | string, a `date-time` |
//! | `date` | string, a `date` |
//! | `decimal`, `big-decimal` | number, all its digits |
//! | `uuid` | string |
//! | `bytes` | string if they are UTF-8, else `{"base64":"…"}` |
//! | `fixed`, also a `duration`, and a decimal that is no number of JSON | `{"base64":"…"}` |
//!
//! So a value that no definition reads does not make a record invalid, and one that is read and is no text is refused
//! like any other that has the wrong type.
//!
//! With a reader schema, the value is first resolved against it as Avro says: fields by name or alias, further fields
//! left out, missing fields with their defaults. It accepts more in these cases:
//!
//! - A null is a null, even if the reader schema does not allow it: the definition says what may be missing.
//! - A field that the writer does not have is absent if the reader's default is null, or if there is none and the reader
//!   allows null. It is not null, which would say that there is nothing.
//! - If both have a logical type, the writer's counts, whose unit or scale it is.
//! - An enumeration can be read as a string, and records, enumerations and fixed types of any names as each other.

mod compile;
mod decimal;
mod defaults;
mod known;
mod list;
mod plan;
mod scalar;
#[cfg(test)]
mod tests;
mod types;
mod write;

use std::fmt;

pub use known::{Known, Step};
pub use plan::TextPlan;

use super::PlanError;
use super::writer_schema::WriterSchema;

/// The reader schema of a definition.
pub struct ReaderSchema(WriterSchema);

impl ReaderSchema {
    /// # Errors
    /// The text is no Avro schema, or a default in it does not fit its type.
    pub fn parse(text: &str) -> Result<ReaderSchema, PlanError> {
        let schema = WriterSchema::parse(text, &[]).map(ReaderSchema)?;
        schema.check_defaults()?;
        Ok(schema)
    }
}

impl fmt::Debug for ReaderSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReaderSchema").finish_non_exhaustive()
    }
}
