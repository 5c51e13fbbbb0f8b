//! `/status`: what the page shows, as JSON. Field names are those of the page; times are milliseconds since 1970.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::ProcessInfo;
use super::board::{About, Board, Counts, DeadLetter, Setting, SourceInfo};
use super::health::Health;
use super::metrics::Metrics;
use super::metrics::lag::{self, PartitionLag};
use super::metrics::view::{Buckets, Finding};
use super::problems::{Findings, Problem, problems};
use crate::model::record::Outcome;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    application: String,
    instance: String,
    version: &'static str,
    commit: &'static str,
    began: i64,
    now: i64,
    ready: bool,
    live: bool,
    problems: Vec<Problem>,
    sources: Vec<Source>,
    /// Records that came again through the forwarded topic, by outcome.
    forwarded: Outcomes,
    partitions: Vec<Partition>,
    dead_letters: Vec<DeadLetter>,
    instances: Vec<Instance>,
    workers: Vec<Worker>,
    restoring: Vec<Restoring>,
    state: State,
    snapshots: Published,
    transactions: BTreeMap<&'static str, u64>,
    rebalances: u64,
    last_commit: Option<i64>,
    /// Cumulative: the upper bound in seconds, null for the last, and the observations at or below it.
    end_to_end_latency: Buckets,
    commit_duration: Buckets,
    settings: Vec<Setting>,
    /// Whether `/customers/{id}` answers.
    shows_customers: bool,
}

type Outcomes = BTreeMap<&'static str, u64>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(flatten)]
    info: SourceInfo,
    /// Each record once, however often it was forwarded or split.
    records: u64,
    outcomes: Outcomes,
    rejections: Vec<Reason>,
    warnings: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    code: String,
    records: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    topic: String,
    partition: i32,
    position: i64,
    lag_records: i64,
    /// Null where another instance reads the partition, which knows it.
    lag_seconds: Option<f64>,
    /// Null where it is not known, or where there is none.
    owner: Option<String>,
    /// Whether no instance works on it.
    unowned: bool,
    /// Whether this instance owns it.
    here: bool,
}

#[derive(Debug, Serialize)]
struct Instance {
    name: String,
    host: String,
    workers: usize,
    partitions: usize,
    #[serde(rename = "self")]
    is_self: bool,
    /// Its page, if HTTP can be reached from other machines, and it listens on the same port.
    url: Option<String>,
}

