//! How the schema registry answers, and what waits for it.

use std::sync::{Mutex, PoisonError};

use prometheus::{Error, IntCounterVec, IntGaugeVec, Registry};

use super::{counters, gauges};

/// Beyond the metrics that are promised (docs/contract.md, section 8); without series where nothing is Avro.
pub struct RegistryMetrics {
    requests: Mutex<IntCounterVec>,
    waiting: IntGaugeVec,
}

impl RegistryMetrics {
    pub(super) fn new(registry: &Registry) -> Result<RegistryMetrics, Error> {
        Ok(RegistryMetrics {
            requests: Mutex::new(counters(
                registry,
                "keyfold_registry_requests_total",
                "Requests to the schema registry by result: ok, not_found, failed.",
                &["result"],
            )?),
            waiting: gauges(
                registry,
                "keyfold_registry_waiting_partitions",
                "Partitions whose next record waits for its writer schema.",
                &["worker"],
            )?,
        })
    }

    /// Sets how many requests there were since the start with a result; never less than was said before.
    pub fn requests(&self, result: &str, total: u64) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = requests.with_label_values(&[result]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// Sets how many partitions of a worker wait.
    pub fn waiting(&self, worker: usize, partitions: usize) {
        let partitions = i64::try_from(partitions).unwrap_or(i64::MAX);
        self.waiting
            .with_label_values(&[&worker.to_string()])
            .set(partitions);
    }
}
