//! One worker thread: it polls, tells the engine what happened, and carries out what the engine wants to be done. It decides
//! nothing itself.
//!
//! The loop is here. [`group`] has what the group tells, [`partitions`] the way of partitions to being consumed,
//! [`records`] what is consumed, [`commit`] the end of a batch, [`explain`] what is logged of failures.

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

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

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

/// How long records are taken before the group, the clock and a stop are looked at.
const TURN: Duration = Duration::from_millis(50);
const COMMITTING: &str = "a commit waits for the cluster";
/// The longest wait for a step of a commit: longer than a transaction may live.
const COMMIT: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(5));
/// How often brokers are looked for that are away.
const LOOK: Duration = Duration::from_secs(1);
/// How often maintenance is told up to where the forwarded topic is processed.
const PUBLISH: Duration = Duration::from_secs(1);

/// What a driver is made from.
pub struct Parts {
    pub config: Arc<Config>,
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
    engine: Engine,
    // the clients in the order in which they are dropped
    restorer: Option<Restorer>,
    /// What was polled and is not taken yet.
    polled: Messages,
    consumer: GroupConsumer,
    producer: BatchProducer,
    query: QueryClient,
    memberships: Memberships,
    /// A step of a commit is under way at the producer.
    step_started: bool,
    /// What the batch behind the one in flight has produced meanwhile.
    aside: Aside,
    started: Instant,
    /// The last round of the watch that was looked at.
    watched: u64,
    published_at: Instant,
    /// Indexes of topics by the client's handle of them.
    handles: HashMap<usize, usize>,
    /// The engine knows that the process is to end.
    stopping: bool,
    warnings: Throttle<String>,
    /// When this worker last met trouble with the cluster, and when it was last looked whether that is over.
    troubled: Option<Instant>,
    calm_looked: Option<Instant>,
    /// Whether the group's client has said that no broker is there, and when that was last looked at.
    all_brokers_down: bool,
    looked: Option<Instant>,
    /// No broker can be reached.
    away: bool,
    /// How much the schema registry had answered when it was last looked.
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
            watched: 0,
            published_at: now,
            handles: HashMap::new(),
            stopping: false,
            warnings: Throttle::new(explain::WARNING_INTERVAL),
            troubled: None,
            calm_looked: None,
            all_brokers_down: false,
            looked: None,
            away: false,
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
            self.look_at_stop();
            self.serve_group()?;
            self.look_for_schemas();
            self.look_for_brokers();
            self.look_for_calm();
            self.look_at_topics();
            self.act()?;
            self.restore(&mut messages)?;
            let polled_nothing = self.take_records()?;
            if self.advance_commit(Duration::ZERO) {
                self.act()?;
            }
            self.turn(polled_nothing);
            self.act()?;
            self.report();
            let view = &self.parts.settings.view;
            let partitions = self.parts.settings.partitions;
            lookup::answer(&self.parts.lookups, &self.engine, partitions, view);
            self.publish_positions();
        }
    }

    /// Tells the engine once that the process is to end.
    fn look_at_stop(&mut self) {
        if self.parts.stop.is_set() && !self.stopping {
            self.stopping = true;
            self.parts.reporter.stopping();
            let now = self.now();
            self.engine.handle(Event::Shutdown, now);
        }
    }

    /// Shows how the worker is.
    fn report(&mut self) {
        let reporter = &mut self.parts.reporter;
        reporter.tick(&self.engine, &self.consumer, self.away);
    }

    /// A worker without anything to do would not notice that the brokers are away, nor that they are back.
    fn look_for_brokers(&mut self) {
        let soon = self.looked.is_some_and(|at| at.elapsed() < LOOK);
        if !self.all_brokers_down || soon {
            return;
        }
        let topic = &self.parts.settings.state_topic;
        self.away = self.query.partitions(topic, LOOK / 2).is_err();
        self.all_brokers_down = self.away;
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
            let now = self.now();
            self.engine.handle(Event::SchemasArrived, now);
        }
    }

    /// Carries out what the engine wants to be done, and waits for the commit that is in flight where the engine does.
    fn act(&mut self) -> Result<(), Halt> {
        let mut came_on = Instant::now();
        loop {
            while let Some(effect) = self.engine.next_effect(self.now()) {
                self.carry_out(effect)?;
            }
            if !self.engine.awaits_commit() {
                return Ok(());
            }
            self.wait_for_commit(&mut came_on);
        }
    }

    /// Waits for the commit where the engine does; then nothing of what follows is carried out yet.
    fn await_commit(&mut self) -> Result<(), Halt> {
        match self.engine.awaits_commit() {
            true => self.act(),
            false => Ok(()),
        }
    }

    /// Waits a while for the commit in flight, and shows that this worker waits if nothing has come on for longer.
    fn wait_for_commit(&mut self, came_on: &mut Instant) {
        if self.advance_commit(SLICE) {
            *came_on = Instant::now();
        } else if came_on.elapsed() >= SLICE {
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
            Effect::Rejoin => self.rejoin()?,
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
            // what is not owned any more needs no pause
            tracing::debug!(%error, "pausing");
        }
    }

    fn renew_producer(&mut self) -> Result<(), Halt> {
        self.producer = connect_producer(&mut self.parts)?;
        Ok(())
    }

    /// Tells the maintenance once a second what of the forwarded topic is not needed any more.
    fn publish_positions(&mut self) {
        if self.published_at.elapsed() < PUBLISH {
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

/// Who this worker is to the others; none without transactions, and where it has a name that it comes back with.
fn writer(parts: &Parts) -> Option<Writer> {
    let config = &*parts.config;
    let transactions = config.processing.guarantee == Guarantee::ExactlyOnce;
    (transactions && config.instance_id.is_empty()).then(|| Writer {
        application_id: config.application_id.clone(),
        transactional_id: parts.identity.transactional_id.clone(),
    })
}

fn join(parts: &Parts) -> Result<GroupConsumer, Fatal> {
    let member = ClientSettings::from(&*parts.config).member(&parts.identity);
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
    let config = &*parts.config;
    let producer = ClientSettings::from(config).producer(
        config.processing.guarantee,
        &parts.identity,
        parts.targets,
    );
    let (reporter, stop) = (&mut parts.reporter, &parts.stop);
    let (outage, worker) = (&parts.outage, reporter.worker());
    let connected = BatchProducer::connect(&producer, COMMIT, |error| {
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
