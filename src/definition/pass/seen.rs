//! Which members of an object were read.

/// A set of members of an object.
#[derive(Debug, Default)]
pub(super) struct Seen {
    first: u64,
    more: Vec<u64>,
}

impl Seen {
    #[inline]
    pub fn new(members: usize) -> Seen {
        Seen {
            first: 0,
            more: match members {
                0..=64 => Vec::new(),
                _ => vec![0; (members - 1) / 64],
            },
        }
    }

    /// Notes a member. Returns whether it was noted before.
    #[inline]
    pub fn repeats(&mut self, position: usize) -> bool {
        let word = match (position / 64).checked_sub(1) {
            None => &mut self.first,
            Some(at) => match self.more.get_mut(at) {
                Some(word) => word,
                None => return false,
            },
        };
        let bit = 1 << (position % 64);
        let repeats = *word & bit != 0;
        *word |= bit;
        repeats
    }

    /// Whether each member of another set is in this one; both are of the same object.
    #[inline]
    pub fn has_all(&self, of: &Seen) -> bool {
        let has = |word: u64, of: u64| word & of == of;
        has(self.first, of.first)
            && of
                .more
                .iter()
                .zip(&self.more)
                .all(|(of, word)| has(*word, *of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_noted_once() {
        let mut seen = Seen::new(130);
        for position in [0, 63, 64, 127, 128, 129] {
            let mut one = Seen::new(130);
            one.repeats(position);
            assert!(!seen.has_all(&one));
            assert!(!seen.repeats(position));
            assert!(seen.has_all(&one));
            assert!(seen.repeats(position));
        }
        let mut two = Seen::new(130);
        for position in [0, 1] {
            two.repeats(position);
        }
        assert!(!seen.has_all(&two) && !seen.repeats(1000));
    }
}
