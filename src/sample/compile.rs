//! From the places of a definition and its schema to a recipe.

use std::collections::BTreeMap;

use super::choose::{self, Wanted};
use super::fill::Fill;
use super::ids::IdForm;
use super::recipe::{Each, Leaf, Member, Node, Object, free_name};
use super::schema::{Types, View};
use super::tree::{Element, ListOf, Needed, Tree};
use super::want::Want;

/// How deep a record may be.
const MAX_DEPTH: usize = 64;
/// How many elements of a list are made of which each has a place of its own.
const MAX_POSITIONS: usize = 100;
const MAX_CUSTOMERS: usize = 20;
const MAX_ELEMENTS: usize = 3;

/// Something that cannot be made: the pointer of its place, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unmakeable {
    pub(super) pointer: String,
    pub(super) message: String,
}

#[derive(Default)]
pub(super) struct Compiler {
    /// Every record has all members, with nulls where there is nothing, as the rows of a table have.
    pub(super) has_all: bool,
    pub(super) problems: Vec<Unmakeable>,
    /// What the ids of customers must be.
    pub(super) ids: Vec<IdForm>,
    /// How many ids there are for the elements of the list that was compiled last, if they are counted.
    element_ids: Option<usize>,
}

impl Compiler {
    fn problem(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(Unmakeable {
            pointer: pointer.to_owned(),
            message: message.into(),
        });
    }

    /// None where nothing can be; that is a problem if something is needed there.
    pub(super) fn node(&mut self, mut tree: Tree, view: &View<'_>, pointer: &str) -> Option<Node> {
        if pointer.matches('/').count() > MAX_DEPTH {
            self.problem(pointer, "it would be nested too deep");
            return None;
        }
        let types = view.types();
        if let Some(element) = tree.element.take() {
            return self.each(*element, std::mem::take(&mut tree.members), view, pointer);
        }
        let positions = tree.members.keys().map(|name| name.parse::<usize>().ok());
        let positions: Option<Vec<usize>> = positions.collect();
        // Without a schema a number is a position.
        let is_list = types.has(Types::LIST) && (types == Types::ALL || !types.has(Types::OBJECT));
        match positions.filter(|positions| is_list && !positions.is_empty()) {
            Some(positions) => self.positions(tree, &positions, view, pointer),
            None if tree.members.is_empty() => self.leaf(&tree.wants, view, pointer),
            None if types.has(Types::OBJECT) => self.object(tree, view, pointer),
            None => {
                let needs = |tree: &Tree| tree.needed != Needed::NO;
                if tree.members.values().any(needs) || tree.wants.is_empty() {
                    self.problem(
                        pointer,
                        "it must have members, but its schema takes no object",
                    );
                    return None;
                }
                self.leaf(&tree.wants, view, pointer)
            }
        }
    }

    fn each(
        &mut self,
        element: Element,
        positions: BTreeMap<String, Tree>,
        view: &View<'_>,
        pointer: &str,
    ) -> Option<Node> {
        if !view.types().has(Types::LIST) {
            self.problem(pointer, "it must be a list, but its schema takes none");
            return None;
        }
        let Element {
            of,
            has_one_id,
            mut tree,
        } = element;
        for position in positions.into_values() {
            tree.merge(position);
        }
        self.element_ids = None;
        let node = self.node(tree, &view.item(0), &format!("{pointer}/*"))?;
        let (least, most) = view.counts("minItems", "maxItems");
        let usual = match of {
            ListOf::Customers => (1, MAX_CUSTOMERS),
            ListOf::Elements(_) => (0, MAX_ELEMENTS.min(self.element_ids.take().unwrap_or(9))),
        };
        let usual = if has_one_id { (usual.0, 1) } else { usual };
        let least = least.max(usual.0);
        let most = usual.1.max(least).min(most.unwrap_or(usize::MAX));
        if most > MAX_POSITIONS || most < least {
            self.problem(
                pointer,
                "it cannot have as many elements as its schema asks for",
            );
            return None;
        }
        Some(Node::Each(Each {
            of,
            least,
            most,
            element: Box::new(node),
        }))
    }

