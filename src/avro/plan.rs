//! The plan by which values of one writer schema are read: the writer schema, resolved against the reader schema.

use std::sync::Arc;

use super::text::Unit;

/// How values of one writer schema are read for a built-in source. Reading by it needs no look-ups.
#[derive(Debug)]
pub(super) struct TypedPlan {
    pub(super) nodes: Vec<Node>,
    pub(super) skips: Vec<Skip>,
    pub(super) root: NodeId,
}

/// Why a schema has no plan, which makes every value of it `invalid_avro`. It says what is wrong with the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", self.path())]
pub struct PlanError {
    /// The path of the error in the reader schema: its fields, the innermost first.
    fields: Vec<Arc<str>>,
    message: Arc<str>,
}

impl PlanError {
    pub(super) fn new(message: impl Into<String>) -> PlanError {
        PlanError {
            fields: Vec::new(),
            message: message.into().into(),
        }
    }

    pub(super) fn within(mut self, field: &str) -> PlanError {
        self.fields.push(field.into());
        self
    }

    fn path(&self) -> String {
        if self.fields.is_empty() {
            return String::new();
        }
        let fields: Vec<&str> = self.fields.iter().rev().map(|field| &**field).collect();
        format!("at the field {}: ", fields.join("."))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SkipId(pub u32);

/// How a value is read.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// A string, or bytes that must be UTF-8.
    Text,
    Enum(Arc<[Box<str>]>),
    Timestamp(Unit),
    Date,
    Record(Box<[WriterField]>),
    List(NodeId),
    JsonMap(NodeId),
    Union(Box<[NodeId]>),
    /// A branch of a union that does not resolve against the reader schema.
    Mismatch,
}

/// A field of the writer, in the writer's order.
#[derive(Debug)]
pub(super) enum WriterField {
    Read { name: &'static str, node: NodeId },
    Skip(SkipId),
}

/// How a value is skipped.
#[derive(Debug, PartialEq)]
pub(super) enum Skip {
    /// An int, a long or an enumeration.
    Number,
    /// Bytes that follow their length.
    Bytes,
    Fixed(usize),
    Record(Box<[SkipId]>),
    Array(SkipId),
    Map(SkipId),
    Union(Box<[SkipId]>),
    /// Stands for a type while it is being compiled.
    Pending,
}

impl TypedPlan {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Mismatch)
    }

    pub(super) fn skip(&self, id: SkipId) -> &Skip {
        self.skips.get(id.0 as usize).unwrap_or(&Skip::Pending)
    }
}
