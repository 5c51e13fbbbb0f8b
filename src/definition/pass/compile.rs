//! Compiles the pointers of a definition into the nodes of a [`Pass`].
//!
//! A value may have several uses at once: an element of a list may also be reached by its index from outside. So a node
//! is a set of places, each a position in the tree of the pointers of the text or of one list, as in the construction of
//! a deterministic automaton.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::check::{Check, Types};
use super::{ListSpec, Names, Node, Pass, Seen, Target};
use crate::definition::Pointer;

/// In which form a value is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Scalar,
    /// Only a number's size matters.
    Number,
    /// Objects and arrays are captured too, in canonical form.
    Json,
}

/// The number of a list of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListId(pub usize);

/// A position in the text, or in an element of a list.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    place: usize,
    list: Option<ListId>,
}

/// Collects what a pass captures.
#[derive(Debug)]
pub struct Builder {
    places: Vec<Place>,
    width: usize,
    lists: Vec<ListSpec>,
    /// The place of each list's elements.
    elements: Vec<usize>,
    batches: usize,
}

#[derive(Debug, Default)]
struct Place {
    members: BTreeMap<String, usize>,
    targets: Vec<Target>,
    begins: Vec<usize>,
    batches: Vec<usize>,
    /// What schemas ask of the value.
    checks: Vec<Check>,
    /// The members that it must have, if it is an object.
    required: BTreeSet<String>,
    /// The place of every element, if it is an array.
    element: Option<usize>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            places: vec![Place::default()],
            width: 0,
            lists: Vec::new(),
            elements: Vec::new(),
            batches: 0,
        }
    }
}

impl Builder {
    /// The text as a whole.
    pub fn root(&self) -> Position {
        Position {
            place: 0,
            list: None,
        }
    }

    /// The position to which a pointer leads.
    pub fn follow(&mut self, from: Position, pointer: &Pointer) -> Position {
        let mut place = from.place;
        for part in &pointer.0 {
            place = match self.places[place].members.get(part) {
                Some(next) => *next,
                None => {
                    let next = self.places.len();
                    self.places.push(Place::default());
                    self.places[place].members.insert(part.clone(), next);
                    next
                }
            };
        }
        Position { place, ..from }
    }

    /// Captures the value at a position. Returns its column: in the rows of the list, or outside of all lists.
    pub fn capture(&mut self, at: Position, kind: Kind) -> usize {
        let list = at.list.map(|list| list.0);
        let targets = &mut self.places[at.place].targets;
        let same = |target: &&Target| target.kind == kind && target.list == list;
        if let Some(known) = targets.iter().find(same) {
            return known.column;
        }
        let width = match list {
            None => &mut self.width,
            Some(list) => &mut self.lists[list].width,
        };
        let column = *width;
        *width += 1;
        targets.push(Target { list, column, kind });
        column
    }

    /// The elements of the value at a position outside of all lists are rows. Returns the position of an element.
    pub fn list(&mut self, at: Position) -> (ListId, Position) {
        let list = ListId(self.lists.len());
        let place = self.places.len();
        self.places.push(Place::default());
        self.elements.push(place);
        self.lists.push(ListSpec {
            width: 0,
            keeps_empty: false,
        });
        self.places[at.place].begins.push(list.0);
        let list_position = Position {
            place,
            list: Some(list),
        };
        (list, list_position)
    }

    pub(super) fn add_check(&mut self, at: Position, check: Check) {
        self.places[at.place].checks.push(check);
    }

    /// An object at a position must have this member.
    pub(super) fn require(&mut self, at: Position, name: &str) {
        self.places[at.place].required.insert(name.to_owned());
    }

    /// The position of every element of an array at a position.
    pub(super) fn each_element(&mut self, at: Position) -> Position {
        let new = self.places.len();
        let place = *self.places[at.place].element.get_or_insert(new);
        if place == new {
            self.places.push(Place::default());
        }
        Position { place, ..at }
    }

    /// An element of which nothing is captured is a row too.
    pub fn keep_empty(&mut self, list: ListId) {
        self.lists[list.0].keeps_empty = true;
    }

    /// The elements of the value at a position are those of a batch. Returns its number.
    pub fn batch(&mut self, at: Position) -> usize {
        let batch = self.batches;
        self.batches += 1;
        self.places[at.place].batches.push(batch);
        batch
    }

