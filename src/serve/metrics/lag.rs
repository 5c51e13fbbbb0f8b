//! How far behind the group is, for each partition: in records, and in time.
//!
//! A worker reports the partitions that it owns. The watch of one instance reports those that nobody owns, so that
//! their lag does not disappear with the instance that owned them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Error, Registry};

use super::families::families;

/// A topic and a partition.
pub type Key = (String, i32);

/// How far a partition is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The committed offset.
    pub position: i64,
    /// Offsets from there to the end.
    pub records: i64,
    /// The timestamp of the first record that is not committed, in milliseconds, if it is known.
    pub oldest: Option<i64>,
}

/// What the workers of this process own.
pub struct Owned {
    pub all: BTreeSet<Key>,
    /// The partitions whose lag a worker reports; it does not know the lag of the others yet.
    pub reported: BTreeSet<Key>,
}

/// The lag of all reported partitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TotalLag {
    pub partitions: usize,
    pub records: i64,
    /// The age of the oldest unread record.
    pub seconds: f64,
}

/// The lag of one reported partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionLag {
    pub key: Key,
    pub lag: Lag,
    /// The age of the oldest unread record.
    pub seconds: f64,
    /// Whether a worker of this process owns it.
    pub is_own: bool,
}

/// The last report on a partition.
#[derive(Debug, Clone, Copy)]
struct Report {
    lag: Lag,
    /// Since when records wait at this position, in milliseconds.
    since: i64,
    by_owner: bool,
}

impl Report {
    /// The age of the oldest unread record in seconds; if its timestamp is not known, the time since it was first seen
    /// waiting.
    fn seconds(&self, now: i64) -> f64 {
        if self.lag.records == 0 {
            return 0.0;
        }
        let from = self.lag.oldest.unwrap_or(self.since);
        now.saturating_sub(from).max(0) as f64 / 1000.0
    }
}

families! {
    Families {
        records: IntGaugeVec = "keyfold_consumer_lag_records"["topic", "partition"],
            "Offsets between the committed position and the end of a partition that this instance owns, or that nobody owns and this instance reports.";
        seconds: GaugeVec = "keyfold_consumer_lag_seconds"["topic", "partition"],
            "Age of the oldest unread record of such a partition; 0 where none waits.";
        unowned: IntGaugeVec = "keyfold_partitions_unowned"["topic"],
            "Partitions that no instance works at; one instance of the group reports them.";
    }
}

/// The metrics of the lag.
pub struct LagMetrics {
    families: Families,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reports: BTreeMap<Key, Report>,
    /// What each worker owns, whether or not it knows its lag yet.
    owned: BTreeMap<usize, BTreeSet<Key>>,
    /// The ends of logs as the watch has read them. A consumer does not learn the end of a partition that it does not
    /// fetch.
    ends: BTreeMap<Key, i64>,
    /// The topics that the metric of unowned partitions shows.
    unowned_topics: BTreeSet<String>,
}

impl LagMetrics {
    pub(super) fn new(registry: &Registry) -> Result<LagMetrics, Error> {
        Ok(LagMetrics {
            families: Families::register(registry)?,
            state: Mutex::default(),
        })
    }

    /// Sets the partitions that a worker owns, and their lag as far as it is known; `now` in milliseconds.
    pub fn set_owned(
        &self,
        worker: usize,
        owned: BTreeSet<Key>,
        lags: impl IntoIterator<Item = (Key, Lag)>,
        now: i64,
    ) {
        let mut state = self.lock();
        let lags: BTreeMap<Key, Lag> = lags.into_iter().collect();
        let before = state.owned.insert(worker, owned).unwrap_or_default();
        for key in before.iter().filter(|key| !lags.contains_key(*key)) {
            // another worker of this process may own it by now
            let mut others = state.owned.iter().filter(|(other, _)| **other != worker);
            if !others.any(|(_, owned)| owned.contains(key))
                && state.reports.get(key).is_some_and(|report| report.by_owner)
            {
                self.forget(&mut state, key);
            }
        }
        for (key, lag) in lags {
            self.report(&mut state, key, lag, true, now);
        }
    }

