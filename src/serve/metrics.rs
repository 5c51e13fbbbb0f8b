//! The metrics: names, labels and base units are fixed (docs/contract.md, section 8).
//!
//! Label values come from closed sets (sources, outcomes, stages, codes, states) or are topic names
//! and numbers. Never pass a customer id or free text.

mod batch;
pub mod lag;
#[cfg(target_os = "linux")]
mod process;
mod registry;
mod state;
mod totals;
mod worker_state;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use batch::BatchHistograms;
pub use lag::LagMetrics;
pub use registry::RegistryMetrics;
pub use state::StateShare;
pub use totals::Totals;
pub use worker_state::WorkerState;

use state::StateMetrics;

/// The outcomes of a record (docs/contract.md, section 2).
pub const OUTCOMES: [&str; 5] = ["merged", "unchanged", "forwarded", "split", "rejected"];
/// The kinds of a published snapshot.
pub const SNAPSHOT_KINDS: [&str; 2] = ["snapshot", "tombstone"];
/// The results of a transaction.
pub const TRANSACTION_RESULTS: [&str; 3] = ["committed", "aborted", "unknown"];

/// Seconds, 1 ms to a minute; a transaction that takes longer than 15 s is aborted.
const COMMIT_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0,
];
/// Seconds, 5 ms to an hour.
const LATENCY_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];
/// Seconds, 1 s to 30 days.
const LATENESS_BUCKETS: &[f64] = &[
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    14_400.0,
    43_200.0,
    86_400.0,
    259_200.0,
    604_800.0,
    2_592_000.0,
];

/// What `keyfold_build_info` says.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    pub version: &'a str,
    /// The commit that the program was built from, or `unknown`.
    pub commit: &'a str,
    pub application_id: &'a str,
}

/// All metrics of one process, over a registry of their own. Share it in an `Arc`.
///
/// Counts of records, rejections, warnings and snapshots belong to a batch: add them when its commit
/// is confirmed, never before, or the ledger does not balance after an abort.
pub struct Metrics {
    registry: Registry,
    records: IntCounterVec,
    input_records: IntCounterVec,
    rejections: IntCounterVec,
    warnings: IntCounterVec,
    snapshots: IntCounterVec,
    transactions: IntCounterVec,
    commit_duration: Histogram,
    last_commit: Gauge,
    latency: Histogram,
    lateness: HistogramVec,
    pub lag: LagMetrics,
    stuck: IntGauge,
    foreign_members: IntGauge,
    /// Each worker's share of the gauge above.
    stuck_shares: Mutex<BTreeMap<usize, usize>>,
    restore_records: IntCounter,
    restore_remaining: IntGaugeVec,
    state: StateMetrics,
    rebalances: IntCounter,
    worker_state: IntGaugeVec,
    delete_records_refused: IntCounter,
    pub schema_registry: RegistryMetrics,
}

