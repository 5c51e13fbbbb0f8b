//! How keyfold's clients are configured.

mod member;
mod producer;

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

pub use producer::Targets;

use crate::config::{Config, Kafka};

/// The broker aborts a transaction that stays open for longer than this (plus up to 10 s, the interval at which it
/// looks for such transactions). The timeout is longer than the session of a dynamic member: the next owner of its
/// partitions does not wait for the timeout, but fences the producer of the dead member ([`crate::engine::takeover`]).
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// The names under which Kafka knows a worker.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `<application_id>-<instance>-<worker>`.
    pub transactional_id: String,
    /// The `group.instance.id`, for static membership. `None` without an `instance_id`.
    pub group_instance_id: Option<String>,
}

/// Which records of transactions a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions, up to the first one that is open.
    Committed,
    /// All.
    Uncommitted,
}

impl Isolation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

/// Properties that only one kind of client has. A client of the other kind would log a warning about them.
const PRODUCER_ONLY: [&str; 13] = [
    "linger.ms",
    "queue.buffering.",
    "batch.",
    "compression.",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "transaction.timeout.ms",
    "retries",
    "message.send.max.retries",
    "request.timeout.ms",
    "enable.gapless.guarantee",
    "sticky.partitioning.linger.ms",
    "max.in.flight.requests.per.connection",
];
const CONSUMER_ONLY: [&str; 9] = [
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "fetch.",
    "queued.",
    "max.poll.interval.ms",
    "max.partition.fetch.bytes",
    "group.protocol",
    "check.crcs",
    "coordinator.query.interval.ms",
];

/// The settings from which all clients of an application are configured.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings<'c> {
    pub application_id: &'c str,
    pub kafka: &'c Kafka,
}

impl<'c> From<&'c Config> for ClientSettings<'c> {
    fn from(config: &'c Config) -> ClientSettings<'c> {
        ClientSettings {
            application_id: &config.application_id,
            kafka: &config.kafka,
        }
    }
}

