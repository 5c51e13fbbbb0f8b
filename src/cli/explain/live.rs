//! Gathers the records of a customer from Kafka, and what keyfold holds and publishes of it.
//!
//! ```text
//! dead letters ─► committed offsets ─► snapshot, state ─► inputs to their ends ─┬─ as the records say: done
//!                         ▲                                                     │
//!                         └─────────────────── otherwise, a few times ──────────┘
//! ```

use std::collections::HashSet;

use super::gathering::Gathering;
use super::letter::PlaceKey;
use crate::cli::audit::snapshot::reader_of;
use crate::cli::customer_logs::{Committed, CustomerLogs};
use crate::cli::range_records::{letter, received};
use crate::config::Config;
use crate::customer::Customer;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::difference::pointers;
use crate::inspect::explain::Explanation;
use crate::kafka::range_reader::Range;

/// How often what came meanwhile is read, if keyfold publishes something else than the records say.
const ROUNDS: u32 = 3;

/// What keyfold publishes of the customer, beside what the records say.
#[derive(Debug)]
pub struct Published {
    pub topic: String,
    pub partition: i32,
    /// None if there is no record of the customer.
    pub offset: Option<i64>,
    /// None: a null value, or nothing.
    pub value: Option<Vec<u8>>,
    /// Where it differs from what the records say; empty if it does not.
    pub differences: Vec<String>,
}

/// What was read, beside the records.
#[derive(Debug)]
pub struct Live {
    pub published: Published,
    /// The inputs as they were read.
    pub inputs: Vec<Range>,
    /// keyfold's state knows the customer.
    pub has_state: bool,
}

impl Live {
    /// The partitions whose first records are gone.
    pub fn cut(&self) -> impl Iterator<Item = &Range> {
        self.inputs.iter().filter(|range| range.from > 0)
    }
}

pub struct Logs<'c>(CustomerLogs<'c>);

/// Whether a record is not committed. A partition that was not asked for is not one of keyfold's inputs any more.
fn is_waiting(committed: &Committed, place: &(String, i32), offset: i64) -> bool {
    let committed = committed.get(place);
    committed.is_some_and(|committed| committed.is_none_or(|committed| offset >= committed))
}

/// The newest record of the customer in a compacted topic.
struct Newest {
    partition: i32,
    /// None if there is no record of the customer.
    offset: Option<i64>,
    value: Option<Vec<u8>>,
}