    /// Sets the lag of all partitions that no worker of this process reports.
    pub fn set_others(&self, lags: BTreeMap<Key, Lag>, now: i64) {
        let mut state = self.lock();
        let no_longer_reported: Vec<Key> = state
            .reports
            .iter()
            .filter(|(key, report)| !report.by_owner && !lags.contains_key(*key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in no_longer_reported {
            self.forget(&mut state, &key);
        }
        for (key, lag) in lags {
            let report = state.reports.get(&key);
            if report.is_none_or(|report| !report.by_owner) {
                self.report(&mut state, key, lag, false, now);
            }
        }
    }

    /// Sets the ends of logs.
    pub fn set_ends(&self, ends: BTreeMap<Key, i64>) {
        self.lock().ends = ends;
    }

    /// Sets how many partitions of each topic no instance works on; empty if another instance reports them.
    pub fn set_unowned(&self, topics: &BTreeMap<String, i64>) {
        let mut state = self.lock();
        let no_longer_reported = |topic: &&String| !topics.contains_key(*topic);
        for topic in state.unowned_topics.iter().filter(no_longer_reported) {
            // the only possible error is that the series does not exist
            let _ = self.families.unowned.remove_label_values(&[topic]);
        }
        for (topic, partitions) in topics {
            let gauge = self.families.unowned.with_label_values(&[topic]);
            gauge.set(*partitions);
        }
        state.unowned_topics = topics.keys().cloned().collect();
    }

    pub fn owned(&self) -> Owned {
        let state = self.lock();
        let reported = state.reports.iter().filter(|(_, report)| report.by_owner);
        Owned {
            all: state.owned.values().flatten().cloned().collect(),
            reported: reported.map(|(key, _)| key.clone()).collect(),
        }
    }

    /// Partitions in which records have waited at the committed position for so many milliseconds, and in which the
    /// timestamp of the oldest record is not known; each with its position.
    pub fn without_timestamp(&self, waited: i64, now: i64) -> Vec<(Key, i64)> {
        let state = self.lock();
        let unknown = state.reports.iter().filter(|(_, report)| {
            report.lag.records > 0 && report.lag.oldest.is_none() && now - report.since >= waited
        });
        unknown
            .map(|(key, report)| (key.clone(), report.lag.position))
            .collect()
    }

    /// Sets the timestamp of the oldest record, if the partition is still at this position.
    pub fn set_oldest(&self, key: &Key, position: i64, oldest: i64) {
        if let Some(report) = self.lock().reports.get_mut(key)
            && report.lag.position == position
        {
            report.lag.oldest = Some(oldest);
        }
    }

    pub fn total(&self, now: i64) -> TotalLag {
        let state = self.lock();
        let reports = state.reports.values();
        let seconds = reports.clone().map(|report| report.seconds(now));
        TotalLag {
            partitions: reports.len(),
            seconds: seconds.fold(0.0, f64::max),
            records: reports.map(|report| report.lag.records).sum(),
        }
    }

    /// All reported partitions.
    pub fn reports(&self, now: i64) -> Vec<PartitionLag> {
        let state = self.lock();
        let reports = state.reports.iter();
        let one = |(key, report): (&Key, &Report)| PartitionLag {
            key: key.clone(),
            lag: report.lag,
            seconds: report.seconds(now),
            is_own: report.by_owner,
        };
        reports.map(one).collect()
    }

    /// Updates the metric of the ages.
    pub(super) fn refresh(&self) {
        let now = millis();
        for ((topic, partition), report) in &self.lock().reports {
            let labels = [topic.as_str(), &partition.to_string()];
            let seconds = report.seconds(now);
            self.families
                .seconds
                .with_label_values(&labels)
                .set(seconds);
        }
    }

    fn report(&self, state: &mut State, key: Key, mut lag: Lag, by_owner: bool, now: i64) {
        let behind_end = state.ends.get(&key).map(|end| end - lag.position);
        lag.records = lag.records.max(behind_end.unwrap_or(0)).max(0);
        let before = state.reports.get(&key);
        let same_position = before.filter(|before| {
            before.lag.records > 0 && lag.records > 0 && before.lag.position == lag.position
        });
        lag.oldest = lag
            .oldest
            .or(same_position.and_then(|same| same.lag.oldest));
        let since = same_position.map_or(now, |same| same.since);
        let labels = [key.0.as_str(), &key.1.to_string()];
        let records = self.families.records.with_label_values(&labels);
        records.set(lag.records);
        let report = Report {
            lag,
            since,
            by_owner,
        };
        state.reports.insert(key, report);
    }

    fn forget(&self, state: &mut State, key: &Key) {
        state.reports.remove(key);
        let labels = [key.0.as_str(), &key.1.to_string()];
        // the only possible error is that the series does not exist
        let _ = self.families.records.remove_label_values(&labels);
        let _ = self.families.seconds.remove_label_values(&labels);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Now, in milliseconds since 1970.
pub fn millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> Key {
        ("in".to_owned(), partition)
    }

    fn lag(position: i64, records: i64, oldest: Option<i64>) -> Lag {
        Lag {
            position,
            records,
            oldest,
        }
    }

    fn metrics() -> LagMetrics {
        LagMetrics::new(&Registry::new()).unwrap()
    }

    fn seconds(metrics: &LagMetrics, partition: i32, now: i64) -> Option<f64> {
        let state = metrics.lock();
        let report = state.reports.get(&key(partition));
        report.map(|report| report.seconds(now))
    }

    #[test]
    fn the_age_is_that_of_the_oldest_record_or_at_least_of_the_wait() {
        let metrics = metrics();
        let owned = || BTreeSet::from([key(0)]);
        let report = |lag, now| metrics.set_owned(0, owned(), [(key(0), lag)], now);
        report(lag(7, 0, None), 1_000);
        assert_eq!(seconds(&metrics, 0, 9_000), Some(0.0));
        report(lag(7, 3, None), 10_000);
        assert_eq!(seconds(&metrics, 0, 12_000), Some(2.0));
        assert_eq!(metrics.without_timestamp(3_000, 12_000), []);
        assert_eq!(metrics.without_timestamp(2_000, 12_000), [(key(0), 7)]);
        metrics.set_oldest(&key(0), 6, 100);
        assert_eq!(seconds(&metrics, 0, 12_000), Some(2.0), "of another record");
        metrics.set_oldest(&key(0), 7, 5_000);
        report(lag(7, 4, None), 13_000);
        assert_eq!(seconds(&metrics, 0, 13_000), Some(8.0));
        report(lag(9, 4, None), 14_000);
        assert_eq!(seconds(&metrics, 0, 15_000), Some(1.0), "the next record");
        report(lag(9, 4, Some(20_000)), 15_000);
        assert_eq!(seconds(&metrics, 0, 15_000), Some(0.0), "a clock ahead");
    }

    #[test]
    fn an_end_that_the_watch_has_read_counts_if_the_client_knows_less() {
        let metrics = metrics();
        metrics.set_ends(BTreeMap::from([(key(0), 30)]));
        let report = |lag| metrics.set_owned(0, BTreeSet::from([key(0)]), [(key(0), lag)], 0);
        report(lag(10, 5, None));
        assert_eq!(metrics.total(0).records, 20);
        report(lag(40, 5, None));
        assert_eq!(metrics.total(0).records, 5);
    }

    #[test]
    fn a_partition_that_changes_its_owner_is_always_reported_exactly_once() {
        let metrics = metrics();
        let one = |now| {
            metrics.set_owned(
                0,
                BTreeSet::from([key(0)]),
                [(key(0), lag(1, 1, None))],
                now,
            )
        };
        one(0);
        metrics.set_others(BTreeMap::from([(key(0), lag(1, 5, None))]), 1);
        assert_eq!(metrics.total(1).records, 1, "its owner reports");
        metrics.set_owned(1, BTreeSet::from([key(0)]), [(key(0), lag(1, 2, None))], 2);
        metrics.set_owned(0, BTreeSet::new(), [], 3);
        assert_eq!(metrics.total(3).records, 2, "it went to another worker");
        metrics.set_owned(1, BTreeSet::new(), [], 4);
        assert_eq!(metrics.total(4).partitions, 0);
        metrics.set_others(BTreeMap::from([(key(0), lag(1, 9, None))]), 5);
        let total = TotalLag {
            partitions: 1,
            records: 9,
            seconds: 0.0,
        };
        assert_eq!(metrics.total(5), total);
        assert!(metrics.owned().reported.is_empty());
        one(6);
        metrics.set_others(BTreeMap::new(), 7);
        assert_eq!(metrics.total(7).records, 1, "it has an owner again");
    }
}
