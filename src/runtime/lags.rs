//! How far the group is behind where no worker of this process tells: partitions that nobody works at. One instance of
//! those that live tells of them, so that their lag does not disappear together with the instance that had them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::engine::Settings;
use crate::kafka::ends::Ends;
use crate::kafka::members::Member;
use crate::kafka::oldest::{Key, Onlooker};
use crate::serve::Metrics;
use crate::serve::metrics::lag::{self, Lag};

/// The longest wait for an answer.
const ASK: Duration = Duration::from_secs(2);
/// An instance that commits nothing for so long, while records wait for it, is taken for dead. The group learns of that
/// only when a session ends.
const SILENCE: Duration = Duration::from_secs(3);
/// The numbers of partitions may grow.
const COUNT: Duration = Duration::from_secs(30);
/// A batch that could not be read is not fetched again and again.
const AGAIN: Duration = Duration::from_secs(60);
/// So long do records wait before it is looked how old the first is, and so much time of a round may that take.
const WAITED: i64 = 1000;
const LOOKING: Duration = Duration::from_millis(800);
/// What is not found within this time is not there.
const ENOUGH: Duration = Duration::from_millis(300);

/// How a partition stood when it was last looked at.
#[derive(Debug, Clone, Copy)]
struct Seen {
    position: i64,
    end: i64,
    /// Since when records wait at this position.
    waits: Option<Instant>,
    /// When the position was seen to have moved.
    moved: Option<Instant>,
}

#[derive(Default)]
pub struct Lags {
    onlooker: Option<Onlooker>,
    partitions: Vec<Key>,
    counted: Option<Instant>,
    seen: BTreeMap<Key, Seen>,
    /// The instances that the group gave partitions to; what was known last, while it rebalances.
    owners: BTreeMap<Key, String>,
    /// Positions at which no record was found, and when that was.
    not_found: BTreeMap<(Key, i64), Instant>,
}

impl Lags {
    /// `members`: those of the group that are keyfold, where it tells of them; `mine`: this instance, as [`Member::instance`] names it.
    pub fn look(
        &mut self,
        settings: &Settings,
        metrics: &Metrics,
        ends: &Ends,
        members: Option<&[Member]>,
        mine: &str,
    ) {
        if self.onlooker.is_none() {
            self.onlooker = Onlooker::connect(&settings.config).ok();
        }
        let Some(onlooker) = self.onlooker.take() else {
            return;
        };
        self.count(settings, ends);
        if let Err(error) = self.see(&onlooker, Instant::now()) {
            tracing::debug!(%error, "how far the group is behind is not known");
        } else {
            let ends = self.seen.iter().map(|(key, seen)| (key.clone(), seen.end));
            metrics.lag.set_ends(ends.collect());
            self.tell(metrics, members, mine, Instant::now());
        }
        self.find_oldest(&onlooker, metrics);
        onlooker.serve();
        self.onlooker = Some(onlooker);
    }

