//! The sources that are on, and the topics that feed them.

use std::sync::Arc;

use super::section::{Section, Table, join};
use super::words::{KeyFormat, Tombstone};
use super::{SourceConfig, text};
use crate::definition::Plan;
use crate::model::record::{DeclaredSource, Source};

/// The sources that are on. By default these are all four (docs/contract.md, section 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    on: Vec<(Source, SourceConfig)>,
    plans: Vec<(Source, Arc<Plan>)>,
}

impl SourceConfig {
    /// The defaults of a source (docs/contract.md, sections 1 and 3).
    #[must_use]
    pub fn of(source: Source) -> Self {
        let (topic, tombstone) = match source {
            Source::Declared(_) => return SourceConfig::default(),
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

    /// The sources that are on: the built-in ones in the order of [`Source::BUILT_IN`], then the declared ones by name.
    pub fn iter(&self) -> impl Iterator<Item = (Source, &SourceConfig)> {
        self.on.iter().map(|(source, config)| (*source, config))
    }

    /// Whether a source may have this name, built in or declared.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        Source::built_in(name).is_some() || Sources::is_declarable(name)
    }

    /// Whether a declared source may have this name.
    #[must_use]
    pub fn is_declarable(name: &str) -> bool {
        text::is_declarable(name)
    }

    /// The source that is on and has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Source> {
        let mut sources = self.on.iter().map(|(source, _)| *source);
        sources.find(|source| source.name() == name)
    }

    /// Adds a declared source, or replaces it.
    pub fn declare(&mut self, source: DeclaredSource, config: SourceConfig, plan: Arc<Plan>) {
        let source = Source::Declared(source);
        self.on.retain(|(known, _)| *known != source);
        self.on.push((source, config));
        self.on.sort_by_key(|(source, _)| *source);
        self.set_plan(source, plan);
    }

    pub(super) fn set_plan(&mut self, source: Source, plan: Arc<Plan>) {
        self.plans.retain(|(known, _)| *known != source);
        self.plans.push((source, plan));
    }

    /// The plan of a declared source that is on.
    #[must_use]
    pub fn plan(&self, source: Source) -> Option<&Arc<Plan>> {
        let plan = self.plans.iter().find(|(known, _)| *known == source)?;
        Some(&plan.1)
    }

    /// The declared sources that are on, by name.
    pub fn declared(&self) -> impl Iterator<Item = (DeclaredSource, &SourceConfig, &Arc<Plan>)> {
        self.iter().filter_map(|(source, config)| match source {
            Source::Declared(declared) => Some((declared, config, self.plan(source)?)),
            _ => None,
        })
    }

    /// The format of the keys of a declared source whose definition reads them.
    #[must_use]
    pub fn format_of_read_keys(&self, source: Source) -> Option<KeyFormat> {
        let Source::Declared(_) = source else {
            return None;
        };
        if !self.plan(source)?.reads_key() {
            return None;
        }
        self.get(source).map(|source| source.key_format)
    }

    /// Whether a source is declared, and its definition reads keys that are Avro.
    #[must_use]
    pub fn reads_avro_keys(&self, source: Source) -> bool {
        self.format_of_read_keys(source) == Some(KeyFormat::Avro)
    }

    /// A source's settings, none if it is off.
    #[inline]
    #[must_use]
    pub fn get(&self, source: Source) -> Option<&SourceConfig> {
        let found = self.on.iter().find(|(known, _)| *known == source)?;
        Some(&found.1)
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
        Sources::with_defaults(Source::BUILT_IN)
    }
}

/// Only the given sources are on.
impl FromIterator<(Source, SourceConfig)> for Sources {
    fn from_iter<I: IntoIterator<Item = (Source, SourceConfig)>>(sources: I) -> Self {
        let mut on: Vec<(Source, SourceConfig)> = sources.into_iter().collect();
        on.sort_by_key(|(source, _)| *source);
        Sources {
            on,
            plans: Vec::new(),
        }
    }
}

impl Section for Sources {
    const ABOUT: &'static str = " The sources. Without any of these tables all four are on, with their defaults. \
        As soon as one is given, here or in the environment, only those that are given are on.";

    fn add_tables(&self, path: &str, tables: &mut Vec<Table>) {
        tables.push(Table::new(path, Self::ABOUT, Vec::new()));
        for (source, config) in self.iter() {
            let first = tables.len();
            config.add_tables(&join(path, source.name()), tables);
            if !matches!(source, Source::Declared(_)) {
                let new = tables.iter_mut().skip(first);
                new.for_each(|table| table.keys.retain(|key| key.name != "definition"));
            }
        }
    }

    fn set_key(&mut self, path: &str, value: &toml::Value) {
        let Some((name, key)) = path.split_once('.') else {
            return;
        };
        let found = self.on.iter_mut().find(|(source, _)| source.name() == name);
        if let Some((_, config)) = found {
            config.set_key(key, value);
        }
    }
}
