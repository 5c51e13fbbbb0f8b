//! What the threads of a process share, created from the configuration and what was found in the cluster. The
//! configuration is split here: the other objects get only the settings that they need.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::driver::{ForwardedPositions, Parts};
use super::frontend::{Frontend, VERSION};
use super::group_lag::GroupLag;
use super::lookup::LookupRequest;
use super::maintenance::Maintenance;
use super::outputs::OutputTopics;
use super::registry::PreparedSchemas;
use super::rendezvous::Rendezvous;
use super::signals::Stop;
use super::startup::CheckedCluster;
use super::watch::{Watch, Watched};
use crate::config::{Config, Guarantee, Store};
use crate::customer::bounded::Limits;
use crate::customer::snapshot::View;
use crate::engine::dead_letter::DeadLetterTemplate;
use crate::engine::{Policy, Settings, Topic};
use crate::exit::Failure;
use crate::kafka::client::{ClientSettings, Identity, TRANSACTION_TIMEOUT, Targets};
use crate::kafka::cluster::Cluster;
use crate::kafka::lag_reader::LagReader;
use crate::kafka::survey::FoundTopics;
use crate::serve::{Board, Health, Metrics};
use crate::store::Stores;
use crate::store::disk::{self, DiskStores};
use crate::store::memory::MemoryStores;
use crate::telemetry::outage::Outage;
use crate::telemetry::reporter::Reporter;

pub struct Shared {
    /// The name of this instance, or a random one.
    instance: String,
    config: Arc<Config>,
    settings: Arc<Settings>,
    outputs: OutputTopics,
    targets: Targets,
    schemas: PreparedSchemas,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    board: Arc<Board>,
    committed: ForwardedPositions,
    rendezvous: Arc<Rendezvous>,
    watched: Option<Watched>,
    outage: Arc<Outage>,
    stop: Stop,
}

impl Shared {
    pub fn new(
        config: Config,
        instance: String,
        frontend: &Frontend,
        checked: &CheckedCluster,
        schemas: PreparedSchemas,
        stop: &Stop,
    ) -> Result<Shared, Failure> {
        let found = &checked.found;
        let stores = stores(&config, checked, stop)?;
        Ok(Shared {
            instance,
            outputs: outputs(&config),
            targets: Targets {
                // a record that is too large for its own topic is detected earlier
                record_bytes: found.limits.most(),
                batch_bytes: found.limits.least(),
                partitions: (found.partitions + found.snapshot_partitions) as usize,
            },
            settings: Arc::new(settings(&config, found, &schemas, stores)),
            config: Arc::new(config),
            schemas,
            metrics: Arc::clone(&frontend.metrics),
            health: Arc::clone(&frontend.health),
            board: Arc::clone(&frontend.board),
            committed: Arc::default(),
            rendezvous: Arc::new(Rendezvous::of(frontend.lookups.len())),
            watched: checked.cluster.is_some().then(Watched::default),
            outage: Arc::default(),
            stop: stop.clone(),
        })
    }

    /// What one worker needs.
    pub fn worker(&self, worker: usize, lookups: Receiver<LookupRequest>) -> Parts {
        let config = &*self.config;
        // a copy for each worker, because each record counts a reference to it: the same counter in the caches of
        // several processors would be slow
        let settings = Arc::new(Settings::clone(&self.settings));
        Parts {
            identity: Identity {
                transactional_id: format!("{}-{}-{worker}", config.application_id, self.instance),
                group_instance_id: (!config.instance_id.is_empty())
                    .then(|| format!("{}-{worker}", config.instance_id)),
            },
            outputs: self.outputs.clone(),
            targets: self.targets,
            reporter: Reporter::new(
                worker,
                Arc::clone(&self.metrics),
                Arc::clone(&self.health),
                Arc::clone(&self.board),
                Arc::clone(&settings),
                self.schemas.cached.clone(),
            ),
            schemas: self.schemas.cached.clone(),
            lookups,
            forwarded_positions: Arc::clone(&self.committed),
            rendezvous: Arc::clone(&self.rendezvous),
            watched: self.watched.clone(),
            outage: Arc::clone(&self.outage),
            config: Arc::clone(&self.config),
            settings,
            stop: self.stop.clone(),
        }
    }

