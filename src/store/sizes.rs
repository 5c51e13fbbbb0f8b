//! How large the states of a store are, where that matters: a customer whose state reaches its limit takes nothing more.

use std::collections::BTreeMap;

/// Sizes of states in bytes: each of the large ones, and the most that any of the others had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many customers have a state of that size.
    large: BTreeMap<usize, u64>,
    /// What the largest of the others had once; it may have become smaller since.
    small: usize,
}

impl Sizes {
    /// From here on a state is large. Hardly any customer's is, so that these few can be held one by one.
    const LARGE: usize = 16 * 1024;

    /// A customer's state had this size, if there was one, and has that one now.
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

    /// The largest state.
    pub fn largest(&self) -> usize {
        let large = self.large.last_key_value();
        large.map_or(self.small, |(size, _)| *size)
    }

    /// How many customers have a state of at least so many bytes, which are to be no fewer than make a large one.
    pub fn at_least(&self, bytes: usize) -> u64 {
        self.large.range(bytes..).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_known_when_it_shrinks_or_goes() {
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
        // one that was there before this was counted
        sizes.replace(Some(900 * KIB), Some(KIB));
        sizes.replace(Some(500 * KIB), None);
        assert_eq!(sizes.largest(), 20 * KIB);
    }
}
