//! Partitions that cannot be read, because the client cannot read the next record batch of their log. They are tried
//! again every second, or less often if the batch is corrupt; until then no later record of them is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client_error::{Cause, ClientError};
use super::event::{Effect, Notice};
use super::{Engine, LogPartition};

/// Time until an unreadable partition is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Time until a partition with a corrupt batch is tried again. After a wrong checksum librdkafka 2.12.1 continues at a
/// wrong position of the fetch response (`rd_kafka_buf_skip_to` in `rdkafka_msgset_reader.c`), and may then fetch an
/// offset that does not exist. After that, this worker's other partitions must be consumed again from their
/// positions, so the attempts must be rare.
const RETRY_CORRUPT_AFTER: Duration = Duration::from_secs(30);
/// If a partition is tried again and the client reports no error for this long, it counts as readable: the reader is at
/// the end of the log.
const QUIET_AFTER: Duration = Duration::from_secs(20);

fn retry_after(cause: Cause) -> Duration {
    match cause {
        Cause::Corrupt => RETRY_CORRUPT_AFTER,
        _ => RETRY_AFTER,
    }
}

/// A partition that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The offset of the next record.
    pub offset: i64,
    pub cause: Cause,
    /// When the last attempt failed.
    last_failure: Duration,
}

/// All partitions that cannot be read.
#[derive(Debug, Default)]
pub struct UnreadablePartitions {
    partitions: BTreeMap<LogPartition, Unreadable>,
    retry_at: Duration,
}

impl UnreadablePartitions {
    /// All of them are tried again at the same time, after the longest of their waits.
    fn wait(&self) -> Duration {
        let all = self.partitions.values();
        let waits = all.map(|one| retry_after(one.cause));
        waits.max().unwrap_or(RETRY_AFTER)
    }
}

impl Engine {
    /// The partitions that cannot be read.
    pub fn unreadable(&self) -> impl ExactSizeIterator<Item = (LogPartition, Unreadable)> {
        let all = self.unreadable.partitions.iter();
        all.map(|(&log, &unreadable)| (log, unreadable))
    }

    /// The name of a log's topic, and the partition.
    pub fn name_of(&self, log: LogPartition) -> (&str, i32) {
        match log {
            LogPartition::Consumed(place) => (self.settings.topic_name(place), place.partition),
            LogPartition::State(partition) => (&self.settings.state_topic, partition),
        }
    }

    /// The client cannot read the next record. The partition is paused, so that no later record is taken even if the
    /// client skips the unreadable one.
    pub(super) fn read_failed(
        &mut self,
        log: LogPartition,
        offset: i64,
        cause: Cause,
        error: ClientError,
        now: Duration,
    ) {
        let offset = match log {
            LogPartition::State(_) => {
                self.restore_wanted = false;
                self.effects.push_back(Effect::Restore(Vec::new()));
                offset
            }
            LogPartition::Consumed(place) => {
                let Some(position) = self.assignment.unreadable(place) else {
                    return;
                };
                self.effects.push_back(Effect::Pause(vec![place]));
                position
            }
        };
        let unreadable = Unreadable {
            offset,
            cause,
            last_failure: now,
        };
        let before = self.unreadable.partitions.insert(log, unreadable);
        if before.is_none_or(|before| before.offset != offset) {
            self.effects.push_back(Effect::Report(Notice::Unreadable {
                log,
                offset,
                cause,
                error,
            }));
        }
        self.unreadable.retry_at = now + self.unreadable.wait();
    }

    /// Tries the unreadable partitions again when it is time, and reports those that can be read again.
    pub(super) fn retry_unreadable(&mut self, now: Duration) {
        if self.unreadable.partitions.is_empty() {
            return;
        }
        let wait = self.unreadable.wait();
        if now >= self.unreadable.retry_at {
            self.unreadable.retry_at = now + wait;
            self.assignment.read_again();
            let mut all = self.unreadable.partitions.keys();
            if all.any(|log| matches!(log, LogPartition::State(_))) {
                self.restore_wanted = true;
            }
        }
        let restoring = self.is_restoring();
        let assignment = &self.assignment;
        let mut readable_again = Vec::new();
        self.unreadable.partitions.retain(|&log, unreadable| {
            let has_not_moved = match log {
                LogPartition::Consumed(place) => {
                    assignment.places.contains_key(&place)
                        && assignment
                            .position(place)
                            .is_none_or(|position| position <= unreadable.offset)
                }
                LogPartition::State(_) => restoring,
            };
            let is_unreadable =
                has_not_moved && now.saturating_sub(unreadable.last_failure) < wait + QUIET_AFTER;
            if !is_unreadable {
                readable_again.push(Effect::Report(Notice::ReadableAgain(log)));
            }
            is_unreadable
        });
        self.effects.extend(readable_again);
    }
}
