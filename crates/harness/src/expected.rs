//! What must come out: `keyfold fold` of the records that are in the inputs, and the ledger that must add up.

use std::collections::BTreeMap;
use std::fs;

use keyfold::config::Config;
use keyfold::model::partition;
use keyfold::model::record::RawRecord;
use keyfold::source::{self, Verdict};
use keyfold_generate::{GeneratedRecord, kcat_line};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::app::{App, text_of};
use crate::client::Isolation;
use crate::metrics::{Metrics, sum};
use crate::record::{Consumed, newest_per_key};

const ERRORS: &str = "__keyfold.errors.";

/// What `keyfold fold` makes of the inputs.
pub struct Folded {
    /// By customer id, where there is something to show.
    pub snapshots: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Sorted.
    pub rejections: Vec<Rejected>,
}

/// A rejection as `keyfold fold --rejected` writes it, and as a dead letter's headers tell it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rejected {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub source: String,
    pub stage: String,
    pub code: String,
    pub message: String,
    pub violations: serde_json::Value,
}

impl Rejected {
    fn of(letter: &Consumed) -> Rejected {
        let header = |name: &str| error_header(letter, name).to_owned();
        let key = letter.key.as_deref();
        Rejected {
            topic: header("topic"),
            partition: header("partition").parse().expect("a partition"),
            offset: header("offset").parse().expect("an offset"),
            key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
            source: header("source"),
            stage: header("stage"),
            code: header("code"),
            message: header("message"),
            violations: serde_json::from_str(&header("violations")).expect("a JSON array"),
        }
    }

    fn place(&self) -> (&str, i32, i64) {
        (&self.topic, self.partition, self.offset)
    }
}

/// A header of a dead letter, by its name behind `__keyfold.errors.`.
#[track_caller]
pub fn error_header<'a>(letter: &'a Consumed, name: &str) -> &'a str {
    letter
        .header(&format!("{ERRORS}{name}"))
        .unwrap_or_else(|| panic!("a dead letter without {name}: {:?}", letter.headers))
}

