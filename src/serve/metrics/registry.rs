//! How the schema registry answers, and how many partitions wait for it.

use std::sync::{Mutex, PoisonError};

use prometheus::{Error, Registry};

use super::families::families;

families! {
    Families {
        requests: IntCounterVec = "keyfold_registry_requests_total"["result"],
            "Requests to the schema registry by result: ok, not_found, failed.";
        waiting: IntGaugeVec = "keyfold_registry_waiting_partitions"["worker"],
            "Partitions whose next record waits for its writer schema.";
    }
}

/// How the registry answered a request.
#[derive(Debug, Clone, Copy)]
pub enum RegistryResult {
    Ok,
    NotFound,
    Failed,
}

impl RegistryResult {
    const fn name(self) -> &'static str {
        match self {
            RegistryResult::Ok => "ok",
            RegistryResult::NotFound => "not_found",
            RegistryResult::Failed => "failed",
        }
    }
}

/// These metrics go beyond those that docs/contract.md, section 8, promises. They have no series if no source is Avro.
pub struct RegistryMetrics(Mutex<Families>);

impl RegistryMetrics {
    pub(super) fn new(registry: &Registry) -> Result<RegistryMetrics, Error> {
        Families::register(registry).map(|families| RegistryMetrics(Mutex::new(families)))
    }

    /// Raises the number of requests with a result to `total`, counted since the start.
    pub fn requests(&self, result: RegistryResult, total: u64) {
        // This happens under the lock, because another worker may set the same total.
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = families.requests.with_label_values(&[result.name()]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// Sets how many partitions of a worker wait.
    pub fn waiting(&self, worker: usize, partitions: usize) {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gauge = families.waiting.with_label_values(&[&worker.to_string()]);
        gauge.set(i64::try_from(partitions).unwrap_or(i64::MAX));
    }
}
