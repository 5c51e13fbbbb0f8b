//! The promises that must be kept at every commit, and at the end of a run.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keyfold::customer::Customer;
use keyfold::customer::snapshot::{self, View};
use keyfold::engine::{Place, Settings};
use keyfold::fold::OfflineFold;
use keyfold::model::partition;
use keyfold::model::record::RawRecord;

use crate::log::{Log, Record};
use crate::records;
use crate::transactions::{Cluster, Decision, LogId};

#[derive(Debug, Default)]
pub struct Audit {
    /// The newest committed state of each customer.
    states: BTreeMap<Vec<u8>, Bytes>,
    /// The records of all committed batches.
    taken: BTreeSet<(Place, i64)>,
    pub commits: u64,
    /// Whether a transaction must commit an offset of the forwarded partition of each state partition that it writes.
    requires_forwarded_offsets: bool,
    /// Whether a record may be processed more than once.
    may_repeat: bool,
}

impl Audit {
    pub fn new(requires_forwarded_offsets: bool, may_repeat: bool) -> Audit {
        Audit {
            requires_forwarded_offsets,
            may_repeat,
            ..Audit::default()
        }
    }

    /// Audits a transaction at the moment when its commit is decided.
    pub fn commit(&mut self, settings: &Settings, decision: Decision) -> Result<(), String> {
        self.commits += 1;
        let Decision {
            records,
            offsets,
            intent,
        } = decision;
        if records.len() != intent.produced {
            return Err(format!(
                "offsets are ahead of the durable state: {} of {} records were delivered",
                records.len(),
                intent.produced
            ));
        }
        for taken in intent.taken {
            if !self.taken.insert(taken) && !self.may_repeat {
                return Err(format!("{taken:?} is counted twice"));
            }
            let (place, offset) = taken;
            let mut named = offsets.iter();
            if !named.any(|(of, position, _)| *of == place && *position > offset) {
                return Err(format!("{taken:?} is counted without its offset"));
            }
        }
        let mut published: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        for (log, record) in &records {
            if let (LogId::Snapshot(_), Some(key)) = (log, &record.key) {
                published.insert(key, record.value.as_deref());
            }
        }
        for (log, record) in &records {
            if let LogId::State(partition) = log {
                let place = settings.forwarded(*partition);
                // without the offset the brokers may or may not lose data; this reports the cause in either case
                if self.requires_forwarded_offsets
                    && !offsets.iter().any(|(named, ..)| *named == place)
                {
                    return Err(format!("state {partition} is written without a fence"));
                }
                let base = intent.bases.get(record.key.as_deref().unwrap_or_default());
                let base = base.and_then(Option::as_deref);
                self.state(settings, *partition, record, base, &published)?;
            }
        }
        Ok(())
    }

    /// At-least-once: a state must be written after its snapshot.
    pub fn plain_state(
        &self,
        settings: &Settings,
        state: &Record,
        newest: Option<&Record>,
    ) -> Result<(), String> {
        let id = String::from_utf8_lossy(state.key.as_deref().unwrap_or_default()).into_owned();
        let bytes = Bytes::from(state.value.clone().unwrap_or_default());
        let customer = Customer::decode(&*bytes).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        let shown = snapshot::write(&customer, &id, &settings.view, &mut text);
        match newest.map(|record| record.value.as_deref()) {
            Some(published) if published == shown.then_some(&text[..]) => Ok(()),
            _ => Err(format!("the state of {id} is written before its snapshot")),
        }
    }

    fn state(
        &mut self,
        settings: &Settings,
        partition: i32,
        record: &Record,
        base: Option<&[u8]>,
        published: &BTreeMap<&[u8], Option<&[u8]>>,
    ) -> Result<(), String> {
        let key = record.key.clone().unwrap_or_default();
        let id = String::from_utf8_lossy(&key).into_owned();
        if partition::of_key(&key, settings.partitions) != partition {
            return Err(format!("the state of {id} is in partition {partition}"));
        }
        let before = self.states.get(&key);
        if before.map(Bytes::as_ref) != base {
            return Err(format!(
                "the state of {id} in partition {partition} was not computed from the newest committed one"
            ));
        }
        let state = Bytes::from(record.value.clone().unwrap_or_default());
        let new = Customer::decode(&*state).map_err(|error| error.to_string())?;
        if let Some(before) = before {
            let before = Customer::decode(&**before).map_err(|error| error.to_string())?;
            if new.clone().merge(before, settings.limits.keep) {
                return Err(format!("the state of {id} goes back"));
            }
        }
        let mut text = Vec::new();
        let shown = snapshot::write(&new, &id, &settings.view, &mut text);
        let expected = shown.then_some(text);
        match published.get(&key[..]) {
            Some(value) if *value == expected.as_deref() => {}
            _ => return Err(format!("the snapshot of {id} is not that of its state")),
        }
        self.states.insert(key, state);
        Ok(())
    }

