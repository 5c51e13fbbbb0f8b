//! When a keyfold has done its work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::app::{App, LIMIT};
use crate::client::{
    Isolation, REQUEST_LIMIT, TopicPartition, count_partitions, let_go, offsets_of,
};
use crate::program::Keyfold;

impl App {
    /// Waits until `keyfold`, or another instance beside it, has committed everything that the inputs hold. It may take
    /// its time, as on a busy machine, but must not stand still.
    #[track_caller]
    pub fn wait_drained(&self, keyfold: &mut Keyfold) {
        let mut observer = Observer::of(self);
        let (mut moved, mut last) = (Instant::now(), String::new());
        keyfold.wait_for(LIMIT * 4, "to commit all its inputs", |keyfold| {
            let Some(left) = observer.left_to_do() else {
                return Some(());
            };
            if left != last {
                (moved, last) = (Instant::now(), left);
            }
            let metrics = || keyfold.http_get("/metrics").map(|(_, text)| text);
            assert!(
                moved.elapsed() < LIMIT,
                "for {LIMIT:?} left to do: {last}\n{}\n{}",
                keyfold.log(),
                metrics().unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(150));
            None
        });
    }

    /// Whether every record of the inputs, and everything that was forwarded, is committed, and no transaction is
    /// open that hides committed records from readers.
    pub fn is_drained(&self) -> bool {
        Observer::of(self).left_to_do().is_none()
    }
}

/// Why an application is not known to be drained.
enum Left {
    /// There is something to do.
    Work(String),
    /// There was no answer.
    Unknown(String),
}

/// Asks what an application has left to do, by clients that last until one of them gets no answer.
struct Observer<'a> {
    app: &'a App,
    clients: Option<Clients>,
}

impl Observer<'_> {
    fn of(app: &App) -> Observer<'_> {
        Observer { app, clients: None }
    }

    fn left_to_do(&mut self) -> Option<String> {
        let app = self.app;
        let clients = self.clients.get_or_insert_with(|| Clients::of(app));
        match clients.all_is_done(app) {
            Ok(()) => None,
            Err(Left::Work(left)) => Some(left),
            Err(Left::Unknown(reason)) => {
                // the reason may be what a client still believes of brokers that are gone
                let_go(self.clients.take());
                Some(reason)
            }
        }
    }
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.take() {
            let_go(clients);
        }
    }
}

/// The clients that are asked, each again and again: a new one would have to find the brokers first.
struct Clients {
    /// It asks for the group, and sees what is committed.
    committed: BaseConsumer,
    /// It sees what open transactions have written, too.
    all: BaseConsumer,
}

impl Clients {
    fn of(app: &App) -> Clients {
        let mut config = app.client.config();
        config.set("group.id", &app.id);
        config.set("isolation.level", Isolation::ReadCommitted.name());
        Clients {
            committed: config.create().expect("a consumer"),
            all: app.client.consumer(),
        }
    }

    fn all_is_done(&self, app: &App) -> Result<(), Left> {
        // what commits the inputs makes the forwarded records visible, so none are missed behind
        self.inputs_are_committed(app)?;
        let outputs = self.outputs(app)?;
        self.no_transaction_is_open(&outputs)?;
        self.forwarded_is_committed(app, &outputs)?;
        // the one that committed the last forwarded records may not be stable in all topics yet
        self.no_transaction_is_open(&outputs)
    }

    fn inputs_are_committed(&self, app: &App) -> Result<(), Left> {
        let mut inputs = Vec::new();
        for source in app.sources() {
            let partitions = 0..app.partitions_of(source);
            inputs.extend(partitions.map(|partition| (app.input(source), partition)));
        }
        let mut ends = offsets(&self.committed, &inputs, Offset::End)?;
        ends.retain(|_, end| *end > 0);
        let filled: Vec<TopicPartition> = ends.keys().cloned().collect();
        let committed = self.committed_offsets(&filled)?;
        for (one, end) in &ends {
            let offset = committed.get(one);
            if offset != Some(end) {
                let (topic, partition) = one;
                return Err(Left::Work(format!(
                    "{topic}[{partition}] up to {end}, committed is {offset:?}"
                )));
            }
        }
        Ok(())
    }

