//! The configuration (docs/contract.md, section 7).
//!
//! Three layers make it: the defaults, a TOML file over them, and environment variables over both.
//! [`Config::load`] reads them, [`Config::print`] shows the result.
//!
//! | file | subject |
//! |---|---|
//! | `keys` | **the table of keys**: name, type, bounds, default and documentation of each |
//! | `words` | the keys whose value is one of a few words |
//! | `text`, `url` | the rules for texts |
//! | `secrets` | what is a secret, and how it is redacted |
//! | `sources`, `rules`, `properties`, `priorities` | the sections whose keys are not fixed |
//! | `relations` | the rules between keys |
//! | `section`, `shape`, `size` | what the table is made of, and what a key accepts |
//! | `load`, `layers` | from file and environment to a [`Config`], with all errors at once |
//! | `names`, `variables` | the nearest known key, and the environment variable of a key |
//! | `differing` | the settings that are not at their defaults |
//! | `documents` | `keyfold config`, the reference file, the tables of the documentation, the JSON Schema |

mod differing;
pub mod documents;
mod error;
mod keys;
mod layers;
mod load;
mod names;
mod priorities;
mod properties;
mod relations;
mod rules;
mod secrets;
mod section;
mod shape;
mod size;
mod sources;
mod text;
mod url;
mod variables;
mod words;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use differing::Differing;
pub use error::ConfigError;
pub use keys::{
    Config, DeadLetters, Http, Kafka, Log, Merge, Processing, Registry, Snapshot, SourceConfig,
    State, Topics, Validation,
};
pub use layers::Origins;
pub use priorities::Priorities;
pub(crate) use properties::is_refused as is_refused_property;
pub use rules::Rules;
pub use sources::Sources;
pub use variables::CONFIG_FILE;
pub use words::{
    Deleted, Format, Guarantee, KeyFormat, Lists, LogFormat, OnForeignOffset, OnLostOffset,
    RuleAction, ServeCustomers, SnapshotFormat, Store, SubjectStrategy, Tombstone,
};

impl Config {
    /// The compacted topic of the internal state: `<application_id>.state` (docs/contract.md, section 6).
    #[must_use]
    pub fn state_topic(&self) -> String {
        format!("{}.state", self.application_id)
    }

    /// The topic for records that are forwarded to the partition of their customer: `<application_id>.forwarded`
    /// (docs/contract.md, section 6).
    #[must_use]
    pub fn forwarded_topic(&self) -> String {
        format!("{}.forwarded", self.application_id)
    }

    /// The topic in which `keyfold dlq` notes what became of dead letters: `<application_id>.settled`
    /// (docs/contract.md, section 10).
    #[must_use]
    pub fn settled_topic(&self) -> String {
        format!("{}.settled", self.application_id)
    }

    /// Whether the schema registry is used, that is, whether a source that is on or the snapshots are in Avro, or keys
    /// that a definition reads.
    #[must_use]
    pub fn needs_registry(&self) -> bool {
        self.snapshot.format == SnapshotFormat::Avro
            || self.sources.iter().any(|(name, source)| {
                source.format == Format::Avro || self.sources.reads_avro_keys(name)
            })
    }
}

impl Kafka {
    /// The servers as they may be shown. librdkafka does not support a user in them; one that is there by mistake is
    /// redacted.
    #[must_use]
    pub fn shown_servers(&self) -> String {
        secrets::without_user(&self.bootstrap_servers)
    }

    /// A text without the secrets that the properties contain.
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        let secrets = self.properties.iter().filter(|(name, value)| {
            // A shorter value would occur by chance in any text.
            value.len() > 3 && secrets::redacted(name, value) != **value
        });
        secrets.fold(text.to_owned(), |text, (_, secret)| {
            text.replace(secret.as_str(), secrets::REDACTED)
        })
    }
}

impl Snapshot {
    /// The subject under which the snapshots' schema is registered; `record` is the full name of its record.
    #[must_use]
    pub fn subject(&self, record: &str) -> String {
        match self.subject_strategy {
            SubjectStrategy::TopicName => format!("{}-value", self.topic),
            SubjectStrategy::RecordName => record.to_owned(),
            SubjectStrategy::TopicRecordName => format!("{}-{record}", self.topic),
        }
    }
}

impl Registry {
    /// The URLs, to be tried in turn, without a slash at the end. They may contain credentials: never log them.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let urls = self.url.split(',');
        urls.map(|url| url.trim().trim_end_matches('/'))
            .filter(|url| !url.is_empty())
    }
}

impl Http {
    /// Whether `/customers/{id}` is served. Personal data leaves the machine only if `http.customers = "on"` asks for
    /// it.
    #[must_use]
    pub fn serves_customers(&self) -> bool {
        match self.customers {
            ServeCustomers::On => true,
            ServeCustomers::Off => false,
            ServeCustomers::Auto => self
                .listen
                .parse::<SocketAddr>()
                .is_ok_and(|address| address.ip().is_loopback()),
        }
    }
}