impl<'c> Logs<'c> {
    pub fn connect(config: &'c Config, id: &'c str) -> Result<Logs<'c>, Failure> {
        CustomerLogs::connect(config, id).map(Logs)
    }

    /// Reads all, and explains it.
    pub fn read(&self, gathering: &mut Gathering<'_>) -> Result<(Explanation, Live), Failure> {
        self.letters(gathering)?;
        let topics = self.0.config.sources.iter();
        let topics = topics.flat_map(|(_, source)| source.topics.iter().map(String::as_str));
        let topics: Vec<&str> = topics.collect();
        let mut inputs = self.0.query.ranges(&topics)?;
        for range in &mut inputs {
            range.end = range.from;
        }
        for round in 1.. {
            // What is committed now, and was not waiting in the forwarded topic, is in what is published later. Whatever
            // is published was read from the inputs before, and is read from them after that.
            let committed = self.0.committed(&inputs)?;
            let waiting = self.waiting()?;
            let newest = self.newest("reading snapshots", &self.0.config.snapshot.topic)?;
            let state = self.state()?;
            let has_state = state.is_some();
            if let Some(state) = state {
                gathering.explainer.know(state);
            }
            self.new_records(gathering, &topics, &mut inputs)?;
            self.forwarded(gathering, &inputs)?;
            let mut explanation = gathering.explainer.explain();
            for explained in &mut explanation.records {
                let location = &explained.record.location;
                let place = (location.topic.clone(), location.partition);
                let is_new = is_waiting(&committed, &place, location.offset);
                let place = (place.0, place.1, location.offset);
                explained.record.is_pending = is_new || waiting.contains(&place);
            }
            let published = self.published(&explanation, newest);
            if published.differences.is_empty() || round == ROUNDS {
                let live = Live {
                    published,
                    inputs,
                    has_state,
                };
                return Ok((explanation, live));
            }
        }
        Err(Failure::Service("the rounds have no end".to_owned()))
    }

    /// Reads what the inputs have that was not read yet.
    fn new_records(
        &self,
        gathering: &mut Gathering<'_>,
        topics: &[&str],
        inputs: &mut [Range],
    ) -> Result<(), Failure> {
        let mut new = self.0.query.ranges(topics)?;
        for (range, known) in new.iter_mut().zip(inputs) {
            range.from = known.end.max(range.from).min(range.end);
            known.end = range.end.max(known.end);
        }
        self.inputs(gathering, &new)
    }

    fn letters(&self, gathering: &mut Gathering<'_>) -> Result<(), Failure> {
        let ranges = self.0.query.ranges(&[&self.0.config.dead_letters.topic])?;
        self.0.each("reading dead letters", &ranges, |record| {
            if let Some(letter) = letter(record, &record.headers()) {
                gathering.letter(record.topic, &letter);
            }
            Ok(())
        })
    }

    fn inputs(&self, gathering: &mut Gathering<'_>, ranges: &[Range]) -> Result<(), Failure> {
        self.0.each("reading the inputs", ranges, |record| {
            let Some(source) = self.0.config.sources.source_of(record.topic) else {
                return Ok(());
            };
            let headers = record.headers();
            gathering.record(&received(record, source, &headers))
        })
    }

    /// Where the forwarded records were read first that are not joined yet.
    fn waiting(&self) -> Result<HashSet<PlaceKey>, Failure> {
        let topic = self.0.config.forwarded_topic();
        let mut ranges = self.0.of_customer(&self.0.query.ranges(&[&topic])?);
        let committed = self.0.committed(&ranges)?;
        for range in &mut ranges {
            let place = (range.topic.clone(), range.partition);
            let committed = committed.get(&place).copied().flatten();
            range.from = committed.unwrap_or(0).clamp(range.from, range.end);
        }
        // What came since then waits too.
        let ends = self.0.of_customer(&self.0.query.ranges(&[&topic])?);
        for (range, end) in ranges.iter_mut().zip(ends) {
            range.end = end.end;
        }
        let mut waiting = HashSet::new();
        self.0.each_forwarded(&ranges, |_, unwrapped| {
            let origin = &unwrapped.origin;
            waiting.insert((origin.topic.clone(), origin.partition, origin.offset));
            Ok(())
        })?;
        Ok(waiting)
    }

    /// Reads the forwarded records whose inputs are gone.
    fn forwarded(&self, gathering: &mut Gathering<'_>, inputs: &[Range]) -> Result<(), Failure> {
        let ranges = self.0.query.ranges(&[&self.0.config.forwarded_topic()])?;
        self.0
            .each_forwarded(&self.0.of_customer(&ranges), |record, unwrapped| {
                let origin = &unwrapped.origin;
                let mut inputs = inputs.iter();
                let is_there = inputs.any(|range| {
                    range.topic == origin.topic
                        && range.partition == origin.partition
                        && range.from <= origin.offset
                });
                match is_there {
                    true => Ok(()),
                    false => gathering.record(&Received::forwarded(unwrapped, record.value())),
                }
            })
    }

    /// The newest record that a compacted topic has of the customer.
    fn newest(&self, what: &'static str, topic: &str) -> Result<Newest, Failure> {
        let ranges = self.0.of_customer(&self.0.query.ranges(&[topic])?);
        let mut newest = Newest {
            partition: ranges.first().map_or(0, |range| range.partition),
            offset: None,
            value: None,
        };
        self.0.each(what, &ranges, |record| {
            if record.key() == Some(self.0.id.as_bytes()) {
                newest.offset = Some(record.offset);
                newest.value = record.value().map(<[u8]>::to_vec);
            }
            Ok(())
        })?;
        Ok(newest)
    }

    fn state(&self) -> Result<Option<Customer>, Failure> {
        let newest = self.newest("reading states", &self.0.config.state_topic())?;
        let Some(state) = newest.value else {
            return Ok(None);
        };
        let customer = Customer::decode(state);
        let customer = customer.map_err(|error| Failure::Service(error.to_string()))?;
        Ok(Some(customer))
    }

    fn published(&self, explanation: &Explanation, newest: Newest) -> Published {
        let Newest {
            partition,
            offset,
            value,
        } = newest;
        let expected = explanation.snapshot.as_deref();
        let differences = match (expected, value.as_deref()) {
            (None, None) => Vec::new(),
            (Some(expected), Some(found)) => match reader_of(self.0.config)(found) {
                Some(found) => pointers(expected, &found),
                None => vec![String::new()],
            },
            _ => vec![String::new()],
        };
        Published {
            topic: self.0.config.snapshot.topic.clone(),
            partition,
            offset,
            value,
            differences,
        }
    }
}