    /// The partitions of the topics that keyfold writes to. A topic that is not there has none.
    fn outputs(&self, app: &App) -> Result<Vec<TopicPartition>, Left> {
        let mut outputs = Vec::new();
        for topic in [
            app.forwarded(),
            app.state(),
            app.snapshots(),
            app.dead_letters(),
        ] {
            let partitions = count_partitions(&self.committed, &topic);
            let partitions =
                partitions.map_err(|error| Left::Unknown(format!("{topic}: {error}")))?;
            let partitions = 0..partitions.unwrap_or(0);
            outputs.extend(partitions.map(|partition| (topic.clone(), partition)));
        }
        Ok(outputs)
    }

    /// A transaction that a killed instance left open ends only by its time-out.
    fn no_transaction_is_open(&self, outputs: &[TopicPartition]) -> Result<(), Left> {
        // The stable ends come first: where an end that is asked for later is the same, nothing was written in between,
        // and nothing before it is open.
        let stable = offsets(&self.committed, outputs, Offset::End)?;
        let ends = offsets(&self.all, outputs, Offset::End)?;
        for (one, end) in &ends {
            let stable = stable[one];
            if stable != *end {
                let (topic, partition) = one;
                return Err(Left::Work(format!(
                    "{topic}[{partition}] ends at {end}, and is stable up to {stable}"
                )));
            }
        }
        Ok(())
    }

    fn forwarded_is_committed(&self, app: &App, outputs: &[TopicPartition]) -> Result<(), Left> {
        let topic = app.forwarded();
        let forwarded = outputs.iter().filter(|(name, _)| *name == topic);
        let forwarded: Vec<TopicPartition> = forwarded.cloned().collect();
        if forwarded.is_empty() {
            return Err(Left::Unknown(format!("there is no topic {topic}")));
        }
        let mut behind = offsets(&self.committed, &forwarded, Offset::End)?;
        let committed = self.committed_offsets(&forwarded)?;
        behind.retain(|one, end| committed.get(one).is_none_or(|next| *next < *end));
        let partitions: Vec<TopicPartition> = behind.keys().cloned().collect();
        let firsts = offsets(&self.committed, &partitions, Offset::Beginning)?;
        if behind.iter().all(|(one, end)| firsts[one] >= *end) {
            return Ok(());
        }
        // what is behind may be markers and aborted records alone, and only a reader can tell
        for record in app.client.read_all(&topic, Isolation::ReadCommitted) {
            let partition = record.partition;
            let next = committed.get(&(topic.clone(), partition));
            if next.is_none_or(|next| record.offset >= *next) {
                let offset = record.offset;
                return Err(Left::Work(format!("{topic}[{partition}]@{offset}")));
            }
        }
        Ok(())
    }

    /// The offsets that the group has committed. Partitions without one are left out.
    fn committed_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, Left> {
        let asked = list(partitions, Offset::Invalid);
        let answer = self.committed.committed_offsets(asked, REQUEST_LIMIT);
        answered("the committed offsets", answer)
    }
}

/// The offsets of one end of each log, from one request to each broker: that for offsets by time accepts
/// [`Offset::End`] and [`Offset::Beginning`] in place of a time.
fn offsets(
    client: &BaseConsumer,
    partitions: &[TopicPartition],
    of: Offset,
) -> Result<BTreeMap<TopicPartition, i64>, Left> {
    if partitions.is_empty() {
        // librdkafka refuses to ask for nothing
        return Ok(BTreeMap::new());
    }
    let answer = client.offsets_for_times(list(partitions, of), REQUEST_LIMIT);
    let offsets = answered("the ends of the logs", answer)?;
    match partitions.iter().find(|one| !offsets.contains_key(*one)) {
        None => Ok(offsets),
        Some((topic, partition)) => {
            let reason = format!("no offset of {topic}[{partition}]");
            Err(Left::Unknown(reason))
        }
    }
}

fn list(partitions: &[TopicPartition], offset: Offset) -> TopicPartitionList {
    let partitions = partitions.iter().cloned();
    partitions.map(|partition| (partition, offset)).collect()
}

fn answered(
    what: &str,
    answer: KafkaResult<TopicPartitionList>,
) -> Result<BTreeMap<TopicPartition, i64>, Left> {
    let answer = answer.map_err(|error| Left::Unknown(format!("{what}: {error}")))?;
    offsets_of(&answer).map_err(Left::Unknown)
}