impl ClientSettings<'_> {
    fn base(self, leave_out: &[&str]) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.kafka.bootstrap_servers)
            .set("client.id", self.application_id)
            .set("topic.metadata.refresh.interval.ms", "30000")
            // By default, a client whose connections were cut a few times in a row waits for 10 s before it connects
            // again. That is too long, because a transaction does not live much longer.
            .set("reconnect.backoff.max.ms", "1000")
            .set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in &self.kafka.properties {
            if !leave_out.iter().any(|prefix| name.starts_with(prefix)) {
                client.set(name, value);
            }
        }
        client
    }

    /// A client that neither consumes nor produces: for metadata, offsets, and the administration of topics.
    pub(crate) fn admin(self) -> ClientConfig {
        self.base(&[&PRODUCER_ONLY[..], &CONSUMER_ONLY].concat())
    }

    /// A consumer that does not join the group. librdkafka requires a `group.id` all the same. It is that of the
    /// application, so that no further permission is needed.
    pub(crate) fn reader(self) -> ClientConfig {
        let mut leave_out = PRODUCER_ONLY.to_vec();
        leave_out.extend([
            "session.timeout.ms",
            "heartbeat.interval.ms",
            // librdkafka refuses a value below the session timeout. The session timeout is left out here, and its
            // default is longer than some users set this property.
            "max.poll.interval.ms",
            "group.protocol",
        ]);
        let mut client = self.base(&leave_out);
        set_fetching(&mut client, "10000");
        // The broker reports the end of a log by an empty answer, and waits for this time before it sends one.
        set_defaults(&mut client, &[("fetch.wait.max.ms", "10")]);
        self.set_consuming(&mut client);
        client
    }

    /// A reader of whole logs, of whatever size ([`super::range_reader`]). Like [`ClientSettings::reader`], it is no member
    /// of the group.
    pub(crate) fn range_reader(self, isolation: Isolation) -> ClientConfig {
        let mut client = self.reader();
        // An answer is decompressed as a whole before its first record is delivered, so it is bounded.
        member::set_fetch_bytes(&mut client, "2097152", "1048576");
        client.set("isolation.level", isolation.name());
        client
    }

    /// Sets what all consumers have in common. The user's properties cannot change it.
    fn set_consuming(self, client: &mut ClientConfig) {
        client
            .set("group.id", self.application_id)
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            // The end-of-partition event gives the position after control records and aborted records.
            .set("enable.partition.eof", "true");
    }

    /// A producer that only fences another producer with the same transactional id.
    pub(crate) fn fencing(self, transactional_id: &str) -> ClientConfig {
        let mut client = self.admin();
        client
            .set("transactional.id", transactional_id)
            // librdkafka's default may be longer than the brokers allow.
            .set(
                "transaction.timeout.ms",
                self.transaction_timeout().as_millis().to_string(),
            )
            // The broker answers with a retriable error while it aborts the open transaction.
            .set("retry.backoff.ms", "20")
            .set("retry.backoff.max.ms", "200");
        client
    }

    /// An ordinary producer without transactions, for generated records.
    pub(crate) fn feed(self) -> ClientConfig {
        let mut leave_out = CONSUMER_ONLY.to_vec();
        leave_out.push("transaction.timeout.ms");
        let mut client = self.base(&leave_out);
        set_defaults(
            &mut client,
            &[
                ("compression.codec", "lz4"),
                ("linger.ms", "20"),
                // For this time, an unknown topic may still appear.
                ("topic.metadata.propagation.max.ms", "10000"),
            ],
        );
        client
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "8000000");
        client
    }

    /// A property that is a duration in milliseconds.
    fn millis(self, name: &str) -> Option<Duration> {
        let millis = self.kafka.properties.get(name)?.parse().ok()?;
        Some(Duration::from_millis(millis))
    }

    /// The time after which the broker aborts an open transaction.
    pub(crate) fn transaction_timeout(self) -> Duration {
        self.millis("transaction.timeout.ms")
            .unwrap_or(TRANSACTION_TIMEOUT)
    }

    /// The error message if the brokers do not allow transactions as long as keyfold's. `allowed` is their limit, if it
    /// is known.
    pub(crate) fn transaction_timeout_refused(self, allowed: Option<&str>) -> String {
        let wanted = self.transaction_timeout().as_millis();
        let (found, at_most) = match allowed {
            Some(allowed) => (format!(" ({allowed})"), allowed),
            None => (String::new(), "that"),
        };
        format!(
            "transaction.max.timeout.ms of the brokers{found} is below keyfold's transaction.timeout.ms of {wanted}, and so they refuse its transactions: raise it to at least {wanted} in the configuration of each broker, or set \"transaction.timeout.ms\" in [kafka.properties] to at most {at_most}"
        )
    }

    /// The session timeout: the group keeps a static member for this long after it has stopped. It is librdkafka's
    /// default if the configuration does not set it.
    pub(super) fn session_timeout(self) -> Duration {
        const DEFAULT: Duration = Duration::from_secs(45);
        self.millis("session.timeout.ms").unwrap_or(DEFAULT)
    }

    /// The time within which a static member (one with an `instance_id`) learns that another member has replaced it.
    /// Under the classic protocol it learns that from the answer to its next heartbeat. Under KIP-848 the group keeps
    /// the existing member, so nobody replaces it.
    pub(crate) fn static_member_replaced_within(self) -> Duration {
        const HEARTBEAT: Duration = Duration::from_secs(3);
        if self.has_consumer_protocol() {
            return Duration::ZERO;
        }
        self.millis("heartbeat.interval.ms").unwrap_or(HEARTBEAT) + Duration::from_secs(1)
    }

    /// Whether the group uses the protocol of KIP-848.
    pub(crate) fn has_consumer_protocol(self) -> bool {
        let set = self.kafka.properties.get("group.protocol");
        set.is_some_and(|set| set == "consumer")
    }
}

/// Sets default values, where the user's properties have none.
fn set_defaults(client: &mut ClientConfig, defaults: &[(&str, &str)]) {
    for (name, value) in defaults {
        if client.get(name).is_none() {
            client.set(*name, *value);
        }
    }
}

/// Sets how a consumer fetches. It fetches more of a partition while its queue holds fewer than `min_queued` records of
/// it.
fn set_fetching(client: &mut ClientConfig, min_queued: &str) {
    set_defaults(
        client,
        &[
            // The default of one second stalls a reader that is slower than librdkafka's fetcher.
            ("fetch.queue.backoff.ms", "2"),
            ("queued.min.messages", min_queued),
            ("queued.max.messages.kbytes", "16384"),
            // With this check, a corrupt batch is an error: it is neither skipped nor read as records.
            ("check.crcs", "true"),
        ],
    );
    if let Some(answer) = client.get("fetch.max.bytes").map(str::to_owned) {
        // librdkafka refuses a `fetch.max.bytes` below `message.max.bytes`, whose default is larger than some users set
        // the former.
        set_defaults(client, &[("message.max.bytes", &answer)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_member_of_a_classic_group_waits_for_its_next_heartbeat() {
        let within = |set: &[(&str, &str)]| {
            let config = member::tests::with(set);
            let settings = ClientSettings::from(&config);
            settings.static_member_replaced_within().as_millis()
        };
        assert_eq!(within(&[]), 4000);
        assert_eq!(within(&[("heartbeat.interval.ms", "500")]), 1500);
        assert_eq!(within(&[("group.protocol", "classic")]), 4000);
        assert_eq!(within(&[("group.protocol", "consumer")]), 0);
    }
}
