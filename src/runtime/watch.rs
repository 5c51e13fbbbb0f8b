//! The watch: one thread a process looks, every two seconds, at what no worker would see by itself: topics that are gone or
//! were created anew, and members of the group that are not keyfold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::signals::Stop;
use crate::kafka::ends::Ends;
use crate::kafka::members::{self, Member};
use crate::kafka::topic_id;
use crate::serve::{Health, Metrics};
use crate::worker::Settings;

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(2);
/// The longest wait for an answer.
const ASK: Duration = Duration::from_secs(5);
/// A topic that is away for so long is gone. One that is created anew is away for a moment.
const GONE: Duration = Duration::from_secs(8);

/// What was seen of the topics, for the workers.
#[derive(Debug, Default)]
pub struct Topics {
    pub round: u64,
    /// Ids by names, where the brokers have ids.
    pub ids: BTreeMap<String, String>,
    /// One that is gone.
    pub gone: Option<String>,
}

pub type Watched = Arc<Mutex<Topics>>;

pub struct Watch {
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub watched: Watched,
    pub stop: Stop,
}

impl Watch {
    pub fn run(self) {
        let mut ends: Option<Ends> = None;
        let mut away: BTreeMap<String, Instant> = BTreeMap::new();
        let mut foreign: Vec<Member> = Vec::new();
        let mut next = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(100));
            if Instant::now() < next {
                continue;
            }
            if ends.is_none() {
                ends = Ends::connect(&self.settings.config).ok();
            }
            if let Some(ends) = &ends {
                // errors of the cluster as a whole are the workers' affair
                ends.last_trouble();
                self.look_at_topics(ends, &mut away);
                self.look_at_members(ends, &mut foreign);
            }
            next = Instant::now() + PERIOD;
        }
    }

    fn look_at_topics(&self, ends: &Ends, away: &mut BTreeMap<String, Instant>) {
        let config = &self.settings.config;
        let consumed = self.settings.topics.iter().map(|topic| topic.name.as_str());
        let written = [
            self.settings.state_topic.as_str(),
            config.snapshot.topic.as_str(),
            config.dead_letters.topic.as_str(),
        ];
        let names: Vec<&str> = consumed.chain(written).collect();
        let Ok(all) = topic_id::of_all(ends.client(), &names, ASK) else {
            return;
        };
        let mut ids = BTreeMap::new();
        for (name, id) in names.into_iter().zip(all) {
            match id {
                Err(unanswered) if unanswered.is_unknown_topic() => {
                    away.entry(name.to_owned()).or_insert_with(Instant::now);
                }
                Ok(id) => {
                    away.remove(name);
                    ids.extend(id.map(|id| (name.to_owned(), id)));
                }
                Err(_) => {}
            }
        }
        let gone = away.iter().find(|(_, since)| since.elapsed() > GONE);
        if let Ok(mut watched) = self.watched.lock() {
            watched.round += 1;
            watched.ids = ids;
            watched.gone = gone.map(|(name, _)| name.clone());
        }
    }

    fn look_at_members(&self, ends: &Ends, before: &mut Vec<Member>) {
        let group = &self.settings.config.application_id;
        let Ok(members) = members::of(ends.client(), group, ASK) else {
            return;
        };
        let mut foreign = members.unwrap_or_default();
        foreign.retain(|member| !member.is_keyfold());
        let is_in = |list: &[Member], member: &Member| {
            list.iter().any(|one| one.member_id == member.member_id)
        };
        for member in &foreign {
            if !is_in(before, member) {
                // its client id is what it says of itself
                tracing::warn!(
                    client_id = ?member.client_id,
                    host = ?member.host,
                    "a member of the group is not keyfold: the records of its partitions are not processed, and what it commits may skip records. Give it a group of its own"
                );
            }
        }
        for member in before.iter() {
            if !is_in(&foreign, member) {
                tracing::info!(
                    client_id = ?member.client_id,
                    host = ?member.host,
                    "a member of the group that is not keyfold is gone"
                );
            }
        }
        self.metrics.foreign_members(foreign.len());
        let said = foreign.first().map(|member| {
            let (id, host) = (&member.client_id, &member.host);
            let others = match foreign.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            format!("the group has a member that is not keyfold: client id {id:?} at {host}{others}; give it a group of its own")
        });
        self.health.group(said);
        *before = foreign;
    }
}
