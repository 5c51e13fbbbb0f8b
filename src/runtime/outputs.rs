//! Where a worker's output goes: from the outbox of the pure core to the producer, or aside while the transaction before
//! is committed.

use crate::engine::outbox::{Outbox, Outgoing, Output};
use crate::kafka::consumer::{GroupConsumer, Membership};
use crate::kafka::producer::{BatchProducer, Record};

/// The names of the topics that a worker writes to.
#[derive(Debug, Clone)]
pub struct OutputTopics {
    pub snapshots: String,
    pub state: String,
    pub forwarded: String,
    pub dead_letters: String,
}

/// What a batch has produced while the transaction before it was committed. Its own begins after that.
#[derive(Debug, Default)]
pub struct Aside {
    records: Vec<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    output: Output,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Aside {
    /// Whether so much is kept that the commit is to be waited for.
    pub fn is_full(&self) -> bool {
        self.bytes >= 8 * 1024 * 1024
    }

    pub fn clear(&mut self) {
        *self = Aside::default();
    }

    fn keep(&mut self, outgoing: &Outgoing<'_>) {
        let headers = outgoing.headers.iter();
        let in_headers =
            headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
        self.bytes += outgoing.key.map_or(0, <[u8]>::len)
            + outgoing.value.map_or(0, <[u8]>::len)
            + in_headers.sum::<usize>();
        self.records.push(Kept {
            output: outgoing.output,
            key: outgoing.key.map(<[u8]>::to_vec),
            value: outgoing.value.map(<[u8]>::to_vec),
            headers: outgoing.headers.to_vec(),
        });
    }

    /// Produces what was kept, in its order. The transaction that it belongs to must have begun.
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

/// The outbox of one batch, under the membership of its beginning.
pub struct KafkaOutbox<'d> {
    pub consumer: &'d GroupConsumer,
    pub producer: &'d BatchProducer,
    pub topics: &'d OutputTopics,
    pub membership: &'d mut Option<Membership>,
    /// While the transaction before is committed.
    pub aside: Option<&'d mut Aside>,
}

impl Outbox for KafkaOutbox<'_> {
    fn begin(&mut self) {
        *self.membership = self.consumer.membership();
        if self.aside.is_none() {
            self.producer.begin();
        }
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
