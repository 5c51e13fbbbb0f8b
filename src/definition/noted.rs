//! What is noted while a definition is read, because it can be judged only in the end.

use super::Origin;

/// The places that are given for a key.
pub(super) struct Places {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) from: Vec<Origin>,
    /// The list in whose elements they are.
    pub(super) list: Option<Origin>,
}
