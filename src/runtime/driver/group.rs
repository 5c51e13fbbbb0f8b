//! What the group tells a worker: what it owns, and when its client can't go on.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, join, refused};
use crate::engine::Place;
use crate::engine::fatal::Fatal;
use crate::kafka::client_log;
use crate::kafka::consumer::{GroupEvent, Rebalance};

/// The longest wait for a client to leave the group that is replaced.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a name may be refused: longer than a session may last (`group.consumer.max.session.timeout.ms`, a minute
/// by default), of a process that was killed.
const NAME_HELD: Duration = Duration::from_secs(75);

impl Driver {
    /// Takes in what the group told.
    pub(super) fn serve_group(&mut self) -> Result<(), Halt> {
        let all = self.consumer.serve();
        if !all.is_empty() {
            // what the worker owns does not change in the midst of a commit
            self.await_commit()?;
        }
        for told in all {
            match told {
                GroupEvent::Rebalance(Rebalance::Assigned(partitions)) => {
                    self.parts.reporter.metrics().rebalances();
                    let places = self.places(&partitions);
                    let worker = self.parts.reporter.worker();
                    tracing::info!(worker, partitions = places.len(), "assigned");
                    self.name_refused = None;
                    self.worker.assigned(&places);
                }
                GroupEvent::Rebalance(Rebalance::Revoked(partitions)) => {
                    self.parts.reporter.metrics().rebalances();
                    let places = self.places(&partitions);
                    let worker = self.parts.reporter.worker();
                    tracing::info!(worker, partitions = places.len(), "revoked");
                    self.worker.revoked(&places);
                    // before their next owner shows that it has them
                    self.report();
                }
                GroupEvent::Trouble(code, reason) => self.trouble(code, &reason)?,
                GroupEvent::Broken(code, reason) => self.rejoin(code, &reason)?,
            }
        }
        Ok(())
    }

    fn places(&self, partitions: &[(String, i32)]) -> Vec<Place> {
        let topics = &self.parts.settings.topics;
        partitions
            .iter()
            .filter_map(|(name, partition)| {
                let topic = topics.iter().position(|topic| topic.name == *name)?;
                Some(Place {
                    topic,
                    partition: *partition,
                })
            })
            .collect()
    }

    /// The client gets over most trouble by itself; what it never will ends the worker.
    pub(super) fn trouble(&mut self, code: RDKafkaErrorCode, reason: &str) -> Result<(), Halt> {
        if client_log::refuses(code, reason) {
            return Err(refused(reason).into());
        }
        if code == RDKafkaErrorCode::UnknownTopicOrPartition {
            // if it stays away, the watch says which it is; if it is created anew meanwhile, it knows that by its id
            self.explain("a topic is gone", code, reason);
            return Ok(());
        }
        self.doubted |= code == RDKafkaErrorCode::AllBrokersDown;
        self.explain("the cluster has trouble", code, reason);
        Ok(())
    }

    /// Leaves the group with a client that can't go on, and joins with a new one.
    pub(super) fn rejoin(&mut self, code: RDKafkaErrorCode, reason: &str) -> Result<(), Halt> {
        self.explain("the group's client can't go on", code, reason);
        self.await_commit()?;
        self.worker.lost();
        self.act()?;
        if code == RDKafkaErrorCode::FencedInstanceId {
            // The group knows the later one by this name now. Were this one to join again, both would go on to fence
            // each other.
            let instance = self.config().instance_id.clone();
            return Err(Fatal::TakenOver { instance }.into());
        }
        self.wait_for_name(code)?;
        self.consumer.leave(LEAVE);
        std::thread::sleep(Duration::from_millis(500));
        self.handles.clear();
        self.polled.clear();
        self.consumer = join(&self.parts)?;
        Ok(())
    }

    /// Under KIP-848 the group refuses a name for as long as it knows a living member by it. One that was killed is
    /// known until its session ends; one that stays is another process.
    fn wait_for_name(&mut self, code: RDKafkaErrorCode) -> Result<(), Halt> {
        if code != RDKafkaErrorCode::UnreleasedInstanceId {
            self.name_refused = None;
            return Ok(());
        }
        let since = *self.name_refused.get_or_insert_with(Instant::now);
        if since.elapsed() < NAME_HELD {
            return Ok(());
        }
        let instance = self.config().instance_id.clone();
        Err(Fatal::NameInUse { instance }.into())
    }
}
