//! How much of a restore is done.

use std::collections::BTreeMap;

/// Of what is restored since the last time that nothing was.
#[derive(Debug, Default)]
pub(crate) struct RestoreProgress {
    /// The most that was left of each state partition, in offsets: what there was to restore.
    most: BTreeMap<i32, i64>,
}

/// How much of a restore is done, in offsets of the state topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    pub done: u64,
    pub all: u64,
}

impl RestoreProgress {
    /// Takes what is left of each partition, and says how much is done; none while nothing is being restored. A partition
    /// that is no longer among them is done, or somebody else's.
    pub(crate) fn update(&mut self, left: &BTreeMap<i32, i64>) -> Option<Restored> {
        if left.is_empty() {
            self.most.clear();
            return None;
        }
        for (&partition, &left) in left {
            let most = self.most.entry(partition).or_default();
            *most = left.max(*most);
        }
        let sum = |partitions: &BTreeMap<i32, i64>| -> u64 {
            let counts = partitions
                .values()
                .map(|left| (*left).max(0).unsigned_abs());
            counts.sum()
        };
        let all = sum(&self.most);
        Some(Restored {
            done: all.saturating_sub(sum(left)),
            all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_at_most_is_all_there_is() {
        let mut progress = RestoreProgress::default();
        let mut update = |left: &[(i32, i64)]| {
            let restored = progress.update(&left.iter().copied().collect());
            restored.map(|restored| (restored.done, restored.all))
        };
        assert_eq!(update(&[]), None);
        assert_eq!(update(&[(0, 100)]), Some((0, 100)));
        // another worker tells what it has to restore a little later
        assert_eq!(update(&[(0, 90), (1, 50)]), Some((10, 150)));
        assert_eq!(update(&[(1, 20)]), Some((130, 150)));
        assert_eq!(update(&[]), None);
        // a rebalance begins anew
        assert_eq!(update(&[(0, 10)]), Some((0, 10)));
    }
}
