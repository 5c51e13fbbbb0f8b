//! `keyfold run`: checks the topics, starts the workers and the HTTP server, and waits for their end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::driver::{self, ForwardedPositions, Parts};
use super::lookup::{self, Lookup};
use super::outage::Outage;
use super::outputs::OutputTopics;
use super::registry::Schemata;
use super::rendezvous::Rendezvous;
use super::report::Reporter;
use super::signals::Stop;
use super::summary::Summary;
use super::watch::{Watch, Watched};
use crate::cli::exit::Failure;
use crate::config::{Config, Guarantee, Store};
use crate::customer::bounded::Limits;
use crate::customer::snapshot::View;
use crate::kafka::client::{self, Identity, TRANSACTION_TIMEOUT, Targets};
use crate::kafka::topics::{Cluster, Found, TopicsError};
use crate::serve::{Build, Health, Metrics, PageInfo, Server};
use crate::store::Stores;
use crate::store::disk::{self, DiskStores};
use crate::store::memory::MemoryStores;
use crate::worker::dead_letter::Letterhead;
use crate::worker::fatal::Fatal;
use crate::worker::{Settings, Topic};

/// The version of keyfold.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often the housekeeper looks after things.
const HOUSEKEEPING: Duration = Duration::from_secs(20);
/// A worker that was silent for this long is not alive.
const SILENCE: Duration = Duration::from_secs(90);

/// Runs until it is told to stop, or can't go on.
pub fn run(config: Config, stop: &Stop) -> Result<(), Failure> {
    let began = Instant::now();
    let started =
        check_topics(&config, stop).and_then(|found| Processor::start(config, found, true, stop));
    match started {
        // it could not reach the cluster, and nobody wants it to any more
        Err(_) if stop.is_set() => Ok(()),
        started => started?.since(began).wait(stop),
    }
}

/// Reads the topics as they are; refuses those that would lose data.
fn check_topics(config: &Config, stop: &Stop) -> Result<Found, Failure> {
    let service = |error: TopicsError| Failure::Service(error.to_string());
    let cluster = Cluster::connect(config, || stop.is_set()).map_err(service)?;
    let (found, differences) = cluster.inspect().map_err(service)?;
    let mut refused = Vec::new();
    for difference in differences {
        let text = format!("the topic {}: {}", difference.topic, difference.what);
        if difference.vital {
            refused.push(format!("{text}. To mend it: {}", difference.remedy));
        } else {
            tracing::warn!("{text}; `keyfold topics` says what mends it");
        }
    }
    if refused.is_empty() {
        Ok(found)
    } else {
        Err(Failure::Service(refused.join("\n")))
    }
}

/// Workers, their HTTP server and the housekeeper.
pub struct Processor {
    began: Instant,
    workers: Vec<JoinHandle<()>>,
    housekeeper: Option<JoinHandle<()>>,
    ended: Receiver<(String, Result<(), Fatal>)>,
    server: Server,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
}

