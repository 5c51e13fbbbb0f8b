//! How far behind the group is, for each partition: in records, and in time.
//!
//! A worker tells of what it owns. Of partitions that nobody owns, the watch of one instance tells, so that their lag does
//! not disappear with the instance that had them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Error, GaugeVec, IntGaugeVec, Opts, Registry};

use super::{forget, gauges, register};

/// A topic and a partition.
pub type Key = (String, i32);

/// How far a partition is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The committed offset.
    pub position: i64,
    /// Offsets from there to the end.
    pub records: i64,
    /// The timestamp of the first record that is not committed, in milliseconds, where it is known.
    pub oldest: Option<i64>,
}

/// What was told last of a partition.
#[derive(Debug, Clone, Copy)]
struct Told {
    lag: Lag,
    /// Since when records wait at this position, in milliseconds.
    since: i64,
    by_owner: bool,
}

impl Told {
    /// The age of the oldest unread record in seconds. Where its timestamp is not known, at least the time that it was
    /// seen to wait.
    fn seconds(&self, now: i64) -> f64 {
        if self.lag.records == 0 {
            return 0.0;
        }
        let from = self.lag.oldest.unwrap_or(self.since);
        now.saturating_sub(from).max(0) as f64 / 1000.0
    }
}

/// The metrics of the lag.
pub struct LagMetrics {
    records: IntGaugeVec,
    seconds: GaugeVec,
    unowned: IntGaugeVec,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    told: BTreeMap<Key, Told>,
    /// What each worker owns, whether or not it can tell yet how far it is.
    owned: BTreeMap<usize, BTreeSet<Key>>,
    /// The ends of logs as the watch has learnt them. A client does not learn the end of what it does not fetch.
    ends: BTreeMap<Key, i64>,
    /// Topics whose partitions that nobody owns are counted here.
    counted: BTreeSet<String>,
}

