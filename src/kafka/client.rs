//! How keyfold's clients are set up.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::config::{Config, Guarantee};

/// A transaction that is left open is aborted by the broker after this time (plus up to 10 s, in which it looks
/// for such). That is longer than the session of a member without a name: its next owner does not wait for it, but
/// fences the producer of a dead one ([`crate::engine::takeover`]).
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the broker lets a transaction live, as `kafka.properties` may say.
pub fn transaction_timeout(config: &Config) -> Duration {
    let set = config.kafka.properties.get("transaction.timeout.ms");
    set.and_then(|set| set.parse().ok())
        .map_or(TRANSACTION_TIMEOUT, Duration::from_millis)
}

/// What to do where the brokers end transactions sooner than this client wants. What they allow is told where it is known.
pub fn transaction_too_long(config: &Config, allowed: Option<&str>) -> String {
    let wanted = transaction_timeout(config).as_millis();
    let (found, at_most) = match allowed {
        Some(allowed) => (format!(" ({allowed})"), allowed),
        None => (String::new(), "that"),
    };
    format!(
        "transaction.max.timeout.ms of the brokers{found} is below keyfold's transaction.timeout.ms of {wanted}, and so they refuse its transactions: raise it to at least {wanted} in the configuration of each broker, or set \"transaction.timeout.ms\" in [kafka.properties] to at most {at_most}"
    )
}

/// How long the group knows a member that is gone without a word, as far as this configuration says it.
pub fn session(config: &Config) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(45);
    let set = config.kafka.properties.get("session.timeout.ms");
    let set = set.and_then(|set| set.parse().ok());
    set.map_or(DEFAULT, Duration::from_millis)
}

/// Within which time a named member knows that the group has another by its name now. Under the classic protocol the
/// answer to its next heartbeat says so; under KIP-848 the group keeps the member that it has. Without a name there is
/// no other.
pub fn replaced_within(config: &Config) -> Duration {
    if config.instance_id.is_empty() || has_consumer_protocol(config) {
        return Duration::ZERO;
    }
    const HEARTBEAT: Duration = Duration::from_secs(3);
    let set = config.kafka.properties.get("heartbeat.interval.ms");
    let heartbeat = set
        .and_then(|set| set.parse().ok())
        .map_or(HEARTBEAT, Duration::from_millis);
    heartbeat + Duration::from_secs(1)
}

/// Whether the group is one of KIP-848.
pub(super) fn has_consumer_protocol(config: &Config) -> bool {
    let set = config.kafka.properties.get("group.protocol");
    set.is_some_and(|set| set == "consumer")
}

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

fn base(config: &Config, leave_out: &[&str]) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.kafka.bootstrap_servers)
        .set("client.id", &config.application_id)
        .set("topic.metadata.refresh.interval.ms", "30000")
        // by default, one whose connections were cut a few times in a row waits for 10 s before it connects again,
        // and a transaction does not live much longer
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Info);
    for (name, value) in &config.kafka.properties {
        if !leave_out.iter().any(|prefix| name.starts_with(prefix)) {
            client.set(name, value);
        }
    }
    client
}

/// A client that only asks: for metadata, ends of logs and configurations.
pub fn admin(config: &Config) -> ClientConfig {
    let mut leave_out = PRODUCER_ONLY.to_vec();
    leave_out.extend(CONSUMER_ONLY);
    base(config, &leave_out)
}

/// A reader that is no member of the group. It names the group all the same, for the client wants one, and so
/// needs no further permission.
pub fn reader(config: &Config) -> ClientConfig {
    let mut leave_out = PRODUCER_ONLY.to_vec();
    leave_out.extend([
        "session.timeout.ms",
        "heartbeat.interval.ms",
        // it must not be below a session's time-out, whose default is longer than some set this
        "max.poll.interval.ms",
        "group.protocol",
    ]);
    let mut client = base(config, &leave_out);
    fetching(&mut client, "10000");
    if client.get("fetch.wait.max.ms").is_none() {
        // that a log has ended is told by an answer with nothing in it
        client.set("fetch.wait.max.ms", "10");
    }
    client
        .set("group.id", &config.application_id)
        .set("allow.auto.create.topics", "false")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    client
}

