//! The place of a value in a [`Pass`]: what is checked and captured there.

use std::fmt;

use super::captured::{Captured, ListState, Raw};
use super::check::{Allowed, Check, Types};
use super::{Node, Pass, Target};
use crate::json::duplicate::Duplicate;

/// What a pass has found so far.
pub(super) struct Found<'a> {
    pub(super) captured: Captured<'a>,
    /// Whether numbers are read from their digits.
    pub(super) reads_digits: bool,
    /// A number has digits that matter, and they were not read.
    pub(super) misses_digits: bool,
    /// What is known of the value that is read next.
    pub(super) told: Told<'a>,
    pub(super) duplicate: Option<Duplicate>,
}

/// What is known of a value before it is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Told<'a> {
    /// Its own text.
    pub(super) text: Option<&'a str>,
    /// The number of its canonical form, if it is an object or an array that is captured in it.
    pub(super) canonical: Option<u32>,
}

/// Reads the value at a node. `depth` counts the objects and arrays that enclose it.
pub(super) struct At<'p, 'f, 'a> {
    pub(super) pass: &'p Pass,
    pub(super) node: &'p Node,
    pub(super) depth: usize,
    pub(super) found: &'f mut Found<'a>,
}

impl<'p, 'a> At<'p, '_, 'a> {
    /// The same place in the pass, for another value.
    pub(super) fn then(&mut self, node: &'p Node, depth: usize) -> At<'p, '_, 'a> {
        At {
            pass: self.pass,
            node,
            depth,
            found: self.found,
        }
    }

    #[inline]
    pub(super) fn capture_as(&mut self, node: &Node, raw: Raw<'a>) {
        for target in &node.targets {
            self.put(target, raw);
        }
    }

    #[inline]
    pub(super) fn put(&mut self, target: &Target, raw: Raw<'a>) {
        let captured = &mut self.found.captured;
        let cell = match target.list {
            None => captured.cells.get_mut(target.column),
            Some(list) => captured.lists[list].newest(target.column),
        };
        if let Some(cell) = cell {
            *cell = raw;
        }
    }

    /// Notes what there is at the place of the lists that begin here.
    pub(super) fn begin(&mut self, state: ListState) {
        for list in &self.node.begins {
            self.found.captured.lists[*list].state = state;
        }
        for batch in &self.node.batches {
            self.found.captured.batches[*batch].state = state;
        }
    }

    /// Notes if the value is not what a schema asks for.
    #[inline]
    pub(super) fn check(&mut self, one: Types, is_right: impl Fn(&Check) -> bool) {
        if !self.node.types.has(one) || !self.node.checks.iter().all(is_right) {
            self.found.captured.is_refused = true;
        }
    }

    /// Notes if a text is not what a schema asks for. Returns the date or the date-time that it is, if
    /// the schema asks for one.
    #[inline]
    pub(super) fn check_text(&mut self, text: &str) -> Allowed {
        let mut found = Allowed::Text;
        let mut is_right = self.node.types.has(Types::TEXT);
        for check in &self.node.checks {
            match check.text(text) {
                None => is_right = false,
                Some(Allowed::Text) => {}
                Some(read) => found = read,
            }
        }
        self.found.captured.is_refused |= !is_right;
        found
    }

    /// Captures a scalar. Returns whether it is null.
    #[inline]
    pub(super) fn scalar(mut self, raw: Raw<'a>) -> bool {
        match &self.node.only_target {
            Some(target) => {
                self.put(target, raw);
                matches!(raw, Raw::Null)
            }
            None => self.scalar_of_many(raw),
        }
    }

    /// The same at a node with no target, with several, or where a list begins. Kept out of the way of the others.
    #[inline(never)]
    fn scalar_of_many(mut self, raw: Raw<'a>) -> bool {
        let is_null = matches!(raw, Raw::Null);
        self.capture_as(self.node, raw);
        self.begin(match is_null {
            true => ListState::Null,
            false => ListState::Other,
        });
        is_null
    }

    #[inline]
    pub(super) fn begin_rows(&mut self, node: &Node, index: usize) {
        for list in &node.begins {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.found.captured.lists[*list].begin(index);
        }
    }

    #[inline]
    pub(super) fn end_rows(&mut self, node: &Node, is_null: bool) {
        for list in &node.begins {
            let rows = &mut self.found.captured.lists[*list];
            match is_null {
                true => rows.cancel(),
                false => rows.end(self.pass.lists[*list].keeps_empty),
            }
        }
    }
}

impl Found<'_> {
    /// A field that is given twice lies in the member or element of this name.
    pub(super) fn prepend(&mut self, step: &dyn fmt::Display) {
        if let Some(duplicate) = &mut self.duplicate {
            let step = step.to_string().replace('~', "~0").replace('/', "~1");
            duplicate.pointer = format!("/{step}{}", duplicate.pointer);
        }
    }
}