    /// Learns which partitions there are.
    fn count(&mut self, settings: &Settings, ends: &Ends) {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT) {
            return;
        }
        let mut partitions = Vec::new();
        for topic in &settings.topics {
            let Ok(Some(count)) = ends.partitions(&topic.name, ASK) else {
                return;
            };
            partitions.extend((0..count).map(|partition| (topic.name.clone(), partition)));
        }
        self.partitions = partitions;
        self.counted = Some(Instant::now());
    }

    /// Looks at the committed offsets and the ends.
    fn see(&mut self, onlooker: &Onlooker, now: Instant) -> rdkafka::error::KafkaResult<()> {
        let committed = onlooker.committed(&self.partitions, ASK)?;
        let never = committed.iter().filter(|(_, offset)| offset.is_none());
        let never: Vec<Key> = never.map(|(key, _)| key.clone()).collect();
        let begins = onlooker.begins(&never, ASK)?;
        let ends = onlooker.ends(&self.partitions, ASK)?;
        let mut seen = BTreeMap::new();
        for (key, end) in ends {
            let told = committed.get(&key).copied();
            let position = told.and_then(|offset| offset.or(begins.get(&key).copied()));
            if let Some(position) = position {
                let before = self.seen.get(&key);
                seen.insert(key, Seen::after(before, position, end, now));
            }
        }
        self.seen = seen;
        Ok(())
    }

    fn tell(&mut self, metrics: &Metrics, members: Option<&[Member]>, mine: &str, now: Instant) {
        let given = owners(members.unwrap_or_default());
        let settled = !given.is_empty();
        if settled {
            self.owners = given;
        }
        let owned = metrics.lag.owned();
        let silent = self.silent(mine, now);
        let tells = members.is_none_or(|members| is_teller(members, &silent, mine));
        let is_gone = |owner: &str| {
            members.is_some_and(|all| all.iter().all(|member| member.instance() != owner))
        };
        let mut unowned = BTreeMap::new();
        let mut lags = BTreeMap::new();
        for (key, seen) in &self.seen {
            let owner = self.owners.get(key);
            let nobody = !owned.all.contains(key)
                && match owner {
                    Some(owner) => silent.contains(owner) || is_gone(owner),
                    None => settled || seen.waits_for(SILENCE, now),
                };
            let count: &mut i64 = unowned.entry(key.0.clone()).or_default();
            *count += i64::from(nobody);
            // one of its own of which no worker can tell yet is told of by nobody else
            if !owned.reported.contains(key) && (owned.all.contains(key) || tells && nobody) {
                let lag = Lag {
                    position: seen.position,
                    records: seen.end - seen.position,
                    oldest: None,
                };
                lags.insert(key.clone(), lag);
            }
        }
        metrics.lag.set_others(lags, lag::millis());
        if tells {
            metrics.lag.set_unowned(&unowned);
        } else {
            metrics.lag.set_unowned(&BTreeMap::new());
        }
    }

    /// Looks how old the oldest record is where records wait, and nobody has it in hands. One after the other: each look
    /// fetches a batch as a whole.
    fn find_oldest(&mut self, onlooker: &Onlooker, metrics: &Metrics) {
        self.not_found.retain(|_, at| at.elapsed() < AGAIN);
        let until = Instant::now() + LOOKING;
        for (key, position) in metrics.lag.without_timestamp(WAITED, lag::millis()) {
            let left = until.saturating_duration_since(Instant::now());
            if left < ENOUGH {
                return;
            }
            let at = (key, position);
            if self.not_found.contains_key(&at) {
                continue;
            }
            match onlooker.oldest(&at.0, position, left) {
                Some(oldest) => metrics.lag.set_oldest(&at.0, position, oldest),
                None => {
                    self.not_found.insert(at, Instant::now());
                }
            }
        }
    }

    /// Instances that are taken for dead: records wait for them, and they have committed nothing for a while.
    fn silent(&self, mine: &str, now: Instant) -> BTreeSet<String> {
        let mut waiting = BTreeSet::new();
        let mut living = BTreeSet::from([mine]);
        for (key, owner) in &self.owners {
            let Some(seen) = self.seen.get(key) else {
                continue;
            };
            if seen.waits_for(SILENCE, now) {
                waiting.insert(owner.as_str());
            }
            if seen.moved.is_some_and(|at| now - at < SILENCE) {
                living.insert(owner);
            }
        }
        waiting
            .difference(&living)
            .map(|owner| (*owner).to_owned())
            .collect()
    }
}

impl Seen {
    fn after(before: Option<&Seen>, position: i64, end: i64, now: Instant) -> Seen {
        let stands = before.is_some_and(|before| before.position == position);
        let waits = before.and_then(|before| before.waits).filter(|_| stands);
        let moved = before.and_then(|before| before.moved);
        Seen {
            position,
            end,
            waits: (end > position).then(|| waits.unwrap_or(now)),
            moved: if before.is_some() && !stands {
                Some(now)
            } else {
                moved
            },
        }
    }

    fn waits_for(&self, long: Duration, now: Instant) -> bool {
        self.waits.is_some_and(|since| now - since >= long)
    }
}

/// Which instance each partition was given to.
fn owners(members: &[Member]) -> BTreeMap<Key, String> {
    members
        .iter()
        .flat_map(|member| {
            let given = member.assigned.iter();
            given.map(|key| (key.clone(), member.instance().to_owned()))
        })
        .collect()
}

