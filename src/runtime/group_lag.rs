//! The lag of partitions that no worker of this process reports, because no instance works on them. One of the live
//! instances reports them, so that their lag does not disappear together with the instance that owned them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::kafka::lag_reader::{LagReader, TopicPartition};
use crate::kafka::members::Member;
use crate::kafka::query_client::QueryClient;
use crate::serve::Metrics;
use crate::serve::board::GroupPartition;
use crate::serve::metrics::lag::{self, Lag};

/// The timeout of a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// An instance that commits nothing for this long, although records wait for it, is considered dead. The group notices
/// that only when its session ends.
const DEAD_AFTER: Duration = Duration::from_secs(3);
/// Time between two reads of the partition counts, which may grow.
const COUNT_INTERVAL: Duration = Duration::from_secs(30);
/// The oldest record of a partition is searched for once it has waited for this long, in milliseconds.
const MIN_WAIT_MILLIS: i64 = 1000;
/// The most time that the searches of one round may take, over all partitions together.
const SEARCH_BUDGET: Duration = Duration::from_millis(800);
/// The least time for the search in one partition; if less is left, the round ends. A record that is not found in the
/// time of its search counts as missing.
const MIN_SEARCH: Duration = Duration::from_millis(300);
/// Time until a position without a found record is searched again. It is long, because each search fetches a whole
/// batch.
const SEARCH_AGAIN: Duration = Duration::from_secs(60);

/// The committed position and the end of a partition at the last round.
#[derive(Debug, Clone, Copy)]
struct Progress {
    position: i64,
    end: i64,
    /// Since when records have been waiting at this position.
    waiting_since: Option<Instant>,
    /// When the position was last seen to have moved.
    moved: Option<Instant>,
}

pub struct GroupLag {
    /// `None` in tests.
    reader: Option<LagReader>,
    topics: Vec<String>,
    partitions: Vec<TopicPartition>,
    counted: Option<Instant>,
    progress: BTreeMap<TopicPartition, Progress>,
    /// The instance that the group assigned each partition to; while it rebalances, the last one known.
    owners: BTreeMap<TopicPartition, String>,
    /// The partitions that no instance works on.
    unowned: BTreeSet<TopicPartition>,
    /// Positions at which no record was found, with the time of the search.
    not_found: BTreeMap<(TopicPartition, i64), Instant>,
}

impl GroupLag {
    /// `topics`: those that the group consumes.
    pub fn new(reader: Option<LagReader>, topics: Vec<String>) -> GroupLag {
        GroupLag {
            reader,
            topics,
            partitions: Vec::new(),
            counted: None,
            progress: BTreeMap::new(),
            owners: BTreeMap::new(),
            unowned: BTreeSet::new(),
            not_found: BTreeMap::new(),
        }
    }

    /// `members`: the group's members that are keyfold, `None` if they are not known; `own`: this instance, as
    /// [`Member::instance`] names it.
    pub fn refresh(
        &mut self,
        metrics: &Metrics,
        query: &QueryClient,
        members: Option<&[Member]>,
        own: &str,
    ) {
        self.count_partitions(query);
        let Some(reader) = self.reader.take() else {
            return;
        };
        if let Err(error) = self.read_progress(query, &reader, Instant::now()) {
            tracing::debug!(%error, "the lag of the group is not known");
        } else {
            let progress = self.progress.iter();
            let ends = progress.map(|(key, progress)| (key.clone(), progress.end));
            metrics.lag.set_ends(ends.collect());
            self.report(metrics, members, own, Instant::now());
        }
        self.find_oldest(&reader, metrics);
        reader.drop_events();
        self.reader = Some(reader);
    }

    /// All partitions of the group, as of the last round.
    pub fn partitions(&self) -> Vec<GroupPartition> {
        let partitions = self.progress.iter();
        let partition = |(key, progress): (&TopicPartition, &Progress)| GroupPartition {
            topic: key.0.clone(),
            partition: key.1,
            position: progress.position,
            end: progress.end,
            owner: self.owners.get(key).cloned(),
            is_unowned: self.unowned.contains(key),
        };
        partitions.map(partition).collect()
    }

