//! `keyfold run`: opens the HTTP server, checks the cluster, starts the threads, and waits for their end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::driver;
use super::frontend::{Frontend, VERSION};
use super::lookup::LookupRequest;
use super::registry::PreparedSchemas;
use super::shared::Shared;
use super::signals::Stop;
use super::spawn;
use super::startup::{self, CheckedCluster};
use crate::config::Config;
use crate::engine::fatal::Fatal;
use crate::exit::Failure;
use crate::kafka::cluster::Cluster;
use crate::kafka::survey::FoundTopics;
use crate::model::record::Source;
use crate::serve::board::{About, Setting, SourceInfo};
use crate::serve::metrics::lag;
use crate::serve::{Board, Health, Metrics, ProcessInfo, Server, status};
use crate::source::framing::ReaderSchemas;
use crate::telemetry::restore_progress::{RestoreProgress, Restored};
use crate::telemetry::summary::Summary;

/// Shows how far a restore is; none while nothing is being restored.
pub type ShowRestore<'s> = &'s mut dyn FnMut(Option<Restored>);

/// Runs until the stop is set, or a thread cannot continue. `commit`: the commit that the program was built from.
/// `show_restore` is called several times a second.
pub fn run(
    config: Config,
    commit: &'static str,
    stop: &Stop,
    show_restore: Option<ShowRestore<'_>>,
) -> Result<(), Failure> {
    let frontend = open(&config, commit)?;
    let instance = instance_name(&config.instance_id);
    let started = match startup::check_cluster(&config, &instance, &frontend.health, stop) {
        Ok(Some(checked)) => {
            startup::check_the_rest(&config)?;
            Processor::launch(frontend, config, instance, checked, stop)
        }
        Ok(None) => {
            frontend.server.stop();
            tracing::info!("keyfold has stopped");
            return Ok(());
        }
        Err(failure) => Err(failure),
    };
    match started {
        // it could not start, but it should stop anyway
        Err(_) if stop.is_set() => Ok(()),
        started => started?.wait_showing(stop, show_restore),
    }
}

fn open(config: &Config, commit: &'static str) -> Result<Frontend, Failure> {
    let workers = match config.processing.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let info = ProcessInfo {
        version: VERSION,
        commit,
        application_id: config.application_id.clone(),
    };
    let frontend = Frontend::open(info, config, workers)?;
    let max_state_bytes = config.validation.max_state_bytes;
    let max_reject_share = config.processing.max_reject_share;
    frontend.metrics.limits(max_state_bytes, max_reject_share);
    let sources = config.sources.iter();
    let settings = config.differing().into_iter();
    frontend.board.describe(About {
        began: lag::millis(),
        sources: sources
            .map(|(source, settings)| SourceInfo {
                name: source.name(),
                declared: matches!(source, Source::Declared(_)),
                format: settings.format.word(),
                topics: settings.topics.clone(),
            })
            .collect(),
        settings: settings
            .map(|one| Setting {
                key: one.key,
                value: one.value,
                default: one.default,
            })
            .collect(),
        max_state_bytes,
        max_reject_share,
    });
    Ok(frontend)
}

/// The name of this instance, or a random one.
fn instance_name(instance_id: &str) -> String {
    match instance_id {
        "" => format!("{:016x}", rand::random::<u64>()),
        name => name.to_owned(),
    }
}

/// A thread of a processor that can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Worker(usize),
    Maintenance,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Worker(worker) => write!(f, "worker {worker}"),
            Part::Maintenance => f.write_str("maintenance"),
        }
    }
}

/// How a thread ended.
type End = (Part, Result<(), Fatal>);

/// The threads of a process, and its HTTP server.
pub struct Processor {
    began: Instant,
    workers: Vec<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
    ended: Receiver<End>,
    server: Server,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    board: Arc<Board>,
}

impl Processor {
    /// Starts workers on a cluster that was created for them. It needs no check, and cannot be administered.
    pub fn start(
        config: Config,
        found: FoundTopics,
        commit: &'static str,
        stop: &Stop,
    ) -> Result<Processor, Failure> {
        let frontend = open(&config, commit)?;
        let instance = instance_name(&config.instance_id);
        let checked = CheckedCluster {
            found,
            state_topic_id: None,
            cluster: None,
        };
        Processor::launch(frontend, config, instance, checked, stop)
    }

