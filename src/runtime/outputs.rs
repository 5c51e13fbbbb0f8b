//! Where a worker's output goes: from the outbox of the pure core to the producer.

use crate::kafka::consumer::{GroupConsumer, Membership};
use crate::kafka::producer::{BatchProducer, Record};
use crate::worker::outbox::{Outbox, Outgoing, Output};

/// The names of the topics that a worker writes to.
#[derive(Debug, Clone)]
pub struct OutputTopics {
    pub snapshots: String,
    pub state: String,
    pub forwarded: String,
    pub dead_letters: String,
}

/// The outbox of one batch, under the membership of its beginning.
pub struct KafkaOutbox<'d> {
    pub consumer: &'d GroupConsumer,
    pub producer: &'d BatchProducer,
    pub topics: &'d OutputTopics,
    pub membership: &'d mut Option<Membership>,
}

impl Outbox for KafkaOutbox<'_> {
    fn begin(&mut self) {
        *self.membership = self.consumer.membership();
        self.producer.begin();
    }

    fn produce(&mut self, outgoing: Outgoing<'_>) {
        let (topic, partition) = match outgoing.output {
            Output::Snapshot { partition } => (&self.topics.snapshots, Some(partition)),
            Output::State { partition } => (&self.topics.state, Some(partition)),
            Output::Forwarded { partition } => (&self.topics.forwarded, Some(partition)),
            Output::DeadLetter => (&self.topics.dead_letters, None),
        };
        self.producer.send(&Record {
            topic,
            partition,
            key: outgoing.key,
            value: outgoing.value,
            headers: outgoing.headers,
        });
    }

    fn snapshots_are_out(&mut self) -> bool {
        self.producer.is_transactional() || self.producer.deliver()
    }
}
