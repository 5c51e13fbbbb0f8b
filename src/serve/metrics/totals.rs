//! Counts since the start over all sources, for the log.

use prometheus::core::Collector;

use super::{Metrics, TransactionResult};

/// Counts since the start, over all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub input_records: u64,
    pub rejected: u64,
    /// Transactions that were committed, or batches without one.
    pub commits: u64,
    pub snapshots: u64,
}

impl Totals {
    /// The increase since `before`.
    pub fn since(self, before: Totals) -> Totals {
        Totals {
            input_records: self.input_records - before.input_records,
            rejected: self.rejected - before.rejected,
            commits: self.commits - before.commits,
            snapshots: self.snapshots - before.snapshots,
        }
    }
}

impl Metrics {
    pub fn totals(&self) -> Totals {
        let families = &self.families;
        let committed = [TransactionResult::Committed.name()];
        Totals {
            input_records: sum(&families.input_records),
            rejected: sum(&families.rejections),
            commits: families.transactions.with_label_values(&committed).get(),
            snapshots: sum(&families.snapshots),
        }
    }

    /// Records read from the state topic to catch up.
    pub fn restored(&self) -> u64 {
        self.families.restore_records.get()
    }
}

/// The sum over all series of a counter.
fn sum(counters: &impl Collector) -> u64 {
    let families = counters.collect();
    let series = families.iter().flat_map(|family| family.get_metric());
    series
        .map(|metric| metric.get_counter().get_value() as u64)
        .sum()
}