    /// Prepares what the threads share, and starts them.
    fn launch(
        frontend: Frontend,
        config: Config,
        instance: String,
        checked: CheckedCluster,
        stop: &Stop,
    ) -> Result<Processor, Failure> {
        frontend.health.starting("starting");
        frontend.board.name_instance(&instance);
        let schemas = match config.needs_registry() {
            true => {
                let health = &frontend.health;
                let readers = ReaderSchemas::of(&config.sources);
                PreparedSchemas::prepare(&config.registry, &config.snapshot, readers, health, stop)?
            }
            false => Some(PreparedSchemas::default()),
        };
        // without schemas the stop was set meanwhile, so nothing is started
        let shared = schemas
            .map(|schemas| Shared::new(config, instance, &frontend, &checked, schemas, stop));
        let shared = shared.transpose()?;
        let (end, ended) = channel();
        frontend.health.started(Instant::now());
        let mut processor = Processor {
            began: frontend.began,
            workers: Vec::new(),
            maintenance: None,
            ended,
            server: frontend.server,
            metrics: frontend.metrics,
            health: frontend.health,
            board: frontend.board,
        };
        if let Some(shared) = shared {
            processor.start_workers(&shared, frontend.lookups, &end)?;
            if let Some(cluster) = checked.cluster {
                processor.start_maintenance(&shared, &cluster, end)?;
            }
        }
        Ok(processor)
    }

    fn start_workers(
        &mut self,
        shared: &Shared,
        lookups: Vec<Receiver<LookupRequest>>,
        end: &Sender<End>,
    ) -> Result<(), Failure> {
        for (worker, lookups) in lookups.into_iter().enumerate() {
            let parts = shared.worker(worker, lookups);
            let (end, part) = (end.clone(), Part::Worker(worker));
            self.workers.push(spawn(part.to_string(), move || {
                let result = driver::run(parts);
                // the receiver is gone once the processor has given up
                let _ = end.send((part, result));
            })?);
        }
        Ok(())
    }

    /// Starts the watch and the maintenance.
    fn start_maintenance(
        &mut self,
        shared: &Shared,
        cluster: &Arc<Cluster>,
        end: Sender<End>,
    ) -> Result<(), Failure> {
        let watch = shared.watch(cluster);
        // The watch ends after the stop, at the latest with the timeout of a request, so nothing needs to wait for it.
        spawn("watch".to_owned(), move || watch.run())?;
        let maintenance = shared.maintenance(cluster);
        self.maintenance = Some(spawn(Part::Maintenance.to_string(), move || {
            if let Err(fatal) = maintenance.run() {
                let _ = end.send((Part::Maintenance, Err(fatal)));
            }
        })?);
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits until the stop is set, or a thread cannot continue; then stops everything.
    pub fn wait(self, stop: &Stop) -> Result<(), Failure> {
        self.wait_showing(stop, None)
    }

    /// The same, showing how far a restore is.
    fn wait_showing(
        self,
        stop: &Stop,
        show_restore: Option<ShowRestore<'_>>,
    ) -> Result<(), Failure> {
        let mut failures = self.wait_for_workers(stop, show_restore);
        stop.set();
        for thread in self.workers.into_iter().chain(self.maintenance) {
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

    /// Waits until all workers have ended, or one has panicked, and returns the failures.
    fn wait_for_workers(
        &self,
        stop: &Stop,
        mut show_restore: Option<ShowRestore<'_>>,
    ) -> Vec<Fatal> {
        let mut failures = Vec::new();
        let mut running = self.workers.len();
        let mut summary = Summary::new(self.began);
        let mut is_said = false;
        let mut restore = RestoreProgress::default();
        while running > 0 {
            if stop.is_for_good() && !is_said {
                tracing::info!("this instance gives its name up when it stops");
                is_said = true;
            }
            if let Some(show) = &mut show_restore {
                show(restore.update(&self.metrics.restoring()));
            }
            summary.log_due(&self.metrics, &self.health, Instant::now());
            status::sample(&self.board, &self.metrics, Instant::now());
            match self.ended.recv_timeout(Duration::from_millis(200)) {
                Ok((part, result)) => {
                    running -= usize::from(part != Part::Maintenance);
                    if let Err(fatal) = result {
                        log_failure(part, &fatal);
                        failures.push(fatal);
                    }
                    stop.set();
                }
                Err(RecvTimeoutError::Timeout) => {
                    // a worker that ends without a report has panicked
                    let finished = self.workers.iter().filter(|one| one.is_finished()).count();
                    if finished > self.workers.len() - running {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(show) = show_restore {
            show(None);
        }
        // results that were sent after the last receive
        failures.extend(self.ended.try_iter().filter_map(|(_, result)| result.err()));
        failures
    }
}

fn log_failure(part: Part, fatal: &Fatal) {
    let worker = match part {
        Part::Worker(worker) => Some(worker),
        Part::Maintenance => None,
    };
    let (topic, partition, offset) = fatal.place();
    tracing::error!(
        worker,
        topic,
        partition,
        offset,
        reason = %fatal,
        "{part} cannot continue"
    );
}
