//! The housekeeper: one thread a process deletes what is done with in the forwarded topic, and looks at the partition
//! counts, which must not change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::driver::ForwardedPositions;
use super::signals::Stop;
use crate::engine::Settings;
use crate::engine::fatal::Fatal;
use crate::kafka::description::Trouble;
use crate::kafka::topics::Cluster;
use crate::serve::Metrics;
use crate::telemetry::outage::Outage;

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(20);

pub struct Housekeeper {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    cluster: Arc<Cluster>,
    positions: ForwardedPositions,
    deleted: BTreeMap<i32, i64>,
    outage: Arc<Outage>,
    stop: Stop,
}

impl Housekeeper {
    pub fn new(
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        cluster: Arc<Cluster>,
        positions: ForwardedPositions,
        outage: Arc<Outage>,
        stop: Stop,
    ) -> Housekeeper {
        Housekeeper {
            settings,
            metrics,
            cluster,
            positions,
            deleted: BTreeMap::new(),
            outage,
            stop,
        }
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) -> Result<(), Fatal> {
        let cluster = Arc::clone(&self.cluster);
        let mut last = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(200));
            if last.elapsed() < PERIOD {
                continue;
            }
            last = Instant::now();
            match cluster.reach() {
                Ok(()) => {
                    self.look_at_partitions(&cluster)?;
                    self.delete_forwarded(&cluster);
                }
                Err(Trouble::Away(reason) | Trouble::Refused(reason)) => self.waits(&reason),
            }
        }
        Ok(())
    }

    /// Says that something could not be done now; in an outage the workers do.
    fn waits(&self, reason: &str) {
        if self.outage.is_ongoing() {
            tracing::debug!(reason, "housekeeping waits");
        } else {
            tracing::warn!(reason, "housekeeping waits; it is tried again");
        }
    }

    fn look_at_partitions(&self, cluster: &Cluster) -> Result<(), Fatal> {
        let settings = &self.settings;
        for (topic, expected) in [
            (settings.state_topic.clone(), settings.partitions),
            (settings.config.forwarded_topic(), settings.partitions),
            (
                settings.config.snapshot.topic.clone(),
                settings.snapshot_partitions,
            ),
        ] {
            // a cluster that does not answer now is the workers' affair
            if let Ok(Some(found)) = cluster.partitions(&topic)
                && found != expected
            {
                return Err(Fatal::Service(format!(
                    "the topic {topic} has {found} partitions now, and had {expected} at the start: its keys would go to other partitions. For a snapshot topic restart all instances and have its readers start anew; for an internal topic stop all instances and run `keyfold topics reset`"
                )));
            }
        }
        Ok(())
    }

    fn delete_forwarded(&mut self, cluster: &Cluster) {
        let Ok(positions) = self.positions.lock().map(|positions| positions.clone()) else {
            return;
        };
        let done: Vec<_> = positions
            .iter()
            .map(|(&partition, &position)| (partition, position))
            .filter(|entry| {
                self.deleted
                    .get(&entry.0)
                    .is_none_or(|deleted| *deleted < entry.1)
            })
            .collect();
        if done.is_empty() {
            return;
        }
        match cluster.delete_forwarded(&done) {
            Ok(true) => self.deleted.extend(done),
            Ok(false) => {
                self.metrics.delete_records_refused();
                tracing::warn!(
                    "the cluster refuses to delete what is done with in the forwarded topic (it takes the permission Delete): the topic grows"
                );
            }
            Err(error) => self.waits(&error.to_string()),
        }
    }
}
