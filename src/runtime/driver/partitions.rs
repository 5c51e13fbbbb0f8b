//! The steps until a partition is consumed: its offsets, the restore of its state, and the offset to consume from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::{Driver, Halt, TURN_DURATION, not_authorized, service};
use crate::engine::LogPartition;
use crate::engine::client_error::Cause;
use crate::engine::{Event, PartitionOffsets, Place};
use crate::failpoint;
use crate::kafka::client_log;
use crate::kafka::errors::client_error;
use crate::kafka::native::Messages;
use crate::kafka::query_client::Bound;
use crate::kafka::restorer::Restorer;

/// The timeout of a request during which a rebalance may have to wait.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The timeout of the first request for committed offsets.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// The timeout of a request for the bounds of many logs together.
const TOGETHER_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for reading the bounds of many logs, after which each further one has only [`MIN_REQUEST_TIMEOUT`]:
/// partitions whose leader is away must not delay the others, nor the group.
const ALL_BOUNDS_TIMEOUT: Duration = Duration::from_secs(4);
const MIN_REQUEST_TIMEOUT: Duration = Duration::from_millis(100);

impl Driver {
    /// Reads the offsets that [`Effect::FetchOffsets`] asks for, in the order that it requires.
    ///
    /// [`Effect::FetchOffsets`]: crate::engine::Effect::FetchOffsets
    pub(super) fn fetch_offsets(&mut self, places: &[Place]) {
        let topic_ids = self.topic_ids_or_explain();
        let offsets = match topic_ids {
            Some(_) => self.offsets_of(places),
            None => places.iter().map(|&place| (place, None)).collect(),
        };
        let now = self.now();
        let fetched = Event::OffsetsFetched { topic_ids, offsets };
        self.engine.handle(fetched, now);
    }

    fn offsets_of(&mut self, places: &[Place]) -> Vec<(Place, Option<PartitionOffsets>)> {
        let settings = Arc::clone(&self.parts.settings);
        let requested: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        let starts = self.bounds_of(Bound::First, &requested);
        // A retry waits for longer: if a dead owner has left a transaction open, the coordinator does not return the
        // offsets at once.
        let wait = match self.engine.is_retrying() {
            false => FIRST_REQUEST_TIMEOUT,
            true => REQUEST_TIMEOUT,
        };
        let committed = match self.consumer.committed(&requested, wait) {
            Ok(committed) => committed,
            Err(error) => {
                self.explain_error(
                    "the committed offsets cannot be read, as while a transaction of the owner before is open",
                    &error,
                );
                HashMap::new()
            }
        };
        let ends = self.bounds_of(Bound::End, &requested);
        let mut offsets = Vec::with_capacity(places.len());
        for (at, &place) in places.iter().enumerate() {
            let (topic, partition) = requested[at];
            let committed = committed.get(&(topic.to_owned(), partition));
            let known = match (committed, starts[at], ends[at]) {
                (Some(committed), Some(first), Some(end)) => Some(PartitionOffsets {
                    committed: committed.clone(),
                    first,
                    end,
                }),
                _ => None,
            };
            offsets.push((place, known));
        }
        offsets
    }

    /// The first offsets of partitions, or the ends; `None` for a partition of which it cannot be read now. All are asked for
    /// together first, and then those of which there is no answer one by one: a partition whose leader is away would keep the
    /// others waiting.
    fn bounds_of(&mut self, bound: Bound, partitions: &[(&str, i32)]) -> Vec<Option<i64>> {
        let began = Instant::now();
        let named = |(topic, partition): &(&str, i32)| ((*topic).to_owned(), *partition);
        let all: Vec<_> = partitions.iter().map(named).collect();
        let together = self.query.bounds(bound, &all, TOGETHER_TIMEOUT);
        let mut together = together.unwrap_or_else(|error| {
            tracing::debug!(%error, "the bounds of logs cannot be read together");
            BTreeMap::new()
        });
        let mut bounds = Vec::with_capacity(partitions.len());
        for (&(topic, partition), key) in partitions.iter().zip(&all) {
            let known = together.remove(key);
            bounds.push(known.or_else(|| self.bound_of(bound, topic, partition, began)));
        }
        bounds
    }

    /// The same of one partition. `began`: when the first of all was asked for.
    fn bound_of(
        &mut self,
        bound: Bound,
        topic: &str,
        partition: i32,
        began: Instant,
    ) -> Option<i64> {
        let left = ALL_BOUNDS_TIMEOUT.saturating_sub(began.elapsed());
        let timeout = REQUEST_TIMEOUT.min(left).max(MIN_REQUEST_TIMEOUT);
        match self.query.watermarks(topic, partition, timeout) {
            Ok((first, end)) => Some(match bound {
                Bound::First => first,
                Bound::End => end,
            }),
            Err(error) => {
                let at = Some((topic, partition));
                self.explain_error_at("the end of a log cannot be read", at, &error);
                None
            }
        }
    }

