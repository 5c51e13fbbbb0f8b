//! The watch: one thread a process looks, every two seconds, at what no worker would see by itself: topics that are gone or
//! were created anew, members of the group that are not keyfold, and partitions that nobody works at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lags::Lags;
use super::signals::Stop;
use crate::engine::Settings;
use crate::kafka::description;
use crate::kafka::ends::Ends;
use crate::kafka::members::{self, Member};
use crate::kafka::topics::Cluster;
use crate::serve::{Health, Metrics};

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(2);
/// The longest wait for an answer.
const ASK: Duration = Duration::from_secs(5);
/// A topic that is away for so long is gone. One that is created anew is away for a moment.
const GONE: Duration = Duration::from_secs(8);
/// How many members are named, of those that are not keyfold in `/readyz`, and of those that are waited for in the log.
const NAMED: usize = 3;
/// A rebalance that takes longer waits for somebody.
const LONG: Duration = Duration::from_secs(4);

/// The `client.id` and the host of a member that is not keyfold.
type Stranger = (String, String);

/// How long a worker that was a member is remembered: longer than its session, and than its transaction may live.
const REMEMBERED: Duration = Duration::from_secs(120);

/// What was seen of the topics and the group, for the workers.
#[derive(Debug, Default)]
pub struct Seen {
    pub round: u64,
    /// Ids of topics by their names, where the brokers have ids.
    pub ids: BTreeMap<String, String>,
    /// A topic that is gone.
    pub gone: Option<String>,
    /// The transactional ids of workers without a name that are members of the group, or were a while ago.
    pub workers: Vec<String>,
}

pub type Watched = Arc<Mutex<Seen>>;

pub struct Watch {
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub cluster: Arc<Cluster>,
    pub watched: Watched,
    /// This instance, as [`Member::instance`] names it.
    pub instance: String,
    pub stop: Stop,
}

impl Watch {
    pub fn run(self) {
        let mut away: BTreeMap<String, Instant> = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        let mut lags = Lags::default();
        let mut rebalancing = Rebalancing::default();
        let mut workers = BTreeMap::new();
        let mut next = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(100));
            if Instant::now() < next {
                continue;
            }
            let ends = self.cluster.ends();
            // errors of the cluster as a whole are the workers' affair
            ends.last_trouble();
            self.look_at_topics(ends, &mut away);
            let members = self.look_at_members(ends, &mut foreign);
            self.remember(members.as_deref(), &mut workers);
            // one that has nothing to do is ready
            let unready = members
                .as_deref()
                .filter(|_| self.health.ready(Instant::now()).is_err());
            let waits = rebalancing.waits_for(unready, &self.instance);
            if let Some(names) = waits {
                tracing::warn!(
                    members = names,
                    "the group waits for members that it knows by their instance_id: those that are gone keep their partitions until their session ends (session.timeout.ms, 45 s by default)"
                );
            }
            lags.look(
                &self.settings,
                &self.metrics,
                ends,
                members.as_deref(),
                &self.instance,
            );
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
        let Ok(all) = description::ids(ends.client(), &names, ASK) else {
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

    /// Remembers the workers that are members now, and tells the others of those that were.
    fn remember(&self, members: Option<&[Member]>, workers: &mut BTreeMap<String, Instant>) {
        let group = &self.settings.config.application_id;
        let now = Instant::now();
        let seen = members.unwrap_or_default().iter();
        workers.extend(seen.filter_map(|member| Some((member.unnamed_worker(group)?, now))));
        workers.retain(|_, seen| seen.elapsed() < REMEMBERED);
        if let Ok(mut watched) = self.watched.lock() {
            watched.workers = workers.keys().cloned().collect();
        }
    }

    /// Counts and names the members of the group that are not keyfold. The others, where the group tells of its members.
    fn look_at_members(&self, ends: &Ends, before: &mut BTreeSet<Stranger>) -> Option<Vec<Member>> {
        let config = &self.settings.config;
        let group = &config.application_id;
        // of a group whose members are not told, nothing is said
        let members = members::of(ends.client(), group, ASK).ok()?;
        let client_id = config.kafka.properties.get("client.id").unwrap_or(group);
        let told = members.is_some();
        let (keyfold, foreign): (Vec<Member>, Vec<Member>) = members
            .unwrap_or_default()
            .into_iter()
            .partition(|member| member.is_keyfold(client_id, group));
        self.metrics.foreign_members(foreign.len());
        let named: BTreeSet<Stranger> = foreign
            .into_iter()
            .map(|member| (member.client_id, member.host))
            .collect();
        for (client_id, host) in named.difference(before) {
            tracing::error!(
                group,
                client_id,
                host,
                "a member of the group is not keyfold: records of the partitions that it owns are not processed, and what it commits may pass over records. Stop it, or give it a group of its own"
            );
        }
        for (client_id, host) in before.difference(&named) {
            tracing::info!(
                group,
                client_id,
                host,
                "the member of the group that was not keyfold is gone"
            );
        }
        self.health.group_problem(said(group, &named));
        *before = named;
        told.then_some(keyfold)
    }
}

/// A rebalance in which this instance waits for its partitions.
#[derive(Default)]
struct Rebalancing {
    since: Option<Instant>,
    said: bool,
}

impl Rebalancing {
    /// Whom a long rebalance waits for, told once: members of other instances that have a name, which the group
    /// expects back.
    fn waits_for(&mut self, members: Option<&[Member]>, own: &str) -> Option<String> {
        let members = members.unwrap_or_default();
        // whoever is new has no partition until the group has rebalanced
        let mut mine = members.iter().filter(|member| member.instance() == own);
        let is_on = mine.next().is_some_and(|first| first.assigned.is_empty())
            && mine.all(|member| member.assigned.is_empty());
        if !is_on {
            *self = Rebalancing::default();
            return None;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let others = members.iter().filter(|member| member.instance() != own);
        let names: Vec<&str> = others.filter_map(Member::name).take(NAMED).collect();
        if self.said || names.is_empty() || since.elapsed() < LONG {
            return None;
        }
        self.said = true;
        Some(names.join(", "))
    }
}

/// What `/readyz` says of members that are not keyfold.
fn said(group: &str, foreign: &BTreeSet<Stranger>) -> Option<String> {
    let named = |(client_id, host): &Stranger| format!("{client_id} at {host}");
    let mut names: Vec<String> = foreign.iter().take(NAMED).map(named).collect();
    if foreign.len() > NAMED {
        names.push(format!("{} more", foreign.len() - NAMED));
    }
    (!foreign.is_empty()).then(|| {
        format!(
            "the group {group} has members that are not keyfold, and take records from it: {}. Give them a group of their own",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_and_the_others_counted() {
        let all = |count: usize| {
            let member = |n| (format!("kcat-{n}"), "/10.0.0.1".to_owned());
            said("keyfold", &(0..count).map(member).collect())
        };
        assert_eq!(all(0), None);
        assert!(all(1).is_some_and(|said| said.contains(": kcat-0 at /10.0.0.1.")));
        assert!(all(5).is_some_and(|said| said.contains("kcat-2 at /10.0.0.1, 2 more.")));
    }
}