/// The newest value of each key that has one.
fn newest_values(records: &[Consumed]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let newest = newest_per_key(records).into_iter();
    newest
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

fn sorted(mut rejections: Vec<Rejected>) -> Vec<Rejected> {
    rejections.sort_by(|a, b| a.place().cmp(&b.place()));
    rejections
}

impl App {
    /// Folds the records of the inputs offline, from what kcat would print.
    #[track_caller]
    pub fn fold(&self) -> Folded {
        self.fold_of(self.client.read_side_by_side(&self.inputs()))
    }

    /// Like [`App::fold`], of what was read from each of the inputs, in their order.
    #[track_caller]
    fn fold_of(&self, read: Vec<Vec<Consumed>>) -> Folded {
        #[derive(Deserialize)]
        struct Line<'a> {
            key: String,
            #[serde(borrow)]
            value: &'a RawValue,
        }
        let mut lines = Vec::new();
        for (topic, records) in self.inputs().iter().zip(read) {
            for record in records {
                let (partition, offset) = (record.partition, record.offset);
                // A null header is of no use to a definition, and kcat's form has none.
                let headers = record.headers.into_iter();
                let generated = GeneratedRecord {
                    // A line does not say of which source it is.
                    source: keyfold_generate::Source::LoyaltyCustomers,
                    timestamp: record.timestamp.unwrap_or(-1),
                    key: record.key,
                    value: record.value,
                    headers: headers
                        .filter_map(|(name, value)| Some((name, value?)))
                        .collect(),
                };
                lines.extend(kcat_line(&generated, topic, partition, offset));
            }
        }
        let rejected = self.file("rejected.ndjson");
        let path = rejected.to_str().expect("a path of text");
        let output = self.command(&["fold", "--rejected", path], &lines);
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
        let mut snapshots = BTreeMap::new();
        for line in std::str::from_utf8(&output.stdout).expect("text").lines() {
            let line: Line<'_> = serde_json::from_str(line).expect("a line of fold");
            let value = line.value.get();
            if value != "null" {
                snapshots.insert(line.key.into_bytes(), value.into());
            }
        }
        let rejected = fs::read_to_string(&rejected).expect("the rejections");
        let rejections = rejected.lines();
        let rejections = rejections.map(|line| serde_json::from_str(line).expect("a rejection"));
        Folded {
            snapshots,
            rejections: sorted(rejections.collect()),
        }
    }

    /// The newest snapshot of each key that has one, as a reader with `read_committed` sees them.
    pub fn newest_snapshots(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let records = self
            .client
            .read_all(&self.snapshots(), Isolation::ReadCommitted);
        newest_values(&records)
    }

    pub fn read_dead_letters(&self) -> Vec<Consumed> {
        let topic = self.dead_letters();
        self.client.read_all(&topic, Isolation::ReadCommitted)
    }

    /// The published snapshots are those of the offline fold, byte for byte, each in its customer's partition;
    /// each rejection has become a dead letter, exactly once or, if `repeats` are allowed, at least once.
    #[track_caller]
    pub fn assert_folded(&self, repeats: Repeats) {
        let mut topics = self.inputs();
        topics.extend([self.snapshots(), self.dead_letters()]);
        let mut read = self.client.read_side_by_side(&topics);
        let letters = read.pop().expect("the dead letters");
        let published = read.pop().expect("the snapshots");
        let expected = self.fold_of(read);
        let snapshots = newest_values(&published);
        let partitions = self.client.partitions(&self.snapshots());
        let partitions = partitions.expect("the topic of snapshots");
        for record in &published {
            let key = record.key.as_deref().expect("a customer id");
            assert_eq!(record.partition, partition::of_key(key, partitions));
        }
        for (key, expected) in &expected.snapshots {
            let found = snapshots
                .get(key)
                .map(|value| String::from_utf8_lossy(value));
            assert_eq!(
                found.as_deref(),
                Some(&*String::from_utf8_lossy(expected)),
                "the snapshot of {}",
                String::from_utf8_lossy(key)
            );
        }
        let extra = snapshots.keys();
        let extra: Vec<_> = extra
            .filter(|key| !expected.snapshots.contains_key(*key))
            .map(|key| String::from_utf8_lossy(key))
            .collect();
        assert!(
            extra.is_empty(),
            "snapshots with nothing to show: {extra:?}"
        );

        let mut letters = sorted(letters.iter().map(Rejected::of).collect());
        if repeats == Repeats::Allowed {
            letters.dedup();
        }
        let places = |rejections: &[Rejected]| -> Vec<(String, i32, i64)> {
            let places = rejections.iter().map(Rejected::place);
            places.map(|(t, p, o)| (t.to_owned(), p, o)).collect()
        };
        assert_eq!(
            places(&letters),
            places(&expected.rejections),
            "dead letters"
        );
        for (letter, expected) in letters.iter().zip(&expected.rejections) {
            assert_eq!(letter, expected);
        }
    }

    /// For every topic the outcomes add up to its records, over all instances that ran, none of which crashed.
    #[track_caller]
    pub fn assert_ledger(&self, instances: &[&Metrics]) {
        let config = Config::load(Some(&self.config_file())).expect("the configuration");
        let total = |labels: &[(&str, &str)]| -> f64 {
            let totals = instances.iter();
            totals
                .map(|metrics| sum(metrics, "keyfold_records_total", labels))
                .sum()
        };
        let mut forwarded = 0.0;
        let read = self.client.read_side_by_side(&self.inputs());
        for (source, records) in self.sources().zip(read) {
            let counted = total(&[("source", source.name())]);
            assert_eq!(counted, records.len() as f64, "records of {source}");
            forwarded += total(&[("source", source.name()), ("outcome", "forwarded")]);
            for record in &records {
                let raw = RawRecord {
                    source,
                    timestamp: record.timestamp,
                    key: record.key.as_deref(),
                    value: record.value.as_deref(),
                };
                if let Verdict::Batch { elements, .. } = source::judge(&raw, &config).verdict {
                    forwarded += elements.len() as f64;
                }
            }
        }
        assert_eq!(total(&[("source", "forwarded")]), forwarded, "forwarded");
        let arrived = self
            .client
            .read_all(&self.forwarded(), Isolation::ReadCommitted);
        let kept_all = self.client.watermarks(&self.forwarded());
        if kept_all.iter().all(|(first, _)| *first == 0) {
            assert_eq!(arrived.len() as f64, forwarded, "records in the topic");
        }
        let letters = self.read_dead_letters().len() as f64;
        assert_eq!(total(&[("outcome", "rejected")]), letters, "rejected");
        let by_code = instances.iter();
        let by_code: f64 = by_code
            .map(|metrics| sum(metrics, "keyfold_rejections_total", &[]))
            .sum();
        assert_eq!(by_code, letters, "rejections by code");
    }
}

/// Whether dead letters may come more than once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    Forbidden,
    Allowed,
}
