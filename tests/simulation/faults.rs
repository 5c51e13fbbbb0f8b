//! What goes wrong, and which guard is taken away.

use std::time::Duration;

/// How often things go wrong, in cases of 10,000.
#[derive(Debug, Clone)]
pub struct Faults {
    /// A question to the broker is not answered.
    pub no_answer: u64,
    pub failed_delivery: u64,
    /// The producer has room for a few records only.
    pub full: u64,
    /// The request to end a transaction, or its answer, is lost.
    pub lost_answer: u64,
    /// Every commit is lost: with its request (false), or with its answer only (true).
    pub lost_commit: Option<bool>,
    /// Records are delivered only when the batch is flushed.
    pub late_delivery: bool,
    /// The client says that a position is out of range, which it is not.
    pub lost_position: u64,
    /// After a step, the whole process stands still.
    pub stall: u64,
    /// After a step, the worker's thread stands still, but not its clients.
    pub thread_stall: u64,
    pub longest_stall: Duration,
    /// After a step, the process is killed.
    pub crash: u64,
    /// Between two rounds, the process leaves the group and ends.
    pub stop: u64,
    /// Batches of more records time out.
    pub longest_batch: usize,
    /// The time of a turn is over behind a record, though more were polled.
    pub short_turn: u64,
    /// The most records of a poll.
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

    /// Without transactions nothing fences a process that stands still until it is thrown out of the group; all else may go
    /// wrong.
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

/// Guards that are taken away, to show that each is needed.
#[derive(Debug, Clone, Default)]
pub struct Sabotage {
    /// The forwarded partitions of joined state partitions are not named among the offsets.
    pub joined_unnamed: bool,
    /// The group metadata are those of the commit's time, not of the batch's beginning.
    pub metadata_at_commit: bool,
    /// A revoked partition's batch is not dropped.
    pub batch_survives_revoke: bool,
    /// State is restored up to the last stable offset, not to the high watermark.
    pub restore_to_stable: bool,
    /// The ends of the state topic are asked for before the committed offsets.
    pub ends_first: bool,
    /// The first offsets of the logs are asked for after the committed offsets.
    pub low_after_committed: bool,
    /// Committed offsets are taken that a pending transaction may still move.
    pub unstable_offsets: bool,
    /// A commit without an answer is taken for one that succeeded.
    pub guess_committed: bool,
    /// A commit without an answer is taken for one that failed.
    pub guess_aborted: bool,
    /// A batch's limit is looked at only between two polls.
    pub limit_after_poll: bool,
    /// Whoever wrote last is taken for dead, the group's members or not.
    pub fence_the_living: bool,
    /// What was polled before a place is taken up again is taken all the same.
    pub stale_poll: bool,
    /// The client says that all that was fetched is taken, and nothing is left of the logs.
    pub fetched_counts_as_taken: bool,
    /// Every batch counts as full, those too that end for want of records.
    pub drained_counts_as_full: bool,
    /// At least once: a delivery counts as done when it is asked for.
    pub offsets_before_delivery: bool,
    /// The group's client joins anew before it has told of the loss (librdkafka does not).
    pub hasty_client: bool,
}
