//! One worker thread: polls, gives the worker what happened, and carries out what it decides.
//!
//! The loop is here. [`group`] has what the group tells, [`places`] the way of partitions to being consumed,
//! [`records`] what is consumed, [`commit`] the end of a batch. While one batch is committed, records go into the next;
//! whatever else there is to do with the group or the producer waits for the commit.

mod commit;
mod explain;
mod group;
mod places;
mod records;
mod stuck;
mod takeover;
mod topics;

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::lookup::{self, LookupRequest};
use super::outputs::{Aside, OutputTopics};
use super::rendezvous::Rendezvous;
use super::signals::Stop;
use super::watch::Watched;
use crate::config::{Config, Guarantee};
use crate::engine::fatal::Fatal;
use crate::engine::takeover::Writer;
use crate::engine::{Action, Settings, Worker};
use crate::kafka::client::{self, Identity, TRANSACTION_TIMEOUT, Targets};
use crate::kafka::client_log;
use crate::kafka::consumer::{GroupConsumer, Membership};
use crate::kafka::ends::Ends;
use crate::kafka::native::Messages;
use crate::kafka::producer::BatchProducer;
use crate::kafka::restorer::Restorer;
use crate::registry::CachedSchemas;
use crate::telemetry::outage::Outage;
use crate::telemetry::reporter::Reporter;
use crate::telemetry::throttle::Throttle;

/// The longest wait for records, so that questions and rebalances are served.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// The longest wait for a step of a commit: longer than a transaction may live.
const COMMIT: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(5));
/// How often brokers are looked for that are away.
const LOOK: Duration = Duration::from_secs(1);
/// How often maintenance is told up to where the forwarded topic is processed.
const PUBLISH: Duration = Duration::from_secs(1);

/// What a driver is made from.
pub struct Parts {
    pub settings: Arc<Settings>,
    pub identity: Identity,
    pub outputs: OutputTopics,
    pub targets: Targets,
    pub reporter: Reporter,
    /// None: no source is Avro.
    pub schemas: Option<Arc<CachedSchemas>>,
    pub lookups: Receiver<LookupRequest>,
    pub forwarded_positions: ForwardedPositions,
    pub rendezvous: Arc<Rendezvous>,
    /// What is seen of the topics; none where their ids can't be asked for, as of the demo's broker.
    pub watched: Option<Watched>,
    pub outage: Arc<Outage>,
    pub stop: Stop,
}

/// The committed positions of forwarded partitions, from the workers to maintenance.
pub type ForwardedPositions = Arc<Mutex<BTreeMap<i32, i64>>>;

/// Why a worker goes no further.
enum Halt {
    /// It was told to stop while it waited for the cluster. Nothing is open that a stop would have to commit.
    Stopped,
    Fatal(Fatal),
}

impl From<Fatal> for Halt {
    fn from(fatal: Fatal) -> Halt {
        Halt::Fatal(fatal)
    }
}

/// Runs a worker until it is told to stop, or can't go on.
pub fn run(parts: Parts) -> Result<(), Fatal> {
    let ended = Driver::start(parts).and_then(|mut driver| {
        let ended = driver.run();
        driver.parts.reporter.ended();
        ended
    });
    match ended {
        Ok(()) | Err(Halt::Stopped) => Ok(()),
        Err(Halt::Fatal(fatal)) => Err(fatal),
    }
}

struct Driver {
    parts: Parts,
    worker: Worker,
    // the clients in the order in which they are dropped
    restorer: Option<Restorer>,
    /// What was polled and is not taken yet.
    polled: Messages,
    consumer: GroupConsumer,
    producer: BatchProducer,
    ends: Ends,
    /// Of the beginning of the open batch.
    membership: Option<Membership>,
    /// The commit that is under way, and what the batch behind it has produced meanwhile.
    committing: Option<(commit::Ending, commit::Waits)>,
    aside: Aside,
    started: Instant,
    /// When the open transaction began.
    transaction_began: Instant,
    /// The last round of the watch that was looked at.
    watched: u64,
    published_at: Instant,
    /// Indexes of topics by the client's handle of them.
    handles: HashMap<usize, usize>,
    /// The partitions that can't be read, by topic and partition.
    stuck: BTreeMap<(String, i32), stuck::Stuck>,
    read_again_at: Instant,
    /// Since when the group has refused this instance's name.
    name_refused: Option<Instant>,
    warnings: Throttle<String>,
    /// When this worker last met trouble with the cluster, and when it was last looked whether that is over.
    troubled: Option<Instant>,
    calm_looked: Option<Instant>,
    /// Whether the group's client has said that no broker is there, and when that was last looked at.
    doubted: bool,
    looked: Option<Instant>,
    /// No broker can be reached.
    away: bool,
    /// How much the schema registry had answered when it was last looked.
    registry_answers: u64,
}