impl LagMetrics {
    pub(super) fn new(registry: &Registry) -> Result<LagMetrics, Error> {
        const LABELS: [&str; 2] = ["topic", "partition"];
        Ok(LagMetrics {
            records: gauges(
                registry,
                "keyfold_consumer_lag_records",
                "Offsets between the committed position and the end of a partition that this instance owns, or that nobody owns and this instance tells of.",
                &LABELS,
            )?,
            seconds: register(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "keyfold_consumer_lag_seconds",
                        "Age of the oldest unread record of such a partition; 0 where none waits.",
                    ),
                    &LABELS,
                )?,
            )?,
            unowned: gauges(
                registry,
                "keyfold_partitions_unowned",
                "Partitions that no instance works at; one instance of the group tells.",
                &["topic"],
            )?,
            known: Mutex::default(),
        })
    }

    /// Sets what a worker owns, and how far that is behind as far as it knows; `now` in milliseconds.
    pub fn owned(
        &self,
        worker: usize,
        owned: BTreeSet<Key>,
        lags: impl IntoIterator<Item = (Key, Lag)>,
        now: i64,
    ) {
        let mut known = self.lock();
        let lags: BTreeMap<Key, Lag> = lags.into_iter().collect();
        let before = known.owned.insert(worker, owned).unwrap_or_default();
        for key in before.iter().filter(|key| !lags.contains_key(*key)) {
            // another worker of this process may have got it meanwhile
            let mut others = known.owned.iter().filter(|(other, _)| **other != worker);
            if !others.any(|(_, owned)| owned.contains(key))
                && known.told.get(key).is_some_and(|told| told.by_owner)
            {
                self.forget(&mut known, key);
            }
        }
        for (key, lag) in lags {
            self.tell(&mut known, key, lag, true, now);
        }
    }

    /// Sets how far partitions are behind of which no worker of this process tells; of others so far, it is forgotten.
    pub fn others(&self, lags: BTreeMap<Key, Lag>, now: i64) {
        let mut known = self.lock();
        let gone: Vec<Key> = known
            .told
            .iter()
            .filter(|(key, told)| !told.by_owner && !lags.contains_key(*key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.forget(&mut known, &key);
        }
        for (key, lag) in lags {
            if known.told.get(&key).is_none_or(|told| !told.by_owner) {
                self.tell(&mut known, key, lag, false, now);
            }
        }
    }

    /// Sets the ends of logs, as they were asked for.
    pub fn ends(&self, ends: BTreeMap<Key, i64>) {
        self.lock().ends = ends;
    }

    /// Sets how many partitions of each topic nobody works at; none where another instance tells.
    pub fn unowned(&self, topics: &BTreeMap<String, i64>) {
        let mut known = self.lock();
        for topic in known
            .counted
            .iter()
            .filter(|one| !topics.contains_key(*one))
        {
            forget(&self.unowned, &[topic]);
        }
        for (topic, partitions) in topics {
            self.unowned.with_label_values(&[topic]).set(*partitions);
        }
        known.counted = topics.keys().cloned().collect();
    }

    /// What the workers of this process own, and of which of that they tell how far it is.
    pub fn own(&self) -> (BTreeSet<Key>, BTreeSet<Key>) {
        let known = self.lock();
        let owned = known.owned.values().flatten().cloned().collect();
        let told = known.told.iter().filter(|(_, told)| told.by_owner);
        (owned, told.map(|(key, _)| key.clone()).collect())
    }

    /// Partitions at whose position records have waited for so many milliseconds, and whose oldest record is not known,
    /// with the position.
    pub fn unknown(&self, waited: i64, now: i64) -> Vec<(Key, i64)> {
        let known = self.lock();
        let unknown = known.told.iter().filter(|(_, told)| {
            told.lag.records > 0 && told.lag.oldest.is_none() && now - told.since >= waited
        });
        unknown
            .map(|(key, told)| (key.clone(), told.lag.position))
            .collect()
    }

    /// The oldest record at a position is known now.
    pub fn found(&self, key: &Key, position: i64, oldest: i64) {
        if let Some(told) = self.lock().told.get_mut(key)
            && told.lag.position == position
        {
            told.lag.oldest = Some(oldest);
        }
    }

    /// All partitions told of: how many, the records and the greatest age in seconds.
    pub fn sum(&self, now: i64) -> (usize, i64, f64) {
        let known = self.lock();
        let told = known.told.values();
        let seconds = told.clone().map(|told| told.seconds(now));
        let oldest = seconds.fold(0.0, f64::max);
        let records = told.map(|told| told.lag.records).sum();
        (known.told.len(), records, oldest)
    }

    /// Brings the ages up to date.
    pub(super) fn refresh(&self) {
        let now = millis();
        for ((topic, partition), told) in &self.lock().told {
            self.seconds
                .with_label_values(&[topic.as_str(), &partition.to_string()])
                .set(told.seconds(now));
        }
    }

    fn tell(&self, known: &mut Known, key: Key, mut lag: Lag, by_owner: bool, now: i64) {
        let asked = known.ends.get(&key).map(|end| end - lag.position);
        lag.records = lag.records.max(asked.unwrap_or(0)).max(0);
        let before = known.told.get(&key);
        let same = before.filter(|before| {
            before.lag.records > 0 && lag.records > 0 && before.lag.position == lag.position
        });
        lag.oldest = lag.oldest.or(same.and_then(|same| same.lag.oldest));
        let since = same.map_or(now, |same| same.since);
        self.records
            .with_label_values(&[key.0.as_str(), &key.1.to_string()])
            .set(lag.records);
        let told = Told {
            lag,
            since,
            by_owner,
        };
        known.told.insert(key, told);
    }

    fn forget(&self, known: &mut Known, key: &Key) {
        known.told.remove(key);
        let partition = key.1.to_string();
        let labels = [key.0.as_str(), &partition];
        forget(&self.records, &labels);
        // the only error is a series that never was
        let _ = self.seconds.remove_label_values(&labels);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        let known = metrics.lock();
        let told = known.told.get(&key(partition));
        told.map(|told| told.seconds(now))
    }

    #[test]
    fn the_age_is_that_of_the_oldest_record_or_at_least_of_the_wait() {
        let metrics = metrics();
        let owned = || BTreeSet::from([key(0)]);
        let tell = |lag, now| metrics.owned(0, owned(), [(key(0), lag)], now);
        tell(lag(7, 0, None), 1_000);
        assert_eq!(seconds(&metrics, 0, 9_000), Some(0.0));
        tell(lag(7, 3, None), 10_000);
        assert_eq!(seconds(&metrics, 0, 12_000), Some(2.0));
        assert_eq!(metrics.unknown(3_000, 12_000), []);
        assert_eq!(metrics.unknown(2_000, 12_000), [(key(0), 7)]);
        metrics.found(&key(0), 6, 100);
        assert_eq!(seconds(&metrics, 0, 12_000), Some(2.0), "of another record");
        metrics.found(&key(0), 7, 5_000);
        tell(lag(7, 4, None), 13_000);
        assert_eq!(seconds(&metrics, 0, 13_000), Some(8.0));
        tell(lag(9, 4, None), 14_000);
        assert_eq!(seconds(&metrics, 0, 15_000), Some(1.0), "the next record");
        tell(lag(9, 4, Some(20_000)), 15_000);
        assert_eq!(seconds(&metrics, 0, 15_000), Some(0.0), "a clock ahead");
    }

    #[test]
    fn an_end_that_was_asked_for_counts_where_the_client_knows_less() {
        let metrics = metrics();
        metrics.ends(BTreeMap::from([(key(0), 30)]));
        let tell = |lag| metrics.owned(0, BTreeSet::from([key(0)]), [(key(0), lag)], 0);
        tell(lag(10, 5, None));
        assert_eq!(metrics.sum(0).1, 20);
        tell(lag(40, 5, None));
        assert_eq!(metrics.sum(0).1, 5);
    }

    #[test]
    fn a_partition_that_goes_from_hand_to_hand_is_told_of_once_and_always() {
        let metrics = metrics();
        let one = |now| {
            metrics.owned(
                0,
                BTreeSet::from([key(0)]),
                [(key(0), lag(1, 1, None))],
                now,
            )
        };
        one(0);
        metrics.others(BTreeMap::from([(key(0), lag(1, 5, None))]), 1);
        assert_eq!(metrics.sum(1).1, 1, "its owner tells");
        metrics.owned(1, BTreeSet::from([key(0)]), [(key(0), lag(1, 2, None))], 2);
        metrics.owned(0, BTreeSet::new(), [], 3);
        assert_eq!(metrics.sum(3).1, 2, "it went to another worker");
        metrics.owned(1, BTreeSet::new(), [], 4);
        assert_eq!(metrics.sum(4).0, 0);
        metrics.others(BTreeMap::from([(key(0), lag(1, 9, None))]), 5);
        assert_eq!(metrics.sum(5), (1, 9, 0.0));
        assert!(metrics.own().1.is_empty());
        one(6);
        metrics.others(BTreeMap::new(), 7);
        assert_eq!(metrics.sum(7).1, 1, "it has an owner again");
    }
}
