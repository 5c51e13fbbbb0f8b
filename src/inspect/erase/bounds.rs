//! Until when records can be read, by the settings of their topic.
//!
//! Kafka removes segments, not records. A segment is closed at the latest by the first record whose timestamp is
//! `segment.ms` after that of its first record. So no timestamp in it is later than the latest one up to a record of it,
//! plus `segment.ms`. Retention removes a segment, the one that is written to as well, when its latest timestamp is older
//! than `retention.ms`.
//!
//! Compaction removes a record when a later one with the same key is in a segment that is closed. Such a segment is
//! closed after `max.compaction.lag.ms` at the latest, and compacted then, but only when a record is written to the
//! partition. Without `max.compaction.lag.ms` nothing says when.

use super::copies::Copies;
use crate::model::lifetime::Lifetime;

/// Until when data can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// Nothing is there.
    Gone,
    /// At the latest until this time, in milliseconds since 1970, and then until the broker looks.
    Until(i64, By),
    /// Nothing bounds it.
    Forever(Why),
}

/// What removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Retention,
    /// Once a record is written to the partition after that time.
    Compaction,
}

/// Why nothing bounds it, with what would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// `retention.ms` is -1.
    NoRetention,
    /// `max.compaction.lag.ms` is not set.
    NoCompactionLag,
    /// The topic is compacted only, and the newest record with the key holds data.
    NotReplaced,
    /// The topic is compacted only, and the record has no key.
    NoPolicy,
}

/// Until when the data of the customer can be read.
pub fn readable(copies: &Copies, lifetime: &Lifetime) -> Readable {
    let mut longest = Readable::Gone;
    for (_, partition) in copies.partitions() {
        let Some(last) = partition.last else {
            continue;
        };
        let by_retention = lifetime.retention.map(|retention| {
            let at = last.latest.saturating_add(lifetime.segment);
            Readable::Until(at.saturating_add(retention), By::Retention)
        });
        let keys = partition.keys();
        let by_compaction =
            keys.map(
                |key| match (key.newest_holds_data, lifetime.compaction_lag) {
                    (true, _) => Readable::Forever(Why::NotReplaced),
                    (false, None) => Readable::Forever(Why::NoCompactionLag),
                    (false, Some(lag)) => {
                        Readable::Until(key.latest.saturating_add(lag), By::Compaction)
                    }
                },
            );
        let by_compaction = by_compaction.reduce(longer);
        let of_partition = match (lifetime.is_compacted, lifetime.is_deleted) {
            (true, _) => {
                let compacted = by_compaction.unwrap_or(Readable::Forever(Why::NoPolicy));
                by_retention.map_or(compacted, |retention| shorter(compacted, retention))
            }
            (false, _) => by_retention.unwrap_or(Readable::Forever(Why::NoRetention)),
        };
        longest = longer(longest, of_partition);
    }
    longest
}

fn rank(readable: Readable) -> (u8, i64) {
    match readable {
        Readable::Gone => (0, 0),
        Readable::Until(at, _) => (1, at),
        Readable::Forever(_) => (2, 0),
    }
}

fn longer(one: Readable, other: Readable) -> Readable {
    match rank(other) > rank(one) {
        true => other,
        false => one,
    }
}

fn shorter(one: Readable, other: Readable) -> Readable {
    match rank(other) < rank(one) {
        true => other,
        false => one,
    }
}

#[cfg(test)]
mod tests {
    use super::super::copies::Holds::{Data, Id, Nothing};
    use super::super::copies::tests::copies;
    use super::*;
    use crate::model::lifetime::tests::{DEFAULTS, lifetime};

    #[track_caller]
    fn check(
        settings: &str,
        records: &[(&str, i64, super::super::copies::Holds)],
        expected: Readable,
    ) {
        let lifetime = lifetime(&format!("{DEFAULTS} segment.ms=100 {settings}")).unwrap();
        assert_eq!(
            readable(&copies(records), &lifetime),
            expected,
            "{settings}"
        );
    }

    #[test]
    fn retention_counts_from_the_latest_time_that_the_segment_may_get() {
        let records = [
            ("x", 7_000, Nothing),
            ("c", 5_000, Data),
            ("x", 9_000, Nothing),
        ];
        let at = 7_000 + 100 + 1_000;
        check(
            "retention.ms=1000",
            &records,
            Readable::Until(at, By::Retention),
        );
        check(
            "retention.ms=-1",
            &records,
            Readable::Forever(Why::NoRetention),
        );
        check("retention.ms=-1", &[("c", 5, Id)], Readable::Gone);
    }

    #[test]
    fn compaction_needs_a_later_record_with_the_key_and_a_lag() {
        let compacted = "cleanup.policy=compact max.compaction.lag.ms=50";
        let until = |at| Readable::Until(at, By::Compaction);
        check(compacted, &[("c", 5, Data), ("c", 900, Id)], until(950));
        check(
            compacted,
            &[("c", 5, Data), ("x", 900, Nothing)],
            Readable::Forever(Why::NotReplaced),
        );
        // the longest of all keys holds
        let two = [
            ("a", 1, Data),
            ("b", 2, Data),
            ("b", 3, Id),
            ("a", 8, Nothing),
        ];
        check(compacted, &two, until(58));
        check(
            "cleanup.policy=compact",
            &two,
            Readable::Forever(Why::NoCompactionLag),
        );
    }

    #[test]
    fn where_both_remove_records_the_first_of_them_does() {
        let both = "cleanup.policy=compact,delete retention.ms=1000";
        let replaced = [("c", 5_000, Data), ("c", 5_001, Id)];
        let lag = format!("{both} max.compaction.lag.ms=50");
        check(&lag, &replaced, Readable::Until(5_051, By::Compaction));
        check(both, &replaced, Readable::Until(6_100, By::Retention));
        check(&lag, &replaced[..1], Readable::Until(6_100, By::Retention));
    }
}