#[derive(Debug, Serialize)]
struct Worker {
    worker: usize,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Restoring {
    partition: i32,
    remaining: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct State {
    customers: i64,
    bytes: i64,
    largest_customer_bytes: i64,
    max_customer_bytes: usize,
}

#[derive(Debug, Serialize)]
struct Published {
    snapshots: u64,
    tombstones: u64,
}

/// Takes a sample of the counts from time to time, from which the shares of rejected records are computed.
pub fn sample(board: &Board, metrics: &Metrics, now: Instant) {
    if board.wants_sample(now) {
        board.add_sample(now, counts(&board.about(), metrics));
    }
}

fn counts(about: &About, metrics: &Metrics) -> Counts {
    let rejections = metrics.all_rejections();
    let of = |name: &str| {
        let own = rejections.iter().filter(|one| one.source == name);
        (
            metrics.input_records_of(name),
            own.map(|one| one.records).sum(),
        )
    };
    let sources = about.sources.iter();
    sources
        .map(|source| (source.name, of(source.name)))
        .collect()
}

impl Status {
    pub(super) fn of(
        info: &ProcessInfo,
        shows_customers: bool,
        metrics: &Metrics,
        health: &Health,
        board: &Board,
    ) -> Status {
        let (now, wall) = (Instant::now(), lag::millis());
        let about = board.about();
        let not_ready = health.ready(now).err().unwrap_or_default();
        let live = health.live(now).is_ok();
        let partitions = partitions(metrics, board, wall);
        let found = findings(&about, metrics, board, &partitions, wall);
        let sizes = metrics.state_sizes();
        let (snapshots, tombstones) = metrics.snapshot_counts();
        let workers = metrics.worker_states().into_iter();
        let restoring = metrics.restoring().into_iter();
        Status {
            application: info.application_id.clone(),
            instance: board.instance(),
            version: info.version,
            commit: info.commit,
            began: about.began,
            now: wall,
            ready: not_ready.is_empty(),
            live,
            problems: problems(&Findings { not_ready, ..found }),
            sources: sources(&about, metrics),
            forwarded: outcomes(metrics, "forwarded"),
            instances: instances(board),
            partitions,
            dead_letters: board.dead_letters(),
            workers: workers
                .map(|(worker, state)| Worker { worker, state })
                .collect(),
            restoring: restoring
                .map(|(partition, remaining)| Restoring {
                    partition,
                    remaining,
                })
                .collect(),
            state: State {
                customers: sizes.customers,
                bytes: sizes.bytes,
                largest_customer_bytes: sizes.largest,
                max_customer_bytes: about.max_state_bytes,
            },
            snapshots: Published {
                snapshots,
                tombstones,
            },
            transactions: metrics.transaction_counts().into_iter().collect(),
            rebalances: metrics.rebalance_count(),
            last_commit: metrics.last_commit().map(|at| (at * 1000.0) as i64),
            end_to_end_latency: metrics.latency_buckets(),
            commit_duration: metrics.commit_buckets(),
            settings: about.settings,
            shows_customers,
        }
    }
}

fn outcomes(metrics: &Metrics, label: &str) -> Outcomes {
    let outcomes = metrics.outcomes_of(label).into_iter();
    outcomes
        .map(|(outcome, records): (Outcome, u64)| (outcome.name(), records))
        .collect()
}

fn sources(about: &About, metrics: &Metrics) -> Vec<Source> {
    let (rejections, warnings) = (metrics.all_rejections(), metrics.all_warnings());
    let reasons = |all: &[Finding], name: &str| {
        let own = all.iter().filter(|one| one.source == name);
        let reason = own.map(|one| Reason {
            stage: one.stage.clone(),
            code: one.code.clone(),
            records: one.records,
        });
        reason.collect()
    };
    let source = |info: &SourceInfo| Source {
        records: metrics.input_records_of(info.name),
        outcomes: outcomes(metrics, info.name),
        rejections: reasons(&rejections, info.name),
        warnings: reasons(&warnings, info.name),
        info: info.clone(),
    };
    about.sources.iter().map(source).collect()
}

/// All partitions of the group: what the watch has seen, and what this instance knows better of its own.
fn partitions(metrics: &Metrics, board: &Board, now: i64) -> Vec<Partition> {
    let (instance, group) = (board.instance(), board.group());
    let mut all: BTreeMap<(String, i32), Partition> = BTreeMap::new();
    for one in group.partitions {
        let key = (one.topic.clone(), one.partition);
        let here = one.owner.as_deref() == Some(instance.as_str());
        let partition = Partition {
            topic: one.topic,
            partition: one.partition,
            position: one.position,
            lag_records: (one.end - one.position).max(0),
            lag_seconds: None,
            owner: one.owner,
            unowned: one.is_unowned,
            here,
        };
        all.insert(key, partition);
    }
    for PartitionLag {
        key,
        lag,
        seconds,
        is_own,
    } in metrics.lag.reports(now)
    {
        let known = all.entry(key.clone()).or_insert_with(|| Partition {
            topic: key.0,
            partition: key.1,
            position: lag.position,
            lag_records: 0,
            lag_seconds: None,
            owner: None,
            unowned: false,
            here: false,
        });
        if is_own {
            known.owner = Some(instance.clone());
            known.here = true;
            known.unowned = false;
        }
        known.position = lag.position;
        known.lag_records = lag.records;
        known.lag_seconds = Some(seconds);
    }
    all.into_values().collect()
}

fn instances(board: &Board) -> Vec<Instance> {
    let (own, port) = (board.instance(), board.port());
    let instances = board.group().instances.into_iter();
    instances
        .map(|one| {
            // the coordinator writes an address with a slash before it
            let host = one.host.trim_start_matches('/').to_owned();
            let address = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.clone()
            };
            let is_self = one.name == own;
            Instance {
                url: port
                    .filter(|_| !is_self)
                    .map(|port| format!("http://{address}:{port}/")),
                name: one.name,
                host,
                workers: one.workers,
                partitions: one.partitions,
                is_self,
            }
        })
        .collect()
}

fn findings(
    about: &About,
    metrics: &Metrics,
    board: &Board,
    partitions: &[Partition],
    now: i64,
) -> Findings {
    let mut lag_seconds: BTreeMap<&str, f64> = BTreeMap::new();
    for one in partitions {
        let oldest = lag_seconds.entry(&one.topic).or_default();
        *oldest = oldest.max(one.lag_seconds.unwrap_or(0.0));
    }
    let before = board.earlier_counts();
    let since = |(name, (records, rejected)): (&'static str, (u64, u64))| {
        let (records_before, rejected_before) = before.get(name).copied().unwrap_or_default();
        (
            name,
            records - records_before.min(records),
            rejected - rejected_before.min(rejected),
        )
    };
    let own = partitions.iter().filter(|one| one.here);
    let last = metrics.last_commit().unwrap_or(about.began as f64 / 1000.0);
    let is_running = |state: &&str| *state == "running";
    Findings {
        stuck: metrics.stuck_partitions(),
        foreign_members: metrics.foreign_member_count(),
        unowned: partitions.iter().filter(|one| one.unowned).count(),
        lag_seconds: lag_seconds
            .into_iter()
            .map(|(topic, seconds)| (topic.to_owned(), seconds))
            .collect(),
        since_commit: now as f64 / 1000.0 - last,
        waiting: own.map(|one| one.lag_records).sum(),
        has_running_worker: metrics.worker_states().values().any(is_running),
        largest_state: metrics.state_sizes().largest,
        max_state: about.max_state_bytes,
        shares: counts(about, metrics).into_iter().map(since).collect(),
        max_reject_share: about.max_reject_share,
        ..Findings::default()
    }
}
