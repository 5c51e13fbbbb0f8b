//! Reads ranges of offsets of any topics to their fixed ends, for commands that look at whole logs. It is no member of
//! the group, and holds no more than the client's bounded queue in memory.
//!
//! ```text
//! client's queue ──┬─ a record ──────────────────────► the caller
//!                  ├─ the end of a log ──────────────► position; the rest may be markers and aborted records
//!                  ├─ the position is not in the log ► what retention took is noted; a new client reads on
//!                  └─ an error ──────────────────────► the client tries again, or the reading ends
//! ```
//!
//! Records of one partition come in their order; partitions are read side by side. A range is done once its position is
//! at or behind its end, which need not hold a record.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::client::{ClientSettings, Isolation};
use super::errors::is_outage;
pub use super::log_ranges::{LogQuery, Range, ReadError};
use super::native::{Message, Messages};
use super::range_client::RangeClient;
pub use super::range_state::{Order, RangeState};

/// How long one wait for records takes.
const POLL: Duration = Duration::from_millis(100);
/// After this time without progress the brokers are asked whether they still answer.
const QUIET: Duration = Duration::from_secs(10);
/// After this time without an answer of the brokers the reading fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a client is made anew for positions that are not in the log, although nothing was taken from it.
const MAX_FRUITLESS: u32 = 3;

/// A record of a range.
pub struct RangeRecord<'m> {
    pub topic: &'m str,
    pub partition: i32,
    pub offset: i64,
    message: &'m Message,
}

impl<'m> RangeRecord<'m> {
    /// Milliseconds since 1970; none if the record has no timestamp.
    pub fn timestamp(&self) -> Option<i64> {
        self.message.timestamp()
    }

    pub fn key(&self) -> Option<&'m [u8]> {
        self.message.key()
    }

    pub fn value(&self) -> Option<&'m [u8]> {
        self.message.payload()
    }

    /// Names and values in their order.
    pub fn headers(&self) -> Vec<(&'m str, Option<&'m [u8]>)> {
        self.message.headers()
    }
}

/// How far all ranges were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub records: u64,
    /// Offsets that were read, with those that hold no record.
    pub read: u64,
    /// All offsets of the ranges.
    pub offsets: u64,
    /// How long the reader has waited for a transaction that is open, and whose records are part of a range.
    pub waits_for_transaction: Option<Duration>,
}

pub struct RangeReader<'s> {
    settings: ClientSettings<'s>,
    isolation: Isolation,
    order: Order,
    client: RangeClient,
    states: Vec<RangeState>,
    messages: Messages,
    records: u64,
    /// When something was read last.
    progressed: Instant,
    /// When the brokers answered last.
    answered: Instant,
    fruitless: u32,
}

