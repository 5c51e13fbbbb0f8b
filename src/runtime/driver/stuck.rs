//! Partitions that can't be read: a batch that the client does not take stands in the way. It is tried again every
//! second, or less often where it is corrupt; nothing behind it is taken meanwhile.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::Driver;

/// How long until such a partition is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long until one with a corrupt batch is. Behind a wrong checksum librdkafka 2.12.1 goes on reading at a wrong place of
/// the answer (`rd_kafka_buf_skip_to` in `rdkafka_msgset_reader.c`), and may then ask for an offset that does not exist; this
/// worker's other partitions have to be taken up anew after that.
const CORRUPT_AGAIN: Duration = Duration::from_secs(30);

/// A partition that can't be read.
pub(super) struct Stuck {
    /// The next record.
    offset: i64,
    remedy: &'static str,
    /// When it was last tried in vain.
    tried: Instant,
    /// How long until it is tried again.
    again: Duration,
}

/// Whether it is the batch that is at fault, and not the way to it.
pub(super) fn is_unreadable(code: RDKafkaErrorCode) -> bool {
    remedy(code).is_some()
}

fn again(code: RDKafkaErrorCode) -> Duration {
    match code {
        RDKafkaErrorCode::BadMessage => CORRUPT_AGAIN,
        _ => AGAIN,
    }
}

fn remedy(code: RDKafkaErrorCode) -> Option<&'static str> {
    Some(match code {
        RDKafkaErrorCode::BadCompression => {
            "the batch can't be unpacked: raise kafka.properties.receive.message.max.bytes, which bounds what a batch unpacks to, or delete the records up to its end if it is corrupt"
        }
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "the batch is larger than the client takes: raise kafka.properties.receive.message.max.bytes"
        }
        RDKafkaErrorCode::NotImplemented
        | RDKafkaErrorCode::UnsupportedForMessageFormat
        | RDKafkaErrorCode::UnsupportedCompressionType => {
            "the client does not know the batch's codec or format: have its producer use none, gzip, snappy, lz4 or zstd, and delete the records up to the batch's end"
        }
        RDKafkaErrorCode::BadMessage
        | RDKafkaErrorCode::InvalidMessage
        | RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::InvalidRecord => {
            "the batch is corrupt (kafka.properties.check.crcs): have another replica lead the partition, or delete the records up to the batch's end"
        }
        _ => return None,
    })
}

impl Driver {
    /// A partition can't be read at this offset.
    pub(super) fn is_stuck(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        code: RDKafkaErrorCode,
        reason: &str,
    ) {
        let remedy = remedy(code).unwrap_or_default();
        let now = Instant::now();
        let stuck = Stuck {
            offset,
            remedy,
            tried: now,
            again: again(code),
        };
        let before = self.stuck.insert((topic.to_owned(), partition), stuck);
        if before.is_none_or(|before| before.offset != offset) {
            tracing::error!(
                worker = self.parts.reporter.worker(),
                topic,
                partition,
                offset,
                ?code,
                reason,
                "the partition can't be read and stands still; {remedy}"
            );
            self.show_stuck();
        }
        self.read_again_at = now + self.longest_pause();
    }

    /// They are tried again together.
    fn longest_pause(&self) -> Duration {
        let pauses = self.stuck.values().map(|stuck| stuck.again);
        pauses.max().unwrap_or(AGAIN)
    }

    /// Has partitions that can't be read tried again, and sees which go on.
    pub(super) fn look_at_stuck(&mut self) {
        if self.stuck.is_empty() {
            return;
        }
        if Instant::now() >= self.read_again_at {
            self.read_again_at = Instant::now() + self.longest_pause();
            self.worker.read_again();
            if self.restorer.is_none() && self.worker.is_restoring() {
                self.worker.restore_again();
            }
        }
        let restoring = self.worker.is_restoring();
        let settings = &self.parts.settings;
        let positions: Vec<_> = self
            .worker
            .positions()
            .map(|(place, at)| (settings.topic_name(place), place.partition, at))
            .collect();
        let before = self.stuck.len();
        let worker = self.parts.reporter.worker();
        let pause = self.longest_pause();
        self.stuck.retain(|(topic, partition), stuck| {
            let mine = positions
                .iter()
                .find(|(name, at, _)| name == topic && at == partition);
            let stands = match mine {
                Some((_, _, position)) => position.is_none_or(|at| at <= stuck.offset),
                None => restoring && *topic == settings.state_topic,
            };
            // what was tried again and said nothing since has come to the end of its log
            let stands = stands && stuck.tried.elapsed() < pause + 20 * AGAIN;
            if !stands {
                tracing::info!(
                    worker,
                    topic,
                    partition,
                    "the partition is read again, or is not this worker's any more"
                );
            }
            stands
        });
        if self.stuck.len() != before {
            self.show_stuck();
        }
    }

    /// Tells of all of them in `/readyz` and in the metric.
    fn show_stuck(&mut self) {
        let first = self.stuck.iter().next();
        let said = first.map(|((topic, partition), stuck)| {
            let (offset, remedy) = (stuck.offset, stuck.remedy);
            let reason = format!("{topic}[{partition}] can't be read at offset {offset}: {remedy}");
            (reason, self.stuck.len())
        });
        self.parts.reporter.stuck(said);
    }
}
