//! The configuration: its types and their defaults (docs/contract.md, section 7).
//!
//! Three layers make it: the defaults below, a TOML file over them, and environment variables
//! over both. [`Config::load`] reads them, [`Config::print`] shows what came out of it.
//!
//! | file | subject |
//! |---|---|
//! | `load` | the layers, from text to one tree of values |
//! | `keys` | the known keys, their variables, the nearest known key |
//! | `variables` | variables of the environment that only look like keyfold's |
//! | `read` | one typed value from the tree, or a problem that names its place |
//! | `build` | the tree of values into a [`Config`] |
//! | `check` | the rules for single values and between keys |
//! | `sources`, `rules`, `properties`, `registry` | the parts with rules of their own |
//! | `words` | the values that are one of a few words |
//! | `print` | `keyfold config`, with secrets redacted |

mod build;
mod check;
mod error;
mod keys;
mod load;
mod print;
mod properties;
mod read;
mod registry;
mod relations;
mod rules;
mod sources;
mod variables;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use error::ConfigError;
pub use keys::keys;
pub use properties::is_refused as is_refused_property;
pub use registry::Registry;
pub use rules::Rules;
pub use sources::{SourceConfig, Sources};
pub use variables::CONFIG_FILE;
pub use words::{
    Action, Customers, Deleted, Format, Guarantee, KeyFormat, Lists, LogFormat, OnForeignOffset,
    OnLostOffset, SnapshotFormat, Store, SubjectStrategy, Tombstone,
};

/// Everything that can be set, with the defaults that are promised (docs/contract.md, section 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The consumer group and the prefix of the internal topics and transactional ids.
    /// 1 to 200 characters of `A-Z a-z 0-9 . _ -`.
    pub application_id: String,
    /// A stable name of this instance, or empty for a random one. At most 200 characters of the
    /// same set.
    pub instance_id: String,
    pub kafka: Kafka,
    pub sources: Sources,
    pub snapshot: Snapshot,
    pub dead_letters: DeadLetters,
    pub merge: Merge,
    pub validation: Validation,
    pub processing: Processing,
    pub state: State,
    pub registry: Registry,
    pub http: Http,
    pub log: Log,
    pub topics: Topics,
}

impl Config {
    /// The compacted topic of internal state: `<application_id>.state` (docs/contract.md, section 6).
    #[must_use]
    pub fn state_topic(&self) -> String {
        format!("{}.state", self.application_id)
    }

    /// The topic of records sent on to their customer's partition:
    /// `<application_id>.forwarded` (docs/contract.md, section 6).
    #[must_use]
    pub fn forwarded_topic(&self) -> String {
        format!("{}.forwarded", self.application_id)
    }

    /// Whether the schema registry is asked for anything: values of a source that is on, or the
    /// snapshots, are Avro. Frames of JSON are taken off without it.
    #[must_use]
    pub fn needs_registry(&self) -> bool {
        self.snapshot.format == SnapshotFormat::Avro
            || self
                .sources
                .iter()
                .any(|(_, source)| source.format == Format::Avro)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            application_id: "keyfold".to_owned(),
            instance_id: String::new(),
            kafka: Kafka::default(),
            sources: Sources::default(),
            snapshot: Snapshot::default(),
            dead_letters: DeadLetters::default(),
            merge: Merge::default(),
            validation: Validation::default(),
            processing: Processing::default(),
            state: State::default(),
            registry: Registry::default(),
            http: Http::default(),
            log: Log::default(),
            topics: Topics::default(),
        }
    }
}

/// The Kafka cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, several separated by commas.
    pub bootstrap_servers: String,
    /// What happens when a committed offset is no longer in its topic.
    pub on_lost_offset: OnLostOffset,
    /// What happens when somebody else has committed an offset for the group.
    pub on_foreign_offset: OnForeignOffset,
    /// librdkafka's properties, by their full dotted names. Those that delivery rests on are
    /// refused while loading. May hold secrets: never log it, `Debug` redacts it.
    pub properties: BTreeMap<String, String>,
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            bootstrap_servers: "localhost:9092".to_owned(),
            on_lost_offset: OnLostOffset::Fail,
            on_foreign_offset: OnForeignOffset::Fail,
            properties: BTreeMap::new(),
        }
    }
}

impl Kafka {
    /// The servers as they may be shown. The client knows no users in them; one that is there all the same is hidden.
    #[must_use]
    pub fn shown_servers(&self) -> String {
        properties::without_user(&self.bootstrap_servers)
    }

    /// A text without the secrets among the properties.
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        let secrets = self.properties.iter().filter(|(name, value)| {
            // a shorter one is in any text
            value.len() > 3 && properties::redacted(name, value) != **value
        });
        secrets.fold(text.to_owned(), |text, (_, secret)| {
            text.replace(secret.as_str(), properties::REDACTED)
        })
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: BTreeMap<&str, String> = self
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), properties::redacted(name, value)))
            .collect();
        f.debug_struct("Kafka")
            .field("bootstrap_servers", &self.shown_servers())
            .field("on_lost_offset", &self.on_lost_offset)
            .field("on_foreign_offset", &self.on_foreign_offset)
            .field("properties", &properties)
            .finish()
    }
}

/// The published snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The compacted topic they go to.
    pub topic: String,
    pub format: SnapshotFormat,
    /// How the subject of the snapshots' schema is named. Without effect on JSON.
    pub subject_strategy: SubjectStrategy,
    /// Whether the schema is registered where it is not; else it must be there. Without effect
    /// on JSON.
    pub auto_register: bool,
    /// How many actions `actions.recent` shows, 0 to 1,000,000.
    pub recent_actions: usize,
    /// What becomes of a customer with the status `DELETED`.
    pub deleted: Deleted,
}

