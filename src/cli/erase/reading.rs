//! Reads all that keyfold's topics and the inputs have of the customer.
//!
//! Records are judged by the rules of today, except that what a rule of the semantic stage rejects is read all the same:
//! a rejected record may be mended and sent back, and then its times count.

use super::noting::{held, note, note_frame, pass, place};
use super::target::Frames;
use crate::cli::about::About;
use crate::cli::customer_logs::CustomerLogs;
use crate::cli::range_records::{letter, received};
use crate::config::Config;
use crate::customer::Customer;
use crate::customer::contribution::Erasure;
use crate::engine::origin::Unwrapped;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::erase::copies::{Copies, Holds, Passed};
use crate::inspect::erase::times::{Claim, Known, Times};
use crate::inspect::letter::settled::{How, Settlements};
use crate::kafka::range_reader::{Range, RangeRecord, ReadError};
use crate::model::partition;
use crate::model::record::Location;
use crate::model::time::Instant;

/// What a topic of states or of snapshots has.
#[derive(Debug, Default)]
pub struct Kept {
    pub copies: Copies,
    /// The partition of the customer.
    pub own: i32,
    /// The newest record in that partition holds data.
    pub is_shown: bool,
}

/// What is there of the customer.
pub struct Findings {
    pub times: Times,
    pub frames: Frames,
    pub inputs: Vec<(String, Copies)>,
    pub letters: Copies,
    /// None if the topic does not exist: nothing was ever settled.
    pub settled: Option<Copies>,
    pub kept: KeptCopies,
}

impl Findings {
    /// Adds the null value that was written.
    pub fn written(&mut self, place: &Location, key: &[u8], timestamp: i64) {
        let mut inputs = self.inputs.iter_mut();
        if let Some((_, copies)) = inputs.find(|(topic, _)| *topic == place.topic) {
            copies.pass(&Passed {
                partition: place.partition,
                offset: place.offset,
                timestamp: Some(timestamp),
                key: Some(key),
                holds: Holds::Id,
            });
        }
    }
}

/// What changes while keyfold processes the erasure.
#[derive(Debug, Default)]
pub struct KeptCopies {
    pub snapshots: Kept,
    pub state: Kept,
    pub forwarded: Copies,
    /// The time as of which the state is erased, and when that was written, in milliseconds since 1970.
    pub erased: Option<(Instant, Option<i64>)>,
}

pub struct Reading<'c> {
    config: &'c Config,
    logs: CustomerLogs<'c>,
    about: About<'c>,
}

