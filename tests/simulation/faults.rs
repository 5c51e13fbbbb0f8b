//! The faults of a run, and the guards of the protocol that can be removed.

use std::time::Duration;

/// How often faults occur, in 10,000 cases.
#[derive(Debug, Clone)]
pub struct Faults {
    /// A request to the broker is not answered.
    pub no_answer: u64,
    pub failed_delivery: u64,
    /// The producer has room for only a few records.
    pub full: u64,
    /// The request to end a transaction, or its answer, is lost.
    pub lost_answer: u64,
    /// The answer to every commit is lost; with false, the request is lost too.
    pub lost_commit: Option<bool>,
    /// Records are delivered only when the batch is flushed.
    pub late_delivery: bool,
    /// The client reports that a position is out of range although it is not.
    pub lost_position: u64,
    /// After a step, the whole process stalls.
    pub stall: u64,
    /// After a step, the worker's thread stalls, but not its clients.
    pub thread_stall: u64,
    pub longest_stall: Duration,
    /// After a step, the process is killed.
    pub crash: u64,
    /// After a step, the process leaves the group and ends.
    pub stop: u64,
    /// Batches with more records than this time out.
    pub longest_batch: usize,
    /// The time for taking records is over after a record, although more were polled.
    pub short_turn: u64,
    /// The maximum number of records of a poll.
    pub max_poll: u64,
}

impl Faults {
    pub fn none() -> Faults {
        Faults {
            no_answer: 0,
            failed_delivery: 0,
            full: 0,
            lost_answer: 0,
            lost_commit: None,
            late_delivery: false,
            lost_position: 0,
            stall: 0,
            thread_stall: 0,
            longest_stall: Duration::from_secs(3),
            crash: 0,
            stop: 0,
            longest_batch: usize::MAX,
            short_turn: 0,
            max_poll: 6,
        }
    }

    /// All faults but stalls. Without transactions nothing fences a process that stalls until the group removes it, so
    /// stalls would break the promises.
    pub fn without_stalls() -> Faults {
        Faults {
            stall: 0,
            thread_stall: 0,
            ..Faults::some()
        }
    }

    pub fn some() -> Faults {
        Faults {
            no_answer: 300,
            failed_delivery: 50,
            full: 5000,
            lost_answer: 300,
            lost_position: 10,
            short_turn: 1000,
            stall: 40,
            thread_stall: 20,
            crash: 8,
            stop: 5,
            ..Faults::none()
        }
    }
}

/// Guards that are removed, to show that each is needed.
#[derive(Debug, Clone, Default)]
pub struct Sabotage {
    /// The offsets of a commit do not include the forwarded partitions of the state partitions that it writes.
    pub joined_unnamed: bool,
    /// The group metadata of a commit are those of the commit's time, not of the batch's start.
    pub metadata_at_commit: bool,
    /// The open batch is not dropped when its partitions are revoked.
    pub batch_survives_revoke: bool,
    /// States are restored up to the last stable offset, not to the high watermark.
    pub restore_to_stable: bool,
    /// The ends of the state topic are read before the committed offsets.
    pub ends_first: bool,
    /// The first offsets of the logs are read after the committed offsets.
    pub low_after_committed: bool,
    /// Committed offsets are used even if a pending transaction may still change them.
    pub unstable_offsets: bool,
    /// A commit without an answer counts as successful.
    pub guess_committed: bool,
    /// A commit without an answer counts as failed.
    pub guess_aborted: bool,
    /// The limit of a batch is checked only between two polls.
    pub limit_after_poll: bool,
    /// The last writer counts as dead, even if it is a member of the group.
    pub fence_the_living: bool,
    /// Records that were polled before a place was set back are not dropped.
    pub stale_poll: bool,
    /// The next record is taken from the poll before the engine can process it. It is then not dropped when its partition
    /// is consumed from another offset.
    pub record_taken_early: bool,
    /// The client reports that all fetched records are taken and that there is no lag.
    pub fetched_counts_as_taken: bool,
    /// Every batch counts as full, even if it ends because no record is left.
    pub drained_counts_as_full: bool,
    /// At-least-once: a delivery counts as done when it is requested.
    pub offsets_before_delivery: bool,
    /// The group's client joins again before the application has handled the lost assignment (librdkafka does not).
    pub hasty_client: bool,
}
