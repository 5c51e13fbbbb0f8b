//! What keyfold needs from the cluster, derived once from the configuration.

use super::client::ClientSettings;
use super::topic_specs::TopicSpecs;
use crate::config::{Config, Guarantee, Kafka, Topics};
use crate::model::record::Source;

#[derive(Debug, Clone)]
pub struct Requirements {
    pub(super) application_id: String,
    /// Whether the instance has an `instance_id`, and so transactional ids that may be granted one by one.
    pub(super) has_instance_id: bool,
    pub(super) kafka: Kafka,
    pub(super) guarantee: Guarantee,
    /// The input topics, each with its source.
    pub(super) inputs: Vec<(Source, String)>,
    /// The topics that keyfold writes to.
    pub(super) topics: TopicSpecs,
    /// How these topics are created.
    pub(super) creation: Topics,
}

impl From<&Config> for Requirements {
    fn from(config: &Config) -> Requirements {
        let inputs = config.sources.iter().flat_map(|(source, settings)| {
            let topics = settings.topics.iter().cloned();
            topics.map(move |topic| (source, topic))
        });
        Requirements {
            application_id: config.application_id.clone(),
            has_instance_id: !config.instance_id.is_empty(),
            kafka: config.kafka.clone(),
            guarantee: config.processing.guarantee,
            inputs: inputs.collect(),
            topics: TopicSpecs::from(config),
            creation: config.topics.clone(),
        }
    }
}

impl Requirements {
    pub(super) fn clients(&self) -> ClientSettings<'_> {
        ClientSettings {
            application_id: &self.application_id,
            kafka: &self.kafka,
        }
    }

    /// The brokers, as they are named in suggested commands.
    pub(super) fn servers(&self) -> &str {
        &self.kafka.bootstrap_servers
    }

    /// The source that reads a topic.
    pub(super) fn source_of(&self, topic: &str) -> Option<Source> {
        let mut inputs = self.inputs.iter();
        inputs
            .find(|(_, input)| input == topic)
            .map(|(source, _)| *source)
    }
}
