//! The report on a place: what is still there of the customer, until when, and why.

use std::time::Duration;

use super::bounds::{By, Readable, Why, readable};
use super::copies::Copies;
use crate::model::lifetime::Lifetime;

/// What the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Snapshots,
    State,
    Forwarded,
    DeadLetters,
    Settled,
    Input,
    Store,
    Elsewhere,
}

impl Place {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Snapshots => "snapshots",
            Place::State => "state",
            Place::Forwarded => "forwarded",
            Place::DeadLetters => "dead_letters",
            Place::Settled => "settled",
            Place::Input => "input",
            Place::Store => "store",
            Place::Elsewhere => "elsewhere",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No more than the id is there.
    Done,
    /// It goes by itself.
    Pending,
    /// It stays until somebody does what the report says.
    NotBounded,
    /// The settings that bound it cannot be read.
    NotKnown,
    NotKeyfolds,
}

impl Status {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Pending => "pending",
            Status::NotBounded => "not_bounded",
            Status::NotKnown => "not_known",
            Status::NotKeyfolds => "not_keyfolds",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Status::NotBounded => "not bounded",
            Status::NotKnown => "not known",
            Status::NotKeyfolds => "not keyfold's",
            other => other.name(),
        }
    }

    /// Whether data of the customer are or may be readable at a place of keyfold's.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Status::Pending | Status::NotBounded | Status::NotKnown
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceReport {
    pub place: Place,
    /// The topic, or what it is.
    pub name: String,
    /// How many records hold data, and how many no more than the id; none where nobody can count them.
    pub records: Option<(u64, u64)>,
    /// The last record with data in each partition: its partition and its offset.
    pub last: Vec<(i32, i64)>,
    pub status: Status,
    /// Until when it can be read at the latest, in milliseconds since 1970, where something bounds it.
    pub until: Option<i64>,
    pub why: String,
}

/// The records of a topic.
pub struct TopicAt<'t> {
    pub place: Place,
    pub name: &'t str,
    pub copies: &'t Copies,
    /// None if the settings cannot be read.
    pub lifetime: Option<Lifetime>,
    /// In milliseconds since 1970.
    pub now: i64,
    /// The partition of the customer, in the topics of states and of snapshots.
    pub own: Option<i32>,
}

