//! librdkafka's properties, and those that are refused.

use std::collections::BTreeMap;

use toml::Value;

use super::section::{Key, Section, Setting, Table};
use super::shape::Shape;

/// Examples for the reference file.
pub(super) const EXAMPLES: &str = "\
security.protocol = \"SASL_SSL\"
sasl.mechanism = \"SCRAM-SHA-512\"
sasl.username = \"keyfold\"
ssl.ca.location = \"/etc/keyfold/ca.pem\"
group.protocol = \"consumer\"
";

/// A table in which any name is a key with a text as its value.
impl Section for BTreeMap<String, String> {
    const ABOUT: &'static str = " Properties of librdkafka, as written there, for TLS, SASL and buffers. \
        Properties that delivery depends on are refused. In the name of an environment variable `_` stands for a dot. \
        Keep secrets there rather than in a file: `KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD`.";

    fn add_tables(&self, path: &str, tables: &mut Vec<Table>) {
        let keys = self
            .iter()
            .map(|(name, value)| Key::new(name, "", Shape::Property, value));
        tables.push(Table::new(path, Self::ABOUT, keys.collect()));
    }

    fn set_key(&mut self, path: &str, value: &Value) {
        if let Some(text) = String::from_toml(value) {
            self.insert(path.to_owned(), text);
        }
    }
}

/// The properties that cannot be set, each with the reason, and with the key to set instead if there is one. Delivery
/// depends on them, so keyfold sets them itself. A `*` stands for any rest of a name.
const REFUSED: &[(&str, &str)] = &[
    (
        "group.id",
        "it is the application id; set `application_id` instead",
    ),
    (
        "transactional.id",
        "it is made from the application id, the instance id and the worker; set `instance_id` instead",
    ),
    (
        "group.instance.id",
        "it is made from the instance id; set `instance_id` instead",
    ),
    ("bootstrap.servers", SERVERS),
    ("metadata.broker.list", SERVERS),
    ("enable.auto.*", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("isolation.level", "aborted records must never be read"),
    (
        "auto.offset.reset",
        "a lost offset must never skip records; set `kafka.on_lost_offset` instead",
    ),
    ("enable.idempotence", ACKNOWLEDGED),
    ("acks", ACKNOWLEDGED),
    ("request.required.acks", ACKNOWLEDGED),
    (
        "partitioner",
        "a customer's partition is that of Kafka's default partitioner (murmur2)",
    ),
    ("partition.assignment.strategy", ASSIGNOR),
    ("group.remote.assignor", ASSIGNOR),
    (
        "delivery.report.*",
        "a commit depends on the delivery reports that keyfold asks for",
    ),
    (
        "enable.partition.eof",
        "the restore of the state depends on it",
    ),
];

const SERVERS: &str = "set `kafka.bootstrap_servers` instead";
const OFFSETS: &str = "offsets are committed with the results";
const ACKNOWLEDGED: &str = "without idempotence and all acknowledgements records could be lost or repeated; \
                            the guarantee is `processing.guarantee`";
const ASSIGNOR: &str =
    "only the range assignor gives the same partitions of all topics to one worker";

/// The names of the properties that are refused, for the documentation.
pub(super) fn refused() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().map(|(name, _)| *name)
}

/// Whether a property cannot be set.
#[must_use]
pub(crate) fn is_refused(name: &str) -> bool {
    refusal(name).is_some()
}

/// Why a property cannot be set.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let mut matching = REFUSED
        .iter()
        .filter(|(known, _)| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *known,
        });
    matching.next().map(|(_, reason)| *reason)
}

/// What is wrong with the name of a property, if anything is.
pub(super) fn problem(name: &str) -> Option<String> {
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    match refusal(name) {
        Some(reason) => Some(format!("cannot be set: {reason}")),
        None if !is_name => Some("is not the name of a property of librdkafka".to_owned()),
        None => None,
    }
}