impl Processor {
    /// Starts everything. `keeps_house` is false where the cluster knows no administration.
    pub fn start(
        config: Config,
        found: Found,
        keeps_house: bool,
        stop: &Stop,
    ) -> Result<Processor, Failure> {
        let count = match config.processing.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let build = Build {
            version: VERSION,
            commit: env!("BUILD_COMMIT"),
            application_id: &config.application_id,
        };
        let metrics = Metrics::new(build)
            .map(Arc::new)
            .map_err(|error| Failure::Service(format!("metrics: {error}")))?;
        for (source, _) in config.sources.iter() {
            metrics.announce_input(source.name());
        }
        metrics.announce_source("forwarded");
        let health = Arc::new(Health::new(count, SILENCE, Instant::now()));

        let outputs = OutputTopics {
            snapshots: config.snapshot.topic.clone(),
            state: config.state_topic(),
            forwarded: config.forwarded_topic(),
            dead_letters: config.dead_letters.topic.clone(),
        };
        let mut asked = Vec::with_capacity(count);
        let mut questions = Vec::with_capacity(count);
        for _ in 0..count {
            let (ask, question) = lookup::channel();
            asked.push(ask);
            questions.push(question);
        }
        let server = serve(&config, &metrics, &health, Lookup { workers: asked })?;
        tracing::info!(
            version = VERSION,
            application_id = config.application_id,
            workers = count,
            partitions = found.partitions,
            http = %server.address(),
            "keyfold is starting"
        );
        let (end, ended) = channel();
        let Some(schemata) = Schemata::prepare(&config, count, &health, stop)? else {
            return Ok(Processor {
                began: Instant::now(),
                workers: Vec::new(),
                housekeeper: None,
                ended,
                server,
                metrics,
                health,
            });
        };
        let stores = stores(&config, &found, stop)?;
        let settings = Arc::new(settings(config, &found, &schemata, stores));
        let config = &settings.config;

        let positions: ForwardedPositions = Arc::default();
        let instance = match config.instance_id.as_str() {
            "" => format!("{:016x}", rand::random::<u64>()),
            named => named.to_owned(),
        };
        let targets = Targets {
            record_bytes: largest_record(&found),
            batch_bytes: found.limits.iter().copied().min().unwrap_or(1_000_000),
            partitions: (found.partitions + found.snapshot_partitions) as usize,
        };
        let watched = Watched::default();
        let outage = Arc::<Outage>::default();
        let rendezvous = Arc::new(Rendezvous::of(count));
        let mut workers = Vec::with_capacity(count);
        for (worker, questions) in questions.into_iter().enumerate() {
            let parts = Parts {
                identity: Identity {
                    transactional_id: format!("{}-{instance}-{worker}", config.application_id),
                    group_instance_id: (!config.instance_id.is_empty())
                        .then(|| format!("{}-{worker}", config.instance_id)),
                },
                outputs: outputs.clone(),
                targets,
                reporter: Reporter::new(
                    worker,
                    Arc::clone(&metrics),
                    Arc::clone(&health),
                    Arc::clone(&settings),
                    schemata.cached.clone(),
                ),
                schemas: schemata.cached.clone(),
                questions,
                forwarded_positions: Arc::clone(&positions),
                rendezvous: Arc::clone(&rendezvous),
                watched: keeps_house.then(|| Arc::clone(&watched)),
                outage: Arc::clone(&outage),
                settings: Arc::clone(&settings),
                stop: stop.clone(),
            };
            let (end, name) = (end.clone(), format!("worker {worker}"));
            workers.push(spawn(name.clone(), move || {
                let result = driver::run(parts);
                // nobody listens once the processor has given up
                let _ = end.send((name, result));
            })?);
        }
        let housekeeper = if keeps_house {
            let client_id = config.kafka.properties.get("client.id");
            let client_id = client_id.unwrap_or(&config.application_id);
            let watch = Watch {
                instance: format!("{client_id}-{instance}"),
                settings: Arc::clone(&settings),
                metrics: Arc::clone(&metrics),
                health: Arc::clone(&health),
                watched,
                stop: stop.clone(),
            };
            // it ends with the stop, within the wait for an answer; nothing waits for it
            spawn("watch".to_owned(), move || watch.run())?;
            let housekeeper = Housekeeper {
                settings: Arc::clone(&settings),
                metrics: Arc::clone(&metrics),
                positions,
                deleted: BTreeMap::new(),
                outage,
                stop: stop.clone(),
            };
            Some(spawn("housekeeper".to_owned(), move || {
                if let Err(fatal) = housekeeper.run() {
                    let _ = end.send(("housekeeper".to_owned(), Err(fatal)));
                }
            })?)
        } else {
            None
        };
        Ok(Processor {
            began: Instant::now(),
            workers,
            housekeeper,
            ended,
            server,
            metrics,
            health,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Says that the process began at that time, before its processor.
    fn since(mut self, began: Instant) -> Processor {
        self.began = began;
        self
    }

    /// Waits until the processor is told to stop, or a worker can't go on; then stops everything.
    pub fn wait(self, stop: &Stop) -> Result<(), Failure> {
        let mut failures = Vec::new();
        let mut running = self.workers.len();
        let mut summary = Summary::of(self.began);
        while running > 0 {
            summary.look(&self.metrics, &self.health, Instant::now());
            match self.ended.recv_timeout(Duration::from_millis(200)) {
                Ok((name, result)) => {
                    running -= usize::from(name != "housekeeper");
                    if let Err(fatal) = result {
                        let worker = name.strip_prefix("worker ");
                        let worker = worker.and_then(|worker| worker.parse::<usize>().ok());
                        let (topic, partition, offset) = fatal.place();
                        tracing::error!(
                            worker,
                            topic,
                            partition,
                            offset,
                            reason = %fatal,
                            "{name} can't go on"
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

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| Failure::Service(format!("can't start a thread: {error}")))
}

/// The largest record that may be handed to the producer: what is too large for its own topic is seen before.
fn largest_record(found: &Found) -> usize {
    found.limits.iter().copied().max().unwrap_or(1_000_000)
}

/// Where the customers' states are kept. The directory of stores on disk is this process's from here on.
fn stores(config: &Config, found: &Found, stop: &Stop) -> Result<Arc<dyn Stores>, Failure> {
    let (Store::Disk, Some(directory)) = (config.state.store, &config.state.directory) else {
        return Ok(Arc::new(MemoryStores));
    };
    let topic_id = Cluster::connect(config, || stop.is_set())
        .and_then(|cluster| cluster.state_topic_id())
        .map_err(|error| Failure::Service(error.to_string()))?;
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
    schemata: &Schemata,
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
        max_forwarded_bytes: found.limits[1],
        letterhead: Letterhead {
            application: config.application_id.clone(),
            version: VERSION,
            max_bytes: found.limits[3],
        },
        limits: Limits::of(&config),
        view: View::of(&config),
        schemas: schemata.plans(),
        snapshot_schema: schemata.snapshot,
        restore_patience: match config.processing.guarantee {
            Guarantee::ExactlyOnce => TRANSACTION_TIMEOUT + Duration::from_secs(75),
            Guarantee::AtLeastOnce => Duration::from_secs(90),
        },
        replaced_within: client::replaced_within(&config),
        stores,
        config,
    }
}

fn serve(
    config: &Config,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    lookup: Lookup,
) -> Result<Server, Failure> {
    let listen: SocketAddr = config
        .http
        .listen
        .parse()
        .map_err(|_| Failure::Usage("http.listen is no address with a port".to_owned()))?;
    let info = PageInfo {
        version: VERSION.to_owned(),
        application_id: config.application_id.clone(),
    };
    let customers = config.http.serves_customers();
    let (metrics, health) = (Arc::clone(metrics), Arc::clone(health));
    Server::start(listen, customers, metrics, health, Arc::new(lookup), info)
        .map_err(|error| Failure::Service(error.to_string()))
}

/// Deletes what is done with in the forwarded topic, and looks at the partition counts, which must not change.
struct Housekeeper {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    positions: Arc<Mutex<BTreeMap<i32, i64>>>,
    deleted: BTreeMap<i32, i64>,
    outage: Arc<Outage>,
    stop: Stop,
}

impl Housekeeper {
    fn run(mut self) -> Result<(), Fatal> {
        let settings = Arc::clone(&self.settings);
        let mut cluster = None;
        let mut last = Instant::now();
        while !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(200));
            if last.elapsed() < HOUSEKEEPING {
                continue;
            }
            last = Instant::now();
            if cluster.is_none() {
                cluster = Cluster::connect(&settings.config, || self.stop.is_set())
                    .map_err(|error| self.waits(&error.to_string()))
                    .ok();
            }
            if let Some(cluster) = &cluster {
                self.look_at_partitions(cluster)?;
                self.delete_forwarded(cluster);
            }
        }
        Ok(())
    }

    /// Says that something could not be done now; in an outage the workers do.
    fn waits(&self, reason: &str) {
        if self.outage.is_on() {
            tracing::debug!(reason, "housekeeping waits");
        } else {
            tracing::warn!(reason, "housekeeping waits; it is tried again");
        }
    }

    fn look_at_partitions(&self, cluster: &Cluster<'_>) -> Result<(), Fatal> {
        let settings = &self.settings;
        for (topic, expected) in [
            (settings.state_topic.clone(), settings.partitions),
            (settings.config.forwarded_topic(), settings.partitions),
            (
                settings.config.snapshot.topic.clone(),
                settings.snapshot_partitions,
            ),
        ] {
            // a cluster that does not answer now is the workers' affair
            if let Ok(Some(found)) = cluster.partitions(&topic)
                && found != expected
            {
                return Err(Fatal::Service(format!(
                    "the topic {topic} has {found} partitions now, and had {expected} at the start: its keys would go to other partitions. For a snapshot topic restart all instances and have its readers start anew; for an internal topic stop all instances and run `keyfold topics reset`"
                )));
            }
        }
        Ok(())
    }

    fn delete_forwarded(&mut self, cluster: &Cluster<'_>) {
        let Ok(positions) = self.positions.lock().map(|positions| positions.clone()) else {
            return;
        };
        let done: Vec<_> = positions
            .iter()
            .map(|(&partition, &position)| (partition, position))
            .filter(|entry| {
                self.deleted
                    .get(&entry.0)
                    .is_none_or(|deleted| *deleted < entry.1)
            })
            .collect();
        if done.is_empty() {
            return;
        }
        match cluster.delete_forwarded(&done) {
            Ok(true) => self.deleted.extend(done),
            Ok(false) => {
                self.metrics.delete_records_refused();
                tracing::warn!(
                    "the cluster refuses to delete what is done with in the forwarded topic (it takes the permission Delete): the topic grows"
                );
            }
            Err(error) => self.waits(&error.to_string()),
        }
    }
}
