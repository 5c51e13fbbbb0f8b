//! What a pass captures.

use crate::model::time::{Date, Instant};

/// A value as the text has it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Raw<'a> {
    #[default]
    Absent,
    Null,
    Flag(bool),
    /// A string without escapes.
    Text(&'a str),
    /// The same, which is the date-time that the schema asks for.
    Time(&'a str, Instant),
    /// The same, which is the date that the schema asks for.
    Date(&'a str, Date),
    /// A string with escapes: its number in [`Captured`].
    Escaped(u32),
    Positive(u64),
    /// A whole number below zero.
    Negative(i64),
    /// A number that is not a whole one of 64 bits, where its digits do not matter.
    Double(f64),
    /// The same, digit by digit.
    Digits(&'a str),
    Object,
    Array,
    /// An object in canonical form: its number in [`Captured`].
    CanonicalObject(u32),
    /// An array in canonical form: its number in [`Captured`].
    CanonicalArray(u32),
}

/// The values that a pass captured of a text.
#[derive(Debug, Default)]
pub struct Captured<'a> {
    pub(super) cells: Vec<Raw<'a>>,
    pub(super) lists: Vec<ListRows<'a>>,
    pub(super) batches: Vec<Batch<'a>>,
    pub(super) escaped: Vec<String>,
    pub(super) canonical: Vec<Vec<u8>>,
    /// The text is not what the schema asks for.
    pub(super) is_refused: bool,
}

/// The elements of a batch.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    pub state: ListState,
    pub elements: Vec<&'a str>,
    /// How many objects and arrays enclose each element.
    pub depth: usize,
}

/// The rows of a list.
#[derive(Debug, Default)]
pub struct ListRows<'a> {
    pub state: ListState,
    pub(super) width: usize,
    pub(super) cells: Vec<Raw<'a>>,
    length: usize,
    /// The index of each row's element. Empty while each is the number of its row.
    indices: Vec<u32>,
}

/// What there is at the place of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListState {
    #[default]
    Absent,
    Null,
    Array,
    /// One object, which counts as a list of one.
    Object,
    /// Something else.
    Other,
}

impl<'a> Captured<'a> {
    pub fn cell(&self, column: usize) -> Raw<'a> {
        self.cells.get(column).copied().unwrap_or_default()
    }

    /// Whether the text is what the schema of the pass asks for.
    pub fn conforms(&self) -> bool {
        !self.is_refused
    }

    /// The list with this number; none for a pass without it.
    pub fn list(&self, list: usize) -> Option<&ListRows<'a>> {
        self.lists.get(list)
    }

    /// The batch with this number; none for a pass without it.
    pub fn batch(&self, batch: usize) -> Option<&Batch<'a>> {
        self.batches.get(batch)
    }

    /// The text of a [`Raw::Escaped`].
    pub fn escaped(&self, number: u32) -> &str {
        self.escaped
            .get(number as usize)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// The text of a [`Raw::CanonicalObject`] or [`Raw::CanonicalArray`].
    pub fn canonical(&self, number: u32) -> &[u8] {
        self.canonical
            .get(number as usize)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// For how many rows there is room at first; most lists are short.
const FIRST_ROWS: usize = 4;

impl<'a> ListRows<'a> {
    pub(super) fn new(width: usize) -> ListRows<'a> {
        ListRows {
            width,
            ..ListRows::default()
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn cell(&self, row: usize, column: usize) -> Raw<'a> {
        let cell = self.cells.get(row * self.width + column);
        cell.copied().unwrap_or_default()
    }

    /// The index of a row's element in the list.
    pub fn index(&self, row: usize) -> u32 {
        match self.indices.get(row) {
            Some(index) => *index,
            None if row < self.length => row as u32,
            None => 0,
        }
    }

    /// Begins a row. What is captured until it ends belongs to it.
    pub(super) fn begin(&mut self, index: u32) {
        if index as usize != self.length && self.indices.is_empty() {
            self.indices.extend(0..self.length as u32);
        }
        if index as usize != self.length || !self.indices.is_empty() {
            self.indices.push(index);
        }
        self.length += 1;
        if self.cells.capacity() == 0 {
            self.cells.reserve(FIRST_ROWS * self.width);
        }
        let length = self.cells.len() + self.width;
        self.cells.resize(length, Raw::Absent);
    }

    /// A cell of the newest row, which is the one that is being read.
    #[inline]
    pub(super) fn newest(&mut self, column: usize) -> Option<&mut Raw<'a>> {
        let start = self.cells.len() - self.width;
        self.cells.get_mut(start + column)
    }

    /// Takes the newest row away if nothing was captured of it.
    pub(super) fn end(&mut self, keeps_empty: bool) {
        let start = self.cells.len() - self.width;
        let is_empty = |cell: &Raw<'_>| matches!(cell, Raw::Absent);
        if !keeps_empty && self.cells[start..].iter().all(is_empty) {
            self.cancel();
        }
    }

    /// Takes the newest row away.
    pub(super) fn cancel(&mut self) {
        self.indices.pop();
        self.length = self.length.saturating_sub(1);
        self.cells.truncate(self.cells.len() - self.width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_indices_of_their_elements() {
        let mut rows = ListRows::new(1);
        for index in 0..9 {
            rows.begin(index);
            if ![2, 5, 6].contains(&index) {
                rows.cells[rows.length - 1] = Raw::Null;
            }
            rows.end(false);
        }
        let indices: Vec<u32> = (0..rows.len()).map(|row| rows.index(row)).collect();
        assert_eq!(indices, [0, 1, 3, 4, 7, 8]);

        let mut first = ListRows::new(1);
        first.begin(0);
        first.cancel();
        assert!(first.is_empty());
        first.begin(1);
        assert_eq!((first.len(), first.index(0), first.index(1)), (1, 1, 0));
    }
}
