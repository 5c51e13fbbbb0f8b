//! What is looked at before anything is sent: which topics the letters go to, what these take, and what this client may do.

use std::collections::{BTreeMap, BTreeSet};

use super::edited::Edited;
use super::named::{self, NoLetter};
use super::scan::Scan;
use super::settling::ready;
use super::tally::Tally;
use crate::exit::Failure;
use crate::inspect::letter::LetterId;
use crate::inspect::letter::filter::Filter;
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::operators::Needed;
use crate::kafka::range_reader::{LogQuery, ReadError};
use crate::kafka::topic_acceptance::Acceptance;

/// A topic that letters came from.
pub enum Target {
    Topic {
        partitions: i32,
        /// None: its settings cannot be read.
        takes: Option<Acceptance>,
    },
    /// It does not exist any more.
    Gone,
}

/// What was found.
pub struct Ahead {
    pub targets: BTreeMap<String, Target>,
    /// Why nothing can be sent, with what mends it.
    pub ready: Result<(), Failure>,
}

/// What a command is asked to do.
pub struct Asked<'a> {
    pub filter: &'a Filter,
    pub edited: Option<&'a Edited>,
    pub executes: bool,
    pub waits: bool,
}

impl Ahead {
    /// Looks at the topics of the letters that a filter leaves and that are not settled.
    ///
    /// # Errors
    /// If a line of the file is of another record.
    pub fn look(scan: &mut Scan<'_>, asked: &Asked<'_>) -> Result<Ahead, Failure> {
        let topics = topics(scan, asked)?;
        let needed = Needed {
            takes_over: asked.executes,
            group: asked.waits,
            ..Needed::to_send_letters(scan.config, &topics)
        };
        let ready = ready(&scan.cluster, scan.config, &needed, asked.executes);
        let targets = match ready {
            Err(_) if asked.executes => BTreeMap::new(),
            _ => targets(scan, topics)?,
        };
        Ok(Ahead { targets, ready })
    }

    /// The largest batch of records that all topics take, in bytes, the topic of the settlements included.
    pub fn batch_bytes(&self, scan: &Scan<'_>) -> Result<usize, Failure> {
        let settled = scan.cluster.max_record_bytes(&scan.config.settled_topic());
        let settled = settled.map_err(|error| Failure::Service(error.reason()))?;
        let of_targets = self.targets.values().filter_map(|target| match target {
            Target::Topic { takes, .. } => takes.map(|takes| takes.max_bytes),
            Target::Gone => None,
        });
        Ok(of_targets.fold(settled, usize::min))
    }
}

/// Checks that the names of a filter are those of letters of this application. Lines of a file whose letters are gone are counted: a file
/// may be older than retention.
///
/// # Errors
/// With what each of the others is.
pub fn check_names(
    scan: &Scan<'_>,
    filter: &Filter,
    is_file: bool,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let letters: Vec<LetterId> = filter.ids.iter().copied().collect();
    let mut none = named::look(scan, &letters)?;
    if is_file {
        none.retain(|_, why| {
            let is_gone = matches!(why, NoLetter::Taken(_) | NoLetter::NoRecord);
            tally.gone += u64::from(is_gone);
            !is_gone
        });
    }
    match named::failure(&scan.config.dead_letters.topic, &none) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The topics of the letters that are not settled.
fn topics(scan: &mut Scan<'_>, asked: &Asked<'_>) -> Result<BTreeSet<String>, Failure> {
    let config = scan.config;
    let settlements = scan.settlements([])?;
    let mut topics = BTreeSet::new();
    scan.read(
        "looking at the topics of the letters",
        asked.filter,
        &settlements,
        |found| {
            let letter = found.letter;
            if let Some(edited) = asked.edited {
                edited.line(letter.id)?.check(&letter)?;
            }
            let is_input = config.sources.source_of(letter.topic).is_some();
            if is_input && found.settled.is_none() && !topics.contains(letter.topic) {
                topics.insert(letter.topic.to_owned());
            }
            Ok(())
        },
    )?;
    Ok(topics)
}

fn targets(scan: &Scan<'_>, topics: BTreeSet<String>) -> Result<BTreeMap<String, Target>, Failure> {
    let query = LogQuery::connect(ClientSettings::from(scan.config), Isolation::Committed)?;
    let mut targets = BTreeMap::new();
    for topic in topics {
        let partitions = match query.partitions(&topic) {
            Ok(partitions) => partitions,
            // That it may not be seen is told as a missing permission.
            Err(ReadError::Refused { .. }) => 0,
            Err(ReadError::NoTopic(_)) => {
                targets.insert(topic, Target::Gone);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let takes = scan.cluster.acceptance_of(&[&topic]);
        let takes = takes.map_err(|error| Failure::Service(error.reason()))?;
        let takes = takes.into_iter().next().flatten();
        targets.insert(topic, Target::Topic { partitions, takes });
    }
    Ok(targets)
}
