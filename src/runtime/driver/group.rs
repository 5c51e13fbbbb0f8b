//! Handles the events of the group: changes of the assignment, and errors after which the client cannot continue.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt, join, join_as, not_authorized};
use crate::engine::{Event, GroupChange, Loss, Place};
use crate::kafka::client::ClientSettings;
use crate::kafka::client_log;
use crate::kafka::consumer::{GroupEvent, Rebalance};

/// The longest wait for a client that is being replaced to leave the group.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for a client to become a member under the name that is given up.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between leaving the group and joining it with a new client.
const REJOIN_PAUSE: Duration = Duration::from_millis(500);

impl Driver {
    /// Passes the group's events to the engine.
    pub(super) fn serve_group(&mut self) -> Result<(), Halt> {
        for event in self.consumer.serve() {
            match event {
                GroupEvent::Rebalance(Rebalance::Assigned(partitions)) => {
                    let places = self.note_rebalance("assigned", &partitions);
                    self.group_changed(GroupChange::Assigned(places))?;
                }
                GroupEvent::Rebalance(Rebalance::Revoked(partitions)) => {
                    let places = self.note_rebalance("revoked", &partitions);
                    self.group_changed(GroupChange::Revoked(places))?;
                    // update the metrics before the next owner reports these partitions
                    self.report();
                }
                GroupEvent::Trouble(code, reason) => self.handle_client_error(code, &reason)?,
                GroupEvent::Broken(code, reason) => self.handle_client_loss(code, &reason)?,
            }
        }
        Ok(())
    }

    fn note_rebalance(&mut self, what: &str, partitions: &[(String, i32)]) -> Vec<Place> {
        self.parts.reporter.metrics().rebalances();
        let places = self.places(partitions);
        let worker = self.parts.reporter.worker();
        tracing::info!(worker, partitions = places.len(), "{what}");
        places
    }

    /// Passes the change to the engine, and carries out what follows once the commit in flight has ended.
    fn group_changed(&mut self, change: GroupChange) -> Result<(), Halt> {
        let now = self.now();
        self.engine.handle(Event::Group(change), now);
        self.await_commit()
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

    /// The client recovers from most errors by itself; an error from which it never recovers ends the worker.
    pub(super) fn handle_client_error(
        &mut self,
        code: RDKafkaErrorCode,
        reason: &str,
    ) -> Result<(), Halt> {
        if client_log::refuses(code, reason) {
            return Err(not_authorized(reason).into());
        }
        if code == RDKafkaErrorCode::UnknownTopicOrPartition {
            // If the topic stays missing, the watch reports that it was deleted. If it is recreated meanwhile, the
            // watch recognises that by its id.
            self.explain("a topic does not exist", code, reason);
            return Ok(());
        }
        self.all_brokers_down |= code == RDKafkaErrorCode::AllBrokersDown;
        self.explain("the cluster has trouble", code, reason);
        Ok(())
    }

    /// Handles an error after which the client of the group cannot continue.
    pub(super) fn handle_client_loss(
        &mut self,
        code: RDKafkaErrorCode,
        reason: &str,
    ) -> Result<(), Halt> {
        self.explain("the group's client cannot go on", code, reason);
        self.group_changed(GroupChange::Lost(match code {
            RDKafkaErrorCode::FencedInstanceId => Loss::FencedInstanceId,
            RDKafkaErrorCode::UnreleasedInstanceId => Loss::InstanceIdInUse,
            _ => Loss::Client,
        }))
    }

    /// Leaves the group, and joins it with a new client, if the engine wants it. No message of the old client may be held
    /// then: the client waits for all of them before it ends.
    pub(super) fn rejoin_if_due(&mut self) -> Result<(), Halt> {
        if !std::mem::take(&mut self.rejoin_due) {
            return Ok(());
        }
        self.consumer.leave(LEAVE_TIMEOUT);
        std::thread::sleep(REJOIN_PAUSE);
        self.handles.clear();
        self.polled.clear();
        self.consumer = join(&self.parts)?;
        Ok(())
    }

    /// Gives the name in the group up, where the instance has one and does not come back. All is committed.
    pub(super) fn give_up_name_if_due(&mut self) {
        let is_due = self.config().leave_on_stop || self.parts.stop.is_for_good();
        let Some(name) = self.parts.identity.group_instance_id.clone() else {
            return;
        };
        if !is_due {
            return;
        }
        // no message of a client that ends may be held
        self.polled.clear();
        let settings = ClientSettings::from(&*self.parts.config);
        let is_given_up = match settings.has_consumer_protocol() {
            false => self.consumer.give_up(LEAVE_TIMEOUT),
            true => self.give_up_under_kip_848(),
        };
        let worker = self.parts.reporter.worker();
        if is_given_up {
            tracing::info!(worker, "gave up the name {name} in the consumer group");
        } else {
            tracing::warn!(
                worker,
                "could not give up the name {name} in the consumer group: the group keeps its partitions until its session ends"
            );
        }
        self.consumer.leave(LEAVE_TIMEOUT);
    }

    /// The same in a group of KIP-848. librdkafka never tells such a group that a static member leaves for good. But the
    /// group gives the place of one that has said that it will come back to a member of the classic protocol, and that one
    /// can leave.
    fn give_up_under_kip_848(&mut self) -> bool {
        self.consumer.leave(LEAVE_TIMEOUT);
        let settings = ClientSettings::from(&*self.parts.config);
        let member = settings.classic_member(&self.parts.identity);
        match join_as(&member, &self.parts) {
            Ok(consumer) => self.consumer = consumer,
            Err(error) => {
                tracing::debug!(%error, "joining with the classic protocol");
                return false;
            }
        }
        self.consumer.wait_joined(JOIN_TIMEOUT) && self.consumer.give_up(LEAVE_TIMEOUT)
    }
}
