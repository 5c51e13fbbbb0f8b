//! When a keyfold has done its work.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::app::{App, LIMIT};
use crate::client::Isolation;
use crate::program::Keyfold;

const REQUEST_LIMIT: Duration = Duration::from_secs(30);

impl App {
    /// Waits until `keyfold`, or another instance beside it, has committed everything that the inputs hold. It may take
    /// its time, as on a busy machine, but must not stand still.
    #[track_caller]
    pub fn wait_drained(&self, keyfold: &mut Keyfold) {
        let (mut moved, mut last) = (Instant::now(), String::new());
        keyfold.wait_for(LIMIT * 4, "to commit all its inputs", |keyfold| {
            let Some(left) = self.left_to_do() else {
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
        self.left_to_do().is_none()
    }

    fn left_to_do(&self) -> Option<String> {
        // what commits the inputs makes the forwarded records visible, so none are missed behind
        self.uncommitted_input()
            .or_else(|| self.open_transaction())
            .or_else(|| self.uncommitted_forward())
            // the one that committed the last forwarded records may not be stable in all topics yet
            .or_else(|| self.open_transaction())
    }

    fn uncommitted_input(&self) -> Option<String> {
        let mut config = self.client.config();
        config.set("group.id", &self.id);
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut ends = Vec::new();
        let mut asked = TopicPartitionList::new();
        for source in self.sources() {
            let topic = self.input(source);
            for partition in 0..self.partitions_of(source) {
                match consumer.fetch_watermarks(&topic, partition, REQUEST_LIMIT) {
                    Ok((_, 0)) => {}
                    Ok((_, end)) => {
                        ends.push((topic.clone(), partition, end));
                        asked.add_partition(&topic, partition);
                    }
                    Err(error) => return Some(format!("{topic}[{partition}]: {error}")),
                }
            }
        }
        let committed = match consumer.committed_offsets(asked, REQUEST_LIMIT) {
            Ok(committed) => committed,
            Err(error) => return Some(format!("the committed offsets: {error}")),
        };
        ends.into_iter().find_map(|(topic, partition, end)| {
            let element = committed.find_partition(&topic, partition);
            let offset = element.map(|element| element.offset());
            (offset != Some(Offset::Offset(end)))
                .then(|| format!("{topic}[{partition}] up to {end}, committed is {offset:?}"))
        })
    }

    /// A transaction that a killed instance left open ends only by its time-out.
    fn open_transaction(&self) -> Option<String> {
        let consumer = |isolation: &str| -> BaseConsumer {
            let mut config = self.client.config();
            config.set("isolation.level", isolation);
            config.create().expect("a consumer")
        };
        let (all, committed) = (consumer("read_uncommitted"), consumer("read_committed"));
        for topic in [
            self.forwarded(),
            self.state(),
            self.snapshots(),
            self.dead_letters(),
        ] {
            for partition in 0..self.client.partitions(&topic).unwrap_or(0) {
                let end = |consumer: &BaseConsumer| {
                    let both = consumer.fetch_watermarks(&topic, partition, REQUEST_LIMIT);
                    both.map(|(_, end)| end)
                };
                let (end, stable) = (end(&all), end(&committed));
                if end.is_err() || end != stable {
                    return Some(format!(
                        "{topic}[{partition}] ends at {end:?}, and is stable up to {stable:?}"
                    ));
                }
            }
        }
        None
    }

    fn uncommitted_forward(&self) -> Option<String> {
        let forwarded = self.forwarded();
        let records = self.client.read_all(&forwarded, Isolation::ReadCommitted);
        let committed = self.client.committed_offsets(&self.id, &[&forwarded]);
        records.iter().find_map(|record| {
            let key = (forwarded.clone(), record.partition);
            let next = committed.get(&key);
            next.is_none_or(|next| record.offset >= *next)
                .then(|| format!("{forwarded}[{}]@{}", record.partition, record.offset))
        })
    }
}
