//! `keyfold run`: opens the HTTP server, looks at the cluster, starts the workers, and waits for their end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::driver::{self, ForwardedPositions, Parts};
use super::housekeeper::Housekeeper;
use super::lookup::Question;
use super::outputs::OutputTopics;
use super::registry::PreparedSchemas;
use super::rendezvous::Rendezvous;
use super::shell::{Shell, VERSION};
use super::signals::Stop;
use super::start::{self, Start};
use super::watch::{Watch, Watched};
use crate::config::{Config, Guarantee, Store};
use crate::customer::bounded::Limits;
use crate::customer::snapshot::View;
use crate::engine::dead_letter::DeadLetterTemplate;
use crate::engine::fatal::Fatal;
use crate::engine::{Settings, Topic};
use crate::exit::Failure;
use crate::kafka::client::{self, Identity, TRANSACTION_TIMEOUT, Targets};
use crate::kafka::topics::{Cluster, Found};
use crate::serve::{Health, Metrics, Server};
use crate::store::Stores;
use crate::store::disk::{self, DiskStores};
use crate::store::memory::MemoryStores;
use crate::telemetry::outage::Outage;
use crate::telemetry::reporter::Reporter;
use crate::telemetry::summary::Summary;

/// Runs until it is told to stop, or can't go on.
pub fn run(config: Config, stop: &Stop) -> Result<(), Failure> {
    let shell = Shell::open(&config)?;
    let started = match start::look(&config, &shell.instance, &shell.health, stop) {
        Ok(Some(start)) => Processor::within(shell, config, start, stop),
        Ok(None) => {
            shell.server.stop();
            tracing::info!("keyfold has stopped");
            return Ok(());
        }
        Err(failure) => Err(failure),
    };
    match started {
        // it can't go on, and nobody wants it to any more
        Err(_) if stop.is_set() => Ok(()),
        started => started?.wait(stop),
    }
}

/// A thread of a processor that can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Worker(usize),
    Housekeeper,
}

impl Part {
    fn worker(self) -> Option<usize> {
        match self {
            Part::Worker(worker) => Some(worker),
            Part::Housekeeper => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Worker(worker) => write!(f, "worker {worker}"),
            Part::Housekeeper => f.write_str("housekeeper"),
        }
    }
}

/// How a thread has ended.
type End = (Part, Result<(), Fatal>);

/// Workers, their HTTP server and the housekeeper.
pub struct Processor {
    began: Instant,
    workers: Vec<JoinHandle<()>>,
    housekeeper: Option<JoinHandle<()>>,
    ended: Receiver<End>,
    server: Server,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
}

impl Processor {
    /// Starts everything on a cluster that needs no look, for it was made for this and knows no administration.
    pub fn start(config: Config, found: Found, stop: &Stop) -> Result<Processor, Failure> {
        let shell = Shell::open(&config)?;
        let start = Start {
            found,
            topic_id: None,
            cluster: None,
        };
        Processor::within(shell, config, start, stop)
    }

    /// Starts the workers, and the housekeeper and the watch where there is something to look after.
    fn within(
        shell: Shell,
        config: Config,
        start: Start,
        stop: &Stop,
    ) -> Result<Processor, Failure> {
        let Shell {
            began,
            instance,
            workers: count,
            metrics,
            health,
            server,
            questions,
        } = shell;
        let found = start.found;
        let (end, ended) = channel();
        health.started(Instant::now());
        let mut processor = Processor {
            began,
            workers: Vec::with_capacity(count),
            housekeeper: None,
            ended,
            server,
            metrics,
            health,
        };
        let Some(prepared) = PreparedSchemas::prepare(&config, count, &processor.health, stop)?
        else {
            return Ok(processor);
        };
        let stores = stores(&config, &found, start.topic_id, stop)?;
        let team = Team {
            outputs: outputs(&config),
            targets: Targets {
                // what is too large for its own topic is seen before
                record_bytes: found.limits.most(),
                batch_bytes: found.limits.least(),
                partitions: (found.partitions + found.snapshot_partitions) as usize,
            },
            settings: Arc::new(settings(config, &found, &prepared, stores)),
            instance,
            prepared,
            positions: Arc::default(),
            rendezvous: Arc::new(Rendezvous::of(count)),
            watched: start.cluster.is_some().then(Watched::default),
            outage: Arc::default(),
            stop: stop.clone(),
        };
        processor.start_workers(&team, questions, &end)?;
        if let Some(cluster) = start.cluster {
            processor.start_housekeeping(team, cluster, end)?;
        }
        Ok(processor)
    }

    fn start_workers(
        &mut self,
        team: &Team,
        questions: Vec<Receiver<Question>>,
        end: &Sender<End>,
    ) -> Result<(), Failure> {
        for (worker, questions) in questions.into_iter().enumerate() {
            let parts = team.parts(worker, questions, self);
            let (end, part) = (end.clone(), Part::Worker(worker));
            self.workers.push(spawn(part.to_string(), move || {
                let result = driver::run(parts);
                // nobody listens once the processor has given up
                let _ = end.send((part, result));
            })?);
        }
        Ok(())
    }