impl<'c> Reading<'c> {
    /// `about` judges by the lenient configuration (`noting`).
    pub fn connect(
        config: &'c Config,
        id: &'c str,
        about: About<'c>,
    ) -> Result<Reading<'c>, Failure> {
        Ok(Reading {
            config,
            logs: CustomerLogs::connect(config, id)?,
            about,
        })
    }

    pub fn logs(&self) -> &CustomerLogs<'c> {
        &self.logs
    }

    /// Reads everything. The inputs are read last: what they lead to is not in what was read before.
    pub fn read(&mut self, now: i64, topic_id: Option<&str>) -> Result<Findings, Failure> {
        let mut times = Times::new(now);
        let mut settlements = Settlements::new(&self.config.dead_letters.topic, topic_id, []);
        let settled = self.settled(&mut settlements)?;
        let letters = self.letters(&settlements, &mut times)?;
        let kept = self.kept(Some(&mut times))?;
        let mut frames = Frames::new();
        let inputs = self.inputs(&mut times, &mut frames)?;
        Ok(Findings {
            times,
            frames,
            inputs,
            letters,
            settled,
            kept,
        })
    }

    /// Reads snapshots, states and forwarded records.
    pub fn kept(&mut self, times: Option<&mut Times>) -> Result<KeptCopies, Failure> {
        let mut unused = Times::new(0);
        let times = times.unwrap_or(&mut unused);
        let mut kept = KeptCopies {
            forwarded: self.forwarded(times)?,
            snapshots: self.compacted(
                "reading snapshots",
                &self.config.snapshot.topic,
                |_, _| Ok(Holds::Data),
            )?,
            ..KeptCopies::default()
        };
        // The newest of its own partition, if there is one.
        let mut newest: Option<(bool, Option<i64>, Customer)> = None;
        let state = self.compacted(
            "reading states",
            &self.config.state_topic(),
            |record, is_own| {
                let Some(value) = record.value() else {
                    return Ok(Holds::Id);
                };
                let customer = Customer::decode(value);
                let customer = customer.map_err(|error| Failure::Service(error.to_string()))?;
                let holds = match customer.holds_data() {
                    true => Holds::Data,
                    false => Holds::Id,
                };
                if is_own || !newest.as_ref().is_some_and(|(known, ..)| *known) {
                    newest = Some((is_own, record.timestamp(), customer));
                }
                Ok(holds)
            },
        )?;
        if let Some((_, written, customer)) = newest {
            if let Some(latest) = customer.latest() {
                times.note(Known::State, Claim::Until(Some(latest)), None);
            }
            let at = customer.erased_of_all_sources();
            times.note_erasure(Erasure { only: None, at }, None);
            kept.erased = (!at.is_never()).then_some((at, written));
        }
        kept.state = state;
        Ok(kept)
    }

    /// The records of a compacted topic whose key is the id; `holds` says what a value has that is not null,
    /// given whether its partition is that of the customer.
    fn compacted(
        &self,
        what: &'static str,
        topic: &str,
        mut holds: impl FnMut(&RangeRecord<'_>, bool) -> Result<Holds, Failure>,
    ) -> Result<Kept, Failure> {
        let ranges = self.logs.query.ranges(&[topic])?;
        let partitions = i32::try_from(ranges.len()).unwrap_or(i32::MAX);
        let mut kept = Kept {
            own: partition::of_key(self.logs.id.as_bytes(), partitions),
            ..Kept::default()
        };
        self.logs.each(what, &ranges, |record| {
            let is_own = record.partition == kept.own;
            let holds = match record.key() == Some(self.logs.id.as_bytes()) {
                true if record.value().is_none() => Holds::Id,
                true => holds(record, is_own)?,
                false => Holds::Nothing,
            };
            if holds != Holds::Nothing && is_own {
                kept.is_shown = holds == Holds::Data;
            }
            pass(&mut kept.copies, record, holds);
            Ok(())
        })?;
        Ok(kept)
    }

    fn forwarded(&mut self, times: &mut Times) -> Result<Copies, Failure> {
        let topic = self.config.forwarded_topic();
        let ranges = self.logs.query.ranges(&[&topic])?;
        let mut copies = Copies::default();
        let (logs, about) = (&self.logs, &mut self.about);
        logs.each("reading forwarded records", &ranges, |record| {
            if record.key() != Some(logs.id.as_bytes()) {
                return Ok(());
            }
            let headers = record.headers();
            let holds = match record.value() {
                None => Holds::Id,
                Some(_) => Holds::Data,
            };
            pass(&mut copies, record, holds);
            // Of a source that is not configured any more nothing is processed.
            let Ok(unwrapped) = Unwrapped::of(&headers, &self.config.sources) else {
                return Ok(());
            };
            let received = Received::forwarded(&unwrapped, record.value());
            let said = about.look(&received)?;
            note(
                times,
                &Known::Forwarded,
                &said,
                &received,
                self.config,
                &place(record),
            );
            Ok(())
        })?;
        Ok(copies)
    }

    fn inputs(
        &mut self,
        times: &mut Times,
        frames: &mut Frames,
    ) -> Result<Vec<(String, Copies)>, Failure> {
        let topics = self.config.sources.iter();
        let topics = topics.flat_map(|(_, source)| source.topics.iter().map(String::as_str));
        let topics: Vec<&str> = topics.collect();
        let ranges: Vec<Range> = self.logs.query.ranges(&topics)?;
        let topics = topics.into_iter();
        let mut inputs: Vec<(String, Copies)> = topics
            .map(|topic| (topic.to_owned(), Copies::default()))
            .collect();
        let about = &mut self.about;
        let config = self.config;
        self.logs.each("reading the inputs", &ranges, |record| {
            let Some(source) = config.sources.source_of(record.topic) else {
                return Ok(());
            };
            note_frame(frames, record, source, config);
            let headers = record.headers();
            let received = received(record, source, &headers);
            let said = about.look(&received)?;
            let holds = held(&said, record.value());
            if let Some((_, copies)) = inputs.iter_mut().find(|(topic, _)| topic == record.topic) {
                pass(copies, record, holds);
            }
            let known = Known::Input(record.topic.to_owned());
            note(times, &known, &said, &received, config, &place(record));
            Ok(())
        })?;
        Ok(inputs)
    }

    fn letters(&mut self, settlements: &Settlements, times: &mut Times) -> Result<Copies, Failure> {
        let ranges = self.logs.query.ranges(&[&self.config.dead_letters.topic])?;
        let mut copies = Copies::default();
        let (about, config) = (&mut self.about, self.config);
        self.logs.each("reading dead letters", &ranges, |record| {
            let headers = record.headers();
            let letter = letter(record, &headers);
            // Only those that can be sent back say when their data are from.
            let own = letter.as_ref().filter(|letter| {
                letter.application == config.application_id
                    && matches!(settlements.of(letter.id), None | Some(How::Unknown))
            });
            let source = own.and_then(|letter| config.sources.source_of(letter.topic));
            let holds = match (own, source) {
                (Some(letter), Some(source)) if !letter.omitted.value => {
                    let received = letter.received(source, letter.value, &letter.headers);
                    let said = about.look(&received)?;
                    note(
                        times,
                        &Known::DeadLetters,
                        &said,
                        &received,
                        config,
                        &place(record),
                    );
                    held(&said, record.value())
                }
                _ => {
                    let mention = &about.mention;
                    let is_in = record.value().is_some_and(|value| mention.is_in(value));
                    match (is_in, mention.is_key(record.key()), record.value()) {
                        (true, ..) | (_, true, Some(_)) => Holds::Data,
                        (_, true, None) => Holds::Id,
                        _ => Holds::Nothing,
                    }
                }
            };
            pass(&mut copies, record, holds);
            Ok(())
        })?;
        Ok(copies)
    }

    /// Which letters are settled, and the notes that name the id.
    fn settled(&self, settlements: &mut Settlements) -> Result<Option<Copies>, Failure> {
        let topic = self.config.settled_topic();
        let ranges = match self.logs.query.ranges(&[&topic]) {
            Ok(ranges) => ranges,
            Err(ReadError::NoTopic(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut copies = Copies::default();
        self.logs
            .each("reading what is settled", &ranges, |record| {
                settlements.take(record.key(), record.value());
                let value = record.value();
                let holds = match value.is_some_and(|value| self.about.mention.is_in(value)) {
                    true => Holds::Data,
                    false => Holds::Nothing,
                };
                pass(&mut copies, record, holds);
                Ok(())
            })?;
        Ok(Some(copies))
    }
}