    /// A list of which some positions are looked at.
    fn positions(
        &mut self,
        mut tree: Tree,
        positions: &[usize],
        view: &View<'_>,
        pointer: &str,
    ) -> Option<Node> {
        let (least, _) = view.counts("minItems", "maxItems");
        let count = positions
            .iter()
            .max()
            .map_or(0, |last| last.saturating_add(1))
            .max(least);
        if count > MAX_POSITIONS {
            self.problem(pointer, "it would have too many elements");
            return None;
        }
        let nodes = (0..count).map(|position| {
            let known = tree.members.remove(&position.to_string());
            let known = known.unwrap_or_else(Tree::of_anything);
            self.node(
                known,
                &view.item(position),
                &format!("{pointer}/{position}"),
            )
        });
        Some(Node::Positions(nodes.collect::<Option<_>>()?))
    }

    fn object(&mut self, mut tree: Tree, view: &View<'_>, pointer: &str) -> Option<Node> {
        let mut object = Object::default();
        let required: Vec<&str> = view.required().collect();
        for name in &required {
            let member = tree.members.entry((*name).to_owned());
            member.or_insert_with(Tree::of_anything);
        }
        let has_attributes = tree.wants.contains(&Want::Attributes);
        if tree.members.is_empty() || has_attributes {
            object.free = self.free(view, pointer);
        }
        for (name, inner) in tree.members {
            let is_required = required.contains(&name.as_str());
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            let inner_view = view.member(&name);
            object
                .members
                .extend(self.member((name, inner), &inner_view, is_required, &pointer));
        }
        Some(Node::Object(object))
    }

    fn member(
        &mut self,
        (name, tree): (String, Tree),
        view: &View<'_>,
        is_required: bool,
        pointer: &str,
    ) -> Option<Member> {
        let needed = match is_required {
            true => Needed::ALWAYS,
            false => tree.needed,
        };
        if view.is_forbidden {
            if needed != Needed::NO {
                self.problem(pointer, "it must be there, but its schema forbids it");
            }
            return None;
        }
        let takes_null = view.types().has(Types::NULL)
            && view
                .choices()
                .is_none_or(|all| all.iter().any(|one| one.is_null()));
        let is_looked_at = !tree.wants.iter().all(|want| *want == Want::Any)
            || tree.element.is_some()
            || !tree.members.is_empty()
            || !is_required;
        let (only, told) = (tree.only, tree.needed.told);
        let node = self.node(tree, view, pointer)?;
        if let Node::Leaf(Leaf { told: None, .. }) = &node
            && needed.told
        {
            self.problem(
                pointer,
                "it must be there, but only says that a customer is gone",
            );
        }
        let is_nullable = takes_null && (only.is_some() || (is_looked_at && !told));
        let needed = match self.has_all && only.is_none() {
            true => needed.or(Needed::IF_TOLD),
            false => needed,
        };
        Some(Member {
            name,
            node,
            needed,
            only,
            is_nullable,
        })
    }

    /// Members that nobody knows.
    fn free(&mut self, view: &View<'_>, pointer: &str) -> Option<(Box<Node>, usize)> {
        let name = free_name(1);
        let view_of_free = view.member(&name);
        let (least, _) = view.counts("minProperties", "maxProperties");
        let is_possible = !view_of_free.is_forbidden && view.takes_any_name();
        match is_possible {
            true => {
                let node = self.leaf(&[Want::Any], &view_of_free, &format!("{pointer}/{name}"))?;
                Some((Box::new(node), least.min(MAX_POSITIONS)))
            }
            false => None,
        }
    }

    fn leaf(&mut self, wants: &[Want], view: &View<'_>, pointer: &str) -> Option<Node> {
        match choose::fill(wants, view) {
            Ok(Wanted::Leaf(leaf)) => {
                if let Some(Fill::ElementChoice(values)) = &leaf.told {
                    self.element_ids = Some(values.len());
                }
                if let Some(Fill::CustomerId(form)) = &leaf.told {
                    self.ids.push(IdForm::of(*form, view));
                }
                Some(Node::Leaf(leaf))
            }
            Ok(Wanted::Object) => self.object(
                Tree {
                    wants: wants.to_vec(),
                    ..Tree::default()
                },
                view,
                pointer,
            ),
            Ok(Wanted::List) => {
                let one = Tree {
                    members: [("0".to_owned(), Tree::of_anything())].into(),
                    ..Tree::default()
                };
                self.positions(one, &[0], view, pointer)
            }
            Err(message) => {
                self.problem(pointer, message);
                None
            }
        }
    }
}
