//! Maintenance: one thread of a process deletes the records of the forwarded topic that are processed, and checks the
//! partition counts, which must not change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::driver::ForwardedPositions;
use super::signals::Stop;
use crate::engine::fatal::Fatal;
use crate::kafka::cluster::{Cluster, Deletion};
use crate::serve::Metrics;
use crate::telemetry::outage::Outage;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(20);

pub struct Maintenance {
    pub cluster: Arc<Cluster>,
    /// How many partitions the topics had at the start.
    pub partitions: Vec<(String, i32)>,
    /// The committed positions of the forwarded topic, from all workers.
    pub committed: ForwardedPositions,
    pub metrics: Arc<Metrics>,
    pub outage: Arc<Outage>,
    pub stop: Stop,
}

impl Maintenance {
    /// Runs until the stop is set.
    pub fn run(self) -> Result<(), Fatal> {
        // the offset before which each partition of the forwarded topic is deleted
        let mut deleted = BTreeMap::new();
        let mut last = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(200));
            if last.elapsed() < INTERVAL {
                continue;
            }
            last = Instant::now();
            match self.cluster.reach() {
                Ok(()) => {
                    self.check_partitions()?;
                    self.delete_processed(&mut deleted);
                }
                Err(error) => self.log_delay(&error.reason()),
            }
        }
        Ok(())
    }

    /// Logs that something could not be done now. During an outage only at debug level, because the workers log the
    /// outage.
    fn log_delay(&self, reason: &str) {
        if self.outage.is_ongoing() {
            tracing::debug!(reason, "maintenance is delayed");
        } else {
            tracing::warn!(reason, "maintenance is delayed; keyfold tries again");
        }
    }

    fn check_partitions(&self) -> Result<(), Fatal> {
        for (topic, expected) in &self.partitions {
            // if the cluster does not answer, the workers log that
            if let Ok(Some(found)) = self.cluster.partitions(topic)
                && found != *expected
            {
                return Err(Fatal::Service(format!(
                    "the topic {topic} has {found} partitions now, and had {expected} at the start: its keys would go to other partitions. For a snapshot topic restart all instances and have its readers start anew; for an internal topic stop all instances and run `keyfold topics reset`"
                )));
            }
        }
        Ok(())
    }

    fn delete_processed(&self, deleted: &mut BTreeMap<i32, i64>) {
        let Ok(mut processed) = self.committed.lock().map(|positions| positions.clone()) else {
            return;
        };
        processed.retain(|partition, position| {
            let before = deleted.get(partition);
            before.is_none_or(|before| before < position)
        });
        if processed.is_empty() {
            return;
        }
        let processed: Vec<(i32, i64)> = processed.into_iter().collect();
        match self.cluster.delete_forwarded(&processed) {
            Ok(Deletion::Done) => deleted.extend(processed),
            Ok(Deletion::Refused) => {
                self.metrics.delete_records_refused();
                tracing::warn!(
                    "the cluster refuses to delete processed records of the forwarded topic, so the topic grows: grant keyfold the permission Delete on it"
                );
            }
            Err(error) => self.log_delay(&error.to_string()),
        }
    }
}