impl<'s> RangeReader<'s> {
    /// A topic and partition may occur in one range only.
    pub fn open(
        settings: ClientSettings<'s>,
        isolation: Isolation,
        ranges: Vec<Range>,
    ) -> Result<RangeReader<'s>, ReadError> {
        RangeReader::open_in(Order::SideBySide, settings, isolation, ranges)
    }

    /// Like [`RangeReader::open`].
    pub fn open_in(
        order: Order,
        settings: ClientSettings<'s>,
        isolation: Isolation,
        ranges: Vec<Range>,
    ) -> Result<RangeReader<'s>, ReadError> {
        let mut states: Vec<RangeState> = ranges.into_iter().map(RangeState::new).collect();
        let client = RangeClient::connect(settings, isolation)?;
        client.fetch(&mut states, order)?;
        Ok(RangeReader {
            client,
            settings,
            isolation,
            order,
            states,
            messages: Messages::default(),
            records: 0,
            progressed: Instant::now(),
            answered: Instant::now(),
            fruitless: 0,
        })
    }

    /// The ranges, in the order that they were given in.
    pub fn states(&self) -> &[RangeState] {
        &self.states
    }

    pub fn is_done(&self) -> bool {
        self.states.iter().all(RangeState::is_done)
    }

    /// How many offsets retention has taken before they could be read.
    pub fn lost(&self) -> u64 {
        self.states.iter().map(|state| state.lost).sum()
    }

    pub fn progress(&self) -> Progress {
        let offset = |of: fn(&RangeState) -> u64| self.states.iter().map(of).sum();
        let mut open = self
            .states
            .iter()
            .filter(|state| state.is_fetched && !state.is_done());
        let waits = !self.is_done() && open.all(|state| state.at_end);
        Progress {
            records: self.records,
            read: offset(|state| {
                let position = state.position.min(state.range.end);
                position
                    .saturating_sub(state.range.from)
                    .max(0)
                    .unsigned_abs()
            }),
            offsets: offset(|state| state.range.offsets()),
            waits_for_transaction: waits.then(|| self.progressed.elapsed()),
        }
    }

    /// Reads all ranges to their ends. `tick` is called several times a second.
    ///
    /// # Errors
    /// Those of the callbacks, and what keeps a partition from being read.
    pub fn read<E: From<ReadError>>(
        &mut self,
        mut each: impl FnMut(&RangeRecord<'_>) -> Result<(), E>,
        mut tick: impl FnMut(&Progress) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.is_done() {
            self.read_some(&mut each)?;
            tick(&self.progress())?;
        }
        Ok(())
    }

    /// Reads what is there, and waits a moment for it.
    pub fn read_some<E: From<ReadError>>(
        &mut self,
        each: &mut impl FnMut(&RangeRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut messages = std::mem::take(&mut self.messages);
        self.client.poll(POLL, &mut messages);
        let mut is_lost = false;
        for message in messages.iter() {
            is_lost |= self.take(message, each)?;
        }
        messages.clear();
        self.messages = messages;
        self.client.fetch(&mut self.states, self.order)?;
        if is_lost {
            self.resume()?;
        }
        self.check_quiet()?;
        Ok(())
    }

    /// Takes what the client delivers for a partition. Returns whether its position is not in the log.
    fn take<E: From<ReadError>>(
        &mut self,
        message: &Message,
        each: &mut impl FnMut(&RangeRecord<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some(at) = self.client.range_of(message, &self.states) else {
            return Ok(false);
        };
        let offset = message.offset();
        let state = &mut self.states[at];
        if state.is_done() {
            return Ok(false);
        }
        match message.error() {
            None if offset < state.position => {}
            None => {
                state.position = offset.saturating_add(1);
                state.at_end = false;
                if offset < state.range.end {
                    let record = RangeRecord {
                        topic: &state.range.topic,
                        partition: state.range.partition,
                        offset,
                        message,
                    };
                    each(&record)?;
                    self.records += 1;
                }
                self.progressed();
            }
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF) => {
                state.position = state.position.max(offset);
                state.at_end = true;
                self.progressed();
            }
            Some(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
            ) => return Ok(true),
            Some(code) => {
                let code = RDKafkaErrorCode::from(code);
                if !is_outage(code) {
                    return Err(state.unreadable(code, message.error_text()).into());
                }
            }
        }
        Ok(false)
    }

    fn progressed(&mut self) {
        self.progressed = Instant::now();
        self.answered = self.progressed;
        self.fruitless = 0;
    }

    /// Notes what retention has taken, and reads on behind it. The client has stopped fetching these partitions, and
    /// would refuse a seek in them, so that a new one is made.
    fn resume(&mut self) -> Result<(), ReadError> {
        let query = LogQuery::connect(self.settings, self.isolation)?;
        let ranges: Vec<Range> = self
            .states
            .iter()
            .map(|state| state.range.clone())
            .collect();
        let mut has_moved = false;
        for (state, start) in self.states.iter_mut().zip(query.starts(&ranges)?) {
            let start = start.min(state.range.end);
            if start > state.position {
                state.lost += (start - state.position).unsigned_abs();
                state.position = start;
                has_moved = true;
            }
        }
        if has_moved {
            self.progressed();
        } else {
            self.fruitless += 1;
            std::thread::sleep(POLL);
        }
        if self.fruitless > MAX_FRUITLESS {
            let open = self.states.iter().find(|state| !state.is_done());
            let reason =
                "the log does not hold this offset: was the topic deleted and recreated meanwhile?";
            if let Some(state) = open {
                return Err(state.error(reason.to_owned()));
            }
        }
        for state in &mut self.states {
            state.is_fetched = false;
        }
        self.client = RangeClient::connect(self.settings, self.isolation)?;
        self.client.fetch(&mut self.states, self.order)
    }

    /// Looks whether the brokers still answer, if nothing was read for a while.
    fn check_quiet(&mut self) -> Result<(), ReadError> {
        if self.is_done() || self.answered.elapsed() < QUIET {
            return Ok(());
        }
        let open: Vec<Range> = self
            .states
            .iter()
            .filter(|state| !state.is_done())
            .map(|state| state.range.clone())
            .collect();
        let query = LogQuery::connect(self.settings, self.isolation)?;
        match query.starts(&open) {
            Ok(_) => self.answered = Instant::now(),
            Err(error) if self.answered.elapsed() >= PATIENCE => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}
