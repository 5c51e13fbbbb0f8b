//! The sources that are on, and the topics that feed them.

use super::SourceConfig;
use super::section::{Section, Table, join};
use super::words::Tombstone;
use crate::model::record::Source;

/// The sources that are on. By default these are all four (docs/contract.md, section 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    on: [Option<SourceConfig>; Source::ALL.len()],
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
            tombstone,
            ..SourceConfig::default()
        }
    }
}

impl Sources {
    /// Only the given sources are on, with their defaults.
    pub(super) fn with_defaults(on: impl IntoIterator<Item = Source>) -> Self {
        on.into_iter()
            .map(|source| (source, SourceConfig::of(source)))
            .collect()
    }

    /// The sources that are on, in the order of [`Source::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Source, &SourceConfig)> {
        Source::ALL
            .into_iter()
            .filter_map(|source| Some((source, self.get(source)?)))
    }

    /// A source's settings, none if it is off.
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
        Sources::with_defaults(Source::ALL)
    }
}

/// Only the given sources are on.
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

impl Section for Sources {
    const ABOUT: &'static str = " The sources. Without any of these tables all four are on, with their defaults. \
        As soon as one is given, here or in the environment, only those that are given are on.";

    fn add_tables(&self, path: &str, tables: &mut Vec<Table>) {
        tables.push(Table::new(path, Self::ABOUT, Vec::new()));
        for (source, config) in self.iter() {
            config.add_tables(&join(path, source.name()), tables);
        }
    }

    fn set_key(&mut self, path: &str, value: &toml::Value) {
        let Some((name, key)) = path.split_once('.') else {
            return;
        };
        let source = Source::ALL.into_iter().find(|source| source.name() == name);
        let slot = source.and_then(|source| self.on.get_mut(source.index()));
        if let Some(Some(config)) = slot {
            config.set_key(key, value);
        }
    }
}
