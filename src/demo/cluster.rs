//! The broker of the demo: librdkafka's mock cluster, in this process.

use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config::{Config, Guarantee, Store};
use crate::kafka::survey::{FoundTopics, RecordLimits};

/// Partitions of every topic.
const PARTITIONS: i32 = 4;
/// The largest record that the mock broker accepts, in bytes.
const MAX_RECORD_BYTES: usize = 4_000_000;

pub struct DemoCluster {
    // Dropping it stops the broker.
    _cluster: MockCluster<'static, DefaultProducerContext>,
    bootstrap: String,
}

impl DemoCluster {
    /// Starts the broker and creates the topics of a configuration.
    pub fn start(config: &Config) -> KafkaResult<DemoCluster> {
        let cluster = MockCluster::new(1)?;
        let inputs = config.sources.iter().flat_map(|(_, source)| &source.topics);
        let outputs = [
            config.state_topic(),
            config.forwarded_topic(),
            config.snapshot.topic.clone(),
            config.dead_letters.topic.clone(),
        ];
        for topic in inputs.chain(&outputs) {
            cluster.create_topic(topic, PARTITIONS, 1)?;
        }
        Ok(DemoCluster {
            bootstrap: cluster.bootstrap_servers(),
            _cluster: cluster,
        })
    }

    /// Changes the configuration to use this cluster, which has no real transactions and ends with the process.
    pub fn configure(&self, config: &mut Config) {
        config.kafka.bootstrap_servers.clone_from(&self.bootstrap);
        config.processing.guarantee = Guarantee::AtLeastOnce;
        config.state.store = Store::Memory;
        // When one worker joins after the other, the mock cluster makes all of them wait for the session timeout minus
        // one second.
        for (name, value) in [
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "500"),
            // The mock cluster sends each answer to a fetch only when the wait for records is over, so an answer must
            // hold many records.
            ("fetch.max.bytes", "8388608"),
        ] {
            let properties = &mut config.kafka.properties;
            properties.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The topics as `keyfold topics` would find them.
    pub fn found() -> FoundTopics {
        FoundTopics {
            partitions: PARTITIONS,
            snapshot_partitions: PARTITIONS,
            limits: RecordLimits::all(MAX_RECORD_BYTES),
        }
    }
}
