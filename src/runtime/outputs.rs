//! Where a worker's output goes: from the engine's outbox to the producer, or to [`Aside`] while the previous
//! transaction is being committed.

use std::collections::VecDeque;

use crate::engine::outbox::{Backlog, Clients, Generation, Outbox, Outgoing, Output};
use crate::engine::{Place, Settings};
use crate::kafka::consumer::{GroupConsumer, Membership};
use crate::kafka::native::Messages;
use crate::kafka::producer::{BatchProducer, Record};

/// The names of the topics that a worker writes to.
#[derive(Debug, Clone)]
pub struct OutputTopics {
    pub snapshots: String,
    pub state: String,
    pub forwarded: String,
    pub dead_letters: String,
}

/// What a batch has produced while the previous transaction is being committed. It is kept because the batch's own
/// transaction begins only after that.
#[derive(Debug, Default)]
pub struct Aside {
    records: Vec<KeptRecord>,
}

#[derive(Debug)]
struct KeptRecord {
    output: Output,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Aside {
    pub fn clear(&mut self) {
        *self = Aside::default();
    }

    fn keep(&mut self, outgoing: &Outgoing<'_>) {
        self.records.push(KeptRecord {
            output: outgoing.output,
            key: outgoing.key.map(<[u8]>::to_vec),
            value: outgoing.value.map(<[u8]>::to_vec),
            headers: outgoing.headers.to_vec(),
        });
    }

    /// Produces the kept records in their order. The transaction of their batch must have begun.
    pub fn produce(&mut self, producer: &BatchProducer, topics: &OutputTopics) {
        for kept in std::mem::take(self).records {
            let outgoing = Outgoing {
                output: kept.output,
                key: kept.key.as_deref(),
                value: kept.value.as_deref(),
                headers: &kept.headers,
            };
            producer.send(&topics.record(&outgoing));
        }
    }
}

impl OutputTopics {
    fn record<'a>(&'a self, outgoing: &Outgoing<'a>) -> Record<'a> {
        let (topic, partition) = match outgoing.output {
            Output::Snapshot { partition } => (&self.snapshots, Some(partition)),
            Output::State { partition } => (&self.state, Some(partition)),
            Output::Forwarded { partition } => (&self.forwarded, Some(partition)),
            Output::DeadLetter => (&self.dead_letters, None),
        };
        Record {
            topic,
            partition,
            key: outgoing.key,
            value: outgoing.value,
            headers: outgoing.headers,
        }
    }
}

/// The clients as the engine uses them.
pub struct KafkaClients<'d> {
    pub settings: &'d Settings,
    pub consumer: &'d GroupConsumer,
    pub producer: &'d BatchProducer,
    pub topics: &'d OutputTopics,
    pub memberships: &'d mut Memberships,
    /// Set while the previous transaction is being committed.
    pub aside: Option<&'d mut Aside>,
    /// Messages that were polled and are not processed yet.
    pub polled: &'d Messages,
    pub polled_nothing: bool,
}

/// The memberships under which the last batches began: that of the open batch, and that of the batch in flight.
#[derive(Default)]
pub struct Memberships(VecDeque<Membership>);

impl Memberships {
    const MAX_KEPT: usize = 2;

    fn keep(&mut self, membership: Membership) {
        if self.0.len() == Memberships::MAX_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(membership);
    }

    /// The membership of this generation.
    pub fn of(&self, generation: &Generation) -> Option<&Membership> {
        let mut all = self.0.iter();
        all.find(|membership| membership.generation == *generation)
    }
}

impl Outbox for KafkaClients<'_> {
    fn begin(&mut self) -> Option<Generation> {
        let membership = self.consumer.membership();
        if self.aside.is_none() {
            self.producer.begin();
        }
        let membership = membership?;
        let generation = membership.generation.clone();
        self.memberships.keep(membership);
        Some(generation)
    }

    fn produce(&mut self, outgoing: Outgoing<'_>) {
        match &mut self.aside {
            Some(aside) => aside.keep(&outgoing),
            None => self.producer.send(&self.topics.record(&outgoing)),
        }
    }

    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool {
        match &mut self.aside {
            Some(aside) => {
                aside.keep(&outgoing);
                true
            }
            None => self.producer.offer(&self.topics.record(&outgoing)),
        }
    }
}

impl Clients for KafkaClients<'_> {
    fn generation(&self) -> Option<Generation> {
        self.consumer.generation()
    }

    fn all_fetched_is_taken(&self) -> bool {
        self.polled.is_empty() && self.consumer.is_drained()
    }

    fn polled_nothing(&self) -> bool {
        self.polled_nothing
    }

    fn backlog(&self, positions: &mut dyn Iterator<Item = (Place, i64)>) -> Backlog {
        let mut backlog = Backlog::default();
        for (place, position) in positions {
            let topic = self.settings.topic_name(place);
            if let Some((_, end)) = self.consumer.cached_ends(topic, place.partition) {
                let left = end.saturating_sub(position).max(0);
                backlog.all += left;
                backlog.longest = backlog.longest.max(left);
            }
        }
        backlog
    }
}
