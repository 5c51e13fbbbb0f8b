//! One worker thread: it polls, passes events to the engine, and carries out the effects that the engine asks for. It
//! makes no decisions itself.
//!
//! The loop is here. [`group`] handles the events of the group, [`partitions`] the steps until a partition is consumed,
//! [`records`] the consumed records, [`commit`] the end of a batch, [`explain`] the log of failures.

mod commit;
mod explain;
mod group;
mod partitions;
mod records;
mod takeover;
mod topics;

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::lookup::{self, LookupRequest};
use super::outputs::{Aside, Memberships, OutputTopics};
use super::rendezvous::Rendezvous;
use super::signals::Stop;
use super::watch::Watched;
use crate::config::{Config, Guarantee};
use crate::engine::fatal::Fatal;
use crate::engine::takeover::Writer;
use crate::engine::{Effect, Engine, Event, Place, Settings};
use crate::kafka::client::{ClientSettings, Identity, TRANSACTION_TIMEOUT, Targets};
use crate::kafka::client_log;
use crate::kafka::consumer::GroupConsumer;
use crate::kafka::errors::code_of;
use crate::kafka::native::Messages;
use crate::kafka::producer::BatchProducer;
use crate::kafka::query_client::QueryClient;
use crate::kafka::restorer::Restorer;
use crate::kafka::transaction::SLICE;
use crate::registry::CachedSchemas;
use crate::telemetry::outage::Outage;
use crate::telemetry::reporter::Reporter;
use crate::telemetry::throttle::Throttle;

/// How long records are processed before the loop serves the group, and checks the timers and the stop.
const TURN_DURATION: Duration = Duration::from_millis(50);
const COMMITTING: &str = "a commit waits for the cluster";
/// The timeout of a step of a commit. It is longer than a transaction may stay open.
const COMMIT_STEP_TIMEOUT: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(5));
/// The interval at which an unreachable cluster is checked.
const BROKER_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The interval at which maintenance receives the committed positions of the forwarded topic.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// What a driver is created from.
pub struct Parts {
    pub config: Arc<Config>,
    pub settings: Arc<Settings>,
    pub identity: Identity,
    pub outputs: OutputTopics,
    pub targets: Targets,
    pub reporter: Reporter,
    /// `None`: no source is Avro.
    pub schemas: Option<Arc<CachedSchemas>>,
    pub lookups: Receiver<LookupRequest>,
    pub forwarded_positions: ForwardedPositions,
    pub rendezvous: Arc<Rendezvous>,
    /// What the watch has seen of the topics; `None` if their ids cannot be requested, as with the demo's broker.
    pub watched: Option<Watched>,
    pub outage: Arc<Outage>,
    pub stop: Stop,
}

/// The committed positions of forwarded partitions, from the workers to maintenance.
pub type ForwardedPositions = Arc<Mutex<BTreeMap<i32, i64>>>;

/// Why a worker ends.
enum Halt {
    /// It received the stop while it waited for the cluster. Nothing is open that would have to be committed before a
    /// stop.
    Stopped,
    Fatal(Fatal),
}

impl From<Fatal> for Halt {
    fn from(fatal: Fatal) -> Halt {
        Halt::Fatal(fatal)
    }
}

/// Runs a worker until it receives the stop, or cannot continue.
pub fn run(parts: Parts) -> Result<(), Fatal> {
    let ended = Driver::start(parts).and_then(|mut driver| {
        let ended = driver.run();
        driver.parts.reporter.ended();
        if matches!(ended, Err(Halt::Stopped)) {
            driver.give_up_name_if_due();
        }
        ended
    });
    match ended {
        Ok(()) | Err(Halt::Stopped) => Ok(()),
        Err(Halt::Fatal(fatal)) => Err(fatal),
    }
}

struct Driver {
    parts: Parts,
    engine: Engine,
    // the clients, in the order in which they must be dropped
    restorer: Option<Restorer>,
    /// Messages that were polled and are not processed yet.
    polled: Messages,
    consumer: GroupConsumer,
    producer: BatchProducer,
    query: QueryClient,
    memberships: Memberships,
    /// Whether the producer is carrying out a step of a commit.
    step_started: bool,
    /// What the next batch has produced while the batch before it is in flight.
    aside: Aside,
    started: Instant,
    /// The last round of the watch that this worker has passed to the engine.
    last_watch_round: u64,
    published_at: Instant,
    /// Indexes of topics by the client's handle of them.
    handles: HashMap<usize, usize, ahash::RandomState>,
    /// The group is to be joined with a new client.
    rejoin_due: bool,
    /// Whether the engine has received the stop.
    stopping: bool,
    warnings: Throttle<String>,
    /// When this worker last had an error of an outage, and when it last checked whether the outage is over.
    last_outage_error: Option<Instant>,
    outage_checked: Option<Instant>,
    /// Whether the group's client has reported that all brokers are down, and when that was last checked.
    all_brokers_down: bool,
    brokers_checked: Option<Instant>,
    /// Whether no broker can be reached.
    is_unreachable: bool,
    /// The number of the schema registry's answers at the last check.
    registry_answers: u64,
}

