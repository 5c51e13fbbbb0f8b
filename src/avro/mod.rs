//! Reading and writing Avro, apart from the registry: what a value's bytes say, once its writer schema is known.
//!
//! A writer schema is compiled once into a [`Plan`], resolved against the reader schema of its source
//! (`schemas/<source>.avsc`). Reading a value then follows the plan and looks nothing up: [`read`] gives the same
//! types that are read from JSON, by the same rules, so a customer given in either form ends in the same state.
//! What the rules refuse is explained by the JSON Schema, on the text that [`to_json`] makes of the value.
//! [`snapshot`] writes the published snapshot by `schemas/customer-snapshot.avsc`.
//!
//! Resolution is Avro's: fields by name or by alias of the reader, left-out fields that have a default, unknown
//! fields skipped, numbers widened, strings and bytes for each other, unions branch by branch. It is wider in what
//! JSON has no types for:
//!
//! - A null means that a field is absent, also where the reader schema has no null: the rules then say whether the
//!   field is required. In a list a null stays one.
//! - An enumeration is read as the text of its symbol.
//! - Timestamps of any precision, local ones too, and dates are read as the text that JSON would hold. A long
//!   without a logical type names no unit: it stays a number, which the rules refuse.
//! - Where a field's name is not found, an alias that the *writer* gives its field counts as its name: so a
//!   renamed field that keeps its old name as an alias is still found.
//! - The names of types do not matter, nor does how they are spelt; references to them still resolve.

pub mod batch;
mod compile;
mod deserialize;
pub mod input;
mod json;
mod names;
mod plan;
mod reader_schema;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod writer_schema;

pub use deserialize::read;
pub use json::{explain, to_json};
pub use plan::{Plan, PlanError};

/// Why a value was not read. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no value of their writer schema.
    #[error("the value cannot be decoded by its writer schema")]
    Malformed,
    /// A union's branch that the reader schema has no type for.
    #[error("the value has a branch of a union that the source's schema has no type for")]
    Unresolved,
    /// An entry of a map whose texts are JSON.
    #[error("an entry of a map is no JSON text")]
    NotJson,
    #[error("the value's texts, decoded, are larger than 4 times validation.max_record_bytes")]
    TooMuchText,
    /// The bytes are sound, but the type that was read refuses the value.
    #[error("the value is not what its type asks for")]
    Refused,
}

impl Error {
    /// The error where no type can refuse the value.
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