impl Metrics {
    /// Registers every metric, and those of the process itself (`process_*`, on Linux).
    ///
    /// # Errors
    /// A name or label that Prometheus refuses, or one registered twice.
    pub fn new(build: Build<'_>) -> Result<Metrics, Error> {
        let registry = Registry::new();
        let r = &registry;
        let metrics = Metrics {
            records: counters(
                r,
                "keyfold_records_total",
                "Records read and committed, by source and outcome. A record has exactly one outcome.",
                &["source", "outcome"],
            )?,
            input_records: counters(
                r,
                "keyfold_input_records_total",
                "Records of the inputs read and committed, each once, by source.",
                &["source"],
            )?,
            rejections: counters(
                r,
                "keyfold_rejections_total",
                "Rejections written to the dead-letter topic, by source, stage and code.",
                &["source", "stage", "code"],
            )?,
            warnings: counters(
                r,
                "keyfold_warnings_total",
                "Findings of validation rules that are set to warn, by source and code.",
                &["source", "code"],
            )?,
            snapshots: counters(
                r,
                "keyfold_snapshots_total",
                "Snapshots and tombstones published and committed.",
                &["kind"],
            )?,
            transactions: counters(
                r,
                "keyfold_transactions_total",
                "Transactions by result; unknown means that no answer came and the worker recovered.",
                &["result"],
            )?,
            commit_duration: register(
                r,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "keyfold_commit_duration_seconds",
                        "Time from the end of a batch to its confirmed commit.",
                    )
                    .buckets(COMMIT_BUCKETS.to_vec()),
                )?,
            )?,
            last_commit: register(
                r,
                Gauge::new(
                    "keyfold_last_commit_timestamp_seconds",
                    "When the last commit was confirmed, in seconds since 1970; 0 before the first.",
                )?,
            )?,
            latency: register(
                r,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "keyfold_end_to_end_latency_seconds",
                        "Time from a record's timestamp to the commit of its outcome.",
                    )
                    .buckets(LATENCY_BUCKETS.to_vec()),
                )?,
            )?,
            lateness: register(
                r,
                HistogramVec::new(
                    HistogramOpts::new(
                        "keyfold_event_lateness_seconds",
                        "How far an event's updatedAt lies behind the newest known of its customer.",
                    )
                    .buckets(LATENESS_BUCKETS.to_vec()),
                    &["source"],
                )?,
            )?,
            lag: LagMetrics::new(r)?,
            stuck: register(
                r,
                IntGauge::new(
                    "keyfold_partitions_stuck",
                    "Partitions whose next record can't be read; /readyz names them.",
                )?,
            )?,
            foreign_members: register(
                r,
                IntGauge::new(
                    "keyfold_group_foreign_members",
                    "Members of the consumer group that are not keyfold; /readyz names one.",
                )?,
            )?,
            stuck_shares: Mutex::new(BTreeMap::new()),
            restore_records: register(
                r,
                IntCounter::new(
                    "keyfold_restore_records_total",
                    "Records read from the state topic to catch up.",
                )?,
            )?,
            restore_remaining: gauges(
                r,
                "keyfold_restore_remaining_records",
                "Offsets of the state topic still to be read before a state partition is caught up.",
                &["partition"],
            )?,
            state: StateMetrics::new(r)?,
            rebalances: register(
                r,
                IntCounter::new(
                    "keyfold_rebalances_total",
                    "Changes of the partitions assigned to a worker.",
                )?,
            )?,
            worker_state: gauges(
                r,
                "keyfold_worker_state",
                "1 for the state that a worker is in, 0 for the others.",
                &["worker", "state"],
            )?,
            delete_records_refused: register(
                r,
                IntCounter::new(
                    "keyfold_delete_records_refused_total",
                    "DeleteRecords requests on the forwarded topic that the broker refused.",
                )?,
            )?,
            schema_registry: RegistryMetrics::new(r)?,
            registry: registry.clone(),
        };
        gauges(
            &registry,
            "keyfold_build_info",
            "Always 1; the labels say what runs.",
            &["version", "commit", "application_id"],
        )?
        .with_label_values(&[build.version, build.commit, build.application_id])
        .set(1);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(process::Process::new()))?;
        // A counter that starts at 0 lets `rate()` see the first increase.
        for kind in SNAPSHOT_KINDS {
            metrics.snapshots(kind, 0);
        }
        for result in TRANSACTION_RESULTS {
            metrics.transactions.with_label_values(&[result]);
        }
        Ok(metrics)
    }

    /// The text exposition format, version 0.0.4.
    ///
    /// # Errors
    /// A metric that cannot be encoded.
    pub fn render(&self) -> Result<String, Error> {
        self.lag.refresh();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Makes the series of an input's source that is on appear with 0.
    pub fn announce_input(&self, source: &str) {
        self.input_records(source, 0);
        self.announce_source(source);
    }

    /// Makes the series of a source appear with 0, for all outcomes and its lateness.
    pub fn announce_source(&self, source: &str) {
        for outcome in OUTCOMES {
            self.records(source, outcome, 0);
        }
        self.lateness.with_label_values(&[source]);
    }

    /// Adds `n` committed records of `source` with one of [`OUTCOMES`].
    pub fn records(&self, source: &str, outcome: &str, n: u64) {
        self.records.with_label_values(&[source, outcome]).inc_by(n);
    }

    /// Adds `n` committed records of an input. To be told where they are read first, and nowhere else.
    pub fn input_records(&self, source: &str, n: u64) {
        self.input_records.with_label_values(&[source]).inc_by(n);
    }

    /// How many records of a source have ended so.
    pub fn recorded(&self, source: &str, outcome: &str) -> u64 {
        self.records.with_label_values(&[source, outcome]).get()
    }

    /// Adds `n` committed rejections.
    pub fn rejections(&self, source: &str, stage: &str, code: &str, n: u64) {
        self.rejections
            .with_label_values(&[source, stage, code])
            .inc_by(n);
    }

    /// Adds `n` findings of a rule set to `warn`.
    pub fn warnings(&self, source: &str, code: &str, n: u64) {
        self.warnings.with_label_values(&[source, code]).inc_by(n);
    }

    /// Adds `n` committed snapshots of one of [`SNAPSHOT_KINDS`].
    pub fn snapshots(&self, kind: &str, n: u64) {
        self.snapshots.with_label_values(&[kind]).inc_by(n);
    }

    /// Counts a transaction with one of [`TRANSACTION_RESULTS`].
    pub fn transaction(&self, result: &str) {
        self.transactions.with_label_values(&[result]).inc();
    }

    /// Observes how long a commit took, and that it was confirmed now, in seconds since 1970.
    pub fn commit(&self, duration: Duration, now: f64) {
        self.commit_duration.observe(duration.as_secs_f64());
        // of two workers the later one counts, whoever comes first
        if now > self.last_commit.get() {
            self.last_commit.set(now);
        }
    }

    /// Histograms for one worker's batch; see [`BatchHistograms`].
    pub fn batch_histograms(&self) -> BatchHistograms {
        BatchHistograms::new(&self.latency, &self.lateness)
    }

    /// Sets how many partitions one worker can't read; the metric shows the sum over all workers.
    pub fn stuck(&self, worker: usize, partitions: usize) {
        let mut shares = self
            .stuck_shares
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shares.insert(worker, partitions);
        self.stuck.set(shares.values().sum::<usize>() as i64);
    }

    /// Sets how many members of the group are not keyfold.
    pub fn foreign_members(&self, members: usize) {
        self.foreign_members.set(members as i64);
    }

    /// Adds `n` records read from the state topic to catch up.
    pub fn restore_records(&self, n: u64) {
        self.restore_records.inc_by(n);
    }

    /// Sets what a state partition still has to read, in offsets; 0 once it is caught up.
    pub fn restore_remaining(&self, partition: i32, n: i64) {
        self.restore_remaining
            .with_label_values(&[&partition.to_string()])
            .set(n.max(0));
    }

    /// Removes the restore progress of a partition that was given away.
    pub fn forget_restore(&self, partition: i32) {
        forget(&self.restore_remaining, &[&partition.to_string()]);
    }

    /// Sets one worker's share of the state; the metrics show that of all workers.
    pub fn state(&self, worker: usize, share: StateShare) {
        self.state.set(worker, share);
    }

    /// Counts a change of a worker's assignment.
    pub fn rebalances(&self) {
        self.rebalances.inc();
    }

    /// Shows that a worker is in `state` and in no other.
    pub fn worker_state(&self, worker: usize, state: WorkerState) {
        let worker = worker.to_string();
        for each in WorkerState::ALL {
            self.worker_state
                .with_label_values(&[worker.as_str(), each.name()])
                .set(i64::from(each == state));
        }
    }

    /// Counts a DeleteRecords request that the broker refused.
    pub fn delete_records_refused(&self) {
        self.delete_records_refused.inc();
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, Error> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn forget(gauges: &IntGaugeVec, labels: &[&str]) {
    // The only error is a series that never was, which is what the caller wants.
    let _ = gauges.remove_label_values(labels);
}

#[cfg(test)]
mod tests;
