//! How partitions come to be consumed: where they stand, their states' restore, and from where on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::{Driver, Halt, MAX_WAIT, refused, service, stuck};
use crate::engine::{Place, Standing};
use crate::failpoint;
use crate::kafka::client_log;
use crate::kafka::native::Messages;
use crate::kafka::restorer::Restorer;

/// The longest wait for an answer that a rebalance may have to wait for too.
const ASK: Duration = Duration::from_secs(2);
/// The same for the first question for committed offsets.
const FIRST_ASK: Duration = Duration::from_millis(500);
/// What the ends of many partitions may take together, before each is given no more than a moment: those whose
/// leader is away must not keep the others, nor the group, waiting.
const ASK_ALL: Duration = Duration::from_secs(4);
const MOMENT: Duration = Duration::from_millis(100);

impl Driver {
    /// Asks for the start of each log before the committed offsets, and for its end after them: whatever others
    /// commit or delete meanwhile, a committed offset that is not lost lies between the two.
    pub(super) fn fetch_standings(&mut self, places: &[Place]) {
        let settings = Arc::clone(&self.parts.settings);
        let asked: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        if !self.learn_topic_ids() {
            let now = self.now();
            let unknown = places.iter().map(|&place| (place, None)).collect();
            return self.worker.standings(unknown, now);
        }
        let lows = self.ends_of(&asked);
        // where a dead owner has left a transaction open, waiting alone does not help
        let wait = match self.worker.is_retrying() {
            false => FIRST_ASK,
            true => ASK,
        };
        let committed = match self.consumer.committed(&asked, wait) {
            Ok(committed) => committed,
            Err(error) => {
                self.explain_error(
                    "the committed offsets can't be read, as while a transaction of the owner before is open",
                    &error,
                );
                HashMap::new()
            }
        };
        let highs = self.ends_of(&asked);
        let mut answers = Vec::with_capacity(places.len());
        for (at, &place) in places.iter().enumerate() {
            let (topic, partition) = asked[at];
            let known = committed.get(&(topic.to_owned(), partition));
            let standing = match (known, lows[at], highs[at]) {
                (Some(committed), Some((low, _)), Some((_, high))) => Some(Standing {
                    committed: committed.clone(),
                    low,
                    high,
                }),
                _ => None,
            };
            answers.push((place, standing));
        }
        let now = self.now();
        self.worker.standings(answers, now);
    }

    /// The first offsets and the ends of partitions, as far as they can be learnt.
    fn ends_of(&mut self, partitions: &[(&str, i32)]) -> Vec<Option<(i64, i64)>> {
        let mut ends = Vec::with_capacity(partitions.len());
        let began = Instant::now();
        for (topic, partition) in partitions {
            let left = ASK_ALL.saturating_sub(began.elapsed());
            let answer = self.ends.of(topic, *partition, ASK.min(left).max(MOMENT));
            if let Err(error) = &answer {
                let at = Some((*topic, *partition));
                self.explain_error_at("the end of a log can't be read", at, error);
            }
            ends.push(answer.ok());
        }
        ends
    }

    pub(super) fn fetch_ends(&mut self, partitions: &[i32]) {
        let topic = self.parts.settings.state_topic.clone();
        let asked: Vec<_> = partitions.iter().map(|at| (topic.as_str(), *at)).collect();
        let ends = self.ends_of(&asked);
        let now = self.now();
        self.worker
            .ends(partitions.iter().copied().zip(ends).collect(), now);
    }

    pub(super) fn start_restore(&mut self, from: &[(i32, i64)]) -> Result<(), Halt> {
        if from.is_empty() {
            self.restorer = None;
            return Ok(());
        }
        let usable = |restorer: &Restorer| restorer.can_read(from);
        let mut restorer = match self.restorer.take().filter(usable) {
            Some(restorer) => restorer,
            None => Restorer::connect(self.config()).map_err(service)?,
        };
        restorer.read(from).map_err(service)?;
        self.restorer = Some(restorer);
        Ok(())
    }

    /// Reads on in the state topic, while the group is served in between.
    pub(super) fn restore(&mut self, messages: &mut Messages) -> Result<(), Halt> {
        let Some(restorer) = &self.restorer else {
            return Ok(());
        };
        let now = self.started.elapsed();
        let since = Instant::now();
        let mut restored = 0;
        let mut unreadable = None;
        let mut trouble = None;
        'reading: while since.elapsed() < MAX_WAIT {
            restorer.poll(Duration::from_millis(5), messages);
            if messages.is_empty() {
                break;
            }
            for message in messages.iter() {
                let (partition, offset) = (message.partition(), message.offset());
                match message.error() {
                    None => {
                        let key = message.key().unwrap_or_default();
                        let value = message.payload();
                        let taken = self.worker.restored(partition, offset, key, value, now);
                        restored += u64::from(taken);
                        failpoint::reached("restoring");
                    }
                    Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF) => {
                        self.worker.restored_to(partition, offset, now);
                    }
                    Some(error) => {
                        let (code, text) = (RDKafkaErrorCode::from(error), message.error_text());
                        if client_log::is_refusal(code) {
                            return Err(refused(&text).into());
                        }
                        if stuck::is_unreadable(code) {
                            unreadable = Some((partition, offset, code, text));
                            break 'reading;
                        }
                        trouble = Some((code, text));
                    }
                }
            }
        }
        messages.clear();
        if let Some((code, text)) = trouble {
            self.explain("the state topic can't be read", code, &text);
        }
        if let Some((partition, offset, code, text)) = unreadable {
            // the client would go on behind it
            self.restorer = None;
            let topic = self.parts.settings.state_topic.clone();
            self.is_stuck(&topic, partition, offset, code, &text);
        }
        self.parts.reporter.metrics().restore_records(restored);
        Ok(())
    }

    pub(super) fn consume(&mut self, from: &[(Place, i64)]) {
        let settings = Arc::clone(&self.parts.settings);
        // What was polled before lies behind these offsets, with a gap between.
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
        let consumed = self.consumer.consume(&named, ASK);
        if let Err(error) = &consumed {
            self.explain_error("partitions can't be consumed", error);
        }
        let now = self.now();
        self.worker.consuming(from, consumed.is_ok(), now);
    }
}
