//! What the status reads of the metrics.

use std::collections::BTreeMap;

use prometheus::Histogram;
use prometheus::core::{Collector, Metric};

use super::{Metrics, TransactionResult, WorkerState};
use crate::model::record::Outcome;

/// A count by stage and code. Of a warning the stage is `semantic`, as of all codes that can be warnings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) struct Finding {
    pub source: String,
    pub stage: Option<String>,
    pub code: String,
    pub records: u64,
}

/// The sizes of the state on this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct StateSizes {
    pub customers: i64,
    pub bytes: i64,
    pub largest: i64,
}

/// Cumulative counts of a histogram: the upper bound of a bucket in seconds, none for the last, and how many
/// observations lie at or below it.
pub(in crate::serve) type Buckets = Vec<(Option<f64>, u64)>;

impl Metrics {
    /// The records of an input that were read and committed, each once.
    pub(in crate::serve) fn input_records_of(&self, source: &str) -> u64 {
        let input_records = &self.families.input_records;
        input_records.with_label_values(&[source]).get()
    }

    /// The records by outcome, of a source or of the forwarded topic.
    pub(in crate::serve) fn outcomes_of(&self, label: &str) -> Vec<(Outcome, u64)> {
        let records = &self.families.records;
        let count = |outcome: Outcome| records.with_label_values(&[label, outcome.name()]).get();
        let outcomes = Outcome::ALL.into_iter();
        outcomes.map(|outcome| (outcome, count(outcome))).collect()
    }

    pub(in crate::serve) fn all_rejections(&self) -> Vec<Finding> {
        findings(&self.families.rejections)
    }

    pub(in crate::serve) fn all_warnings(&self) -> Vec<Finding> {
        findings(&self.families.warnings)
    }

    pub(in crate::serve) fn transaction_counts(&self) -> Vec<(&'static str, u64)> {
        let count = |result: TransactionResult| {
            let transactions = &self.families.transactions;
            (
                result.name(),
                transactions.with_label_values(&[result.name()]).get(),
            )
        };
        TransactionResult::ALL.into_iter().map(count).collect()
    }

    /// Snapshots with a value, and tombstones.
    pub(in crate::serve) fn snapshot_counts(&self) -> (u64, u64) {
        let snapshots = &self.families.snapshots;
        let count = |kind: &str| snapshots.with_label_values(&[kind]).get();
        (count("snapshot"), count("tombstone"))
    }

    pub(in crate::serve) fn rebalance_count(&self) -> u64 {
        self.families.rebalances.get()
    }

    /// When the last commit was confirmed, in seconds since 1970; none before the first.
    pub(in crate::serve) fn last_commit(&self) -> Option<f64> {
        Some(self.families.last_commit.get()).filter(|at| *at > 0.0)
    }

    pub(in crate::serve) fn latency_buckets(&self) -> Buckets {
        buckets(&self.families.latency)
    }

    pub(in crate::serve) fn commit_buckets(&self) -> Buckets {
        buckets(&self.families.commit_duration)
    }

    /// The state that each worker is in.
    pub(in crate::serve) fn worker_states(&self) -> BTreeMap<usize, &'static str> {
        let families = self.families.worker_state.collect();
        let series = families.iter().flat_map(|family| family.get_metric());
        let current = series.filter(|metric| metric.get_gauge().get_value() == 1.0);
        let known = current.filter_map(|metric| {
            let value = |name| label(metric, name);
            let state = WorkerState::ALL
                .into_iter()
                .find(|state| value("state").as_deref() == Some(state.name()))?;
            Some((value("worker")?.parse().ok()?, state.name()))
        });
        known.collect()
    }

    /// The state partitions that are being restored, with what is left of each, in offsets.
    pub(crate) fn restoring(&self) -> BTreeMap<i32, i64> {
        let families = self.families.restore_remaining.collect();
        let series = families.iter().flat_map(|family| family.get_metric());
        let remaining = series.filter_map(|metric| {
            let partition = label(metric, "partition")?.parse().ok()?;
            Some((partition, metric.get_gauge().get_value() as i64))
        });
        remaining.filter(|(_, left)| *left > 0).collect()
    }

    pub(in crate::serve) fn state_sizes(&self) -> StateSizes {
        self.state.sizes()
    }

    pub(in crate::serve) fn stuck_partitions(&self) -> i64 {
        self.families.stuck.get()
    }

    pub(in crate::serve) fn foreign_member_count(&self) -> i64 {
        self.families.foreign_members.get()
    }
}

fn label(metric: &prometheus::proto::Metric, name: &str) -> Option<String> {
    let labels = metric.get_label().iter();
    let mut found = labels.filter(|label| label.name() == name);
    found.next().map(|label| label.value().to_owned())
}

fn findings(counters: &impl Collector) -> Vec<Finding> {
    let families = counters.collect();
    let series = families.iter().flat_map(|family| family.get_metric());
    let mut all: Vec<Finding> = series
        .filter_map(|metric| {
            Some(Finding {
                source: label(metric, "source")?,
                stage: label(metric, "stage"),
                code: label(metric, "code")?,
                records: metric.get_counter().get_value() as u64,
            })
        })
        .filter(|finding| finding.records > 0)
        .collect();
    all.sort();
    all
}

fn buckets(histogram: &Histogram) -> Buckets {
    let metric = histogram.metric();
    let histogram = metric.get_histogram();
    let bounded = histogram.get_bucket().iter();
    let bounded = bounded.map(|bucket| (Some(bucket.upper_bound()), bucket.cumulative_count()));
    bounded
        .chain([(None, histogram.get_sample_count())])
        .collect()
}
