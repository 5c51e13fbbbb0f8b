//! The sources that are on, and the topics that feed them.

use super::words::{Format, KeyFormat, Tombstone};
use crate::model::record::Source;

/// The sources that are on. By default they are all four (docs/contract.md, section 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    on: [Option<SourceConfig>; Source::ALL.len()],
}

/// One source that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// The topics that feed it, at least one; a topic feeds one source only.
    pub topics: Vec<String>,
    /// How the values of all of them are encoded.
    pub format: Format,
    /// What a record with a null value does.
    pub tombstone: Tombstone,
    /// How the key of such a record gives the customer id.
    pub key_format: KeyFormat,
}

impl SourceConfig {
    /// The defaults of a source (docs/contract.md, sections 1 and 3).
    #[must_use]
    pub fn of(source: Source) -> Self {
        let (topic, tombstone) = match source {
            Source::LoyaltyCustomers => ("loyalty.customers", Tombstone::Erase),
            Source::LoyaltyActions => ("loyalty.customer-actions", Tombstone::Reject),
            Source::ConsoleCustomers => ("console.customers", Tombstone::Retract),
            Source::PublisherCustomers => ("publisher.customers", Tombstone::Reject),
        };
        SourceConfig {
            topics: vec![topic.to_owned()],
            format: Format::Json,
            tombstone,
            key_format: KeyFormat::Text,
        }
    }
}

impl Sources {
    /// The sources that are on, in the order of [`Source::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Source, &SourceConfig)> {
        Source::ALL
            .into_iter()
            .filter_map(|source| Some((source, self.get(source)?)))
    }

    /// A source's settings, none where it is off.
    #[must_use]
    pub fn get(&self, source: Source) -> Option<&SourceConfig> {
        self.on.get(source.index())?.as_ref()
    }

    /// The source that a topic feeds.
    #[must_use]
    pub fn source_of(&self, topic: &str) -> Option<Source> {
        self.iter()
            .find(|(_, source)| source.topics.iter().any(|known| known == topic))
            .map(|(source, _)| source)
    }
}

impl Default for Sources {
    fn default() -> Self {
        Source::ALL
            .into_iter()
            .map(|source| (source, SourceConfig::of(source)))
            .collect()
    }
}

/// Only the sources given are on.
impl FromIterator<(Source, SourceConfig)> for Sources {
    fn from_iter<I: IntoIterator<Item = (Source, SourceConfig)>>(sources: I) -> Self {
        let mut on = [const { None }; Source::ALL.len()];
        for (source, config) in sources {
            if let Some(slot) = on.get_mut(source.index()) {
                *slot = Some(config);
            }
        }
        Sources { on }
    }
}
