//! The metrics: names, labels and base units are fixed (docs/contract.md, section 8).
//!
//! Label values come from closed sets (sources, outcomes, stages, codes, states) or are topic names
//! and numbers. Never pass a customer id or free text.

mod families;
pub mod lag;
#[cfg(target_os = "linux")]
mod process;
mod registry;
mod state;
mod totals;
pub(super) mod view;
mod worker_state;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::local::LocalHistogram;
use prometheus::{Error, Registry, TextEncoder};

use super::ProcessInfo;
use crate::model::record::{Code, Label, Outcome, Source};
use families::families;
use lag::LagMetrics;
use state::StateMetrics;

pub use registry::{RegistryMetrics, RegistryResult};
pub use state::StateShare;
pub use totals::Totals;
pub use worker_state::WorkerState;

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
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 259200.0, 604800.0,
    2592000.0,
];

families! {
    Families {
        records: IntCounterVec = "keyfold_records_total"["source", "outcome"],
            "Records read and committed, by source and outcome. A record has exactly one outcome.";
        input_records: IntCounterVec = "keyfold_input_records_total"["source"],
            "Records of the inputs read and committed, each once, by source.";
        rejections: IntCounterVec = "keyfold_rejections_total"["source", "stage", "code"],
            "Rejections written to the dead-letter topic, by source, stage and code.";
        warnings: IntCounterVec = "keyfold_warnings_total"["source", "code"],
            "Findings of validation rules that are set to warn, by source and code.";
        snapshots: IntCounterVec = "keyfold_snapshots_total"["kind"],
            "Snapshots and tombstones published and committed.";
        transactions: IntCounterVec = "keyfold_transactions_total"["result"],
            "Transactions by result; unknown means that no answer came and the worker recovered.";
        commit_duration: Histogram = "keyfold_commit_duration_seconds" in COMMIT_BUCKETS,
            "Time from the end of a batch to its confirmed commit.";
        last_commit: Gauge = "keyfold_last_commit_timestamp_seconds",
            "When the last commit was confirmed, in seconds since 1970; 0 before the first.";
        latency: Histogram = "keyfold_end_to_end_latency_seconds" in LATENCY_BUCKETS,
            "Time from a record's timestamp to the commit of its outcome.";
        lateness: HistogramVec = "keyfold_event_lateness_seconds"["source"] in LATENESS_BUCKETS,
            "How far an event's updatedAt lies behind the newest known of its customer.";
        stuck: IntGauge = "keyfold_partitions_stuck",
            "Partitions whose next record cannot be read; /readyz names them.";
        foreign_members: IntGauge = "keyfold_group_foreign_members",
            "Members of the consumer group that are not keyfold; /readyz names one.";
        restore_records: IntCounter = "keyfold_restore_records_total",
            "Records read from the state topic to catch up.";
        restore_remaining: IntGaugeVec = "keyfold_restore_remaining_records"["partition"],
            "Offsets of the state topic still to be read before a state partition is caught up.";
        rebalances: IntCounter = "keyfold_rebalances_total",
            "Changes of the partitions assigned to a worker.";
        worker_state: IntGaugeVec = "keyfold_worker_state"["worker", "state"],
            "1 for the state that a worker is in, 0 for the others.";
        delete_records_refused: IntCounter = "keyfold_delete_records_refused_total",
            "DeleteRecords requests on the forwarded topic that the broker refused.";
        max_state_bytes: IntGauge = "keyfold_state_max_customer_bytes",
            "The setting validation.max_state_bytes: the largest that the state of a customer may be.";
        max_reject_ratio: Gauge = "keyfold_max_reject_ratio",
            "The setting processing.max_reject_share: the circuit breaker opens above this share of rejected records.";
        build_info: IntGaugeVec = "keyfold_build_info"["version", "commit", "application_id"],
            "Always 1; the labels say what runs.";
    }
}

/// How a transaction ended, or a batch without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionResult {
    Committed,
    Aborted,
    /// No answer came.
    Unknown,
}

