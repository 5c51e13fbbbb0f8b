//! What is prepared once for a definition, so that following it for a record needs no look-ups.

mod compile;
mod envelope;
mod schemas;

pub(super) use envelope::data_pointers;
pub use envelope::{CloudEventsPlan, DebeziumPlan, EnvelopePlan, EnvelopeTime, KeyPlan};

use super::pass::Pass;
use super::{Definition, ElementField, ListName, Value};
use crate::customer::declared::Scalar;
use crate::json::schema::Schema;

/// A definition, prepared.
#[derive(Debug)]
pub struct Plan {
    pub definition: Definition,
    /// Over the record.
    pub pass: Pass,
    /// The ways in which a record may hold its data. Without an envelope there is one.
    pub shapes: Vec<Shape>,
    /// A list of events at the root of a record, for CloudEvents.
    pub event_list: Option<EventList>,
    /// What a record must conform to, unless it is a batch.
    pub schema: Option<SchemaPlan>,
    /// How a key gives the id of a deleted row, for Debezium.
    pub key: Option<KeyPlan>,
    needs_headers: bool,
    reads_key: bool,
}

/// How a record holds its data, and what is read of it.
#[derive(Debug)]
pub struct Shape {
    pub envelope: EnvelopePlan,
    /// The list whose elements are judged one by one, if the record is a batch.
    pub batch: Option<BatchPlan>,
    pub customer: CustomerPlan,
}

/// A JSON Schema.
#[derive(Debug)]
pub struct SchemaPlan {
    pub schema: Schema,
    /// Whether the pass checks all of it.
    pub is_checked: bool,
}

/// The JSON Schema of a batch.
#[derive(Debug)]
pub enum BatchSchemaPlan {
    Split {
        frame: Box<SchemaPlan>,
        element: Option<Box<SchemaPlan>>,
    },
    /// What an element must be cannot be told apart from the rest.
    Whole(Box<Schema>),
}

/// The list of a batch.
#[derive(Debug)]
pub struct BatchPlan {
    /// Its number in the pass over the record.
    pub number: usize,
    /// Its pointer, as violations name it.
    pub pointer: String,
    /// Over an element.
    pub pass: Pass,
    pub schema: Option<BatchSchemaPlan>,
}

/// A record that is an array of events.
#[derive(Debug)]
pub struct EventList {
    /// Over the record.
    pub pass: Pass,
    /// The number of the batch in that pass.
    pub number: usize,
    /// The shape of each event.
    pub shape: usize,
}

/// What is read of one customer: of the record, or of an element of a batch.
#[derive(Debug)]
pub struct CustomerPlan {
    pub customer_id: ValuePlan,
    pub updated_at: Option<ValuePlan>,
    pub rank: Option<ValuePlan>,
    pub created_at: Option<ValuePlan>,
    pub tells: TellsPlan,
    pub deleted: Option<OneOfPlan>,
    pub event_type: Option<OneOfPlan>,
    pub version: Option<ValuePlan>,
}

#[derive(Debug)]
pub enum TellsPlan {
    Customer(Box<FieldsPlan>),
    Action(Box<ActionPlan>),
}

#[derive(Debug)]
pub struct FieldsPlan {
    pub scalars: Vec<(Scalar, ValuePlan)>,
    pub attributes: Option<ValuePlan>,
    pub attribute: Vec<(String, ValuePlan)>,
    /// The tables that fill the addresses, the phones and the dependents.
    pub lists: [Vec<ListPlan>; 3],
}

#[derive(Debug)]
pub struct ListPlan {
    pub name: ListName,
    /// Its number in its pass; none if it is never there.
    pub number: Option<usize>,
    /// Whether that is the pass over the record, although the customer is an element of a batch.
    pub is_of_record: bool,
    /// Its pointer, as violations name it.
    pub pointer: String,
    pub id: ValuePlan,
    pub updated_at: Option<ValuePlan>,
    pub created_at: Option<ValuePlan>,
    pub fields: Vec<(ElementField, ValuePlan)>,
}

#[derive(Debug)]
pub struct ActionPlan {
    pub id: ValuePlan,
    pub kind: ValuePlan,
    pub contract: Option<ValuePlan>,
    pub utm: [Option<ValuePlan>; 5],
}

/// A value with the places where it is found.
#[derive(Debug)]
pub struct ValuePlan {
    pub from: Vec<PlacePlan>,
    /// What is done with it.
    pub value: Value,
    /// The position in `from` that violations name if nothing is there.
    pub named: Option<usize>,
    /// None: what is found at the first place may not be the value itself.
    pub direct: Option<Direct>,
}

/// A value's first place, if it is a column of the customer's own pass, and what is found there is not mapped and keeps
/// its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direct {
    pub column: usize,
    /// Whether the column is one of a list's rows.
    pub is_of_row: bool,
    /// Whether a value that is not there is simply absent: it has no other place and no constant, and is not required.
    pub is_only: bool,
}

/// A value that is compared with some others.
#[derive(Debug)]
pub struct OneOfPlan {
    pub value: ValuePlan,
    /// Canonical JSON texts.
    pub is: Vec<String>,
    /// Those of them that are strings, as the strings themselves.
    pub texts: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct PlacePlan {
    pub place: Place,
    /// Its pointer, as violations name it: behind that of the element of a batch, or of a list.
    pub pointer: String,
}

/// Where a value is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A column of the pass over the record, or over the element of a batch.
    Here(usize),
    /// A column of the pass over the record, while the customer is an element of a batch.
    Record(usize),
    /// A column of a list's rows.
    Row(usize),
    Key,
    Timestamp,
    Header(String),
}

impl Plan {
    /// # Errors
    /// The schema is no JSON Schema. [`Definition::parse`] tells that first, with its place.
    pub fn new(definition: Definition) -> Result<Plan, String> {
        compile::plan(definition)
    }

    /// Whether records are judged by their headers too, which are read only if they are needed.
    pub fn needs_headers(&self) -> bool {
        self.needs_headers
    }

    /// Whether the record's key is read, as [`Definition::reads_key`] says.
    pub fn reads_key(&self) -> bool {
        self.reads_key
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Plan) -> bool {
        self.definition == other.definition
    }
}
