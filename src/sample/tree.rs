//! A place of a record with the places in it, and what is looked for there.

use std::collections::BTreeMap;

use super::want::Want;
use crate::definition::ListName;

/// A place, and the places in it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) wants: Vec<Want>,
    pub(super) needed: Needed,
    pub(super) members: BTreeMap<String, Tree>,
    pub(super) element: Option<Box<Element>>,
    /// Only records that tell something have it, or only those that say that their customer is gone.
    pub(super) only: Option<Only>,
}

/// What all elements of a list have.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) of: ListOf,
    /// All elements have the same id.
    pub(super) has_one_id: bool,
    pub(super) tree: Tree,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOf {
    Customers,
    Elements(ListName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    Told,
    Gone,
}

/// In which records a value must be there wherever that is in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Needed {
    pub(super) told: bool,
    pub(super) gone: bool,
}

impl Needed {
    pub(super) const NO: Needed = Needed {
        told: false,
        gone: false,
    };
    pub(super) const IF_TOLD: Needed = Needed {
        told: true,
        gone: false,
    };
    pub(super) const IF_GONE: Needed = Needed {
        told: false,
        gone: true,
    };
    pub(super) const ALWAYS: Needed = Needed {
        told: true,
        gone: true,
    };

    pub(super) fn or(self, other: Needed) -> Needed {
        Needed {
            told: self.told || other.told,
            gone: self.gone || other.gone,
        }
    }
}

impl Tree {
    /// A place at which nothing is looked for, but where something must be.
    pub(super) fn of_anything() -> Tree {
        Tree {
            wants: vec![Want::Any],
            ..Tree::default()
        }
    }

    /// A place that is looked at, and has no places in it.
    pub(super) fn of(wants: &[Want]) -> Tree {
        Tree {
            wants: wants.to_vec(),
            ..Tree::default()
        }
    }

    /// Looks for what `other` looks for too, without needing it.
    pub(super) fn merge(&mut self, other: Tree) {
        self.wants.extend(other.wants);
        for (name, tree) in other.members {
            self.members.entry(name).or_default().merge(tree);
        }
    }
}
