//! What the status shows beside the metrics and the health: the settings, the consumer group, and the newest dead
//! letters. Others report into it; nothing here measures anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How many dead letters are kept.
const LETTERS: usize = 20;
/// Time between two samples of the counts.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
/// The time over which shares of rejected records are computed.
pub(super) const SHARE_WINDOW: Duration = Duration::from_secs(300);

/// What does not change while the process runs.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// When the process began, in milliseconds since 1970.
    pub began: i64,
    pub sources: Vec<SourceInfo>,
    /// The settings that differ from the defaults, secrets redacted.
    pub settings: Vec<Setting>,
    /// `validation.max_state_bytes` and `processing.max_reject_share`.
    pub max_state_bytes: usize,
    pub max_reject_share: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SourceInfo {
    pub name: &'static str,
    /// Whether a definition declares it.
    pub declared: bool,
    pub format: &'static str,
    pub topics: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub key: String,
    pub value: String,
    /// None if the key has no default.
    pub default: Option<String>,
}

/// A record that was rejected: where it was read first, and why. No payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// When its commit was confirmed, in milliseconds since 1970.
    pub at: i64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub source: &'static str,
    pub stage: &'static str,
    pub code: &'static str,
    /// The pointer of the first violation.
    pub pointer: Option<String>,
}

/// An instance of the consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub name: String,
    pub host: String,
    pub workers: usize,
    pub partitions: usize,
}

/// A partition of the consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPartition {
    pub topic: String,
    pub partition: i32,
    /// The committed offset, and the end of the log.
    pub position: i64,
    pub end: i64,
    /// The name of the instance that owns it, if it is known.
    pub owner: Option<String>,
    /// Whether no instance works on it.
    pub is_unowned: bool,
}

/// The consumer group as the watch has seen it last.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub instances: Vec<Instance>,
    pub partitions: Vec<GroupPartition>,
}

/// Records of a source and rejected ones of them, since the start.
pub(super) type Counts = BTreeMap<&'static str, (u64, u64)>;

#[derive(Debug, Default)]
pub struct Board {
    about: Mutex<About>,
    /// The name of this instance, as the members of the consumer group carry it in their `client.id`.
    instance: Mutex<String>,
    port: Mutex<Option<u16>>,
    letters: Mutex<VecDeque<DeadLetter>>,
    group: Mutex<Group>,
    samples: Mutex<VecDeque<(Instant, Counts)>>,
}

impl Board {
    pub fn describe(&self, about: About) {
        *lock(&self.about) = about;
    }

    /// Sets the name of this instance, which is known only when the workers start.
    pub fn name_instance(&self, instance: &str) {
        instance.clone_into(&mut lock(&self.instance));
    }

    pub(super) fn instance(&self) -> String {
        lock(&self.instance).clone()
    }

    /// Sets the port of HTTP, if it can be reached from other machines. The other instances are assumed to have the same.
    pub fn reached_at(&self, port: Option<u16>) {
        *lock(&self.port) = port;
    }

    pub(super) fn port(&self) -> Option<u16> {
        *lock(&self.port)
    }

    pub(super) fn about(&self) -> About {
        lock(&self.about).clone()
    }

    /// Adds dead letters whose commit is confirmed, in the order in which they were written.
    pub fn add_dead_letters(&self, letters: impl IntoIterator<Item = DeadLetter>) {
        let mut kept = lock(&self.letters);
        for letter in letters {
            if kept.len() == LETTERS {
                kept.pop_back();
            }
            kept.push_front(letter);
        }
    }

    /// The newest dead letters, the newest first.
    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.letters).iter().cloned().collect()
    }

    pub fn set_group(&self, group: Group) {
        *lock(&self.group) = group;
    }

    pub(super) fn group(&self) -> Group {
        lock(&self.group).clone()
    }

    /// Whether a sample of the counts is due.
    pub(super) fn wants_sample(&self, now: Instant) -> bool {
        let samples = lock(&self.samples);
        let last = samples.back();
        last.is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SAMPLE_INTERVAL)
    }

    pub(super) fn add_sample(&self, now: Instant, counts: Counts) {
        let mut samples = lock(&self.samples);
        samples.push_back((now, counts));
        let is_old = |at: Instant| now.saturating_duration_since(at) > SHARE_WINDOW;
        while samples.front().is_some_and(|(at, _)| is_old(*at)) {
            samples.pop_front();
        }
    }

    /// The counts at the beginning of the window.
    pub(super) fn earlier_counts(&self) -> Counts {
        let samples = lock(&self.samples);
        samples
            .front()
            .map(|(_, counts)| counts.clone())
            .unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_dead_letters_are_kept() {
        let board = Board::default();
        let letter = |offset| DeadLetter {
            at: 0,
            topic: "t".to_owned(),
            partition: 0,
            offset,
            source: "crm",
            stage: "schema",
            code: "schema_violation",
            pointer: None,
        };
        board.add_dead_letters((0..50).map(letter));
        let offsets: Vec<i64> = board.dead_letters().iter().map(|one| one.offset).collect();
        assert_eq!(offsets, (30..50).rev().collect::<Vec<_>>());
    }

    #[test]
    fn counts_are_sampled_over_a_window() {
        let board = Board::default();
        let start = Instant::now();
        let counts = |records| Counts::from([("crm", (records, 0))]);
        assert!(board.wants_sample(start));
        board.add_sample(start, counts(1));
        assert!(!board.wants_sample(start + SAMPLE_INTERVAL / 2));
        assert!(board.wants_sample(start + SAMPLE_INTERVAL));
        board.add_sample(start + SHARE_WINDOW, counts(2));
        assert_eq!(board.earlier_counts(), counts(1));
        board.add_sample(start + SHARE_WINDOW + SAMPLE_INTERVAL, counts(3));
        assert_eq!(board.earlier_counts(), counts(2));
    }
}