    /// Starts the watch and the housekeeper.
    fn start_housekeeping(
        &mut self,
        team: Team,
        cluster: Arc<Cluster>,
        end: Sender<End>,
    ) -> Result<(), Failure> {
        let watch = Watch {
            instance: team.client_instance(),
            settings: Arc::clone(&team.settings),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            cluster: Arc::clone(&cluster),
            watched: team.watched.unwrap_or_default(),
            stop: team.stop.clone(),
        };
        // it ends with the stop, within the wait for an answer; nothing waits for it
        spawn("watch".to_owned(), move || watch.run())?;
        let housekeeper = Housekeeper::new(
            team.settings,
            Arc::clone(&self.metrics),
            cluster,
            team.positions,
            team.outage,
            team.stop,
        );
        self.housekeeper = Some(spawn(Part::Housekeeper.to_string(), move || {
            if let Err(fatal) = housekeeper.run() {
                let _ = end.send((Part::Housekeeper, Err(fatal)));
            }
        })?);
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits until the processor is told to stop, or a worker can't go on; then stops everything.
    pub fn wait(self, stop: &Stop) -> Result<(), Failure> {
        let mut failures = Vec::new();
        let mut running = self.workers.len();
        let mut summary = Summary::new(self.began);
        while running > 0 {
            summary.log_due(&self.metrics, &self.health, Instant::now());
            match self.ended.recv_timeout(Duration::from_millis(200)) {
                Ok((part, result)) => {
                    running -= usize::from(part != Part::Housekeeper);
                    if let Err(fatal) = result {
                        let worker = part.worker();
                        let (topic, partition, offset) = fatal.place();
                        tracing::error!(
                            worker,
                            topic,
                            partition,
                            offset,
                            reason = %fatal,
                            "{part} can't go on"
                        );
                        failures.push(fatal);
                    }
                    stop.set();
                }
                Err(RecvTimeoutError::Timeout) => {
                    // one that ends without a word has panicked
                    let silent = self.workers.iter().filter(|one| one.is_finished()).count();
                    if silent > self.workers.len() - running {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // what was sent between the last look and the end
        failures.extend(self.ended.try_iter().filter_map(|(_, result)| result.err()));
        stop.set();
        for thread in self.workers.into_iter().chain(self.housekeeper) {
            if thread.join().is_err() {
                failures.push(Fatal::Service("a thread panicked; see the log".to_owned()));
            }
        }
        self.server.stop();
        match failures.into_iter().next() {
            None => {
                tracing::info!("keyfold has stopped");
                Ok(())
            }
            Some(fatal) => Err(Failure::Service(fatal.to_string())),
        }
    }
}

/// What the workers of a process have in common.
struct Team {
    instance: String,
    settings: Arc<Settings>,
    outputs: OutputTopics,
    targets: Targets,
    prepared: PreparedSchemas,
    positions: ForwardedPositions,
    rendezvous: Arc<Rendezvous>,
    watched: Option<Watched>,
    outage: Arc<Outage>,
    stop: Stop,
}

impl Team {
    /// This instance as the group's members name it.
    fn client_instance(&self) -> String {
        let config = &self.settings.config;
        let client_id = config.kafka.properties.get("client.id");
        let client_id = client_id.unwrap_or(&config.application_id);
        format!("{client_id}-{}", self.instance)
    }

    fn parts(&self, worker: usize, questions: Receiver<Question>, of: &Processor) -> Parts {
        let config = &self.settings.config;
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
                Arc::clone(&of.metrics),
                Arc::clone(&of.health),
                Arc::clone(&self.settings),
                self.prepared.cached.clone(),
            ),
            schemas: self.prepared.cached.clone(),
            questions,
            forwarded_positions: Arc::clone(&self.positions),
            rendezvous: Arc::clone(&self.rendezvous),
            watched: self.watched.clone(),
            outage: Arc::clone(&self.outage),
            settings: Arc::clone(&self.settings),
            stop: self.stop.clone(),
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| Failure::Service(format!("can't start a thread: {error}")))
}

fn outputs(config: &Config) -> OutputTopics {
    OutputTopics {
        snapshots: config.snapshot.topic.clone(),
        state: config.state_topic(),
        forwarded: config.forwarded_topic(),
        dead_letters: config.dead_letters.topic.clone(),
    }
}

/// Where the customers' states are kept. The directory of stores on disk is this process's from here on.
fn stores(
    config: &Config,
    found: &Found,
    topic_id: Option<String>,
    stop: &Stop,
) -> Result<Arc<dyn Stores>, Failure> {
    let (Store::Disk, Some(directory)) = (config.state.store, &config.state.directory) else {
        return Ok(Arc::new(MemoryStores));
    };
    let place = disk::Place {
        directory: directory.into(),
        application_id: config.application_id.clone(),
        state_topic: config.state_topic(),
        topic_id,
        partitions: found.partitions,
        memory: config.state.memory_bytes as u64,
    };
    let stores = DiskStores::take(place, || stop.is_set());
    let stores = stores.map_err(|error| Failure::Service(error.to_string()))?;
    Ok(Arc::new(stores))
}

fn settings(
    config: Config,
    found: &Found,
    prepared: &PreparedSchemas,
    stores: Arc<dyn Stores>,
) -> Settings {
    let mut topics: Vec<Topic> = config
        .sources
        .iter()
        .flat_map(|(source, settings)| {
            settings.topics.iter().map(move |name| Topic {
                name: name.clone(),
                source: Some(source),
            })
        })
        .collect();
    topics.push(Topic {
        name: config.forwarded_topic(),
        source: None,
    });
    Settings {
        topics,
        state_topic: config.state_topic(),
        partitions: found.partitions,
        snapshot_partitions: found.snapshot_partitions,
        max_forwarded_bytes: found.limits.forwarded,
        dead_letter_template: DeadLetterTemplate {
            application: config.application_id.clone(),
            version: VERSION,
            max_bytes: found.limits.dead_letters,
        },
        limits: Limits::of(&config),
        view: View::of(&config),
        schemas: prepared.plans(),
        snapshot_schema: prepared.snapshot,
        restore_patience: match config.processing.guarantee {
            Guarantee::ExactlyOnce => TRANSACTION_TIMEOUT + Duration::from_secs(75),
            Guarantee::AtLeastOnce => Duration::from_secs(90),
        },
        replaced_within: client::replaced_within(&config),
        stores,
        config,
    }
}
