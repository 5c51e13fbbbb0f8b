//! `replay --wait`: how each record that was sent ended.
//!
//! The group's committed offsets must be behind every record that was sent, and behind every record that was in the
//! forwarded topic by then: what a sent record led to is among those, because it was committed together with it. What
//! was rejected again is then in the dead-letter topic, and says which letter it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::settling::SentRecord;
use crate::cli::dlq::list::write_json;
use crate::cli::output::{Output, plain, say, table};
use crate::cli::processed::{Behind, behind_forwarded, tell_if_nobody_works, wait_for};
use crate::config::{Config, Tombstone};
use crate::exit::Failure;
use crate::inspect::letter::{Letter, LetterId, REPLAYED};
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::cluster::Cluster;
use crate::kafka::range_reader::{LogQuery, Range, RangeReader};

/// What must be processed before the end of each record is known.
pub struct Waiting<'c> {
    config: &'c Config,
    query: LogQuery,
    /// The ends of the dead-letter topic before anything was sent.
    before: Vec<Range>,
    sent: BTreeMap<LetterId, SentRecord>,
}

/// A letter that a record became again.
#[derive(Debug, Serialize)]
struct Again {
    letter: LetterId,
    code: String,
}

/// How a record ended.
#[derive(Debug, Serialize)]
struct Ended {
    letter: LetterId,
    ended: &'static str,
    /// Of a batch, each of its new letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    again: Vec<Again>,
}

