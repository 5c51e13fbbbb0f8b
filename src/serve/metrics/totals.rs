//! What happened since the start, over all sources, for those who say it in words.

use prometheus::core::Collector;

use super::Metrics;

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub input_records: u64,
    pub rejected: u64,
    /// Transactions that were committed, or batches without one.
    pub commits: u64,
    pub snapshots: u64,
}

impl Totals {
    /// What happened since those.
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
        Totals {
            input_records: sum(&self.input_records),
            rejected: sum(&self.rejections),
            commits: self.transactions.with_label_values(&["committed"]).get(),
            snapshots: sum(&self.snapshots),
        }
    }

    /// Records read from the state topic to catch up.
    pub fn restored(&self) -> u64 {
        self.restore_records.get()
    }
}

/// Of all series of a counter.
fn sum(counters: &impl Collector) -> u64 {
    let families = counters.collect();
    let series = families.iter().flat_map(|family| family.get_metric());
    series
        .map(|metric| metric.get_counter().get_value() as u64)
        .sum()
}
