//! The definition of a declared source: how a record of a format of one's own becomes what keyfold knows of a customer
//! (docs/contract.md, section 9).
//!
//! A definition is a TOML file. It is parsed once into a [`Definition`], which `source::declared` follows for each
//! record. It holds no code: equal records always mean the same.
//!
//! | file | subject |
//! |---|---|
//! | `keys`, `fields` | **the table of keys**: name, what each accepts, and documentation |
//! | `shape`, `words` | what the table is made of |
//! | `parse`, `reader`, `noted`, `problem` | from the text to a [`Definition`], with all problems at once |
//! | `presets`, `load` | from what the configuration names to a [`Plan`] |
//! | `documents` | the tables of the documentation, and the JSON Schema for editors |
//! | `envelope` | what each envelope means for all records of a source |
//! | `plan` | what is prepared once, so that following a definition for a record needs no look-ups |

pub mod documents;
mod envelope;
mod fields;
mod keys;
mod load;
mod noted;
mod origins;
mod parse;
pub mod pass;
mod plan;
pub mod presets;
mod problem;
mod reader;
mod shape;
#[cfg(test)]
mod tests;
pub mod value;
mod words;

use std::sync::Arc;

pub use envelope::Envelope;
pub use load::{PRESET, load};
pub use plan::{
    ActionPlan, BatchPlan, BatchSchemaPlan, CloudEventsPlan, CustomerPlan, DebeziumPlan, Direct,
    EnvelopePlan, EnvelopeTime, EventList, FieldsPlan, KeyPlan, ListPlan, OneOfPlan, Place,
    PlacePlan, Plan, SchemaPlan, Shape, TellsPlan, ValuePlan,
};
pub use problem::Problem;
pub use value::{Case, Mapped, NumberUnit, Origin, Pointer, Value};

use crate::customer::declared::{Order, Scalar};
use crate::model::record::Code;

/// A definition that was checked as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The JSON Schema that a record must conform to, as its JSON text.
    pub schema: Option<Arc<str>>,
    /// The reader schema for `format = "avro"`, as its JSON text.
    pub reader: Option<Arc<str>>,
    pub envelope: Envelope,
    /// The list whose elements are judged one by one, if a record is a batch.
    pub each: Option<Pointer>,
    pub merge: Merge,
    pub order: Order,
    pub nulls: Nulls,
    pub customer_id: Value,
    /// None: the default of the envelope, or else the record's timestamp.
    pub updated_at: Option<Value>,
    pub rank: Option<Value>,
    pub created_at: Option<Value>,
    pub tells: Tells,
    pub deleted: Option<Deleted>,
    pub event_type: Option<EventType>,
    pub version: Option<VersionRange>,
    pub countries: Countries,
    /// What is done with a record that breaks a semantic rule, where it differs from the default.
    pub rules: Vec<(Code, RuleDefault)>,
    pub tests: Vec<Test>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// A field that a record leaves out stays as it was.
    Fields,
    /// What the newest record leaves out is not there.
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// A null means that a field is absent.
    Absent,
    /// A null says that there is nothing.
    Clear,
}

/// Which texts name a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Countries {
    /// An ISO 3166-1 alpha-2 or alpha-3 code, or the English short name.
    Any,
    Alpha2,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Tells {
    Customer {
        /// In the order of [`Scalar`]; never [`Scalar::CreatedAt`].
        scalars: Vec<(Scalar, Value)>,
        /// `attributes`: an object, each of whose members is an attribute.
        attributes: Option<Value>,
        /// `attributes.NAME`, by name.
        attribute: Vec<(String, Value)>,
        lists: Vec<ListTable>,
    },
    Action(Box<ActionTable>),
}

/// A table `[[lists.NAME]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTable {
    pub list: ListName,
    pub each: Origin,
    pub id: Value,
    pub updated_at: Option<Value>,
    pub created_at: Option<Value>,
    /// In the order of [`ElementField`].
    pub fields: Vec<(ElementField, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListName {
    Addresses,
    Phones,
    Dependents,
}

/// The fields of list elements, those of each list in the order of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ElementField {
    Line1,
    Line2,
    City,
    Province,
    ZipCode,
    CountryCode,
    /// Of a phone: Unknown, Phone or Mobile.
    PhoneType,
    PhoneCountry,
    NumberLocal,
    NumberInternational,
    DateOfBirth,
    DependentType,
}

/// The table `[action]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionTable {
    pub id: Value,
    pub kind: Value,
    pub contract: Option<Value>,
    /// `utm.source`, `utm.medium`, `utm.campaign`, `utm.content`, `utm.terms`.
    pub utm: [Option<Value>; 5],
}

/// Which records say that the customer is deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    pub when: Value,
    /// Canonical JSON texts.
    pub is: Vec<String>,
}

/// `event_type`: the values that a record of this source has there; others break the rule `event_type`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventType {
    pub from: Value,
    /// Canonical JSON texts.
    pub is: Vec<String>,
}

/// `version`: the numbers that a record of this source has there; others break the rule `unsupported_version`.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRange {
    pub from: Value,
    pub min: f64,
    pub below: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleDefault {
    Reject,
    Warn,
    Off,
}

/// A test in a definition: a record, and what must become of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The line of the file at which it begins.
    pub line: usize,
    /// The value of the record; none for a null value.
    pub record: Option<String>,
    pub key: Option<String>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, String)>,
    pub expected: Expected,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// JSON that the snapshot of the record alone must contain.
    Snapshot(serde_json::Value),
    /// Nothing is left to show, or the record tells nothing.
    Nothing,
    Rejected {
        code: Code,
        /// Those of all violations; empty where they are not compared.
        pointers: Vec<String>,
    },
}
