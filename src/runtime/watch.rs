//! The watch: one thread of a process checks, every two seconds, what no worker would notice by itself: topics that
//! were deleted or recreated, members of the group that are not keyfold, and partitions that no instance works on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::group_lag::GroupLag;
use super::signals::Stop;
use crate::kafka::cluster::Cluster;
use crate::kafka::description::{self, TopicId};
use crate::kafka::members::{self, Member};
use crate::kafka::query_client::QueryClient;
use crate::serve::board::{Group, Instance};
use crate::serve::{Board, Health, Metrics};

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(2);
/// The timeout of a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A topic that is missing for this long counts as deleted. A topic that is being recreated is missing only for a
/// moment.
const DELETED_AFTER: Duration = Duration::from_secs(8);
/// How many members a message names.
const MAX_NAMED: usize = 3;
/// A rebalance that takes longer than this waits for a member.
const LONG_REBALANCE: Duration = Duration::from_secs(4);
/// How long a worker that was a member is remembered: longer than its session, and longer than its transaction may stay
/// open.
const REMEMBER_FOR: Duration = Duration::from_secs(120);

/// The `client.id` and the host of a member that is not keyfold.
type ForeignMember = (String, String);

/// What the watch has seen of the topics and the group, for the workers.
#[derive(Debug, Default)]
pub struct Seen {
    pub round: u64,
    /// Ids of topics by their names, if the brokers have topic ids.
    pub ids: BTreeMap<String, String>,
    /// A topic that was deleted.
    pub gone: Option<String>,
    /// The transactional ids of workers without an `instance_id` that are members of the group, or were recently.
    pub workers: Vec<String>,
}

pub type Watched = Arc<Mutex<Seen>>;

pub struct Watch {
    /// The `application_id`.
    pub group: String,
    /// The beginning of the `client.id` of keyfold's members.
    pub client_id: String,
    /// This instance, as [`Member::instance`] names it.
    pub instance: String,
    /// All topics that are read or written.
    pub topics: Vec<String>,
    pub group_lag: GroupLag,
    pub cluster: Arc<Cluster>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub board: Arc<Board>,
    pub watched: Watched,
    pub stop: Stop,
}

impl Watch {
    pub fn run(mut self) {
        let cluster = Arc::clone(&self.cluster);
        let query = cluster.query();
        let mut missing = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        let mut rebalance = Rebalance::default();
        let mut workers = BTreeMap::new();
        let mut next = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(100));
            if Instant::now() < next {
                continue;
            }
            // discards the last error: the workers report errors of the cluster as a whole
            query.last_error();
            self.check_topics(query, &mut missing);
            let members = self.check_members(query, &mut foreign);
            let members = members.as_deref();
            self.remember_workers(members, &mut workers);
            self.check_rebalance(members, &mut rebalance);
            self.group_lag
                .refresh(&self.metrics, query, members, &self.instance);
            self.board.set_group(Group {
                instances: instances(members.unwrap_or_default()),
                partitions: self.group_lag.partitions(),
            });
            next = Instant::now() + INTERVAL;
        }
    }

    /// Reads the ids of the topics, and detects which topics were deleted. `missing`: since when topics are missing.
    fn check_topics(&self, query: &QueryClient, missing: &mut BTreeMap<String, Instant>) {
        let names: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let Ok(all) = description::topic_ids(query.client(), &names, ANSWER_TIMEOUT) else {
            return;
        };
        let mut ids = BTreeMap::new();
        for (name, id) in names.into_iter().zip(all) {
            match id {
                TopicId::NoTopic(_) => {
                    missing.entry(name.to_owned()).or_insert_with(Instant::now);
                }
                TopicId::Known(id) => {
                    missing.remove(name);
                    ids.insert(name.to_owned(), id);
                }
                TopicId::Unsupported => drop(missing.remove(name)),
                TopicId::Failed(_) => {}
            }
        }
        let gone = missing
            .iter()
            .find(|(_, since)| since.elapsed() > DELETED_AFTER);
        if let Ok(mut watched) = self.watched.lock() {
            watched.round += 1;
            watched.ids = ids;
            watched.gone = gone.map(|(name, _)| name.clone());
        }
    }

    /// Remembers the workers that are members now, and makes them known to the workers of this process together with
    /// those that were members recently.
    fn remember_workers(
        &self,
        members: Option<&[Member]>,
        workers: &mut BTreeMap<String, Instant>,
    ) {
        let now = Instant::now();
        let members = members.unwrap_or_default().iter();
        workers.extend(members.filter_map(|one| Some((one.unnamed_worker(&self.group)?, now))));
        workers.retain(|_, seen| seen.elapsed() < REMEMBER_FOR);
        if let Ok(mut watched) = self.watched.lock() {
            watched.workers = workers.keys().cloned().collect();
        }
    }

    /// Reports the members of the group that are not keyfold, and returns those that are, `None` if the members are not
    /// known. `before`: the members that were not keyfold in the last round.
    fn check_members(
        &self,
        query: &QueryClient,
        before: &mut BTreeSet<ForeignMember>,
    ) -> Option<Vec<Member>> {
        let group = &self.group;
        let members = members::describe_group(query.client(), group, ANSWER_TIMEOUT).ok()?;
        let are_members_known = members.is_some();
        let (keyfold, foreign): (Vec<Member>, Vec<Member>) = members
            .unwrap_or_default()
            .into_iter()
            .partition(|member| member.is_keyfold(&self.client_id, group));
        self.metrics.foreign_members(foreign.len());
        let foreign: BTreeSet<ForeignMember> = foreign
            .into_iter()
            .map(|member| (member.client_id, member.host))
            .collect();
        for (client_id, host) in foreign.difference(before) {
            tracing::error!(
                group,
                client_id,
                host,
                "a member of the group is not keyfold: records of the partitions that it owns are not processed, and what it commits may pass over records. Stop it, or give it a group of its own"
            );
        }
        for (client_id, host) in before.difference(&foreign) {
            tracing::info!(
                group,
                client_id,
                host,
                "the member of the group that was not keyfold is gone"
            );
        }
        self.health.group_problem(group_problem(group, &foreign));
        *before = foreign;
        are_members_known.then_some(keyfold)
    }

    /// Logs which members a long rebalance waits for. An instance that is ready is not waiting for a rebalance, even if
    /// it has no partitions.
    fn check_rebalance(&self, members: Option<&[Member]>, rebalance: &mut Rebalance) {
        let is_ready = self.health.ready(Instant::now()).is_ok();
        let members = members.filter(|_| !is_ready).unwrap_or_default();
        if let Some(members) = rebalance.waits_for(members, &self.instance) {
            tracing::warn!(
                members,
                "the group waits for members that it knows by their instance_id: those that are gone keep their partitions until their session ends (session.timeout.ms, 45 s by default)"
            );
        }
    }
}

