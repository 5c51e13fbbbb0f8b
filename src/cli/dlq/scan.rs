//! Reads the dead letters up to the end that was there when the command began, and which of them are settled.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::permissions;
use crate::cli::progress::Bar;
use crate::cli::record_judge::RecordJudge;
use crate::config::Config;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::letter::filter::Filter;
use crate::inspect::letter::now::{self, Judge, Now};
use crate::inspect::letter::settled::{How, Settlements};
use crate::inspect::letter::{Letter, LetterId};
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::cluster::Cluster;
use crate::kafka::operators::Needed;
use crate::kafka::range_reader::{LogQuery, Order, Range, RangeReader, ReadError};
use crate::model::record::{Header, Rejection};
use crate::source::Verdict;
use crate::source::framing::Payload;

/// What the dead-letter topic holds beside the letters that a command is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    pub not_letters: u64,
    pub of_other_applications: u64,
    /// Settled letters that match the filters.
    pub settled: u64,
    /// Taken by retention while the command read.
    pub lost: u64,
}

/// A letter that was read.
pub struct Found<'a> {
    pub letter: Letter<'a>,
    pub settled: Option<How>,
    /// All of its headers.
    pub headers: &'a [Header<'a>],
}

/// The dead-letter topic, as it was when the command began.
pub struct Scan<'c> {
    pub config: &'c Config,
    pub cluster: Cluster,
    /// All partitions, to the last record that was committed.
    pub ranges: Vec<Range>,
    pub topic_id: Option<String>,
    pub beside: Beside,
}

impl<'c> Scan<'c> {
    pub fn open(config: &'c Config) -> Result<Scan<'c>, Failure> {
        let cluster = Cluster::connect(config.into(), || false)?;
        permissions::check(&cluster, config, &Needed::to_read_letters(config))?;
        let topic = config.dead_letters.topic.as_str();
        let query = LogQuery::connect(config.into(), Isolation::Committed)?;
        let ranges = query.ranges(&[topic])?;
        Ok(Scan {
            config,
            topic_id: cluster.topic_id(topic)?,
            cluster,
            ranges,
            beside: Beside::default(),
        })
    }

    fn settings(&self) -> ClientSettings<'c> {
        ClientSettings::from(self.config)
    }

    /// The first offset of each partition.
    pub fn starts(&self) -> BTreeMap<i32, i64> {
        let ranges = self.ranges.iter();
        ranges.map(|range| (range.partition, range.from)).collect()
    }

    /// Reads the settlements as they are now, those of transactions that are being committed included.
    pub fn settlements(
        &self,
        details: impl IntoIterator<Item = LetterId>,
    ) -> Result<Settlements, Failure> {
        let topic = &self.config.dead_letters.topic;
        let mut settlements = Settlements::new(topic, self.topic_id.as_deref(), details);
        let settled = self.config.settled_topic();
        let query = LogQuery::connect(self.settings(), Isolation::Uncommitted)?;
        let ranges = match query.ranges(&[&settled]) {
            Ok(ranges) => ranges,
            // Nothing was ever settled.
            Err(ReadError::NoTopic(_)) => return Ok(settlements),
            Err(error) => return Err(error.into()),
        };
        let mut reader = RangeReader::open(self.settings(), Isolation::Committed, ranges)?;
        let mut bar = Bar::new("reading what is settled");
        reader.read::<Failure>(
            |record| {
                settlements.take(record.key(), record.value());
                Ok(())
            },
            |progress| {
                bar.reading(progress);
                Ok(())
            },
        )?;
        Ok(settlements)
    }