    pub fn watch(&self, cluster: &Arc<Cluster>) -> Watch {
        let config = &*self.config;
        let group = config.application_id.clone();
        let client_id = config.kafka.properties.get("client.id").unwrap_or(&group);
        let topics = self.settings.topics.iter();
        let consumed: Vec<String> = topics.map(|topic| topic.name.clone()).collect();
        let outputs = &self.outputs;
        let written = [&outputs.state, &outputs.snapshots, &outputs.dead_letters];
        let instance = format!("{client_id}-{}", self.instance);
        self.board.name_instance(&instance);
        Watch {
            instance,
            client_id: client_id.clone(),
            group,
            topics: consumed.iter().chain(written).cloned().collect(),
            group_lag: GroupLag::new(LagReader::connect(config.into()).ok(), consumed),
            cluster: Arc::clone(cluster),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            board: Arc::clone(&self.board),
            watched: self.watched.clone().unwrap_or_default(),
            stop: self.stop.clone(),
        }
    }

    pub fn maintenance(&self, cluster: &Arc<Cluster>) -> Maintenance {
        let (settings, outputs) = (&self.settings, &self.outputs);
        Maintenance {
            cluster: Arc::clone(cluster),
            partitions: vec![
                (outputs.state.clone(), settings.partitions),
                (outputs.forwarded.clone(), settings.partitions),
                (outputs.snapshots.clone(), settings.snapshot_partitions),
            ],
            committed: Arc::clone(&self.committed),
            metrics: Arc::clone(&self.metrics),
            outage: Arc::clone(&self.outage),
            stop: self.stop.clone(),
        }
    }
}

fn outputs(config: &Config) -> OutputTopics {
    OutputTopics {
        snapshots: config.snapshot.topic.clone(),
        state: config.state_topic(),
        forwarded: config.forwarded_topic(),
        dead_letters: config.dead_letters.topic.clone(),
    }
}

/// The stores of the customers' states. From here on, the directory of stores on disk is locked for this process.
fn stores(
    config: &Config,
    checked: &CheckedCluster,
    stop: &Stop,
) -> Result<Arc<dyn Stores>, Failure> {
    let (Store::Disk, Some(directory)) = (config.state.store, &config.state.directory) else {
        return Ok(Arc::new(MemoryStores));
    };
    let place = disk::DiskSettings {
        directory: directory.into(),
        application_id: config.application_id.clone(),
        state_topic: config.state_topic(),
        topic_id: checked.state_topic_id.clone(),
        partitions: checked.found.partitions,
        memory: config.state.memory_bytes as u64,
    };
    let stores = DiskStores::lock(place, || stop.is_set());
    let stores = stores.map_err(|error| Failure::Service(error.to_string()))?;
    Ok(Arc::new(stores))
}

/// The topics that the group consumes: the inputs, then the forwarded topic.
fn consumed(config: &Config) -> Vec<Topic> {
    let inputs = config.sources.iter().flat_map(|(source, settings)| {
        settings.topics.iter().map(move |name| Topic {
            name: name.clone(),
            source: Some(source),
        })
    });
    let forwarded = Topic {
        name: config.forwarded_topic(),
        source: None,
    };
    inputs.chain([forwarded]).collect()
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Policy {
        Policy {
            instance_id: config.instance_id.clone(),
            sources: config.sources.clone(),
            validation: config.validation.clone(),
            processing: config.processing.clone(),
            on_lost_offset: config.kafka.on_lost_offset,
            on_foreign_offset: config.kafka.on_foreign_offset,
        }
    }
}

fn settings(
    config: &Config,
    found: &FoundTopics,
    schemas: &PreparedSchemas,
    stores: Arc<dyn Stores>,
) -> Settings {
    Settings {
        topics: consumed(config),
        state_topic: config.state_topic(),
        partitions: found.partitions,
        snapshot_partitions: found.snapshot_partitions,
        max_forwarded_bytes: found.limits.forwarded,
        dead_letter_template: DeadLetterTemplate {
            application: config.application_id.clone(),
            version: VERSION,
            max_bytes: found.limits.dead_letters,
        },
        limits: Limits::of(config),
        view: View::of(config),
        schemas: schemas.plans(),
        snapshot_schema: schemas.snapshot,
        restore_patience: match config.processing.guarantee {
            Guarantee::ExactlyOnce => TRANSACTION_TIMEOUT + Duration::from_secs(75),
            Guarantee::AtLeastOnce => Duration::from_secs(90),
        },
        transaction_timeout: ClientSettings::from(config).transaction_timeout(),
        replaced_within: if config.instance_id.is_empty() {
            Duration::ZERO
        } else {
            ClientSettings::from(config).static_member_replaced_within()
        },
        stores,
        policy: config.into(),
    }
}
