//! Partitions that cannot be read, because the client cannot take the next batch of their log. They are tried again every
//! second, or less often where the batch is corrupt; nothing behind it is taken meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client_error::{Cause, ClientError};
use super::event::{Effect, Notice};
use super::{Engine, LogPartition};

/// Time until such a partition is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Time until one with a corrupt batch is. Behind a wrong checksum librdkafka 2.12.1 goes on reading at a wrong place of
/// the answer (`rd_kafka_buf_skip_to` in `rdkafka_msgset_reader.c`), and may then ask for an offset that does not exist; this
/// worker's other partitions have to be consumed anew after that.
const RETRY_CORRUPT_AFTER: Duration = Duration::from_secs(30);
/// A partition that was tried again and about which nothing was said for so long has come to the end of its log.
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
    /// Of the next record.
    pub offset: i64,
    pub cause: Cause,
    /// When it was last tried in vain.
    tried: Duration,
}

/// All of them.
#[derive(Debug, Default)]
pub struct UnreadablePartitions {
    partitions: BTreeMap<LogPartition, Unreadable>,
    retry_at: Duration,
}

impl UnreadablePartitions {
    /// They are tried again together, after the longest of their pauses.
    fn pause(&self) -> Duration {
        let all = self.partitions.values();
        let pauses = all.map(|one| retry_after(one.cause));
        pauses.max().unwrap_or(RETRY_AFTER)
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

    /// Nothing behind the record that cannot be read may be taken, whatever the client passes over.
    pub(super) fn cannot_be_read(
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
            tried: now,
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
        self.unreadable.retry_at = now + self.unreadable.pause();
    }

    /// Has the partitions that cannot be read tried again when it is time, and notices which go on.
    pub(super) fn retry_unreadable(&mut self, now: Duration) {
        if self.unreadable.partitions.is_empty() {
            return;
        }
        let pause = self.unreadable.pause();
        if now >= self.unreadable.retry_at {
            self.unreadable.retry_at = now + pause;
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
            let stands_still = match log {
                LogPartition::Consumed(place) => {
                    assignment.places.contains_key(&place)
                        && assignment
                            .position(place)
                            .is_none_or(|position| position <= unreadable.offset)
                }
                LogPartition::State(_) => restoring,
            };
            let stays = stands_still && now.saturating_sub(unreadable.tried) < pause + QUIET_AFTER;
            if !stays {
                readable_again.push(Effect::Report(Notice::ReadableAgain(log)));
            }
            stays
        });
        self.effects.extend(readable_again);
    }
}