/// The instances that the members belong to, by name.
fn instances(members: &[Member]) -> Vec<Instance> {
    let mut all: BTreeMap<&str, Instance> = BTreeMap::new();
    for member in members {
        let instance = all.entry(member.instance()).or_insert_with(|| Instance {
            name: member.instance().to_owned(),
            host: member.host.clone(),
            workers: 0,
            partitions: 0,
        });
        instance.workers += 1;
        instance.partitions += member.assigned.len();
    }
    all.into_values().collect()
}

/// A rebalance in which this instance waits for its partitions.
#[derive(Default)]
struct Rebalance {
    since: Option<Instant>,
    is_logged: bool,
}

impl Rebalance {
    /// Which members a long rebalance waits for, once for each rebalance: those of other instances that have an
    /// `instance_id`, because the group expects them back.
    fn waits_for(&mut self, members: &[Member], own: &str) -> Option<String> {
        // a new member has no partition until the group has rebalanced
        let mut mine = members.iter().filter(|member| member.instance() == own);
        let is_ongoing = mine.next().is_some_and(|first| first.assigned.is_empty())
            && mine.all(|member| member.assigned.is_empty());
        if !is_ongoing {
            *self = Rebalance::default();
            return None;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let others = members.iter().filter(|member| member.instance() != own);
        let names: Vec<&str> = others.filter_map(Member::name).take(MAX_NAMED).collect();
        if self.is_logged || names.is_empty() || since.elapsed() < LONG_REBALANCE {
            return None;
        }
        self.is_logged = true;
        Some(names.join(", "))
    }
}

/// The message in `/readyz` about members that are not keyfold.
fn group_problem(group: &str, foreign: &BTreeSet<ForeignMember>) -> Option<String> {
    let named = |(client_id, host): &ForeignMember| format!("{client_id} at {host}");
    let mut names: Vec<String> = foreign.iter().take(MAX_NAMED).map(named).collect();
    if foreign.len() > MAX_NAMED {
        names.push(format!("{} more", foreign.len() - MAX_NAMED));
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
    fn some_foreign_members_are_named_and_the_others_counted() {
        let all = |count: usize| {
            let member = |n| (format!("kcat-{n}"), "/10.0.0.1".to_owned());
            group_problem("keyfold", &(0..count).map(member).collect())
        };
        assert_eq!(all(0), None);
        assert!(all(1).is_some_and(|text| text.contains(": kcat-0 at /10.0.0.1.")));
        assert!(all(5).is_some_and(|text| text.contains("kcat-2 at /10.0.0.1, 2 more.")));
    }
}