impl TopicAt<'_> {
    /// The report on the topic.
    pub fn report(&self) -> PlaceReport {
        let (status, until, why) = match self.lifetime {
            _ if self.copies.data() == 0 => (Status::Done, None, self.why_done()),
            None => {
                let why = "the settings of the topic cannot be read: grant DescribeConfigs on it";
                (Status::NotKnown, None, why.to_owned())
            }
            Some(lifetime) => self.bounded(&lifetime),
        };
        PlaceReport {
            place: self.place,
            name: self.name.to_owned(),
            records: Some((self.copies.data(), self.copies.ids())),
            last: self.last(),
            status,
            until,
            why,
        }
    }

    fn last(&self) -> Vec<(i32, i64)> {
        let partitions = self.copies.partitions();
        partitions
            .filter_map(|(number, one)| Some((number, one.last?.offset)))
            .collect()
    }

    fn why_done(&self) -> String {
        let nulls = self.lifetime.map(|lifetime| lifetime.null_retention);
        match (self.copies.ids(), self.place, nulls) {
            (0, ..) => "nothing of the customer is there".to_owned(),
            (_, Place::State, _) => {
                "the newest state keeps the id, the times of erasures, and the stamps by which older records stay hidden, so that a late one brings nothing back".to_owned()
            }
            (_, Place::Snapshots, Some(nulls)) => format!(
                "only the null value is there, whose key is the id; it goes delete.retention.ms={} after it was compacted",
                millis(nulls)
            ),
            _ => "only null values are there, whose keys are the id".to_owned(),
        }
    }

    fn bounded(&self, lifetime: &Lifetime) -> (Status, Option<i64>, String) {
        if self.place == Place::Forwarded {
            let why = "keyfold deletes forwarded records within 20 s of having processed them, while it runs and has Delete on the topic";
            return (Status::Pending, None, why.to_owned());
        }
        if self.place == Place::Settled {
            let why = "a note of `keyfold dlq` names the id; it is forgotten when its letter is gone and `keyfold dlq` runs with --execute the next time";
            return (Status::Pending, None, why.to_owned());
        }
        match readable(self.copies, lifetime) {
            Readable::Gone => (Status::Done, None, self.why_done()),
            Readable::Until(at, by) => {
                (Status::Pending, Some(at), self.why_until(at, by, lifetime))
            }
            Readable::Forever(Why::NotReplaced) if self.own.is_some() => {
                self.not_replaced(lifetime)
            }
            Readable::Forever(why) => (Status::NotBounded, None, self.why_forever(why)),
        }
    }

    fn why_until(&self, at: i64, by: By, lifetime: &Lifetime) -> String {
        let is_due = at <= self.now;
        match by {
            By::Retention if is_due => "retention.ms is over: the broker removes the segment when it looks the next time (log.retention.check.interval.ms, by default 5 minutes)".to_owned(),
            By::Retention => format!(
                "retention.ms={} after the latest timestamp of the record's segment, which is closed after segment.ms={}; earlier if the segment is full before",
                millis(lifetime.retention.unwrap_or_default()),
                millis(lifetime.segment)
            ),
            By::Compaction if is_due => "max.compaction.lag.ms is over: it is compacted when a later record has been written to its partition".to_owned(),
            By::Compaction => format!(
                "compaction, max.compaction.lag.ms={} after the record that replaced it, if one is written to the partition after that time",
                millis(lifetime.compaction_lag.unwrap_or_default())
            ),
        }
    }

    /// A state or a snapshot that is the newest.
    fn not_replaced(&self, lifetime: &Lifetime) -> (Status, Option<i64>, String) {
        let mut others = self.copies.partitions().filter(|(number, one)| {
            Some(*number) != self.own && one.keys().any(|key| key.newest_holds_data)
        });
        if let Some((partition, _)) = others.next() {
            let why = format!(
                "{}[{partition}] holds records of the customer, although the customer belongs into partition {}: the topic had another number of partitions, or somebody else wrote them; write a null value with the id as the key into that partition",
                self.name,
                self.own.unwrap_or_default()
            );
            return (Status::NotBounded, None, why);
        }
        let then = match lifetime.compaction_lag {
            Some(lag) => format!("max.compaction.lag.ms={} later", millis(lag)),
            None => "at no certain time: set max.compaction.lag.ms".to_owned(),
        };
        let why = format!("replaced when keyfold processes the erasure, and compacted {then}");
        (Status::Pending, None, why)
    }

    fn why_forever(&self, why: Why) -> String {
        match why {
            Why::NoRetention => {
                let last = self.last();
                let last: Vec<String> = last
                    .iter()
                    .map(|(partition, offset)| format!("{}[{partition}] before {}", self.name, offset + 1))
                    .collect();
                format!(
                    "retention.ms=-1: set it, or delete the records of {} with kafka-delete-records.sh",
                    last.join(", ")
                )
            }
            Why::NoCompactionLag => "max.compaction.lag.ms is not set, so that the share of old records decides when the topic is compacted: set it, for example to 86400000".to_owned(),
            Why::NotReplaced => "the topic is compacted, and records with other contents than the erasure are the newest with their keys: write null values with these keys to it, or set cleanup.policy=compact,delete and retention.ms".to_owned(),
            Why::NoPolicy => "the topic is compacted, and the records have no key: set cleanup.policy=compact,delete and retention.ms".to_owned(),
        }
    }
}

/// How long a disk store may hold what was overwritten, in milliseconds.
const STORE: i64 = 3_600_000;

/// The report on the copies that instances have of the state.
pub fn of_store(is_on_disk: bool, erased_at: Option<i64>, now: i64) -> PlaceReport {
    let until = erased_at.map(|at| at.saturating_add(STORE));
    let (status, until, why) = match (is_on_disk, until) {
        (_, None) => (
            Status::Pending,
            None,
            "as the state: goes when keyfold processes the erasure",
        ),
        (false, Some(_)) => (
            Status::Done,
            None,
            "instances have their copies in memory, where the erased state has replaced the other",
        ),
        (true, Some(until)) if until > now => (
            Status::Pending,
            Some(until),
            "journals and tables are rewritten within an hour, tables of partitions above 64 MiB as more is written; a store that no instance has open stays: delete it",
        ),
        (true, Some(_)) => (
            Status::Done,
            None,
            "rewritten within an hour where the store of the partition is open and has up to 64 MiB; larger tables follow as more is written, and a store that no instance has open stays: delete it",
        ),
    };
    PlaceReport {
        place: Place::Store,
        name: "the instances' copies of the state".to_owned(),
        records: None,
        last: Vec::new(),
        status,
        until,
        why: why.to_owned(),
    }
}

