//! What a pass captures.

/// A value as the text has it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Raw<'a> {
    #[default]
    Absent,
    Null,
    Flag(bool),
    /// A string without escapes.
    Text(&'a str),
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
    /// The index of each row's element.
    pub(super) indices: Vec<u32>,
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

impl<'a> ListRows<'a> {
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    pub fn cell(&self, row: usize, column: usize) -> Raw<'a> {
        let cell = self.cells.get(row * self.width + column);
        cell.copied().unwrap_or_default()
    }

    /// The index of a row's element in the list.
    pub fn index(&self, row: usize) -> u32 {
        self.indices.get(row).copied().unwrap_or_default()
    }

    /// Begins a row. What is captured until it ends belongs to it.
    pub(super) fn begin(&mut self, index: u32) {
        self.indices.push(index);
        let length = self.cells.len() + self.width;
        self.cells.resize(length, Raw::Absent);
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
        self.cells.truncate(self.cells.len() - self.width);
    }
}