    pub(super) fn fetch_state_ends(&mut self, partitions: &[i32]) {
        let topic = self.parts.settings.state_topic.clone();
        let requested: Vec<_> = partitions.iter().map(|at| (topic.as_str(), *at)).collect();
        let firsts = self.bounds_of(Bound::First, &requested);
        let ends = self.bounds_of(Bound::End, &requested);
        let bounds = firsts
            .into_iter()
            .zip(ends)
            .map(|(first, end)| first.zip(end));
        let ends = partitions.iter().copied().zip(bounds).collect();
        let now = self.now();
        self.engine.handle(Event::StateEndsFetched(ends), now);
    }

    pub(super) fn start_restore(&mut self, from: &[(i32, i64)]) -> Result<(), Halt> {
        if from.is_empty() {
            self.restorer = None;
            return Ok(());
        }
        let usable = |restorer: &Restorer| restorer.can_read(from);
        let mut restorer = match self.restorer.take().filter(usable) {
            Some(restorer) => restorer,
            None => Restorer::connect(
                self.config().into(),
                self.parts.settings.state_topic.clone(),
            )
            .map_err(service)?,
        };
        restorer.read(from).map_err(service)?;
        self.restorer = Some(restorer);
        Ok(())
    }

    /// Continues to read the state topic, a little in each turn, so that the group is served in between.
    pub(super) fn restore(&mut self, messages: &mut Messages) -> Result<(), Halt> {
        let Some(restorer) = &self.restorer else {
            return Ok(());
        };
        let now = self.started.elapsed();
        let before = self.engine.restored_records();
        let since = Instant::now();
        let mut read_error = None;
        'reading: while since.elapsed() < TURN_DURATION {
            restorer.poll(Duration::from_millis(5), messages);
            if messages.is_empty() {
                break;
            }
            for message in messages.iter() {
                let (partition, offset) = (message.partition(), message.offset());
                let event = match message.error() {
                    None => Event::StateRecord {
                        partition,
                        offset,
                        key: message.key().unwrap_or_default(),
                        value: message.payload(),
                    },
                    Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF) => {
                        Event::StateEndReached { partition, offset }
                    }
                    Some(error) => {
                        let (code, text) = (RDKafkaErrorCode::from(error), message.error_text());
                        if client_log::is_refusal(code) {
                            return Err(not_authorized(&text).into());
                        }
                        let Some(cause) = unreadable_cause(code) else {
                            read_error = Some((code, text));
                            continue;
                        };
                        let unreadable = Event::Unreadable {
                            log: LogPartition::State(partition),
                            offset,
                            cause,
                            error: client_error(code, text),
                        };
                        self.engine.handle(unreadable, now);
                        // the client would continue after the unreadable batch
                        break 'reading;
                    }
                };
                self.engine.handle(event, now);
                failpoint::reached("restoring");
            }
        }
        messages.clear();
        if let Some((code, text)) = read_error {
            self.explain("the state topic cannot be read", code, &text);
        }
        let restored = self.engine.restored_records() - before;
        self.parts.reporter.metrics().restore_records(restored);
        Ok(())
    }

    pub(super) fn consume(&mut self, from: &[(Place, i64)]) {
        let settings = Arc::clone(&self.parts.settings);
        // Messages that were polled earlier are after these offsets, with a gap between.
        self.polled.retain(|message| {
            let old = |(place, _): &(Place, i64)| {
                place.partition == message.partition()
                    && settings.topic_name(*place) == message.topic()
            };
            !from.iter().any(old)
        });
        let named: Vec<_> = from
            .iter()
            .map(|(place, offset)| (settings.topic_name(*place), place.partition, *offset))
            .collect();
        let consumed = self.consumer.consume(&named, REQUEST_TIMEOUT);
        if let Err(error) = &consumed {
            self.explain_error("partitions cannot be consumed", error);
        }
        let now = self.now();
        let started = Event::ConsumeStarted {
            from: from.to_vec(),
            succeeded: consumed.is_ok(),
        };
        self.engine.handle(started, now);
    }
}

/// Why a batch cannot be read; `None` if the error is not in the batch, but in the connection or the broker.
pub(super) fn unreadable_cause(code: RDKafkaErrorCode) -> Option<Cause> {
    Some(match code {
        RDKafkaErrorCode::BadCompression => Cause::CannotBeUnpacked,
        RDKafkaErrorCode::MessageSizeTooLarge => Cause::TooLarge,
        RDKafkaErrorCode::NotImplemented
        | RDKafkaErrorCode::UnsupportedForMessageFormat
        | RDKafkaErrorCode::UnsupportedCompressionType => Cause::UnknownFormat,
        RDKafkaErrorCode::BadMessage
        | RDKafkaErrorCode::InvalidMessage
        | RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::InvalidRecord => Cause::Corrupt,
        _ => return None,
    })
}