impl Snapshot {
    /// The subject that the snapshots' schema is registered under, where `record` is the full
    /// name of its record.
    #[must_use]
    pub fn subject(&self, record: &str) -> String {
        match self.subject_strategy {
            SubjectStrategy::TopicName => format!("{}-value", self.topic),
            SubjectStrategy::RecordName => record.to_owned(),
            SubjectStrategy::TopicRecordName => format!("{}-{record}", self.topic),
        }
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            topic: "customers.snapshots".to_owned(),
            format: SnapshotFormat::Json,
            subject_strategy: SubjectStrategy::TopicName,
            auto_register: true,
            recent_actions: 20,
            deleted: Deleted::Keep,
        }
    }
}

/// Where rejected records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    pub topic: String,
}

impl Default for DeadLetters {
    fn default() -> Self {
        DeadLetters {
            topic: "customers.dead-letters".to_owned(),
        }
    }
}

/// The fold (docs/contract.md, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Whether a newer list removes the elements that it does not contain.
    pub lists: Lists,
    /// How many actions of a customer are kept, 1 to 1,000,000.
    pub max_actions: usize,
    /// How many addresses, and how many dependents, that are not shown are kept, 0 to 1,000,000.
    pub max_hidden: usize,
}

impl Default for Merge {
    fn default() -> Self {
        Merge {
            lists: Lists::Replace,
            max_actions: 100,
            max_hidden: 100,
        }
    }
}

/// Validation (docs/contract.md, section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// How far an `updatedAt` may lie after its record's timestamp, zero to 36,500 days.
    pub max_future_skew: Duration,
    /// The largest record value in bytes, 1 KiB to 100 MiB.
    pub max_record_bytes: usize,
    /// The most bytes of a record's key, header names and header values together, 1 KiB to 100 MiB.
    pub max_metadata_bytes: usize,
    /// The largest encoded state of a customer in bytes, 1 KiB to 100 MiB.
    pub max_state_bytes: usize,
    /// What becomes of a record that breaks a semantic rule.
    pub rules: Rules,
}

impl Default for Validation {
    fn default() -> Self {
        Validation {
            max_future_skew: Duration::from_secs(24 * 60 * 60),
            max_record_bytes: 1_048_576,
            max_metadata_bytes: 65_536,
            max_state_bytes: 900_000,
            rules: Rules::default(),
        }
    }
}

/// How the stream is worked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Processing {
    pub guarantee: Guarantee,
    /// The longest time between two commits while records come, 1 ms to 60 s.
    pub commit_interval: Duration,
    /// The same while the inputs have a backlog, 1 ms to 60 s. What is shorter than the commit interval counts as long.
    pub backlog_commit_interval: Duration,
    /// Worker threads, 0 to 1,024; 0 is one a core.
    pub workers: usize,
    /// The most records in one batch, 1 to 1,000,000.
    pub max_batch_records: usize,
    /// The most bytes of record values in one batch, 1 KiB to 1 GiB.
    pub max_batch_bytes: usize,
    /// The circuit breaker: the share of rejected records above which the processor stops.
    /// More than 0, at most 1; 1 switches it off.
    pub max_reject_share: f64,
    /// The number of records that the share is taken over, 1 to 1,000,000,000.
    pub reject_window: usize,
}

impl Default for Processing {
    fn default() -> Self {
        Processing {
            guarantee: Guarantee::ExactlyOnce,
            commit_interval: Duration::from_millis(100),
            backlog_commit_interval: Duration::from_secs(1),
            workers: 0,
            max_batch_records: 100_000,
            max_batch_bytes: 64 * 1024 * 1024,
            max_reject_share: 0.9,
            reject_window: 10_000,
        }
    }
}

/// Where an instance keeps the state of its customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub store: Store,
    /// The folder of a store on disk; always given there. The store in memory does not use it.
    pub directory: Option<String>,
    /// Memory for what all stores on disk of this instance have not yet in their tables, in bytes.
    pub memory_bytes: usize,
}

impl Default for State {
    fn default() -> Self {
        State {
            store: Store::Memory,
            directory: None,
            memory_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The HTTP server (docs/contract.md, section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// An IP address and a port. Loading accepts only what parses as a [`SocketAddr`].
    pub listen: String,
    /// Whether `/customers/{id}` is served.
    pub customers: Customers,
}

impl Http {
    /// Whether `/customers/{id}` is served: personal data leaves the machine only where that was
    /// asked for by `http.customers = "on"`.
    #[must_use]
    pub fn serves_customers(&self) -> bool {
        match self.customers {
            Customers::On => true,
            Customers::Off => false,
            Customers::Auto => self
                .listen
                .parse::<SocketAddr>()
                .is_ok_and(|address| address.ip().is_loopback()),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http {
            listen: "127.0.0.1:9464".to_owned(),
            customers: Customers::Auto,
        }
    }
}

/// The log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or several `target=level`
    /// separated by commas.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Auto,
            level: "info".to_owned(),
        }
    }
}

/// How `keyfold topics` creates topics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics {
    /// Partitions of the internal topics, 1 to 10,000; none: those of the largest input.
    pub partitions: Option<u32>,
    /// Copies of each partition, 1 to 32,767; none: the broker's default.
    pub replication_factor: Option<u16>,
}
