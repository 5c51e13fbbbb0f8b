//! The producer of a worker.

use rdkafka::config::ClientConfig;

use super::{CONSUMER_ONLY, ClientSettings, Identity, TRANSACTION_TIMEOUT, set_defaults};
use crate::config::Guarantee;

/// Limits of the topics that a worker writes to. They must be known before its producer is created.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    /// The largest record that one of them takes, in bytes.
    pub record_bytes: usize,
    /// The largest batch of records that all of them take, in bytes.
    pub batch_bytes: usize,
    /// The partitions of the topics of snapshots and states together.
    pub partitions: usize,
}

impl ClientSettings<'_> {
    /// The producer of a worker.
    pub fn producer(
        self,
        guarantee: Guarantee,
        identity: &Identity,
        targets: Targets,
    ) -> ClientConfig {
        let mut client = self.base(&CONSUMER_ONLY);
        let max_bytes = targets.record_bytes;
        // Records that wait to be sent take memory, so the queue is bounded. A batch may be larger; then the worker
        // continues with the next batch until there is room again.
        const QUEUE: usize = 16 * 1024 * 1024;
        let queue = (max_bytes * 2).max(QUEUE) / 1024;
        // A produce request that is not full lingers. If all partitions had such a request, and these filled the queue,
        // nothing would be sent. Therefore all of them together may take half the queue.
        let share = QUEUE / 2 / targets.partitions.max(1);
        let batch = share.min(targets.batch_bytes).min(1_000_000);
        set_defaults(
            &mut client,
            &[
                ("compression.codec", "lz4"),
                // A long linger delays nothing, because the end of a batch flushes. A short one would cost CPU time: a
                // record that has lingered while another request of its partition is in flight makes librdkafka's
                // thread spin.
                ("linger.ms", "1000"),
                ("batch.size", &batch.to_string()),
                ("queue.buffering.max.messages", "500000"),
                ("queue.buffering.max.kbytes", &queue.to_string()),
                // The broker refuses a transaction that begins right after another one for a moment. The default
                // backoff of 100 ms would slow each commit down.
                ("retry.backoff.ms", "2"),
                ("retry.backoff.max.ms", "1000"),
            ],
        );
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("delivery.report.only.error", "true")
            .set("message.max.bytes", max_bytes.to_string());
        match guarantee {
            Guarantee::ExactlyOnce => {
                client.set("transactional.id", &identity.transactional_id);
                let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
                set_defaults(&mut client, &[("transaction.timeout.ms", &timeout)]);
            }
            Guarantee::AtLeastOnce => {
                set_defaults(&mut client, &[("message.timeout.ms", "30000")]);
            }
        }
        client
    }

    /// The producer of a command that sends records in transactions ([`crate::kafka::one_shot`]); `max_bytes` is the
    /// largest record that it may send, and `batch_bytes` the largest batch of records that all of its topics take.
    pub(crate) fn one_shot(
        self,
        transactional_id: &str,
        max_bytes: usize,
        batch_bytes: usize,
    ) -> ClientConfig {
        /// librdkafka's own.
        const DEFAULT: usize = 1_000_000;
        let mut client = self.idempotent(max_bytes);
        let set = client.get("batch.size").and_then(|set| set.parse().ok());
        let batch = set.unwrap_or(DEFAULT).min(batch_bytes).max(1);
        client
            .set("transactional.id", transactional_id)
            .set("batch.size", batch.to_string())
            // The broker answers with a retriable error while it ends the transaction before.
            .set("retry.backoff.ms", "20")
            .set("retry.backoff.max.ms", "1000");
        let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
        set_defaults(&mut client, &[("transaction.timeout.ms", &timeout)]);
        client
    }

    /// The producer of a command that sends records outside of transactions.
    pub(crate) fn idempotent(self, max_bytes: usize) -> ClientConfig {
        let mut client = self.base(&CONSUMER_ONLY);
        set_defaults(
            &mut client,
            &[("compression.codec", "lz4"), ("linger.ms", "5")],
        );
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", max_bytes.to_string());
        client
    }
}

#[cfg(test)]
mod tests {
    use super::super::member::tests::with;
    use super::*;

    /// The brokers refuse a batch that is larger than the topic takes, and the client does not divide it.
    #[test]
    fn a_batch_of_a_command_is_no_larger_than_its_topics_take() {
        let batch = |set: &[(&str, &str)], taken| {
            let config = with(set);
            let client = ClientSettings::from(&config).one_shot("id", 5_000_000, taken);
            assert!(client.create_native_config().is_ok());
            client.get("batch.size").map(str::to_owned)
        };
        assert_eq!(batch(&[], 10_000).as_deref(), Some("10000"));
        assert_eq!(batch(&[], 5_000_000).as_deref(), Some("1000000"));
        let set = [("batch.size", "3000")];
        assert_eq!(batch(&set, 10_000).as_deref(), Some("3000"));
        assert_eq!(batch(&set, 2_000).as_deref(), Some("2000"));
    }
}
