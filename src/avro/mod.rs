//! Reading and writing Avro, without the registry: how a value is decoded once its writer schema is known.
//!
//! A writer schema is compiled once into a [`Plan`], resolved against the reader schema of its source
//! (`schemas/<source>.avsc`). Reading a value then follows the plan without any look-up: [`read`] gives the same types
//! that are read from JSON, by the same rules, so a customer ends in the same state whichever encoding it comes in. If
//! the rules refuse a value, the JSON Schema explains why, using the text that [`to_json`] makes of the value.
//! [`snapshot`] writes the published snapshot by `schemas/customer-snapshot.avsc`.
//!
//! The values of declared sources have no types here: [`declared`] writes them as JSON text.
//!
//! Resolution follows Avro: fields match by name or by an alias of the reader, missing fields take their default,
//! unknown fields are skipped, numbers are widened, strings and bytes are interchangeable, and unions resolve branch by
//! branch. It accepts more where JSON has no corresponding types:
//!
//! - A null means that a field is absent, even if the reader schema does not allow null: the rules then decide whether
//!   the field is required. In a list a null stays a null.
//! - An enumeration is read as the text of its symbol.
//! - Timestamps of any precision, local ones too, and dates are read as the text that JSON would hold. A long without a
//!   logical type has no known unit: it stays a number, which the rules refuse.
//! - If a field's name is not found, an alias that the *writer* gives its field counts as the name of that field: so a
//!   renamed field that keeps its old name as an alias is still found.
//! - The names of types do not matter, nor does their spelling; references to them still resolve.

pub mod batch;
mod bounds;
mod compile;
pub mod declared;
mod deserialize;
pub mod input;
mod json;
mod list;
mod names;
mod plan;
mod reader_schema;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod union;
mod writer_schema;

pub use deserialize::read;
pub use json::{explain, to_json};
pub use list::{ListParts, list_parts};
pub use plan::PlanError;

use declared::TextPlan;
use plan::TypedPlan;

/// How values of one writer schema are read for one source.
#[derive(Debug)]
pub struct Plan(Kind);

#[derive(Debug)]
enum Kind {
    /// For a built-in source.
    Typed(TypedPlan),
    /// For a declared source.
    Text(TextPlan),
}

impl Plan {
    /// The plan of a built-in source. Values of a declared source are read as JSON text only.
    fn typed(&self) -> Result<&TypedPlan, Error> {
        match &self.0 {
            Kind::Typed(plan) => Ok(plan),
            Kind::Text(_) => Err(Error::Refused),
        }
    }
}

/// Why a value cannot be read. It never quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a value of their writer schema.
    #[error("the value cannot be decoded by its writer schema")]
    Malformed,
    /// The value takes a union's branch for which the reader schema has no type.
    #[error("the value has a branch of a union that the source's schema has no type for")]
    Unresolved,
    /// An entry is not JSON, in a map whose texts must be JSON.
    #[error("an entry of a map is no JSON text")]
    NotJson,
    #[error("the value's texts, decoded, are larger than 4 times validation.max_record_bytes")]
    TooMuchText,
    #[error("the value, decoded, is larger than 16 times validation.max_record_bytes")]
    TooLarge,
    /// The bytes are valid, but the type that was read refuses the value.
    #[error("the value is not what its type asks for")]
    Refused,
}

impl Error {
    /// The error if no type can refuse the value.
    fn or_malformed(self) -> Error {
        match self {
            Error::Refused => Error::Malformed,
            error => error,
        }
    }
}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(_: T) -> Error {
        Error::Refused
    }
}