impl TransactionResult {
    const ALL: [TransactionResult; 3] = [
        TransactionResult::Committed,
        TransactionResult::Aborted,
        TransactionResult::Unknown,
    ];

    const fn name(self) -> &'static str {
        match self {
            TransactionResult::Committed => "committed",
            TransactionResult::Aborted => "aborted",
            TransactionResult::Unknown => "unknown",
        }
    }
}

/// All metrics of one process, over a registry of their own. Share it in an `Arc`.
///
/// Counts of records, rejections, warnings and snapshots belong to a batch: add them when its commit is confirmed,
/// never before. Otherwise the ledger does not balance after an abort.
pub struct Metrics {
    registry: Registry,
    families: Families,
    pub lag: LagMetrics,
    pub schema_registry: RegistryMetrics,
    state: StateMetrics,
    /// How many partitions each worker cannot read; the metric is the sum.
    stuck: Mutex<BTreeMap<usize, usize>>,
}

impl Metrics {
    /// Registers every metric, and those of the process itself (`process_*`, on Linux).
    ///
    /// # Errors
    /// A name or label that Prometheus refuses, or one registered twice.
    pub fn new(info: &ProcessInfo) -> Result<Metrics, Error> {
        let registry = Registry::new();
        let metrics = Metrics {
            families: Families::register(&registry)?,
            lag: LagMetrics::new(&registry)?,
            schema_registry: RegistryMetrics::new(&registry)?,
            state: StateMetrics::new(&registry)?,
            stuck: Mutex::default(),
            registry,
        };
        #[cfg(target_os = "linux")]
        metrics
            .registry
            .register(Box::new(process::Process::new()))?;
        let build = [info.version, info.commit, &info.application_id];
        metrics.families.build_info.with_label_values(&build).set(1);
        // A counter that starts at 0 lets `rate()` see the first increase.
        metrics.snapshots(0, 0);
        for result in TransactionResult::ALL {
            let transactions = &metrics.families.transactions;
            transactions.with_label_values(&[result.name()]);
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

    /// Creates the series of a label with the value 0, for all outcomes and its lateness.
    pub fn announce(&self, label: Label) {
        for outcome in Outcome::ALL {
            self.records(label, outcome, 0);
        }
        self.families.lateness.with_label_values(&[label.name()]);
    }

    /// Sets the limits of the configuration that alerts compare other metrics with.
    pub fn limits(&self, max_state_bytes: usize, max_reject_share: f64) {
        self.families.max_state_bytes.set(max_state_bytes as i64);
        self.families.max_reject_ratio.set(max_reject_share);
    }

    /// Adds `n` committed records with an outcome. Records of an input are counted as input records too.
    pub fn records(&self, label: Label, outcome: Outcome, n: u64) {
        let labels = [label.name(), outcome.name()];
        self.families.records.with_label_values(&labels).inc_by(n);
        if let Label::Source(source) = label {
            let input_records = &self.families.input_records;
            input_records.with_label_values(&[source.name()]).inc_by(n);
        }
    }

    /// How many records were committed with an outcome.
    pub fn recorded(&self, label: Label, outcome: Outcome) -> u64 {
        let labels = [label.name(), outcome.name()];
        self.families.records.with_label_values(&labels).get()
    }

    /// Adds `n` committed rejections.
    pub fn rejections(&self, label: Label, code: Code, n: u64) {
        let labels = [label.name(), code.stage().name(), code.name()];
        let rejections = &self.families.rejections;
        rejections.with_label_values(&labels).inc_by(n);
    }

    /// Adds `n` findings of a rule set to `warn`.
    pub fn warnings(&self, source: Source, code: Code, n: u64) {
        let labels = [source.name(), code.name()];
        self.families.warnings.with_label_values(&labels).inc_by(n);
    }

    /// Adds committed snapshots with a value, and those without (tombstones).
    pub fn snapshots(&self, snapshots: u64, tombstones: u64) {
        for (kind, n) in [("snapshot", snapshots), ("tombstone", tombstones)] {
            self.families.snapshots.with_label_values(&[kind]).inc_by(n);
        }
    }

    pub fn transaction(&self, result: TransactionResult) {
        let transactions = &self.families.transactions;
        transactions.with_label_values(&[result.name()]).inc();
    }

    /// Observes how long a commit took, and that it was confirmed at `now`, in seconds since 1970.
    pub fn commit(&self, duration: Duration, now: f64) {
        let duration = duration.as_secs_f64();
        self.families.commit_duration.observe(duration);
        // of two workers' commits the later one counts, whichever is reported first
        if now > self.families.last_commit.get() {
            self.families.last_commit.set(now);
        }
    }

    /// Observes the time from the timestamps of records to their commit, in seconds, each value the given number of
    /// times. A clock that is ahead gives 0.
    pub fn latencies(&self, latencies: impl IntoIterator<Item = (f64, u32)>) {
        let local = self.families.latency.local();
        for (seconds, times) in latencies {
            observe(&local, seconds, times);
        }
    }

    /// Observes how far events are behind the newest event known of their customers, in seconds, each value the given
    /// number of times. The newest event itself gives 0.
    pub fn lateness(&self, lateness: impl IntoIterator<Item = (Label, f64, u32)>) {
        let mut locals = BTreeMap::new();
        for (label, seconds, times) in lateness {
            let family = &self.families.lateness;
            let local = locals
                .entry(label)
                .or_insert_with(|| family.with_label_values(&[label.name()]).local());
            observe(local, seconds, times);
        }
    }

    /// Sets how many partitions one worker cannot read.
    pub fn stuck(&self, worker: usize, partitions: usize) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.insert(worker, partitions);
        let sum = stuck.values().sum::<usize>();
        self.families.stuck.set(sum as i64);
    }

    /// Sets how many members of the group are not keyfold.
    pub fn foreign_members(&self, members: usize) {
        self.families.foreign_members.set(members as i64);
    }

    /// Adds `n` records read from the state topic to catch up.
    pub fn restore_records(&self, n: u64) {
        self.families.restore_records.inc_by(n);
    }

    /// Sets what a state partition still has to read, in offsets; 0 once it is caught up.
    pub fn restore_remaining(&self, partition: i32, n: i64) {
        let remaining = &self.families.restore_remaining;
        let labels = [&partition.to_string()];
        remaining.with_label_values(&labels).set(n.max(0));
    }

    /// Removes the restore progress of a partition that was revoked.
    pub fn forget_restore(&self, partition: i32) {
        let remaining = &self.families.restore_remaining;
        // The only possible error is that the series does not exist.
        let _ = remaining.remove_label_values(&[&partition.to_string()]);
    }

    /// Sets one worker's share of the state; the metrics show that of all workers.
    pub fn state(&self, worker: usize, share: StateShare) {
        self.state.set(worker, share);
    }

    /// Counts a change of a worker's assignment.
    pub fn rebalances(&self) {
        self.families.rebalances.inc();
    }

    /// Shows that a worker is in `state` and in no other.
    pub fn worker_state(&self, worker: usize, state: WorkerState) {
        let worker = worker.to_string();
        for each in WorkerState::ALL {
            let labels = [worker.as_str(), each.name()];
            let worker_state = &self.families.worker_state;
            let is_current = i64::from(each == state);
            worker_state.with_label_values(&labels).set(is_current);
        }
    }

    /// Counts a DeleteRecords request that the broker refused.
    pub fn delete_records_refused(&self) {
        self.families.delete_records_refused.inc();
    }
}

/// Observes a value in a local histogram without locks, which is added to the shared one when it is dropped.
fn observe(local: &LocalHistogram, seconds: f64, times: u32) {
    for _ in 0..times {
        local.observe(seconds.max(0.0));
    }
}

#[cfg(test)]
mod tests;
