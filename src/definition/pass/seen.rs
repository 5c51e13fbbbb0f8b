//! Which members of an object were read.

/// Which members of an object were read already.
pub(super) struct Seen {
    first: u64,
    more: Vec<u64>,
}

impl Seen {
    pub fn new(members: usize) -> Seen {
        Seen {
            first: 0,
            more: vec![0; members.saturating_sub(1) / 64],
        }
    }

    /// Notes a member. Returns whether it was noted before.
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

    /// Whether a member was noted.
    pub fn has(&self, position: usize) -> bool {
        let word = match (position / 64).checked_sub(1) {
            None => Some(&self.first),
            Some(at) => self.more.get(at),
        };
        word.is_some_and(|word| word & (1 << (position % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_noted_once() {
        let mut seen = Seen::new(130);
        for position in [0, 63, 64, 127, 128, 129] {
            assert!(!seen.has(position));
            assert!(!seen.repeats(position));
            assert!(seen.has(position));
            assert!(seen.repeats(position));
        }
        assert!(!seen.has(1) && !seen.has(65) && !seen.has(1000));
    }
}
