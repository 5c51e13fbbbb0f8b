//! The places of a record that a definition looks at, and what it looks for there.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::layout::Layout;
use super::schema::{Types, View};
use super::tree::{Element, ListOf, Needed, Only, Tree};
use super::want::{TextOf, TimeOf, Want};
use crate::definition::{Definition, ListTable, Origin, Pointer, Tells, Value};

/// What is looked for in a record, and beside its value.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) value: Tree,
    pub(super) key: Vec<Want>,
    pub(super) headers: BTreeMap<String, Vec<Want>>,
}

/// A step to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Item(ListOf),
}

/// What is read at once: a customer, or an element of a list.
#[derive(Clone)]
struct Scope {
    steps: Vec<Step>,
    /// What is needed in it is needed from this step on.
    needed_from: usize,
}

struct Finder<'s> {
    places: Places,
    view: View<'s>,
}

/// The places that a definition looks at, in records of a layout.
pub(super) fn places(definition: &Definition, layout: Layout, view: &View<'_>) -> Places {
    let mut finder = Finder {
        places: Places::default(),
        view: view.clone(),
    };
    for (names, want) in layout.parts() {
        let steps = members(&names);
        if !finder.view_at(&steps).is_forbidden {
            finder.add(&steps, want, Needed::ALWAYS, 0);
        }
    }
    for (name, want) in layout.headers() {
        finder.outside(&Origin::Header(name), want);
    }
    let mut steps = members(&layout.data());
    if let Some(before) = layout.before() {
        let scope = Scope {
            steps: members(&before),
            needed_from: 0,
        };
        let want = Want::of(&definition.customer_id, Want::CustomerId);
        finder.put(&definition.customer_id, want, &scope, Needed::IF_GONE);
        finder.tree(&scope.steps).only = Some(Only::Gone);
        finder.tree(&steps).only = Some(Only::Told);
    }
    let mut needed_from = 0;
    if let Some(each) = &definition.each {
        steps.extend(members(&each.0));
        steps.push(Step::Item(ListOf::Customers));
        let list = &steps[..steps.len() - 1];
        for end in 0..=list.len() {
            let tree = finder.tree(&list[..end]);
            tree.needed = Needed::ALWAYS;
        }
        needed_from = steps.len();
    }
    finder.customer(definition, &Scope { steps, needed_from });
    finder.places
}

fn members(names: &[String]) -> Vec<Step> {
    names.iter().cloned().map(Step::Member).collect()
}