/// A member of the consumer group. Its `client.id` ends in the instance and the worker, so that the group's other members
/// can tell which worker it is ([`super::members::Member::is_worker`]).
pub fn member(config: &Config, identity: &Identity) -> ClientConfig {
    let mut client = base(config, &PRODUCER_ONLY);
    if let Some(worker) = identity
        .transactional_id
        .strip_prefix(&config.application_id)
    {
        let id = client.get("client.id").unwrap_or_default().to_owned();
        client.set("client.id", id + worker);
    }
    set_session(&mut client, config);
    // What waits to be taken is memory: each record that the client holds takes half a kilobyte besides its own bytes,
    // and an answer is unpacked as a whole. A worker takes less than 200 records in a millisecond.
    fetching(&mut client, "2000");
    set_answer(&mut client);
    // only a range assignor gives a worker the same partitions of all topics
    if has_consumer_protocol(config) {
        client.set("group.remote.assignor", "range");
    } else {
        client.set("partition.assignment.strategy", "range");
    }
    if let Some(id) = &identity.group_instance_id {
        client.set("group.instance.id", id);
    }
    client
        .set("group.id", &config.application_id)
        .set("allow.auto.create.topics", "false")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        // it tells the position behind markers and aborted records
        .set("enable.partition.eof", "true");
    client
}

/// How much an answer of the brokers may hold, packed, of all partitions together; a batch that is larger comes alone. All
/// of it is unpacked before its first record can be taken, and zeros unpack to 20,000 times as much.
const ANSWER_BYTES: &str = "16384";
/// How much of it may be of one partition, where there may be more of all.
const PARTITION_BYTES: &str = "262144";

/// Sets what an answer may hold, as far as the properties do not.
fn set_answer(client: &mut ClientConfig) {
    const OF_EACH: [&str; 2] = ["fetch.message.max.bytes", "max.partition.fetch.bytes"];
    const OF_ALL: &str = "fetch.max.bytes";
    // the client does not take less for an answer than for this, whose default is larger
    const LEAST: &str = "message.max.bytes";
    let is_set = |client: &ClientConfig, name: &str| client.get(name).is_some();
    // who lets each partition have more wants more of all
    if !OF_EACH.iter().any(|name| is_set(client, name)) {
        client.set(OF_EACH[0], PARTITION_BYTES);
        if !is_set(client, OF_ALL) && !is_set(client, LEAST) {
            client.set(OF_ALL, ANSWER_BYTES);
        }
    }
    if let Some(answer) = client.get(OF_ALL).map(str::to_owned)
        && !is_set(client, LEAST)
    {
        client.set(LEAST, answer);
    }
}

/// A member without a name never comes back under it, so nothing is won by waiting for it long. One that has a name keeps
/// its partitions over a restart, and has the client's session of 45 s for that. Under KIP-848 the session is the broker's.
const SESSION: Duration = Duration::from_secs(10);
/// How soon a member notices that the group waits for it, because another one has come or is gone.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Sets the session of a member without a name, as far as the properties do not.
fn set_session(client: &mut ClientConfig, config: &Config) {
    if !config.instance_id.is_empty() || has_consumer_protocol(config) {
        return;
    }
    let millis = |client: &ClientConfig, name: &str| {
        let set = client.get(name).and_then(|set| set.parse().ok());
        set.map(Duration::from_millis)
    };
    if client.get("session.timeout.ms").is_none() {
        let heartbeat = millis(client, "heartbeat.interval.ms").unwrap_or(HEARTBEAT);
        let session = SESSION.max(heartbeat * 3);
        // the client refuses a session that is longer than this
        let most = millis(client, "max.poll.interval.ms").unwrap_or(session);
        let session = session.min(most).as_millis();
        client.set("session.timeout.ms", session.to_string());
    }
    if client.get("heartbeat.interval.ms").is_none() {
        let session = millis(client, "session.timeout.ms").unwrap_or(SESSION);
        let heartbeat = HEARTBEAT.min(session / 3).as_millis();
        client.set("heartbeat.interval.ms", heartbeat.max(1).to_string());
    }
}