    fn count_partitions(&mut self, query: &QueryClient) {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT_INTERVAL) {
            return;
        }
        let mut partitions = Vec::new();
        for topic in &self.topics {
            let Ok(Some(count)) = query.partitions(topic, ANSWER_TIMEOUT) else {
                return;
            };
            partitions.extend((0..count).map(|partition| (topic.clone(), partition)));
        }
        self.partitions = partitions;
        self.counted = Some(Instant::now());
    }

    /// Reads the committed offsets and the ends.
    fn read_progress(
        &mut self,
        query: &QueryClient,
        reader: &LagReader,
        now: Instant,
    ) -> rdkafka::error::KafkaResult<()> {
        let committed = query.committed(&self.partitions, ANSWER_TIMEOUT)?;
        let without_commit = committed.iter().filter(|(_, offset)| offset.is_none());
        let without_commit: Vec<TopicPartition> =
            without_commit.map(|(key, _)| key.clone()).collect();
        let starts = reader.start_offsets(&without_commit, ANSWER_TIMEOUT)?;
        let ends = reader.end_offsets(&self.partitions, ANSWER_TIMEOUT)?;
        let mut progress = BTreeMap::new();
        for (key, end) in ends {
            let answered = committed.get(&key).copied();
            let position = answered.and_then(|offset| offset.or(starts.get(&key).copied()));
            if let Some(position) = position {
                let before = self.progress.get(&key);
                progress.insert(key, Progress::after(before, position, end, now));
            }
        }
        self.progress = progress;
        Ok(())
    }

    fn report(&mut self, metrics: &Metrics, members: Option<&[Member]>, own: &str, now: Instant) {
        let assigned = owners(members.unwrap_or_default());
        let is_assigned = !assigned.is_empty();
        if is_assigned {
            self.owners = assigned;
        }
        let owned = metrics.lag.owned();
        let dead = self.dead_instances(own, now);
        let reports = members.is_none_or(|members| is_first_alive(members, &dead, own));
        let has_left = |owner: &str| {
            members.is_some_and(|all| all.iter().all(|member| member.instance() != owner))
        };
        let mut unowned = BTreeMap::new();
        self.unowned.clear();
        let mut lags = BTreeMap::new();
        for (key, progress) in &self.progress {
            let is_unowned = !owned.all.contains(key)
                && match self.owners.get(key) {
                    Some(owner) => dead.contains(owner) || has_left(owner),
                    None => is_assigned || progress.waits_for(DEAD_AFTER, now),
                };
            let count: &mut i64 = unowned.entry(key.0.clone()).or_default();
            *count += i64::from(is_unowned);
            if is_unowned {
                self.unowned.insert(key.clone());
            }
            // a partition of this instance whose lag its worker does not know yet is reported here, because no other
            // instance reports it
            let is_own = owned.all.contains(key);
            if !owned.reported.contains(key) && (is_own || reports && is_unowned) {
                let lag = Lag {
                    position: progress.position,
                    records: progress.end - progress.position,
                    oldest: None,
                };
                lags.insert(key.clone(), lag);
            }
        }
        if !reports {
            unowned.clear();
        }
        metrics.lag.set_others(lags, lag::millis());
        metrics.lag.set_unowned(&unowned);
    }

    /// Reads the age of the oldest record of partitions in which records wait and no worker has read them, one
    /// partition after the other, because each search fetches a whole batch.
    fn find_oldest(&mut self, reader: &LagReader, metrics: &Metrics) {
        self.not_found.retain(|_, at| at.elapsed() < SEARCH_AGAIN);
        let until = Instant::now() + SEARCH_BUDGET;
        let unknown = metrics
            .lag
            .without_timestamp(MIN_WAIT_MILLIS, lag::millis());
        for (key, position) in unknown {
            let left = until.saturating_duration_since(Instant::now());
            if left < MIN_SEARCH {
                return;
            }
            let at = (key, position);
            if self.not_found.contains_key(&at) {
                continue;
            }
            match reader.timestamp_from(&at.0, position, left) {
                Some(oldest) => metrics.lag.set_oldest(&at.0, position, oldest),
                None => {
                    self.not_found.insert(at, Instant::now());
                }
            }
        }
    }

    /// Instances that are considered dead: records wait for them, and they have committed nothing for a while.
    fn dead_instances(&self, own: &str, now: Instant) -> BTreeSet<String> {
        let mut waited_for = BTreeSet::new();
        let mut alive = BTreeSet::from([own]);
        for (key, owner) in &self.owners {
            let Some(progress) = self.progress.get(key) else {
                continue;
            };
            if progress.waits_for(DEAD_AFTER, now) {
                waited_for.insert(owner.as_str());
            }
            if progress.moved.is_some_and(|at| now - at < DEAD_AFTER) {
                alive.insert(owner);
            }
        }
        let dead = waited_for.difference(&alive);
        dead.map(|owner| (*owner).to_owned()).collect()
    }
}

