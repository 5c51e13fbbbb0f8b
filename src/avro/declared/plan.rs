//! The plan by which values of one writer schema are written as JSON text.

use crate::avro::text::Unit;

/// How values of one writer schema are written as JSON text. Following it needs no look-ups.
#[derive(Debug)]
pub struct TextPlan {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub u32);

/// How a value is written.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    /// An int.
    Int,
    /// A long, or an int that is widened.
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    Uuid,
    /// The symbols as JSON strings; none for one that the reader schema does not have.
    Enum(Box<[Option<Box<str>>]>),
    Timestamp(Unit),
    Date,
    Decimal {
        scale: usize,
        /// None: the bytes follow their length.
        size: Option<usize>,
    },
    BigDecimal,
    Record {
        /// In the writer's order.
        fields: Box<[Field]>,
        /// The members that the writer does not have: `"name":value`, with commas between them.
        rest: Box<str>,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Box<[NodeId]>),
    /// Not resolved against the reader schema.
    Mismatch,
}

#[derive(Debug)]
pub(super) struct Field {
    /// `"name":`; none for a field that the reader schema does not have.
    pub name: Option<Box<str>>,
    pub node: NodeId,
}

impl TextPlan {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Mismatch)
    }
}