/// The client fetches a partition again while it holds less than so many of its records.
fn fetching(client: &mut ClientConfig, ahead: &str) {
    let defaults = [
        // the default of a second stalls a reader that is slower than its fetcher
        ("fetch.queue.backoff.ms", "2"),
        ("queued.min.messages", ahead),
        ("queued.max.messages.kbytes", "16384"),
        // a corrupt batch is not passed over, nor taken for records
        ("check.crcs", "true"),
    ];
    for (name, value) in defaults {
        if client.get(name).is_none() {
            client.set(name, value);
        }
    }
    if let Some(answer) = client.get("fetch.max.bytes").map(str::to_owned)
        && client.get("message.max.bytes").is_none()
    {
        // the client does not take less for the one than for the other, whose default is larger than some set this
        client.set("message.max.bytes", answer);
    }
}

/// The topics that a worker writes to, as far as its producer must know them.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    /// The largest record that one of them takes, in bytes.
    pub record_bytes: usize,
    /// The largest batch of records that all of them take, in bytes.
    pub batch_bytes: usize,
    /// The partitions of the topics of snapshots and states together.
    pub partitions: usize,
}

/// The producer of a worker.
pub fn producer(config: &Config, identity: &Identity, targets: Targets) -> ClientConfig {
    let mut client = base(config, &CONSUMER_ONLY);
    let max_bytes = targets.record_bytes;
    // What waits to be sent is memory. A batch may write more; then the worker goes on with the next one until there is
    // room again.
    const QUEUE: usize = 16 * 1024 * 1024;
    let queue = (max_bytes * 2).max(QUEUE) / 1024;
    // A request that is not full lingers. If all partitions had one, and those filled the queue, nothing would go out.
    let share = QUEUE / 2 / targets.partitions.max(1);
    let batch = share.min(targets.batch_bytes).min(1_000_000);
    let (queue, batch) = (queue.to_string(), batch.to_string());
    let defaults = [
        ("compression.codec", "lz4"),
        // a batch's end is a flush; a record that has lingered while another request of its partition is under
        // way makes the client's thread spin
        ("linger.ms", "1000"),
        ("batch.size", batch.as_str()),
        ("queue.buffering.max.messages", "500000"),
        ("queue.buffering.max.kbytes", queue.as_str()),
        // a transaction that begins right after another is refused for a moment; waiting 100 ms shows
        ("retry.backoff.ms", "2"),
        ("retry.backoff.max.ms", "1000"),
    ];
    for (name, value) in defaults {
        if client.get(name).is_none() {
            client.set(name, value);
        }
    }
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("delivery.report.only.error", "true")
        .set("message.max.bytes", max_bytes.to_string());
    if config.processing.guarantee == Guarantee::ExactlyOnce {
        client.set("transactional.id", &identity.transactional_id);
        if client.get("transaction.timeout.ms").is_none() {
            client.set(
                "transaction.timeout.ms",
                TRANSACTION_TIMEOUT.as_millis().to_string(),
            );
        }
    } else if client.get("message.timeout.ms").is_none() {
        client.set("message.timeout.ms", "30000");
    }
    client
}

/// A producer that takes over a transactional id, and does nothing else.
pub fn fencing(config: &Config, transactional_id: &str) -> ClientConfig {
    let mut leave_out = CONSUMER_ONLY.to_vec();
    leave_out.extend(PRODUCER_ONLY);
    let mut client = base(config, &leave_out);
    client
        .set("transactional.id", transactional_id)
        // the client's default may be more than the brokers allow
        .set(
            "transaction.timeout.ms",
            transaction_timeout(config).as_millis().to_string(),
        )
        // while the broker aborts, it asks to be asked again
        .set("retry.backoff.ms", "20")
        .set("retry.backoff.max.ms", "200");
    client
}

