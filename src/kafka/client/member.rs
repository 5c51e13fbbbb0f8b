//! The consumer that is a member of the group.

use std::time::Duration;

use rdkafka::config::ClientConfig;

use super::{ClientSettings, Identity, PRODUCER_ONLY, set_defaults, set_fetching};

/// The most bytes of one fetch response, compressed, of all partitions together; a larger batch comes alone. librdkafka
/// decompresses the whole response before it delivers the first record, and zeros decompress to 20,000 times as much.
const FETCH_BYTES: &str = "16384";
/// The most bytes of one partition in a fetch response. It matters if the user raises the limit over all partitions.
const PARTITION_FETCH_BYTES: &str = "262144";

/// The session timeout of a dynamic member (one without an `instance_id`). It is short, because such a member never
/// comes back under its name, so a long wait for it gains nothing. A static member keeps its partitions over a restart,
/// and has librdkafka's default session of 45 s for that. Under KIP-848 the brokers set the session timeout.
const SESSION: Duration = Duration::from_secs(10);
/// The heartbeat interval. A member learns from a heartbeat that the group rebalances because another member has joined
/// or left.
const HEARTBEAT: Duration = Duration::from_secs(1);

impl ClientSettings<'_> {
    /// A member of the consumer group. Its `client.id` ends in the instance and the worker, so that the group's other
    /// members know which worker it is ([`crate::engine::takeover::is_worker`]).
    pub fn member(self, identity: &Identity) -> ClientConfig {
        let mut client = self.base(&PRODUCER_ONLY);
        if let Some(worker) = identity.transactional_id.strip_prefix(self.application_id) {
            let id = client.get("client.id").unwrap_or_default().to_owned();
            client.set("client.id", id + worker);
        }
        if identity.group_instance_id.is_none() && !self.has_consumer_protocol() {
            set_dynamic_session(&mut client);
        }
        // Records that wait to be polled take memory: each of them takes half a kilobyte besides its own bytes, and a
        // response is decompressed as a whole. A short queue is enough, because a worker processes fewer than 200
        // records in a millisecond.
        set_fetching(&mut client, "2000");
        set_fetch_bytes(&mut client, FETCH_BYTES, PARTITION_FETCH_BYTES);
        // Only the range assignor gives a worker the same partitions of all topics.
        if self.has_consumer_protocol() {
            client.set("group.remote.assignor", "range");
        } else {
            client.set("partition.assignment.strategy", "range");
        }
        if let Some(id) = &identity.group_instance_id {
            client.set("group.instance.id", id);
        }
        self.set_consuming(&mut client);
        client.set("enable.auto.offset.store", "false");
        client
    }
}

impl ClientSettings<'_> {
    /// A member of the classic protocol, whatever the group's is. A group of KIP-848 takes it in, and in place of a static
    /// member of the same name that has said that it will come back.
    pub fn classic_member(self, identity: &Identity) -> ClientConfig {
        let mut kafka = self.kafka.clone();
        kafka.properties.remove("group.protocol");
        let settings = ClientSettings {
            kafka: &kafka,
            ..self
        };
        settings.member(identity)
    }
}

/// Sets the size limits of a fetch response, where the user's properties do not.
pub(super) fn set_fetch_bytes(client: &mut ClientConfig, total: &str, per_partition: &str) {
    const PER_PARTITION: [&str; 2] = ["fetch.message.max.bytes", "max.partition.fetch.bytes"];
    const TOTAL: &str = "fetch.max.bytes";
    // librdkafka refuses a TOTAL below this property, whose default is larger.
    const LOWER_BOUND: &str = "message.max.bytes";
    let is_set = |client: &ClientConfig, name: &str| client.get(name).is_some();
    // If the user sets the limit of each partition, the limit of all partitions must not be lowered, because the user
    // expects more records in a response.
    if !PER_PARTITION.iter().any(|name| is_set(client, name)) {
        client.set(PER_PARTITION[0], per_partition);
        if !is_set(client, LOWER_BOUND) {
            set_defaults(client, &[(TOTAL, total)]);
        }
    }
    if let Some(answer) = client.get(TOTAL).map(str::to_owned) {
        set_defaults(client, &[(LOWER_BOUND, &answer)]);
    }
}

/// Sets the session timeout and the heartbeat interval of a dynamic member, where the user's properties do not.
fn set_dynamic_session(client: &mut ClientConfig) {
    let millis = |client: &ClientConfig, name: &str| {
        let set = client.get(name).and_then(|set| set.parse().ok());
        set.map(Duration::from_millis)
    };
    if client.get("session.timeout.ms").is_none() {
        let heartbeat = millis(client, "heartbeat.interval.ms").unwrap_or(HEARTBEAT);
        let session = SESSION.max(heartbeat * 3);
        // librdkafka refuses a session timeout above `max.poll.interval.ms`.
        let max_session = millis(client, "max.poll.interval.ms").unwrap_or(session);
        let session = session.min(max_session).as_millis();
        client.set("session.timeout.ms", session.to_string());
    }
    if client.get("heartbeat.interval.ms").is_none() {
        let session = millis(client, "session.timeout.ms").unwrap_or(SESSION);
        let heartbeat = HEARTBEAT.min(session / 3).as_millis();
        client.set("heartbeat.interval.ms", heartbeat.max(1).to_string());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Config;

    /// A configuration with these properties of the client.
    pub(in super::super) fn with(set: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (key, value) in set {
            let properties = &mut config.kafka.properties;
            properties.insert((*key).to_owned(), (*value).to_owned());
        }
        config
    }

    /// The member of an instance with this name, or without one.
    fn member(name: Option<&str>, set: &[(&str, &str)]) -> ClientConfig {
        let config = with(set);
        let identity = Identity {
            transactional_id: format!("{}-1a-0", config.application_id),
            group_instance_id: name.map(str::to_owned),
        };
        let client = ClientSettings::from(&config).member(&identity);
        assert!(client.create_native_config().is_ok());
        client
    }

    #[test]
    fn an_answer_is_bounded_for_all_partitions_together() {
        let of = |set: &[(&str, &str)]| {
            let client = member(None, set);
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
    fn a_dynamic_member_has_a_short_session() {
        let of = |name: Option<&str>, set: &[(&str, &str)]| {
            let client = member(name, set);
            let id = client.get("client.id");
            assert!(id.is_some_and(|id| id.ends_with("-1a-0")));
            ["session.timeout.ms", "heartbeat.interval.ms"]
                .map(|name| client.get(name).unwrap_or_default().to_owned())
        };
        assert_eq!(of(None, &[]), ["10000", "1000"]);
        assert_eq!(of(Some("one-0"), &[]), ["", ""]);
        assert_eq!(of(None, &[("group.protocol", "consumer")]), ["", ""]);
        assert_eq!(of(None, &[("session.timeout.ms", "1500")]), ["1500", "500"]);
        let heartbeat = [("heartbeat.interval.ms", "5000")];
        assert_eq!(of(None, &heartbeat), ["15000", "5000"]);
        assert_eq!(
            of(None, &[("max.poll.interval.ms", "7000")]),
            ["7000", "1000"]
        );
    }
}