impl Driver {
    fn start(mut parts: Parts) -> Result<Driver, Halt> {
        let query = QueryClient::connect((&*parts.config).into()).map_err(service)?;
        let producer = connect_producer(&mut parts)?;
        parts.rendezvous.wait(&parts.stop);
        let consumer = join(&parts)?;
        let now = Instant::now();
        Ok(Driver {
            engine: Engine::new(Arc::clone(&parts.settings)).with_writer(writer(&parts)),
            restorer: None,
            polled: Messages::default(),
            consumer,
            producer,
            query,
            memberships: Memberships::default(),
            step_started: false,
            aside: Aside::default(),
            started: now,
            last_watch_round: 0,
            published_at: now,
            handles: HashMap::default(),
            rejoin_due: false,
            stopping: false,
            warnings: Throttle::new(explain::WARNING_INTERVAL),
            last_outage_error: None,
            outage_checked: None,
            all_brokers_down: false,
            brokers_checked: None,
            is_unreachable: false,
            registry_answers: 0,
            parts,
        })
    }

    fn config(&self) -> &Config {
        &self.parts.config
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn run(&mut self) -> Result<(), Halt> {
        let mut messages = Messages::default();
        loop {
            self.rejoin_if_due()?;
            self.check_stop();
            self.serve_group()?;
            self.check_schemas();
            self.check_brokers();
            self.check_outage();
            self.check_topics();
            self.carry_out_effects()?;
            self.restore(&mut messages)?;
            let polled_nothing = self.take_records()?;
            if self.advance_commit(Duration::ZERO) {
                self.carry_out_effects()?;
            }
            self.turn(polled_nothing);
            self.carry_out_effects()?;
            self.report();
            let partitions = self.parts.settings.partitions;
            lookup::answer(&self.parts.lookups, &self.engine, partitions);
            self.publish_positions();
        }
    }

    /// Passes the stop to the engine, once.
    fn check_stop(&mut self) {
        if self.parts.stop.is_set() && !self.stopping {
            self.stopping = true;
            self.parts.reporter.stopping();
            let now = self.now();
            self.engine.handle(Event::Shutdown, now);
        }
    }

    /// Updates the worker's metrics and readiness.
    fn report(&mut self) {
        let reporter = &mut self.parts.reporter;
        reporter.tick(&self.engine, &self.consumer, self.is_unreachable);
    }

    /// Checks whether any broker can be reached. A worker that has nothing to do would not notice that the brokers are
    /// gone, nor that they are back.
    fn check_brokers(&mut self) {
        let checked_recently = self
            .brokers_checked
            .is_some_and(|at| at.elapsed() < BROKER_CHECK_INTERVAL);
        if !self.all_brokers_down || checked_recently {
            return;
        }
        let topic = &self.parts.settings.state_topic;
        self.is_unreachable = self
            .query
            .partitions(topic, BROKER_CHECK_INTERVAL / 2)
            .is_err();
        self.all_brokers_down = self.is_unreachable;
        self.brokers_checked = Some(Instant::now());
    }

    /// If the schema registry has answered since the last check, lets the partitions that wait for a schema try again.
    fn check_schemas(&mut self) {
        let Some(schemas) = &self.parts.schemas else {
            return;
        };
        let answers = schemas.answers();
        if answers != self.registry_answers {
            self.registry_answers = answers;
            let now = self.now();
            self.engine.handle(Event::SchemasArrived, now);
        }
    }

    /// Carries out the engine's effects, and waits for the commit in flight if the engine does.
    fn carry_out_effects(&mut self) -> Result<(), Halt> {
        let mut progressed_at = Instant::now();
        loop {
            while let Some(effect) = self.engine.next_effect(self.now()) {
                self.carry_out(effect)?;
            }
            if !self.engine.awaits_commit() {
                return Ok(());
            }
            self.wait_for_commit(&mut progressed_at);
        }
    }

    /// Waits for the commit in flight if the engine does; the effects after it must not be carried out before it has
    /// ended.
    fn await_commit(&mut self) -> Result<(), Halt> {
        match self.engine.awaits_commit() {
            true => self.carry_out_effects(),
            false => Ok(()),
        }
    }

    /// Waits a while for the commit in flight, and shows that this worker waits if there is no progress for longer.
    fn wait_for_commit(&mut self, progressed_at: &mut Instant) {
        if self.advance_commit(SLICE) {
            *progressed_at = Instant::now();
        } else if progressed_at.elapsed() >= SLICE {
            self.parts.reporter.waiting(COMMITTING);
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Halt> {
        match effect {
            Effect::Pause(places) => self.pause(&places),
            Effect::FetchOffsets(places) => self.fetch_offsets(&places),
            Effect::FetchStateEnds(partitions) => self.fetch_state_ends(&partitions),
            Effect::Restore(from) => self.start_restore(&from)?,
            Effect::Consume(from) => self.consume(&from),
            Effect::FindWriters(places) => self.find_writers(&places),
            Effect::Fence(ids) => self.fence(&ids),
            Effect::CheckTopicIds => self.check_topic_ids(),
            Effect::Rejoin => self.rejoin_due = true,
            Effect::Report(notice) => self.report_notice(notice),
            Effect::Finish => return Err(Halt::Stopped),
            Effect::Stop(fatal) => return Err(fatal.into()),
            commit => self.carry_out_commit(commit)?,
        }
        Ok(())
    }

    fn pause(&self, places: &[Place]) {
        let settings = &self.parts.settings;
        let owned: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        if let Err(error) = self.consumer.pause(&owned) {
            // a partition that is not owned any more needs no pause
            tracing::debug!(%error, "pausing");
        }
    }

    fn renew_producer(&mut self) -> Result<(), Halt> {
        self.producer = connect_producer(&mut self.parts)?;
        Ok(())
    }

    /// Passes the committed positions of the forwarded topic to maintenance, which deletes the records before them.
    fn publish_positions(&mut self) {
        if self.published_at.elapsed() < PUBLISH_INTERVAL {
            return;
        }
        self.published_at = Instant::now();
        let settings = &self.parts.settings;
        let Ok(mut positions) = self.parts.forwarded_positions.lock() else {
            return;
        };
        for (place, _) in self.engine.positions() {
            if settings.is_forwarded(place)
                && let Some(committed) = self.engine.committed_position(place)
            {
                positions.insert(place.partition, committed);
            }
        }
    }
}

/// The identity by which other workers can take over from this one; `None` without transactions, and for a named
/// instance, which comes back with the same transactional id.
fn writer(parts: &Parts) -> Option<Writer> {
    let config = &*parts.config;
    let transactions = config.processing.guarantee == Guarantee::ExactlyOnce;
    (transactions && config.instance_id.is_empty()).then(|| Writer {
        application_id: config.application_id.clone(),
        transactional_id: parts.identity.transactional_id.clone(),
    })
}

fn join_as(member: &ClientConfig, parts: &Parts) -> KafkaResult<GroupConsumer> {
    let topics = parts.settings.topics.iter();
    let topics: Vec<_> = topics.map(|topic| topic.name.as_str()).collect();
    GroupConsumer::join(member, &topics)
}

fn join(parts: &Parts) -> Result<GroupConsumer, Fatal> {
    join_as(
        &ClientSettings::from(&*parts.config).member(&parts.identity),
        parts,
    )
    .map_err(service)
}

/// Creates a producer, and waits for the cluster as long as that takes.
fn connect_producer(parts: &mut Parts) -> Result<BatchProducer, Halt> {
    let config = &*parts.config;
    let producer = ClientSettings::from(config).producer(
        config.processing.guarantee,
        &parts.identity,
        parts.targets,
    );
    let (reporter, stop) = (&mut parts.reporter, &parts.stop);
    let (outage, worker) = (&parts.outage, reporter.worker());
    let connected = BatchProducer::connect(&producer, COMMIT_STEP_TIMEOUT, |error| {
        reporter.waiting("the producer waits for the cluster");
        let what = "the producer waits for the cluster";
        let code = format!("{:?}", code_of(error));
        outage.trouble(worker, what, &code, &error.to_string());
        !stop.is_set()
    });
    if connected.is_ok() {
        outage.over(worker);
    }
    connected.map_err(|error| {
        let code = code_of(&error);
        if client_log::is_refusal(code) {
            not_authorized(&error.to_string()).into()
        } else if code == RDKafkaErrorCode::InvalidTransactionTimeout {
            let config = &*parts.config;
            Fatal::Service(ClientSettings::from(config).transaction_timeout_refused(None)).into()
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

fn not_authorized(reason: &str) -> Fatal {
    Fatal::NotAuthorized {
        reason: reason.to_owned(),
    }
}