/// A producer like that of any application, for generated records.
pub fn feed(config: &Config) -> ClientConfig {
    let mut leave_out = CONSUMER_ONLY.to_vec();
    leave_out.push("transaction.timeout.ms");
    let mut client = base(config, &leave_out);
    let defaults = [
        ("compression.codec", "lz4"),
        ("linger.ms", "20"),
        // how long a topic that is not there may yet come
        ("topic.metadata.propagation.max.ms", "10000"),
    ];
    for (name, value) in defaults {
        if client.get(name).is_none() {
            client.set(name, value);
        }
    }
    client
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", "8000000");
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of an instance of this name, with these properties of the client.
    fn with(name: &str, set: &[(&str, &str)]) -> Config {
        let mut config = Config {
            instance_id: name.to_owned(),
            ..Config::default()
        };
        for (key, value) in set {
            let properties = &mut config.kafka.properties;
            properties.insert((*key).to_owned(), (*value).to_owned());
        }
        config
    }

    #[test]
    fn a_named_member_of_a_classic_group_waits_for_its_next_heartbeat() {
        let within = |name: &str, set: &[(&str, &str)]| {
            let config = with(name, set);
            replaced_within(&config).as_millis()
        };
        assert_eq!(within("one", &[]), 4000);
        assert_eq!(within("one", &[("heartbeat.interval.ms", "500")]), 1500);
        assert_eq!(within("one", &[("group.protocol", "classic")]), 4000);
        assert_eq!(within("one", &[("group.protocol", "consumer")]), 0);
        assert_eq!(within("", &[]), 0);
    }

    #[test]
    fn an_answer_is_bounded_for_all_partitions_together() {
        let of = |set: &[(&str, &str)]| {
            let config = with("", set);
            let identity = Identity {
                transactional_id: format!("{}-1a-0", config.application_id),
                group_instance_id: None,
            };
            let client = member(&config, &identity);
            assert!(client.create_native_config().is_ok());
            let names = ["fetch.max.bytes", "fetch.message.max.bytes"];
            names.map(|name| client.get(name).map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(&[]), [some("16384"), some("262144")]);
        let all = of(&[("fetch.max.bytes", "262144")]);
        assert_eq!(all, [some("262144"), some("262144")]);
        let each = of(&[("fetch.message.max.bytes", "1048576")]);
        assert_eq!(each, [None, some("1048576")]);
        assert_eq!(
            of(&[("max.partition.fetch.bytes", "1048576")]),
            [None, None]
        );
    }

    #[test]
    fn a_member_without_a_name_has_a_short_session() {
        let of = |name: &str, set: &[(&str, &str)]| {
            let config = with(name, set);
            let identity = Identity {
                transactional_id: format!("{}-1a-0", config.application_id),
                group_instance_id: None,
            };
            let client = member(&config, &identity);
            assert!(client.create_native_config().is_ok());
            assert!(
                client
                    .get("client.id")
                    .is_some_and(|id| id.ends_with("-1a-0"))
            );
            ["session.timeout.ms", "heartbeat.interval.ms"]
                .map(|name| client.get(name).unwrap_or_default().to_owned())
        };
        assert_eq!(of("", &[]), ["10000", "1000"]);
        assert_eq!(of("one", &[]), ["", ""]);
        assert_eq!(of("", &[("group.protocol", "consumer")]), ["", ""]);
        assert_eq!(of("", &[("session.timeout.ms", "1500")]), ["1500", "500"]);
        let heartbeat = [("heartbeat.interval.ms", "5000")];
        assert_eq!(of("", &heartbeat), ["15000", "5000"]);
        assert_eq!(
            of("", &[("max.poll.interval.ms", "7000")]),
            ["7000", "1000"]
        );
    }
}
