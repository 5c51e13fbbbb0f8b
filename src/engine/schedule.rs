//! When the open batch is committed, and when one is opened for positions without records.
//!
//! A batch is committed when it is full, when it is old enough, or when there is nothing left that it could take. While
//! there is a backlog it may grow older, for a commit costs much the same however large it is.

use std::time::Duration;

use super::Worker;

/// The least time between the end of one commit and the next batch that is committed for want of records.
pub const MIN_COMMIT_GAP: Duration = Duration::from_millis(5);
/// How long a position that no record stands behind waits for a batch that takes it along.
const PASSED: Duration = Duration::from_millis(250);

/// Offsets behind what was taken, as far as the client knows: of all places, and of the one with the most. Transaction
/// markers and aborted records count too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub all: i64,
    pub longest: i64,
}

/// What the client knows of records that are not taken yet. It is asked for only where the answer counts.
pub trait Fetched {
    /// Whether no record is fetched that is not taken.
    fn is_empty(&self) -> bool;
    /// Whether the last poll found no record.
    fn polled_nothing(&self) -> bool;
    fn backlog(&self) -> Backlog;
}

/// Times since the worker started.
#[derive(Debug, Default)]
pub struct Schedule {
    batch_began: Duration,
    /// When the last commit ended, however it did.
    committed_at: Duration,
    /// Since when positions wait for a batch that takes them along.
    passed_since: Option<Duration>,
}

impl Worker {
    /// A batch was opened. To be told when [`Worker::open_records`] has become known.
    pub fn batch_opened(&mut self, now: Duration) {
        self.schedule.batch_began = now;
        self.schedule.passed_since = None;
    }

    pub(super) fn commit_has_ended(&mut self, now: Duration) {
        self.schedule.committed_at = now;
    }

    /// How long it takes until a batch may be committed for want of records.
    pub fn gap_left(&self, now: Duration) -> Duration {
        MIN_COMMIT_GAP.saturating_sub(now.saturating_sub(self.schedule.committed_at))
    }

    /// Whether a batch is to be opened for positions that no record stands behind ([`Worker::open_passed`]).
    pub fn passed_are_due(&mut self, now: Duration) -> bool {
        if !self.has_passed() {
            self.schedule.passed_since = None;
            return false;
        }
        let since = *self.schedule.passed_since.get_or_insert(now);
        now.saturating_sub(since) >= PASSED
    }

    /// Whether the open batch is to be committed now. The one before must be committed first.
    pub fn commit_is_due(&self, fetched: &impl Fetched, now: Duration) -> bool {
        if self.batch.is_none() || self.committing.is_some() {
            return false;
        }
        self.is_full()
            || self.is_old_enough(fetched, now)
            || (self.gap_left(now).is_zero() && self.is_drained(fetched))
    }

    /// Whether the open batch has had its time, which is longer while there is a backlog.
    fn is_old_enough(&self, fetched: &impl Fetched, now: Duration) -> bool {
        let processing = &self.settings.config.processing;
        let age = now.saturating_sub(self.schedule.batch_began);
        age >= processing.commit_interval
            && (age >= processing.backlog_commit_interval
                || fetched.backlog().all <= self.held_records())
    }

    /// Whether there is nothing to wait for, as far as the client knows.
    fn is_drained(&self, fetched: &impl Fetched) -> bool {
        if !fetched.is_empty() {
            return false;
        }
        let backlog = fetched.backlog();
        // what is left of a log may be a transaction's marker, or many that were aborted
        backlog.longest <= 1 || fetched.polled_nothing() && backlog.all <= self.held_records()
    }

    /// Records in the open batch.
    fn held_records(&self) -> i64 {
        i64::try_from(self.open_records().unwrap_or(0)).unwrap_or(i64::MAX)
    }
}
