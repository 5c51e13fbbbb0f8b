//! How keyfold's clients are configured.

mod member;
mod producer;

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

pub use producer::Targets;

use crate::config::{Config, Kafka};

/// The broker aborts a transaction that is left open after this time (plus up to 10 s, as it looks for such only so often).
/// That is longer than the session of a dynamic member: its next owner does not wait for it, but fences the producer of a
/// dead one ([`crate::engine::takeover`]).
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How a worker is known to Kafka.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `<application_id>-<instance>-<worker>`.
    pub transactional_id: String,
    /// For static membership; none without an `instance_id`.
    pub group_instance_id: Option<String>,
}

/// Properties that only one kind of client knows; the other would warn of them.
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

/// What all clients of an application are configured from.
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
            // by default, a client whose connections were cut a few times in a row waits for 10 s before it connects
            // again, and a transaction does not live much longer
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

    /// A consumer that does not join the group. It names the group all the same, for the client wants one, and so needs
    /// no further permission.
    pub(crate) fn reader(self) -> ClientConfig {
        let mut leave_out = PRODUCER_ONLY.to_vec();
        leave_out.extend([
            "session.timeout.ms",
            "heartbeat.interval.ms",
            // the client refuses one below the session timeout, whose default is longer than some set this
            "max.poll.interval.ms",
            "group.protocol",
        ]);
        let mut client = self.base(&leave_out);
        set_fetching(&mut client, "10000");
        // that a log has ended is told by an empty answer
        set_defaults(&mut client, &[("fetch.wait.max.ms", "10")]);
        self.set_consuming(&mut client);
        client
    }

    /// What all consumers have in common, and no property may change.
    fn set_consuming(self, client: &mut ClientConfig) {
        client
            .set("group.id", self.application_id)
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            // it tells the position behind control and aborted records
            .set("enable.partition.eof", "true");
    }

    /// A producer that fences another one by its transactional id, and does nothing else.
    pub(crate) fn fencing(self, transactional_id: &str) -> ClientConfig {
        let mut client = self.admin();
        client
            .set("transactional.id", transactional_id)
            // the client's default may be more than the brokers allow
            .set(
                "transaction.timeout.ms",
                self.transaction_timeout().as_millis().to_string(),
            )
            // the broker answers with a retriable error while it aborts
            .set("retry.backoff.ms", "20")
            .set("retry.backoff.max.ms", "200");
        client
    }

    /// A producer like that of any application, for generated records.
    pub(crate) fn feed(self) -> ClientConfig {
        let mut leave_out = CONSUMER_ONLY.to_vec();
        leave_out.push("transaction.timeout.ms");
        let mut client = self.base(&leave_out);
        set_defaults(
            &mut client,
            &[
                ("compression.codec", "lz4"),
                ("linger.ms", "20"),
                // for so long, a topic that is unknown may still appear
                ("topic.metadata.propagation.max.ms", "10000"),
            ],
        );
        client
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "8000000");
        client
    }

    /// A duration among the properties.
    fn millis(self, name: &str) -> Option<Duration> {
        let millis = self.kafka.properties.get(name)?.parse().ok()?;
        Some(Duration::from_millis(millis))
    }

    /// How long the broker lets a transaction live.
    pub(crate) fn transaction_timeout(self) -> Duration {
        self.millis("transaction.timeout.ms")
            .unwrap_or(TRANSACTION_TIMEOUT)
    }

    /// What to do where the brokers do not allow transactions as long as keyfold's. `allowed` is their limit, where it is
    /// known.
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

    /// How long the group keeps a static member that is gone, as far as this configuration says it.
    pub(super) fn session_timeout(self) -> Duration {
        const DEFAULT: Duration = Duration::from_secs(45);
        self.millis("session.timeout.ms").unwrap_or(DEFAULT)
    }

    /// Within which time a static member (one with an `instance_id`) learns that another one has replaced it. Under the
    /// classic protocol the answer to its next heartbeat says so; under KIP-848 the group keeps the member that it has, and
    /// so nobody replaces it.
    pub(crate) fn static_member_replaced_within(self) -> Duration {
        const HEARTBEAT: Duration = Duration::from_secs(3);
        if self.has_consumer_protocol() {
            return Duration::ZERO;
        }
        self.millis("heartbeat.interval.ms").unwrap_or(HEARTBEAT) + Duration::from_secs(1)
    }

    /// Whether the group uses the protocol of KIP-848.
    pub(super) fn has_consumer_protocol(self) -> bool {
        let set = self.kafka.properties.get("group.protocol");
        set.is_some_and(|set| set == "consumer")
    }
}

/// Sets what the properties do not.
fn set_defaults(client: &mut ClientConfig, defaults: &[(&str, &str)]) {
    for (name, value) in defaults {
        if client.get(name).is_none() {
            client.set(*name, *value);
        }
    }
}

/// How a consumer fetches. It fetches a partition again while it holds less than `ahead` of its records.
fn set_fetching(client: &mut ClientConfig, ahead: &str) {
    set_defaults(
        client,
        &[
            // the default of a second stalls a reader that is slower than its fetcher
            ("fetch.queue.backoff.ms", "2"),
            ("queued.min.messages", ahead),
            ("queued.max.messages.kbytes", "16384"),
            // a corrupt batch is neither passed over nor taken for records
            ("check.crcs", "true"),
        ],
    );
    if let Some(answer) = client.get("fetch.max.bytes").map(str::to_owned) {
        // the client does not take less for the one than for the other, whose default is larger than some set this
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