/// What keyfold knows nothing of. `tiered` are topics with remote storage.
pub fn elsewhere(tiered: &[&str]) -> PlaceReport {
    let mut why = "what readers of snapshots and inputs have stored, mirrored clusters, backups, logs, and what the sources themselves hold".to_owned();
    if !tiered.is_empty() {
        why = format!(
            "{why}; segments in the remote storage of {} go by the same retention.ms, but copies of the bucket do not",
            tiered.join(", ")
        );
    }
    PlaceReport {
        place: Place::Elsewhere,
        name: "everywhere else".to_owned(),
        records: None,
        last: Vec::new(),
        status: Status::NotKeyfolds,
        until: None,
        why,
    }
}

/// A number of milliseconds, and what it is.
fn millis(millis: i64) -> String {
    let duration = Duration::from_millis(millis.max(0).unsigned_abs());
    format!("{millis} ({})", humantime::format_duration(duration))
}

#[cfg(test)]
mod tests {
    use super::super::copies::Holds::{self, Data, Id};
    use super::super::copies::tests::copies;
    use super::*;
    use crate::model::lifetime::tests::{DEFAULTS, lifetime};

    fn report(place: Place, settings: &str, records: &[(&str, i64, Holds)]) -> PlaceReport {
        let topic = TopicAt {
            place,
            name: "t",
            copies: &copies(records),
            lifetime: lifetime(&format!("{DEFAULTS} {settings}")),
            now: 1_000,
            own: matches!(place, Place::State | Place::Snapshots).then_some(0),
        };
        topic.report()
    }

    const COMPACTED: &str = "cleanup.policy=compact max.compaction.lag.ms=5000";

    #[test]
    fn a_snapshot_goes_in_three_steps() {
        let of = |records: &[_]| report(Place::Snapshots, COMPACTED, records);
        let before = of(&[("c", 5, Data)]);
        assert_eq!((before.status, before.until), (Status::Pending, None));
        assert!(before.why.starts_with("replaced when"), "{}", before.why);
        let replaced = of(&[("c", 5, Data), ("c", 900, Id)]);
        assert_eq!(
            (replaced.status, replaced.until),
            (Status::Pending, Some(5_900))
        );
        assert!(replaced.why.contains("5000 (5s)"), "{}", replaced.why);
        let gone = of(&[("c", 900, Id)]);
        assert_eq!((gone.status, gone.records), (Status::Done, Some((0, 1))));
        assert!(gone.why.contains("86400000 (1day)"), "{}", gone.why);
    }

    #[test]
    fn what_nothing_bounds_says_what_would() {
        let letters = report(Place::DeadLetters, "retention.ms=-1", &[("c", 5, Data)]);
        assert_eq!(letters.status, Status::NotBounded);
        assert!(letters.why.contains("t[0] before 1"), "{}", letters.why);
        let lag = report(
            Place::State,
            "cleanup.policy=compact",
            &[("c", 5, Data), ("c", 6, Id)],
        );
        assert!(
            lag.why.contains("max.compaction.lag.ms is not set"),
            "{}",
            lag.why
        );
        let input = report(Place::Input, COMPACTED, &[("c", 5, Data)]);
        assert_eq!(input.status, Status::NotBounded);
        assert!(
            input.why.contains("null values with these keys"),
            "{}",
            input.why
        );
    }

    #[test]
    fn a_record_in_a_foreign_partition_is_not_replaced() {
        let mut topic = TopicAt {
            place: Place::Snapshots,
            name: "t",
            copies: &copies(&[("c", 5, Data)]),
            lifetime: lifetime(&format!("{DEFAULTS} {COMPACTED}")),
            now: 1_000,
            own: Some(2),
        };
        let report = topic.report();
        assert_eq!(report.status, Status::NotBounded);
        assert!(
            report.why.contains("belongs into partition 2"),
            "{}",
            report.why
        );
        topic.lifetime = None;
        assert_eq!(topic.report().status, Status::NotKnown);
    }

    #[test]
    fn a_disk_store_needs_an_hour() {
        let of = |erased_at, now| of_store(true, erased_at, now).status;
        assert_eq!(of(None, 5), Status::Pending);
        assert_eq!(of(Some(0), STORE - 1), Status::Pending);
        assert_eq!(of(Some(0), STORE), Status::Done);
        assert_eq!(of_store(false, Some(0), 1).status, Status::Done);
    }
}
