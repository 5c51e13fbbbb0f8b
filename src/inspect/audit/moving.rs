//! Customers whose records move while they are looked at.

use std::collections::HashSet;

/// The customers of whom nothing may be concluded in this round, because their snapshot may show other records than the
/// inputs up to their committed offsets.
#[derive(Debug, Default)]
pub struct Moving {
    ids: HashSet<Box<[u8]>>,
    bytes: usize,
    /// Some of them are not known: there are too many, or their records were gone before they could be read.
    is_open: bool,
}

impl Moving {
    /// How many bytes of ids are remembered.
    const MAX_BYTES: usize = 32 * 1024 * 1024;

    /// A record of the customer lies in the forwarded topic, not joined yet, or in an input behind its committed offset.
    pub fn add(&mut self, id: &[u8]) {
        if self.is_open || self.ids.contains(id) {
            return;
        }
        self.bytes += id.len() + size_of::<Box<[u8]>>() + 16;
        if self.bytes > Self::MAX_BYTES {
            self.open();
        } else {
            self.ids.insert(id.into());
        }
    }

    /// Some customers move of whom it is not known who they are: every customer may.
    pub fn open(&mut self) {
        self.is_open = true;
        self.ids = HashSet::new();
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    pub fn contains(&self, id: &[u8]) -> bool {
        self.is_open || self.ids.contains(id)
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && !self.is_open
    }

    /// Those of both.
    pub fn extend(&mut self, other: Moving) {
        if other.is_open {
            self.open();
        }
        for id in other.ids {
            self.add(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_record_on_its_way_moves() {
        let mut moving = Moving::default();
        assert!(moving.is_empty() && !moving.contains(b"a"));
        moving.add(b"a");
        moving.add(b"a");
        assert!(moving.contains(b"a") && !moving.contains(b"b"));
        assert_eq!(moving.len(), 1);
        let mut other = Moving::default();
        other.add(b"b");
        moving.extend(other);
        assert!(moving.contains(b"b"));
    }

    #[test]
    fn when_not_all_are_known_everybody_may_move() {
        let mut moving = Moving::default();
        let mut unknown = Moving::default();
        unknown.open();
        moving.add(b"a");
        moving.extend(unknown);
        assert!(moving.contains(b"b") && moving.is_open());
        // nor are they remembered without end
        let mut many = Moving::default();
        for number in 0..40_000_u32 {
            let mut id = vec![b'x'; 1_000];
            id.extend_from_slice(&number.to_be_bytes());
            many.add(&id);
        }
        assert!(many.is_open() && many.ids.is_empty());
    }
}