impl<'c> Waiting<'c> {
    /// Must be made before anything is sent.
    pub fn new(config: &'c Config) -> Result<Waiting<'c>, Failure> {
        let query = LogQuery::connect(ClientSettings::from(config), Isolation::Uncommitted)?;
        Ok(Waiting {
            before: query.ranges(&[&config.dead_letters.topic])?,
            query,
            config,
            sent: BTreeMap::new(),
        })
    }

    pub fn add(&mut self, sent: Vec<SentRecord>) {
        self.sent
            .extend(sent.into_iter().map(|record| (record.letter, record)));
    }

    /// Waits, and tells how each record ended. Returns whether one was not merged.
    pub fn finish(self, cluster: &Cluster, output: Output) -> Result<bool, Failure> {
        if self.sent.is_empty() {
            return Ok(false);
        }
        self.wait_for(cluster, &self.behind()?)?;
        let forwarded = behind_forwarded(&self.query, &self.config.forwarded_topic())?;
        self.wait_for(cluster, &forwarded)?;
        let taken = self.taken()?;
        let mut rejected = self.rejected()?;
        let ended = self.sent.values().map(|record| {
            let again = rejected.remove(&record.letter).unwrap_or_default();
            Ended {
                letter: record.letter,
                ended: match () {
                    () if !again.is_empty() => "rejected",
                    () if taken.contains(&record.letter) => "unknown",
                    () => self.merged(record),
                },
                again,
            }
        });
        let ended: Vec<Ended> = ended.collect();
        tell(&ended, output)?;
        let is_bad = |one: &Ended| matches!(one.ended, "rejected" | "unknown");
        Ok(ended.iter().any(is_bad))
    }

    /// The offset behind the last record that was sent, by topic and partition.
    fn behind(&self) -> Result<Behind, Failure> {
        let mut behind = Behind::new();
        for record in self.sent.values() {
            let offset = match record.offset {
                Some(offset) => offset + 1,
                // Where it went is not known, so all that is there now is waited for.
                None => self
                    .range(&record.topic, record.partition)?
                    .map_or(0, |range| range.end),
            };
            let last = behind.entry((record.topic.clone(), record.partition));
            let last = last.or_default();
            *last = (*last).max(offset);
        }
        Ok(behind)
    }

    fn range(&self, topic: &str, partition: i32) -> Result<Option<Range>, Failure> {
        let mut ranges = self.query.ranges(&[topic])?.into_iter();
        Ok(ranges.find(|range| range.partition == partition))
    }

    fn wait_for(&self, cluster: &Cluster, behind: &Behind) -> Result<(), Failure> {
        let group = &self.config.application_id;
        wait_for(&self.query, behind, None, |left| {
            eprintln!(
                "waiting until {group} has processed {left} partitions; what was sent is sent, and this may be ended at any time"
            );
            tell_if_nobody_works(cluster, group, "what was sent is processed when one does");
        })?;
        Ok(())
    }

    /// The letters whose records retention has taken: nobody knows whether keyfold had read them before.
    fn taken(&self) -> Result<BTreeSet<LetterId>, Failure> {
        let topics: BTreeSet<&str> = self.sent.values().map(|one| one.topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let ranges = self.query.ranges(&topics)?;
        let is_taken = |record: &&SentRecord| {
            let mut ranges = ranges.iter();
            let range = ranges
                .find(|range| range.topic == record.topic && range.partition == record.partition);
            let offset = record.offset;
            offset.is_some_and(|offset| range.is_none_or(|range| offset < range.from))
        };
        let taken = self.sent.values().filter(is_taken);
        Ok(taken.map(|record| record.letter).collect())
    }

    /// What a record that was not rejected did.
    fn merged(&self, record: &SentRecord) -> &'static str {
        let sources = &self.config.sources;
        let source = sources.source_of(&record.topic);
        let tombstone = source
            .and_then(|source| sources.get(source))
            .map(|one| one.tombstone);
        match (record.is_null, tombstone) {
            (true, Some(Tombstone::Erase)) => "erased",
            (true, Some(Tombstone::Retract)) => "retracted",
            _ => "merged",
        }
    }

    /// The letters that were rejected again, each with its new letters.
    fn rejected(&self) -> Result<BTreeMap<LetterId, Vec<Again>>, Failure> {
        let mut ranges = self.query.ranges(&[&self.config.dead_letters.topic])?;
        for range in &mut ranges {
            let mut before = self.before.iter();
            let before = before.find(|before| before.partition == range.partition);
            let end = before.map_or(0, |before| before.end);
            range.from = end.clamp(range.from, range.end);
        }
        let settings = ClientSettings::from(self.config);
        let mut reader = RangeReader::open(settings, Isolation::Committed, ranges)?;
        let mut rejected: BTreeMap<LetterId, Vec<Again>> = BTreeMap::new();
        reader.read::<Failure>(
            |record| {
                let id = LetterId {
                    partition: record.partition,
                    offset: record.offset,
                };
                let headers = record.headers();
                let parts = (record.key(), record.value());
                let Some(letter) = Letter::read(id, record.timestamp(), parts, &headers) else {
                    return Ok(());
                };
                let mut own = letter.headers.iter().rev();
                let replayed = own.find(|(name, _)| *name == REPLAYED);
                let replayed = replayed.and_then(|(_, value)| std::str::from_utf8((*value)?).ok());
                let replayed: Option<LetterId> = replayed.and_then(|text| text.parse().ok());
                if let Some(replayed) = replayed.filter(|id| self.sent.contains_key(id))
                    && letter.application == self.config.application_id
                {
                    rejected.entry(replayed).or_default().push(Again {
                        letter: id,
                        code: letter.code.to_owned(),
                    });
                }
                Ok(())
            },
            |_| Ok(()),
        )?;
        Ok(rejected)
    }
}

fn tell(ended: &[Ended], output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        let mut text = Vec::new();
        let written = ended.iter().try_for_each(|one| write_json(&mut text, one));
        written.map_err(Failure::writing("standard output"))?;
        return say(String::from_utf8_lossy(&text).trim_end());
    }
    let heading = ["LETTER", "ENDED", "AGAIN", "CODE"].map(str::to_owned);
    let mut rows = vec![heading];
    for one in ended {
        let (letter, word) = (one.letter.to_string(), one.ended.to_owned());
        if one.again.is_empty() {
            rows.push([letter.clone(), word.clone(), String::new(), String::new()]);
        }
        for again in &one.again {
            let code = plain(&again.code).into_owned();
            rows.push([letter.clone(), word.clone(), again.letter.to_string(), code]);
        }
    }
    say(&table(&rows))?;
    if ended.iter().any(|one| one.ended == "unknown") {
        eprintln!(
            "unknown: retention has taken the record, and whether keyfold had read it before is not known"
        );
    }
    Ok(())
}
