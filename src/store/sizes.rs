//! The sizes of the states of a store, exact where it matters: a customer whose state reaches the limit accepts no more
//! data.

use std::collections::BTreeMap;

/// Sizes of states in bytes: the exact size of each large one, and an upper bound for all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// For each size of a large state, how many customers have it.
    large: BTreeMap<usize, u64>,
    /// The largest size that any of the others ever had; that state may have become smaller since.
    small: usize,
}

impl Sizes {
    /// A state of this size or more is large. Hardly any customer has one, so these few can be tracked exactly.
    const LARGE: usize = 16 * 1024;

    /// Replaces a customer's size `before`, if there was one, by `after`.
    #[inline]
    pub fn replace(&mut self, before: Option<usize>, after: Option<usize>) {
        let (old, new) = (before.unwrap_or(0), after.unwrap_or(0));
        if old < Self::LARGE && new < Self::LARGE {
            self.small = self.small.max(new);
        } else {
            self.replace_large(before, after);
        }
    }

    #[cold]
    fn replace_large(&mut self, before: Option<usize>, after: Option<usize>) {
        if let Some(size) = before.filter(|size| *size >= Self::LARGE)
            && let Some(count) = self.large.get_mut(&size)
        {
            *count -= 1;
            if *count == 0 {
                self.large.remove(&size);
            }
        }
        match after {
            Some(size) if size >= Self::LARGE => *self.large.entry(size).or_default() += 1,
            Some(size) => self.small = self.small.max(size),
            None => {}
        }
    }

    /// The size of the largest state.
    pub fn largest(&self) -> usize {
        let large = self.large.last_key_value();
        large.map_or(self.small, |(size, _)| *size)
    }

    /// How many customers have a state of at least this size. `bytes` must not be less than [`LARGE`].
    pub fn at_least(&self, bytes: usize) -> u64 {
        self.large.range(bytes..).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_size_is_right_after_it_shrinks_or_is_removed() {
        const KIB: usize = 1024;
        let mut sizes = Sizes::default();
        sizes.replace(None, Some(700));
        sizes.replace(Some(700), Some(300));
        assert_eq!(sizes.largest(), 700);
        sizes.replace(None, Some(500 * KIB));
        sizes.replace(None, Some(500 * KIB));
        sizes.replace(None, Some(800 * KIB));
        assert_eq!(sizes.largest(), 800 * KIB);
        assert_eq!(sizes.at_least(450 * KIB), 3);
        sizes.replace(Some(800 * KIB), Some(20 * KIB));
        sizes.replace(Some(500 * KIB), None);
        assert_eq!(sizes.largest(), 500 * KIB);
        assert_eq!(sizes.at_least(450 * KIB), 1);
        // A state that was in the store before sizes were counted.
        sizes.replace(Some(900 * KIB), Some(KIB));
        sizes.replace(Some(500 * KIB), None);
        assert_eq!(sizes.largest(), 20 * KIB);
    }
}