impl Finder<'_> {
    fn customer(&mut self, definition: &Definition, scope: &Scope) {
        let time = |of, value: &Value| Want::of(value, Want::Time(of, value.unit));
        let id = &definition.customer_id;
        self.put(id, Want::of(id, Want::CustomerId), scope, Needed::ALWAYS);
        if let Some(value) = &definition.updated_at {
            self.put(value, time(TimeOf::Updated, value), scope, Needed::ALWAYS);
        }
        if let Some(value) = &definition.created_at {
            self.put(value, time(TimeOf::Created, value), scope, Needed::NO);
        }
        if let Some(value) = &definition.rank {
            self.put(value, Want::of(value, Want::Rank), scope, Needed::NO);
        }
        self.conditions(definition, scope);
        match &definition.tells {
            Tells::Customer {
                scalars,
                attributes,
                attribute,
                lists,
            } => {
                for (scalar, value) in scalars {
                    self.put(value, Want::scalar(*scalar, value), scope, Needed::NO);
                }
                if let Some(value) = attributes {
                    self.put(value, Want::Attributes, scope, Needed::NO);
                }
                for (_, value) in attribute {
                    self.put(value, Want::of(value, Want::Any), scope, Needed::NO);
                }
                for (number, table) in lists.iter().enumerate() {
                    self.table(table, number, scope);
                }
            }
            Tells::Action(action) => {
                let text = |of, value: &Value| Want::of(value, Want::Text(of));
                let id = Want::of(&action.id, Want::ActionId);
                self.put(&action.id, id, scope, Needed::IF_TOLD);
                let kind = text(TextOf::Kind, &action.kind);
                self.put(&action.kind, kind, scope, Needed::IF_TOLD);
                for value in action.contract.iter().chain(action.utm.iter().flatten()) {
                    self.put(value, text(TextOf::Word, value), scope, Needed::NO);
                }
            }
        }
    }

    /// What says whether a record is one of the source, and whether its customer is gone.
    fn conditions(&mut self, definition: &Definition, scope: &Scope) {
        if let Some(event) = &definition.event_type {
            self.put(
                &event.from,
                Want::OneOf(parsed(&event.is)),
                scope,
                Needed::IF_TOLD,
            );
        }
        if let Some(version) = &definition.version {
            let want = Want::Number(version.min, version.below);
            self.put(&version.from, want, scope, Needed::IF_TOLD);
        }
        if let Some(deleted) = &definition.deleted {
            let is = parsed(&deleted.is);
            for (index, origin) in deleted.when.from.iter().enumerate() {
                let want = Want::Removal(is.clone(), index == 0);
                let needed = if index == 0 {
                    Needed::IF_GONE
                } else {
                    Needed::NO
                };
                self.at(origin, want, scope, needed);
            }
        }
    }

    fn table(&mut self, table: &ListTable, number: usize, scope: &Scope) {
        let mut steps = match &table.each {
            Origin::Here(pointer) => [&scope.steps[..], &members(&pointer.0)].concat(),
            Origin::Root(pointer) => members(&pointer.0),
            Origin::Key | Origin::Timestamp | Origin::Header(_) => return,
        };
        let is_here = steps == scope.steps;
        let types = self.view_at(&steps).types();
        let mut values = table
            .fields
            .iter()
            .map(|(_, value)| value)
            .chain([&table.id]);
        let itself = Origin::Here(Pointer::default());
        let is_plain = values.any(|value| value.from.contains(&itself));
        // An element with a given id is the only one.
        let is_single = table.id.constant.is_some() && !is_plain;
        let is_list = types.has(Types::LIST) && !(is_single && types.has(Types::OBJECT));
        if !is_here && is_list {
            let has_one_id = table.id.constant.is_some();
            let list = steps.len();
            steps.push(Step::Item(ListOf::Elements(table.list)));
            self.tree(&steps);
            if let Some(element) = &mut self.tree(&steps[..list]).element {
                element.has_one_id |= has_one_id;
            }
        } else if !is_here {
            self.tree(&steps);
        }
        let scope = Scope {
            needed_from: steps.len(),
            steps,
        };
        let id = Want::of(&table.id, Want::ElementId(table.list, number));
        self.put(&table.id, id, &scope, Needed::ALWAYS);
        if let Some(value) = &table.updated_at {
            let want = Want::Time(TimeOf::ElementUpdated, value.unit);
            self.put(value, Want::of(value, want), &scope, Needed::NO);
        }
        if let Some(value) = &table.created_at {
            let want = Want::Time(TimeOf::Created, value.unit);
            self.put(value, Want::of(value, want), &scope, Needed::NO);
        }
        for (field, value) in &table.fields {
            let want = Want::element_field(*field, value);
            self.put(value, want, &scope, Needed::NO);
        }
    }

    /// What a value looks for, at each of its places. `needed` holds for one of them.
    fn put(&mut self, value: &Value, want: Want, scope: &Scope, needed: Needed) {
        let needed = match value.required {
            true => needed.or(Needed::IF_TOLD),
            false => needed,
        };
        let has_other = value.constant.is_some() || value.from.contains(&Origin::Timestamp);
        let mut left = if has_other { Needed::NO } else { needed };
        for origin in &value.from {
            if self.may_be(origin, scope) {
                self.at(origin, want.clone(), scope, left);
                left = Needed::NO;
            }
        }
        if left != Needed::NO
            && let Some(first) = value.from.first()
        {
            // It cannot be there, which is told later.
            self.at(first, want, scope, left);
        }
    }

    fn may_be(&self, origin: &Origin, scope: &Scope) -> bool {
        self.steps(origin, scope)
            .is_none_or(|steps| !self.view_at(&steps).is_forbidden)
    }

    /// The steps to a place; none if it is not in the value.
    fn steps(&self, origin: &Origin, scope: &Scope) -> Option<Vec<Step>> {
        match origin {
            Origin::Here(Pointer(names)) => Some([&scope.steps[..], &members(names)].concat()),
            Origin::Root(Pointer(names)) => Some(members(names)),
            Origin::Key | Origin::Timestamp | Origin::Header(_) => None,
        }
    }

    fn at(&mut self, origin: &Origin, want: Want, scope: &Scope, needed: Needed) {
        let from = match origin {
            Origin::Here(_) => scope.needed_from,
            _ => 0,
        };
        match self.steps(origin, scope) {
            Some(steps) => self.add(&steps, want, needed, from),
            None => self.outside(origin, want),
        }
    }

    fn outside(&mut self, origin: &Origin, want: Want) {
        match origin {
            Origin::Key => self.places.key.push(want),
            Origin::Header(name) => {
                let wants = self.places.headers.entry(name.clone());
                wants.or_default().push(want);
            }
            Origin::Here(_) | Origin::Root(_) | Origin::Timestamp => {}
        }
    }

    fn add(&mut self, steps: &[Step], want: Want, needed: Needed, needed_from: usize) {
        for end in needed_from + 1..=steps.len() {
            let tree = self.tree(&steps[..end]);
            tree.needed = tree.needed.or(needed);
        }
        let wants = &mut self.tree(steps).wants;
        if !wants.contains(&want) {
            wants.push(want);
        }
    }

    fn tree(&mut self, steps: &[Step]) -> &mut Tree {
        let mut tree = &mut self.places.value;
        for step in steps {
            tree = match step {
                Step::Member(name) => tree.members.entry(name.clone()).or_default(),
                Step::Item(of) => {
                    let element = tree.element.get_or_insert_with(|| {
                        Box::new(Element {
                            of: *of,
                            has_one_id: false,
                            tree: Tree::default(),
                        })
                    });
                    &mut element.tree
                }
            };
        }
        tree
    }

    fn view_at(&self, steps: &[Step]) -> View<'_> {
        let mut view = self.view.clone();
        for step in steps {
            view = match step {
                Step::Member(name) => match name.parse() {
                    Ok(position) if !view.types().has(Types::OBJECT) => view.item(position),
                    _ => view.member(name),
                },
                Step::Item(_) => view.item(0),
            };
        }
        view
    }
}

/// The values of canonical JSON texts.
fn parsed(texts: &[String]) -> Vec<Json> {
    let texts = texts.iter();
    texts
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect()
}
