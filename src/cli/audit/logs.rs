//! The logs that are read: inputs, the forwarded topic, dead letters, states and snapshots, each from where the last
//! reading ended.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::exit::Failure;
use crate::inspect::audit::Moving;
use crate::inspect::audit::cut::InputPartition;
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::log_ranges::{LogQuery, Range};
use crate::kafka::range_reader::{RangeReader, RangeRecord};
use crate::runtime::signals::Stop;

use super::super::progress::Bar;

/// Topic, partition.
type Place = (String, i32);

/// A topic that is read on, again and again.
#[derive(Debug, Default)]
pub struct Followed {
    pub topic: String,
    /// The offset to read next, by partition.
    positions: BTreeMap<i32, i64>,
    /// The first offset of each log, as it was when it was asked last.
    pub begins: Vec<i64>,
}

impl Followed {
    pub fn new(topic: &str) -> Followed {
        Followed {
            topic: topic.to_owned(),
            ..Followed::default()
        }
    }
}

/// The committed offsets of all inputs and of the forwarded topic at one moment.
pub type Committed = BTreeMap<Place, i64>;

pub struct Logs<'c> {
    settings: ClientSettings<'c>,
    committed: LogQuery,
    uncommitted: LogQuery,
    forwarded: String,
    inputs: Vec<String>,
    stop: Stop,
}

impl<'c> Logs<'c> {
    pub fn connect(
        config: &'c Config,
        inputs: Vec<String>,
        stop: Stop,
    ) -> Result<Logs<'c>, Failure> {
        let settings = ClientSettings::from(config);
        Ok(Logs {
            settings,
            committed: LogQuery::connect(settings, Isolation::Committed)?,
            uncommitted: LogQuery::connect(settings, Isolation::Uncommitted)?,
            forwarded: config.forwarded_topic(),
            inputs,
            stop,
        })
    }

    /// The number of a topic's partitions.
    pub fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        Ok(self.uncommitted.partitions(topic)?)
    }

    fn input_ranges(&self) -> Result<Vec<Range>, Failure> {
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        Ok(self.committed.ranges(&inputs)?)
    }

    /// The partitions of the inputs, with these committed offsets.
    pub fn input_partitions(&self, at: &Committed) -> Result<Vec<InputPartition>, Failure> {
        let ranges = self.input_ranges()?.into_iter();
        Ok(ranges
            .map(|range| InputPartition {
                begin: range.from,
                end: range.end,
                committed: at.get(&(range.topic.clone(), range.partition)).copied(),
                topic: range.topic,
                partition: range.partition,
            })
            .collect())
    }

    /// The committed offsets of all inputs and of the forwarded topic, together.
    pub fn committed(&self) -> Result<Committed, Failure> {
        let mut places: Vec<Place> = Vec::new();
        for topic in self.inputs.iter().chain([&self.forwarded]) {
            let partitions = 0..self.committed.partitions(topic)?;
            places.extend(partitions.map(|partition| (topic.clone(), partition)));
        }
        Ok(self.committed.committed(&places)?)
    }

    /// The customers of the records that lie in the forwarded topic behind its committed offset, or did a moment ago.
    pub fn in_flight(&self, at: &Committed) -> Result<Moving, Failure> {
        let mut in_flight = Moving::default();
        let mut ranges = self.uncommitted.ranges(&[&self.forwarded])?;
        for range in &mut ranges {
            if let Some(&next) = at.get(&(range.topic.clone(), range.partition)) {
                if next < range.from {
                    // processed and deleted meanwhile: whose records they were is not known
                    in_flight.open();
                }
                range.from = range.from.max(next);
            }
        }
        let lost = self.read(
            "reading forwarded records",
            Isolation::Uncommitted,
            ranges,
            |record| {
                in_flight.add(record.key().unwrap_or_default());
                Ok(())
            },
        )?;
        if lost.iter().any(|(_, offsets)| *offsets > 0) {
            in_flight.open();
        }
        Ok(in_flight)
    }

    /// Reads the inputs from the offsets `from`, or their begin, to the offsets `to`. Returns the partitions of which
    /// retention has taken records before they could be read.
    pub fn inputs(
        &self,
        from: &Committed,
        to: &Committed,
        each: impl FnMut(&RangeRecord<'_>) -> Result<(), Failure>,
    ) -> Result<Vec<Place>, Failure> {
        let mut ranges = self.input_ranges()?;
        for range in &mut ranges {
            let place = (range.topic.clone(), range.partition);
            let from = from.get(&place).copied().unwrap_or_default();
            range.from = range.from.max(from);
            let to = to.get(&place).copied().unwrap_or_default();
            range.end = range.end.min(to);
        }
        let lost = self.read("reading inputs", Isolation::Committed, ranges, each)?;
        let lost = lost.into_iter().filter(|(_, offsets)| *offsets > 0);
        Ok(lost.map(|(place, _)| place).collect())
    }

    /// Reads the inputs from the offsets `from` on, at most `most` offsets of each partition.
    pub fn inputs_behind(
        &self,
        from: &Committed,
        most: i64,
        each: impl FnMut(&RangeRecord<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut ranges = self.input_ranges()?;
        for range in &mut ranges {
            let place = (range.topic.clone(), range.partition);
            let from = from.get(&place).copied().unwrap_or_default();
            range.from = range.from.max(from);
            range.end = range.end.min(range.from.saturating_add(most));
        }
        self.read("reading inputs", Isolation::Committed, ranges, each)?;
        Ok(())
    }

    /// Reads on in topics, up to the ends of all that is written now. Records of transactions that are open are waited
    /// for.
    pub fn follow<const N: usize>(
        &self,
        what: &'static str,
        mut all: [&mut Followed; N],
        each: impl FnMut(&RangeRecord<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let topics: Vec<String> = all.iter().map(|one| one.topic.clone()).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let mut ranges = self.uncommitted.ranges(&topics)?;
        for followed in &mut all {
            followed.begins.clear();
            let own = ranges.iter_mut();
            for range in own.filter(|range| range.topic == followed.topic) {
                followed.begins.push(range.from);
                let next = followed.positions.insert(range.partition, range.end);
                range.from = range.from.max(next.unwrap_or_default());
            }
        }
        self.read(what, Isolation::Committed, ranges, each)?;
        Ok(())
    }

    /// Reads ranges; returns how many offsets of each retention has taken meanwhile.
    fn read(
        &self,
        what: &'static str,
        isolation: Isolation,
        mut ranges: Vec<Range>,
        each: impl FnMut(&RangeRecord<'_>) -> Result<(), Failure>,
    ) -> Result<Vec<(Place, u64)>, Failure> {
        ranges.retain(|range| range.from < range.end);
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let mut bar = Bar::new(what);
        let mut reader = RangeReader::open(self.settings, isolation, ranges)?;
        reader.read(each, |progress| {
            bar.reading(progress);
            self.check_stop()
        })?;
        let states = reader.states().iter();
        Ok(states
            .map(|state| {
                let place = (state.range.topic.clone(), state.range.partition);
                (place, state.lost)
            })
            .collect())
    }

    /// An error if the command is to end.
    pub fn check_stop(&self) -> Result<(), Failure> {
        match self.stop.is_set() {
            true => Err(Failure::Service(
                "interrupted: the audit is not complete".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Waits, unless the command is to end.
    pub fn wait(&self, duration: std::time::Duration) -> Result<(), Failure> {
        self.stop.wait(duration);
        self.check_stop()
    }
}