    pub fn build(self) -> Pass {
        let mut nodes = Nodes {
            builder: &self,
            known: HashMap::new(),
            nodes: Vec::new(),
        };
        nodes.node(Uses::of([0]));
        Pass {
            nodes: nodes.nodes,
            width: self.width,
            lists: self.lists.clone(),
            batches: self.batches,
        }
    }
}

/// The places that a value has at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Uses {
    places: BTreeSet<usize>,
    /// The lists that begin at these places have begun: the value is their only element.
    has_begun: bool,
}

impl Uses {
    fn of(places: impl IntoIterator<Item = usize>) -> Uses {
        Uses {
            places: places.into_iter().collect(),
            has_begun: false,
        }
    }
}

struct Nodes<'b> {
    builder: &'b Builder,
    known: HashMap<Uses, usize>,
    nodes: Vec<Node>,
}

impl Nodes<'_> {
    /// The node of these uses. The depth of the recursion is that of the pointers.
    fn node(&mut self, uses: Uses) -> usize {
        if let Some(known) = self.known.get(&uses) {
            return *known;
        }
        let number = self.nodes.len();
        self.nodes.push(Node::default());
        self.known.insert(uses.clone(), number);
        let node = self.fill(&uses);
        self.nodes[number] = node;
        number
    }

    fn fill(&mut self, uses: &Uses) -> Node {
        let builder = self.builder;
        let places = || uses.places.iter().map(|place| &builder.places[*place]);
        let targets = places().flat_map(|place| place.targets.iter().copied());
        let mut node = Node {
            targets: targets.collect(),
            ..Node::default()
        };
        let mut members: BTreeMap<&String, BTreeSet<usize>> = BTreeMap::new();
        for (name, next) in places().flat_map(|place| &place.members) {
            members.entry(name).or_default().insert(*next);
        }
        if !uses.has_begun {
            node.begins = places()
                .flat_map(|place| place.begins.iter().copied())
                .collect();
            node.batches = places()
                .flat_map(|place| place.batches.iter().copied())
                .collect();
            let rows = node.begins.iter().map(|list| builder.elements[*list]);
            let rows: BTreeSet<usize> = rows.collect();
            let checked = places().filter_map(|place| place.element);
            let elements: BTreeSet<usize> = rows.iter().copied().chain(checked).collect();
            if !elements.is_empty() {
                node.element = Some(self.node(Uses::of(elements.iter().copied())));
            }
            if !rows.is_empty() {
                node.only_element = Some(self.node(Uses {
                    places: uses.places.union(&rows).copied().collect(),
                    has_begun: true,
                }));
            }
            for (name, inner) in &members {
                if let Some(index) = index(name) {
                    let both = inner.union(&elements).copied();
                    node.at_index.push((index, self.node(Uses::of(both))));
                }
            }
            node.at_index.sort_unstable();
        }
        let members = members.into_iter().map(|(name, places)| {
            let number = self.node(Uses::of(places));
            (name.clone(), number)
        });
        node.members = Names::new(members.collect::<Vec<_>>());
        let checks = || places().flat_map(|place| &place.checks);
        node.types = checks().fold(Types::ALL, |types, check| types.and(check.types));
        let more = checks().filter(|check| !check.is_of_type_only());
        node.checks = more.cloned().collect();
        node.required = Seen::new(node.members.len());
        let required = places().flat_map(|place| &place.required);
        for (position, _) in required.filter_map(|name| node.members.find(name)) {
            node.required.repeats(position);
        }
        self.finish(&mut node);
        node
    }

    fn finish(&self, node: &mut Node) {
        let only = node.only_element.map(|only| &self.nodes[only]);
        if let [target] = node.targets.as_slice()
            && node.begins.is_empty()
            && node.batches.is_empty()
        {
            node.only_target = Some(*target);
        }
        let is_json = |target: &Target| target.kind == Kind::Json;
        node.has_json = node.targets.iter().any(is_json) || only.is_some_and(|only| only.has_json);
        let has_digits = |target: &Target| target.kind != Kind::Number;
        node.needs_digits = node.targets.iter().any(has_digits);
        node.is_leaf = node.begins.is_empty()
            && node.batches.is_empty()
            && node.members.is_empty()
            && node.at_index.is_empty()
            && node.element.is_none();
    }
}

/// The index that a part of a pointer is, if the value is an array.
fn index(part: &str) -> Option<usize> {
    let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_zeros = part.len() > 1 && part.starts_with('0');
    (is_number && !has_zeros).then(|| part.parse().ok())?
}