    /// The ranges that may hold letters of a filter.
    fn ranges_for(&self, filter: &Filter) -> Result<Vec<Range>, Failure> {
        let mut ranges = self.ranges.clone();
        if !filter.ids.is_empty() {
            ranges.retain_mut(|range| {
                let ids = filter.ids.iter();
                let ids = ids.filter(|id| id.partition == range.partition);
                let offsets: BTreeSet<i64> = ids.map(|id| id.offset).collect();
                let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
                    return false;
                };
                range.from = range.from.max(*first).min(range.end);
                range.end = range.end.min(last.saturating_add(1)).max(range.from);
                true
            });
        }
        if let Some(since) = filter.since {
            let query = LogQuery::connect(self.settings(), Isolation::Committed)?;
            query.begin_at(&mut ranges, since)?;
        }
        Ok(ranges)
    }

    /// Reads the letters that match a filter, in the order of their names, each with how it is settled.
    pub fn read(
        &mut self,
        what: &'static str,
        filter: &Filter,
        settlements: &Settlements,
        mut each: impl FnMut(Found<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let ranges = self.ranges_for(filter)?;
        let settings = self.settings();
        let mut reader =
            RangeReader::open_in(Order::OneByOne, settings, Isolation::Committed, ranges)?;
        let mut beside = Beside::default();
        let mut bar = Bar::new(what);
        reader.read::<Failure>(
            |record| {
                let id = LetterId {
                    partition: record.partition,
                    offset: record.offset,
                };
                let parts = (record.key(), record.value());
                let headers = record.headers();
                let Some(letter) = Letter::read(id, record.timestamp(), parts, &headers) else {
                    beside.not_letters += 1;
                    return Ok(());
                };
                if letter.application != self.config.application_id {
                    beside.of_other_applications += 1;
                    return Ok(());
                }
                if !filter.matches(&letter) {
                    return Ok(());
                }
                let settled = settlements.of(id);
                beside.settled += u64::from(settled.is_some());
                each(Found {
                    letter,
                    settled,
                    headers: &headers,
                })
            },
            |progress| {
                bar.reading(progress);
                Ok(())
            },
        )?;
        beside.lost = reader.lost();
        self.beside = beside;
        Ok(())
    }

    /// Says what else the topic holds.
    pub fn tell_beside(&self, settled: Option<&str>) {
        let Beside {
            not_letters,
            of_other_applications,
            settled: count,
            lost,
        } = self.beside;
        let topic = &self.config.dead_letters.topic;
        if let Some(hint) = settled
            && count > 0
        {
            eprintln!("{count} settled {hint}");
        }
        if of_other_applications > 0 {
            eprintln!("{of_other_applications} in {topic} are of other applications");
        }
        if not_letters > 0 {
            eprintln!("{not_letters} records in {topic} are not dead letters");
        }
        if lost > 0 {
            eprintln!("retention took {lost} offsets while they were read");
        }
    }
}

/// Judges letters as what would be sent of them.
pub struct LetterJudge<'c> {
    config: &'c Config,
    judge: RecordJudge<'c>,
}

impl<'c> LetterJudge<'c> {
    pub fn connect(scan: &Scan<'c>) -> Result<LetterJudge<'c>, Failure> {
        let judge = RecordJudge::connect(scan.config, &scan.cluster)?;
        Ok(LetterJudge::of(scan.config, judge))
    }

    pub fn of(config: &'c Config, judge: RecordJudge<'c>) -> LetterJudge<'c> {
        LetterJudge { config, judge }
    }

    pub fn judge<'a>(&mut self, letter: &Letter<'a>) -> Result<Now<'a>, Failure> {
        now::judge(letter, self.config, &mut self.judge)
    }

    /// Judges a letter that somebody has edited; `original` is the letter as it was.
    pub fn judge_edited<'a>(
        &mut self,
        letter: &Letter<'a>,
        original: &Letter<'_>,
    ) -> Result<Now<'a>, Failure> {
        now::judge_edited(letter, Some(original), self.config, &mut self.judge)
    }
}

impl Judge for RecordJudge<'_> {
    type Error = Failure;

    fn rejection(&mut self, record: &Received<'_>) -> Result<Option<Rejection>, Failure> {
        self.judge(record, |judged| match judged.verdict {
            Verdict::Valid(_) | Verdict::Nothing => None,
            Verdict::Batch { rejection, .. } => rejection,
            Verdict::Rejected(rejection) => Some(rejection),
        })
    }

    fn open<'a>(&mut self, record: &Received<'a>) -> Result<Payload<'a>, Failure> {
        RecordJudge::open(self, record)
    }
}
