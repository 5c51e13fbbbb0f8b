//! One pass over a JSON text, which captures the values that a definition maps, without a tree of the whole value.
//!
//! All pointers of a definition are compiled into one automaton, so that the pass reads each byte once, whatever the
//! order of the fields. What is not mapped is skipped, but still read strictly. The same pass checks what a JSON Schema asks
//! for, where that is simple.

mod around;
mod captured;
mod check;
mod compile;
mod names;
mod place;
mod schema;
mod seen;
mod walk;

pub use captured::{Batch, Captured, ListRows, ListState, Raw};
pub use check::Unchecked;
pub use compile::{Builder, Kind, ListId, Position};
pub use walk::Failed;

use check::{Check, Types};
use names::Names;
use seen::Seen;

/// A prepared pass.
#[derive(Debug)]
pub struct Pass {
    nodes: Vec<Node>,
    /// How many values are captured outside of lists.
    width: usize,
    lists: Vec<ListSpec>,
    /// How many batches there are.
    batches: usize,
}

/// A list whose elements are captured as rows.
#[derive(Debug, Clone, Copy)]
struct ListSpec {
    /// How many values a row has.
    width: usize,
    /// Whether an element of which nothing is captured is a row too.
    keeps_empty: bool,
}

/// What is done with a value: the automaton's state in which the value is read.
#[derive(Debug, Default)]
struct Node {
    /// Where the value itself is captured.
    targets: Vec<Target>,
    /// The lists whose elements this value has.
    begins: Vec<usize>,
    /// The batches whose elements this value has; they are collected as texts.
    batches: Vec<usize>,
    /// The only target, if nothing begins here.
    only_target: Option<Target>,
    /// The types that schemas allow.
    types: Types,
    /// What schemas ask of the value beyond its type.
    checks: Vec<Check>,
    /// The members that an object must have, by their position in `members`.
    required: Seen,
    /// The nodes of the members that matter, if the value is an object.
    members: Names,
    /// The nodes of elements at certain indices, ascending, and that of all others, if the value is an array.
    at_index: Vec<(usize, usize)>,
    element: Option<usize>,
    /// The node of an object that is the only element of the lists that begin here.
    only_element: Option<usize>,
    /// Whether nothing inside the value matters by itself.
    is_leaf: bool,
    /// Whether an object or an array is captured in canonical form.
    has_json: bool,
    /// Whether the digits of a number matter.
    needs_digits: bool,
}

/// Where a value is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    list: Option<usize>,
    column: usize,
    kind: Kind,
}

impl Node {
    /// Whether nothing of the value matters.
    fn is_skipped(&self) -> bool {
        self.is_leaf
            && self.targets.is_empty()
            && self.types == Types::ALL
            && self.checks.is_empty()
    }
}