    /// The first record of a log that is in no committed batch.
    pub fn untaken(&self, place: Place, log: &Log) -> Option<i64> {
        let mut visible = log.committed().map(|(offset, _)| offset);
        visible.find(|offset| !self.taken.contains(&(place, *offset)))
    }

    /// Audits the result at the end, when all records are processed.
    pub fn end(&self, settings: &Settings, cluster: &Cluster) -> Result<(), String> {
        let mut visible = BTreeSet::new();
        for (id, log) in cluster.logs() {
            if let LogId::Place(place) = id {
                visible.extend(log.committed().map(|(offset, _)| (place, offset)));
            }
        }
        if visible != self.taken {
            return Err("not every record that can be seen was counted once".into());
        }
        let (snapshots, letters) = expected(settings, cluster);
        compare("snapshots", &snapshots, &published(cluster))?;
        let mut found = dead_letters(cluster);
        if self.may_repeat {
            for (origin, times) in &mut found {
                *times = (*times).min(letters.get(origin).copied().unwrap_or(*times));
            }
        }
        compare("dead letters", &letters, &found)
    }
}

type Snapshots = BTreeMap<String, Option<String>>;
type DeadLetters = BTreeMap<(String, String, String), usize>;

fn compare<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
) -> Result<(), String> {
    for key in expected.keys().chain(found.keys()) {
        let (one, other) = (expected.get(key), found.get(key));
        if one != other {
            return Err(format!(
                "{what}: {key:?}: expected {one:?}, found {other:?}"
            ));
        }
    }
    Ok(())
}

/// The snapshots and dead letters of the offline fold of all inputs, without customers of whom nothing is shown.
fn expected(settings: &Settings, cluster: &Cluster) -> (Snapshots, DeadLetters) {
    let config = &records::config();
    let mut fold = OfflineFold::new(config);
    let mut letters = DeadLetters::new();
    for (id, log) in cluster.logs() {
        let LogId::Place(place) = id else { continue };
        let Some(source) = settings.topics[place.topic].source else {
            continue;
        };
        for (offset, record) in log.committed() {
            let rejections = fold.record(&RawRecord {
                source,
                timestamp: Some(record.timestamp),
                key: record.key.as_deref(),
                value: record.value.as_deref(),
            });
            if !rejections.is_empty() {
                let topic = settings.topic_name(place).to_owned();
                let origin = (topic, place.partition.to_string(), offset.to_string());
                letters.insert(origin, rejections.len());
            }
        }
    }
    let view = View::of(config);
    debug_assert_eq!(view, settings.view);
    let shown = fold.snapshots().filter_map(|(id, snapshot)| {
        let text = String::from_utf8_lossy(&snapshot?).into_owned();
        Some((id.to_owned(), Some(text)))
    });
    (shown.collect(), letters)
}

/// The newest published snapshot of each customer, as a reader with `read_committed` sees it.
fn published(cluster: &Cluster) -> Snapshots {
    let mut newest = Snapshots::new();
    for (id, log) in cluster.logs() {
        if let LogId::Snapshot(_) = id {
            for (_, record) in log.committed() {
                let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
                let key = record.key.as_ref().map(text).unwrap_or_default();
                newest.insert(key, record.value.as_ref().map(text));
            }
        }
    }
    newest.retain(|_, value| value.is_some());
    newest
}

fn dead_letters(cluster: &Cluster) -> DeadLetters {
    let mut letters = DeadLetters::new();
    for (id, log) in cluster.logs() {
        if let LogId::DeadLetter = id {
            for (_, record) in log.committed() {
                let header = |name: &str| {
                    let name = format!("__keyfold.errors.{name}");
                    record.header(&name).unwrap_or_default().to_owned()
                };
                let origin = (header("topic"), header("partition"), header("offset"));
                *letters.entry(origin).or_default() += 1;
            }
        }
    }
    letters
}