impl Driver {
    fn start(mut parts: Parts) -> Result<Driver, Halt> {
        let ends = Ends::connect(&parts.settings.config).map_err(service)?;
        let producer = connect_producer(&mut parts)?;
        parts.rendezvous.wait(&parts.stop);
        let consumer = join(&parts)?;
        let now = Instant::now();
        Ok(Driver {
            worker: Worker::new(Arc::clone(&parts.settings)).with_writer(writer(&parts)),
            restorer: None,
            polled: Messages::default(),
            consumer,
            producer,
            ends,
            membership: None,
            committing: None,
            aside: Aside::default(),
            started: now,
            transaction_began: now,
            watched: 0,
            published_at: now,
            handles: HashMap::new(),
            stuck: BTreeMap::new(),
            read_again_at: now,
            name_refused: None,
            warnings: Throttle::new(explain::WARNING_INTERVAL),
            troubled: None,
            calm_looked: None,
            doubted: false,
            looked: None,
            away: false,
            registry_answers: 0,
            parts,
        })
    }

    fn config(&self) -> &Config {
        &self.parts.settings.config
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn run(&mut self) -> Result<(), Halt> {
        let mut messages = Messages::default();
        while !self.parts.stop.is_set() {
            self.serve_group()?;
            self.look_for_schemas();
            self.look_for_brokers();
            self.look_for_calm();
            self.look_at_stuck();
            self.look_at_topics()?;
            self.act()?;
            self.restore(&mut messages)?;
            let nothing = self.take_records()?;
            self.look_at_commit()?;
            self.commit_if_due(nothing)?;
            self.report();
            let view = &self.parts.settings.view;
            let partitions = self.parts.settings.partitions;
            lookup::answer(&self.parts.lookups, &self.worker, partitions, view);
            self.do_periodic_work()?;
        }
        self.parts.reporter.stopping();
        self.serve_group()?;
        self.await_commit()?;
        self.act()?;
        self.commit_at_stop()
    }

    /// Shows how the worker is.
    fn report(&mut self) {
        let reporter = &mut self.parts.reporter;
        reporter.tick(&self.worker, &self.consumer, self.away);
    }

    /// A worker without anything to do would not notice that the brokers are away, nor that they are back.
    fn look_for_brokers(&mut self) {
        let soon = self.looked.is_some_and(|at| at.elapsed() < LOOK);
        if !self.doubted || soon {
            return;
        }
        let topic = &self.parts.settings.state_topic;
        self.away = self.ends.partitions(topic, LOOK / 2).is_err();
        self.doubted = self.away;
        self.looked = Some(Instant::now());
    }

    /// Whatever the schema registry has answered since, who waits looks again.
    fn look_for_schemas(&mut self) {
        let Some(schemas) = &self.parts.schemas else {
            return;
        };
        let answers = schemas.answers();
        if answers != self.registry_answers {
            self.registry_answers = answers;
            self.worker.schemas_arrived();
        }
    }

    /// Carries out what the worker decides.
    fn act(&mut self) -> Result<(), Halt> {
        loop {
            let actions = self.worker.actions(self.now());
            if actions.is_empty() {
                return Ok(());
            }
            for action in actions {
                self.carry_out(action)?;
            }
        }
    }

    fn carry_out(&mut self, action: Action) -> Result<(), Halt> {
        match action {
            Action::Abort => self.abort_dropped(),
            Action::RenewProducer => self.renew_producer()?,
            Action::Pause(places) => {
                let settings = Arc::clone(&self.parts.settings);
                let owned: Vec<_> = places
                    .iter()
                    .map(|place| (settings.topic_name(*place), place.partition))
                    .collect();
                if let Err(error) = self.consumer.pause(&owned) {
                    // what is not owned any more needs no pause
                    tracing::debug!(%error, "pausing");
                }
            }
            Action::FetchStandings(places) => self.fetch_standings(&places),
            Action::FetchEnds(partitions) => self.fetch_ends(&partitions),
            Action::Restore(from) => self.start_restore(&from)?,
            Action::Consume(from) => self.consume(&from),
            Action::FindWriters(places) => self.find_writers(&places),
            Action::Fence(ids) => self.fence(&ids),
            Action::Stop(fatal) => {
                self.await_commit()?;
                if self.worker.open_records().is_some()
                    && let Err(error) = self.producer.abort(&mut || {})
                {
                    let worker = self.parts.reporter.worker();
                    tracing::warn!(worker, reason = error.text, "aborting failed");
                }
                return Err(fatal.into());
            }
        }
        Ok(())
    }

    fn renew_producer(&mut self) -> Result<(), Halt> {
        self.membership = None;
        self.producer = connect_producer(&mut self.parts)?;
        Ok(())
    }

    /// What is done once a second.
    fn do_periodic_work(&mut self) -> Result<(), Halt> {
        if self.published_at.elapsed() < PUBLISH {
            return Ok(());
        }
        self.published_at = Instant::now();
        self.publish_positions();
        Ok(self.worker.tidy_stores(self.now())?)
    }

    /// Tells maintenance up to where the forwarded topic is processed.
    fn publish_positions(&mut self) {
        let settings = &self.parts.settings;
        let Ok(mut positions) = self.parts.forwarded_positions.lock() else {
            return;
        };
        for (place, _) in self.worker.positions() {
            if settings.is_forwarded(place)
                && let Some(committed) = self.worker.committed_position(place)
            {
                positions.insert(place.partition, committed);
            }
        }
    }
}

/// Who this worker is to the others; none without transactions, and where it has a name that it comes back with.
fn writer(parts: &Parts) -> Option<Writer> {
    let config = &parts.settings.config;
    let transactions = config.processing.guarantee == Guarantee::ExactlyOnce;
    (transactions && config.instance_id.is_empty()).then(|| Writer {
        application_id: config.application_id.clone(),
        transactional_id: parts.identity.transactional_id.clone(),
    })
}

fn join(parts: &Parts) -> Result<GroupConsumer, Fatal> {
    let member = client::member(&parts.settings.config, &parts.identity);
    let topics: Vec<_> = parts
        .settings
        .topics
        .iter()
        .map(|topic| topic.name.as_str())
        .collect();
    GroupConsumer::join(&member, &topics).map_err(service)
}

/// Makes a producer, for as long as it takes.
fn connect_producer(parts: &mut Parts) -> Result<BatchProducer, Halt> {
    let producer = client::producer(&parts.settings.config, &parts.identity, parts.targets);
    let (reporter, stop) = (&mut parts.reporter, &parts.stop);
    let (outage, worker) = (&parts.outage, reporter.worker());
    let connected = BatchProducer::connect(&producer, COMMIT, |error| {
        reporter.waiting("the producer waits for the cluster");
        let code = error.rdkafka_error_code();
        let code = code.unwrap_or(RDKafkaErrorCode::Unknown);
        let what = "the producer waits for the cluster";
        outage.trouble(worker, what, code, &error.to_string());
        !stop.is_set()
    });
    if connected.is_ok() {
        outage.over(worker);
    }
    connected.map_err(|error| {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        if client_log::is_refusal(code) {
            refused(&error.to_string()).into()
        } else if code == RDKafkaErrorCode::InvalidTransactionTimeout {
            let config = &parts.settings.config;
            Fatal::Service(client::transaction_too_long(config, None)).into()
        } else if stop.is_set() {
            Halt::Stopped
        } else {
            service(error).into()
        }
    })
}

fn service(error: KafkaError) -> Fatal {
    Fatal::Service(error.to_string())
}

fn refused(reason: &str) -> Fatal {
    Fatal::Service(format!(
        "the cluster refuses this client: {reason}. Look at the credentials in [kafka.properties], and at the permissions that docs/topics-and-permissions.md lists"
    ))
}