/// Whether this instance is the one that tells: the first by name of those that live. `silent` are those that don't.
fn is_teller(members: &[Member], silent: &BTreeSet<String>, mine: &str) -> bool {
    let living = members.iter().map(Member::instance);
    let first = living.filter(|one| !silent.contains(*one)).min();
    first.is_none_or(|first| first == mine)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::ProcessInfo;

    fn key(partition: i32) -> Key {
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
        lags: Lags,
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
                lags: Lags::default(),
                metrics,
                start: Instant::now(),
            }
        }

        /// Looks after so many seconds at the positions and ends of partitions; the metrics of what nobody works at.
        fn look(
            &mut self,
            after: u64,
            stand: &[(i64, i64)],
            members: Option<&[Member]>,
            mine: &str,
        ) -> (Option<i64>, Option<i64>) {
            let now = self.start + Duration::from_secs(after);
            let mut seen = BTreeMap::new();
            for (partition, (position, end)) in (0..).zip(stand) {
                let before = self.lags.seen.get(&key(partition));
                let now = Seen::after(before, *position, *end, now);
                seen.insert(key(partition), now);
            }
            self.lags.seen = seen;
            self.lags.tell(&self.metrics, members, mine, now);
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
    fn what_a_dead_instance_leaves_is_told_before_the_group_knows_and_after() {
        let both = [member("k-a-0", &[1]), member("k-b-0", &[0])];
        let mut group = Group::new();
        let mut look = |after, stand: &[(i64, i64)], members: &[Member]| {
            group.look(after, stand, Some(members), "k-b")
        };
        // the other one lives, comes first by its name, and tells
        assert_eq!(look(0, &[(5, 5), (5, 5)], &both), (None, None));
        assert_eq!(look(2, &[(5, 5), (9, 30)], &both), (None, None));
        // it dies
        assert_eq!(look(4, &[(5, 5), (9, 40)], &both), (None, None));
        assert_eq!(look(6, &[(5, 5), (9, 40)], &both), (Some(1), Some(31)));
        // the group knows, and has not given its partition to anybody yet
        let rest = [member("k-b-0", &[])];
        assert_eq!(look(8, &[(5, 5), (9, 40)], &rest), (Some(1), Some(31)));
        let rest = [member("k-b-0", &[0])];
        assert_eq!(look(9, &[(5, 5), (9, 40)], &rest), (Some(1), Some(31)));
        let rest = [member("k-b-0", &[0, 1])];
        assert_eq!(look(10, &[(5, 5), (9, 40)], &rest).0, Some(0));
    }

    #[test]
    fn an_instance_that_works_at_others_lives() {
        let both = [member("k-a-0", &[1, 2]), member("k-b-0", &[0])];
        let mut group = Group::new();
        for round in 0..5 {
            let moves = i64::try_from(round).unwrap();
            let stand = [(5, 5), (9, 40), (moves, 40)];
            let told = group.look(2 * round, &stand, Some(&both), "k-b");
            assert_eq!(told, (None, None), "{round}");
        }
    }

    #[test]
    fn one_of_those_that_live_tells() {
        let all = [
            member("k-a-0", &[1]),
            member("k-b-0", &[0]),
            member("k-c-0", &[]),
        ];
        for (mine, expected) in [("k-b", (Some(1), Some(31))), ("k-c", (None, None))] {
            let mut group = Group::new();
            group.look(0, &[(5, 5), (9, 40)], Some(&all), mine);
            let told = group.look(4, &[(5, 5), (9, 40)], Some(&all), mine);
            assert_eq!(told, expected, "{mine}");
        }
    }

    #[test]
    fn a_group_whose_members_are_not_told_is_known_by_what_stands_still() {
        let mut group = Group::new();
        assert_eq!(group.look(0, &[(5, 5), (9, 40)], None, "k-b").0, Some(0));
        let told = group.look(4, &[(5, 5), (9, 40)], None, "k-b");
        assert_eq!(told, (Some(1), Some(31)));
        let told = group.look(6, &[(5, 5), (11, 40)], None, "k-b");
        assert_eq!(told, (Some(0), None));
    }
}