impl Progress {
    fn after(before: Option<&Progress>, position: i64, end: i64, now: Instant) -> Progress {
        let same_position = before.filter(|before| before.position == position);
        let waiting_since = same_position.and_then(|before| before.waiting_since);
        let moved = match (before, same_position) {
            (Some(_), None) => Some(now),
            _ => before.and_then(|before| before.moved),
        };
        Progress {
            position,
            end,
            waiting_since: (end > position).then(|| waiting_since.unwrap_or(now)),
            moved,
        }
    }

    fn waits_for(&self, duration: Duration, now: Instant) -> bool {
        self.waiting_since
            .is_some_and(|since| now - since >= duration)
    }
}

/// The instance that each partition is assigned to.
fn owners(members: &[Member]) -> BTreeMap<TopicPartition, String> {
    members
        .iter()
        .flat_map(|member| {
            let assigned = member.assigned.iter();
            assigned.map(|key| (key.clone(), member.instance().to_owned()))
        })
        .collect()
}

/// Whether this instance reports the unowned partitions: it does if its name is the first of all live instances.
fn is_first_alive(members: &[Member], dead: &BTreeSet<String>, own: &str) -> bool {
    let alive = members.iter().map(Member::instance);
    let first = alive.filter(|one| !dead.contains(*one)).min();
    first.is_none_or(|first| first == own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::ProcessInfo;

    fn key(partition: i32) -> TopicPartition {
        ("in".to_owned(), partition)
    }

    fn member(worker: &str, partitions: &[i32]) -> Member {
        Member {
            member_id: String::new(),
            client_id: worker.to_owned(),
            host: String::new(),
            assigned: partitions.iter().map(|at| key(*at)).collect(),
        }
    }

    /// A group of two instances with a partition each, seen from one of them, which owns the first.
    struct Group {
        lag: GroupLag,
        metrics: Arc<Metrics>,
        start: Instant,
    }

    impl Group {
        fn new() -> Group {
            let info = ProcessInfo {
                version: "1",
                commit: "2",
                application_id: "a".to_owned(),
            };
            let metrics = Arc::new(Metrics::new(&info).unwrap());
            let mine = BTreeSet::from([key(0)]);
            metrics.lag.set_owned(0, mine, [], lag::millis());
            Group {
                lag: GroupLag::new(None, Vec::new()),
                metrics,
                start: Instant::now(),
            }
        }

        /// Runs a round after so many seconds with these positions and ends of partitions; returns the metrics of
        /// unowned partitions and of the lag of partition 1.
        fn round_after(
            &mut self,
            after: u64,
            offsets: &[(i64, i64)],
            members: Option<&[Member]>,
            own: &str,
        ) -> (Option<i64>, Option<i64>) {
            let now = self.start + Duration::from_secs(after);
            let mut seen = BTreeMap::new();
            for (partition, (position, end)) in (0..).zip(offsets) {
                let before = self.lag.progress.get(&key(partition));
                let now = Progress::after(before, *position, *end, now);
                seen.insert(key(partition), now);
            }
            self.lag.progress = seen;
            self.lag.report(&self.metrics, members, own, now);
            let text = self.metrics.render().unwrap();
            let value = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name))?;
                line.rsplit_once(' ')?.1.parse().ok()
            };
            (
                value("keyfold_partitions_unowned{topic=\"in\"}"),
                value("keyfold_consumer_lag_records{partition=\"1\",topic=\"in\"}"),
            )
        }
    }

    #[test]
    fn partitions_of_a_dead_instance_are_reported_before_the_group_knows_and_after() {
        let both = [member("k-a-0", &[1]), member("k-b-0", &[0])];
        let mut group = Group::new();
        let mut round_after = |after, offsets: &[(i64, i64)], members: &[Member]| {
            group.round_after(after, offsets, Some(members), "k-b")
        };
        // the other instance is alive, its name comes first, and so it reports
        assert_eq!(round_after(0, &[(5, 5), (5, 5)], &both), (None, None));
        assert_eq!(round_after(2, &[(5, 5), (9, 30)], &both), (None, None));
        // the other instance dies: it stops committing
        assert_eq!(round_after(4, &[(5, 5), (9, 40)], &both), (None, None));
        assert_eq!(
            round_after(6, &[(5, 5), (9, 40)], &both),
            (Some(1), Some(31))
        );
        // the group has noticed, and has not yet assigned its partition to anybody
        let rest = [member("k-b-0", &[])];
        assert_eq!(
            round_after(8, &[(5, 5), (9, 40)], &rest),
            (Some(1), Some(31))
        );
        let rest = [member("k-b-0", &[0])];
        assert_eq!(
            round_after(9, &[(5, 5), (9, 40)], &rest),
            (Some(1), Some(31))
        );
        let rest = [member("k-b-0", &[0, 1])];
        assert_eq!(round_after(10, &[(5, 5), (9, 40)], &rest).0, Some(0));
    }

    #[test]
    fn an_instance_that_works_at_other_partitions_is_alive() {
        let both = [member("k-a-0", &[1, 2]), member("k-b-0", &[0])];
        let mut group = Group::new();
        for round in 0..5 {
            let moves = i64::try_from(round).unwrap();
            let offsets = [(5, 5), (9, 40), (moves, 40)];
            let reported = group.round_after(2 * round, &offsets, Some(&both), "k-b");
            assert_eq!(reported, (None, None), "{round}");
        }
    }

    #[test]
    fn one_of_those_that_are_alive_reports() {
        let all = [
            member("k-a-0", &[1]),
            member("k-b-0", &[0]),
            member("k-c-0", &[]),
        ];
        for (mine, expected) in [("k-b", (Some(1), Some(31))), ("k-c", (None, None))] {
            let mut group = Group::new();
            group.round_after(0, &[(5, 5), (9, 40)], Some(&all), mine);
            let reported = group.round_after(4, &[(5, 5), (9, 40)], Some(&all), mine);
            assert_eq!(reported, expected, "{mine}");
        }
    }

    #[test]
    fn without_members_a_partition_that_stands_still_is_unowned() {
        let mut group = Group::new();
        assert_eq!(
            group.round_after(0, &[(5, 5), (9, 40)], None, "k-b").0,
            Some(0)
        );
        let reported = group.round_after(4, &[(5, 5), (9, 40)], None, "k-b");
        assert_eq!(reported, (Some(1), Some(31)));
        let reported = group.round_after(6, &[(5, 5), (11, 40)], None, "k-b");
        assert_eq!(reported, (Some(0), None));
    }
}
