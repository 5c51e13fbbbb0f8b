//! One worker thread: polls, gives the worker what happened, and carries out what it decides.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::lookup::{self, Question};
use super::outputs::{KafkaOutbox, OutputTopics};
use super::report::Reporter;
use super::signals::Stop;
use crate::config::{Config, Guarantee};
use crate::failpoint;
use crate::kafka::client::{self, Identity, TRANSACTION_TIMEOUT};
use crate::kafka::consumer::{GroupConsumer, Membership, Rebalance, Told};
use crate::kafka::ends::Ends;
use crate::kafka::native::{Message, Messages};
use crate::kafka::producer::{BatchProducer, Ended, is_fencing, is_timeout, offset_list};
use crate::kafka::restorer::Restorer;
use crate::registry::CachedSchemas;
use crate::worker::commit::{CommitResult, Written};
use crate::worker::fatal::Fatal;
use crate::worker::origin::Header;
use crate::worker::record::Delivered;
use crate::worker::{Action, Place, Settings, Standing, Worker};

/// A drained input is committed at once, but no sooner after the commit before than this.
const MIN_COMMIT_GAP: Duration = Duration::from_millis(5);
/// The longest wait for records, so that questions and rebalances are served.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// The longest wait for an answer that a rebalance may have to wait for too.
const ASK: Duration = Duration::from_secs(2);
/// The longest wait for a step of a commit: longer than a transaction may live.
const COMMIT: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(5));
/// The longest wait for a client to leave the group that is replaced.
const LEAVE: Duration = Duration::from_secs(5);
/// How often the housekeeper is told what is done with.
const PUBLISH: Duration = Duration::from_secs(1);

/// What keeps happening is said this seldom.
const QUIET: Duration = Duration::from_secs(5);

const COMMITTING: &str = "a commit waits for the cluster";
const ABORTING: &str = "an abort waits for the cluster";

/// What a driver is made from.
pub struct Parts {
    pub settings: Arc<Settings>,
    pub identity: Identity,
    pub outputs: OutputTopics,
    /// The largest record that a topic takes that is written to, in bytes.
    pub max_bytes: usize,
    /// What all of them take, which bounds the producer's batches.
    pub max_batch_bytes: usize,
    pub reporter: Reporter,
    /// None: no source is Avro.
    pub schemas: Option<Arc<CachedSchemas>>,
    pub questions: Receiver<Question>,
    pub forwarded_positions: ForwardedPositions,
    pub stop: Stop,
}

/// The committed positions of forwarded partitions, from the workers to the housekeeper.
pub type ForwardedPositions = Arc<Mutex<BTreeMap<i32, i64>>>;

/// Runs a worker until it is told to stop, or can't go on.
pub fn run(parts: Parts) -> Result<(), Fatal> {
    let mut driver = Driver::start(parts)?;
    let ended = driver.run();
    driver.parts.reporter.ended();
    ended
}

struct Driver {
    parts: Parts,
    worker: Worker,
    // the clients in the order in which they are dropped
    restorer: Option<Restorer>,
    consumer: GroupConsumer,
    producer: BatchProducer,
    ends: Ends,
    membership: Option<Membership>,
    started: Instant,
    batch_began: Instant,
    committed_at: Instant,
    published_at: Instant,
    /// Indexes of topics by the client's handle of them.
    handles: HashMap<usize, usize>,
    consumer_failures: Vec<Instant>,
    explained: Option<Instant>,
    /// How much the schema registry had answered when it was last looked.
    registry_answers: u64,
}

impl Driver {
    fn start(mut parts: Parts) -> Result<Driver, Fatal> {
        let ends = Ends::connect(&parts.settings.config).map_err(service)?;
        let producer = connect_producer(&mut parts)?;
        let consumer = join(&parts)?;
        let now = Instant::now();
        Ok(Driver {
            worker: Worker::new(Arc::clone(&parts.settings)),
            restorer: None,
            consumer,
            producer,
            ends,
            membership: None,
            started: now,
            batch_began: now,
            committed_at: now,
            published_at: now,
            handles: HashMap::new(),
            consumer_failures: Vec::new(),
            explained: None,
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

    fn run(&mut self) -> Result<(), Fatal> {
        let mut messages = Messages::default();
        while !self.parts.stop.is_set() {
            self.serve_group()?;
            self.look_for_schemas();
            self.act()?;
            self.restore(&mut messages)?;
            self.take_records(&mut messages)?;
            self.commit_if_due(messages.is_empty())?;
            self.parts.reporter.tick(&self.worker, Some(&self.consumer));
            let view = &self.parts.settings.view;
            let partitions = self.parts.settings.partitions;
            lookup::answer(&self.parts.questions, &self.worker, partitions, view);
            self.publish_positions();
        }
        self.parts.reporter.stopping();
        self.serve_group()?;
        self.act()?;
        if self.worker.open_records().is_some() {
            self.commit()?;
        }
        Ok(())
    }

    /// Takes in what the group told.
    fn serve_group(&mut self) -> Result<(), Fatal> {
        for told in self.consumer.serve() {
            match told {
                Told::Rebalance(Rebalance::Assigned(partitions)) => {
                    self.parts.reporter.metrics().rebalances();
                    let places = self.places(&partitions);
                    tracing::info!(partitions = places.len(), "assigned");
                    self.worker.assigned(&places);
                }
                Told::Rebalance(Rebalance::Revoked(partitions)) => {
                    self.parts.reporter.metrics().rebalances();
                    let places = self.places(&partitions);
                    tracing::info!(partitions = places.len(), "revoked");
                    self.worker.revoked(&places);
                }
                Told::Trouble(code, reason) => self.trouble(code, &reason)?,
                Told::Broken(code, reason) => self.rejoin(code, &reason)?,
            }
        }
        Ok(())
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

    fn places(&self, partitions: &[(String, i32)]) -> Vec<Place> {
        let topics = &self.parts.settings.topics;
        partitions
            .iter()
            .filter_map(|(name, partition)| {
                let topic = topics.iter().position(|topic| topic.name == *name)?;
                Some(Place {
                    topic,
                    partition: *partition,
                })
            })
            .collect()
    }

    /// The client gets over most trouble by itself; what it never will ends the worker.
    fn trouble(&mut self, code: RDKafkaErrorCode, reason: &str) -> Result<(), Fatal> {
        if client::is_refusal(code) {
            return Err(refused(reason));
        }
        if code == RDKafkaErrorCode::UnknownTopicOrPartition {
            return Err(Fatal::Service(format!(
                "a topic is gone ({reason}): create it anew, or take it out of the configuration"
            )));
        }
        self.explain("the cluster has trouble", code, reason);
        Ok(())
    }

    /// Says what keeps the worker, but not over and over.
    fn explain(&mut self, what: &str, code: RDKafkaErrorCode, reason: &str) {
        let now = Instant::now();
        if self
            .explained
            .is_none_or(|explained| now - explained > QUIET)
        {
            tracing::warn!(?code, reason, "{what}; keyfold tries again");
            self.explained = Some(now);
        }
    }

    /// Leaves the group with a client that can't go on, and joins with a new one.
    fn rejoin(&mut self, code: RDKafkaErrorCode, reason: &str) -> Result<(), Fatal> {
        self.explain("the group's client can't go on", code, reason);
        self.worker.lost();
        self.act()?;
        let fenced = is_fencing(code) || code == RDKafkaErrorCode::FencedInstanceId;
        let minute = Duration::from_secs(60);
        let now = Instant::now();
        if fenced {
            self.consumer_failures.retain(|at| now - *at < minute);
            self.consumer_failures.push(now);
            if self.consumer_failures.len() > 1 {
                return Err(Fatal::FencedTwice {
                    instance: self.config().instance_id.clone(),
                });
            }
        }
        self.consumer.leave(LEAVE);
        std::thread::sleep(Duration::from_millis(500));
        self.handles.clear();
        self.consumer = join(&self.parts)?;
        Ok(())
    }

    /// Carries out what the worker decides.
    fn act(&mut self) -> Result<(), Fatal> {
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

    fn carry_out(&mut self, action: Action) -> Result<(), Fatal> {
        match action {
            Action::Abort => {
                self.parts.reporter.metrics().transaction("aborted");
                self.membership = None;
                let reporter = &mut self.parts.reporter;
                let aborted = self.producer.abort(&mut || reporter.waiting(ABORTING));
                if let Err(error) = aborted {
                    self.explain("aborting failed", error.code.into(), &error.text);
                    self.renew_producer()?;
                }
            }
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
            Action::Stop(fatal) => {
                if self.worker.open_records().is_some()
                    && let Err(error) = self.producer.abort(&mut || {})
                {
                    tracing::warn!(reason = error.text, "aborting failed");
                }
                return Err(fatal);
            }
        }
        Ok(())
    }

    fn renew_producer(&mut self) -> Result<(), Fatal> {
        self.membership = None;
        self.producer = connect_producer(&mut self.parts)?;
        Ok(())
    }

    /// Asks for the start of each log before the committed offsets, and for its end after them: whatever others
    /// commit or delete meanwhile, a committed offset that is not lost lies between the two.
    fn fetch_standings(&mut self, places: &[Place]) {
        let settings = Arc::clone(&self.parts.settings);
        let asked: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        let lows = self.ends_of(&asked);
        let committed = match self.consumer.committed(&asked, ASK) {
            Ok(committed) => committed,
            Err(error) => {
                self.explain_error("the committed offsets can't be read", &error);
                HashMap::new()
            }
        };
        let highs = self.ends_of(&asked);
        let mut answers = Vec::with_capacity(places.len());
        for (at, &place) in places.iter().enumerate() {
            let (topic, partition) = asked[at];
            let known = committed.get(&(topic.to_owned(), partition));
            let standing = match (known, lows[at], highs[at]) {
                (Some(committed), Some((low, _)), Some((_, high))) => Some(Standing {
                    committed: committed.clone(),
                    low,
                    high,
                }),
                _ => None,
            };
            answers.push((place, standing));
        }
        let now = self.now();
        self.worker.standings(answers, now);
    }

    /// The first offsets and the ends of partitions, as far as they can be learnt.
    fn ends_of(&mut self, partitions: &[(&str, i32)]) -> Vec<Option<(i64, i64)>> {
        let mut ends = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let answer = self.ends.of(topic, *partition, ASK);
            if let Err(error) = &answer {
                self.explain_error("the end of a log can't be read", error);
            }
            ends.push(answer.ok());
        }
        ends
    }

    fn explain_error(&mut self, what: &str, error: &KafkaError) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        self.explain(what, code, &error.to_string());
    }

    fn fetch_ends(&mut self, partitions: &[i32]) {
        let topic = self.parts.settings.state_topic.clone();
        let asked: Vec<_> = partitions.iter().map(|at| (topic.as_str(), *at)).collect();
        let ends = self.ends_of(&asked);
        let now = self.now();
        self.worker
            .ends(partitions.iter().copied().zip(ends).collect(), now);
    }

    fn start_restore(&mut self, from: &[(i32, i64)]) -> Result<(), Fatal> {
        if from.is_empty() {
            self.restorer = None;
            return Ok(());
        }
        let usable = |restorer: &Restorer| restorer.can_read(from);
        let mut restorer = match self.restorer.take().filter(usable) {
            Some(restorer) => restorer,
            None => Restorer::connect(self.config()).map_err(service)?,
        };
        restorer.read(from).map_err(service)?;
        self.restorer = Some(restorer);
        Ok(())
    }

    fn consume(&mut self, from: &[(Place, i64)]) {
        let settings = Arc::clone(&self.parts.settings);
        let named: Vec<_> = from
            .iter()
            .map(|(place, offset)| (settings.topic_name(*place), place.partition, *offset))
            .collect();
        let consumed = self.consumer.consume(&named, ASK);
        if let Err(error) = &consumed {
            self.explain_error("partitions can't be consumed", error);
        }
        let now = self.now();
        self.worker.consuming(from, consumed.is_ok(), now);
    }

    /// Reads on in the state topic, while the group is served in between.
    fn restore(&mut self, messages: &mut Messages) -> Result<(), Fatal> {
        let Some(restorer) = &self.restorer else {
            return Ok(());
        };
        let now = self.started.elapsed();
        let since = Instant::now();
        let mut restored = 0;
        while since.elapsed() < MAX_WAIT {
            restorer.poll(Duration::from_millis(5), messages);
            if messages.is_empty() {
                break;
            }
            for message in messages.iter() {
                let (partition, offset) = (message.partition(), message.offset());
                match message.error() {
                    None => {
                        let key = message.key().unwrap_or_default();
                        let value = message.payload();
                        let taken = self.worker.restored(partition, offset, key, value, now);
                        restored += u64::from(taken);
                        failpoint::reached("restoring");
                    }
                    Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF) => {
                        self.worker.restored_to(partition, offset, now);
                    }
                    Some(error) => {
                        let (code, text) = (RDKafkaErrorCode::from(error), message.error_text());
                        if client::is_refusal(code) {
                            return Err(refused(&text));
                        }
                        tracing::warn!(?code, reason = text, "restoring");
                    }
                }
            }
        }
        messages.clear();
        self.parts.reporter.metrics().restore_records(restored);
        Ok(())
    }

    fn take_records(&mut self, messages: &mut Messages) -> Result<(), Fatal> {
        let wait = if self.restorer.is_some() {
            Duration::ZERO
        } else if self.worker.open_records().is_some() {
            MIN_COMMIT_GAP
                .saturating_sub(self.committed_at.elapsed())
                .max(Duration::from_millis(1))
        } else {
            MAX_WAIT
        };
        self.consumer.poll(wait, messages);
        let mut lost = Vec::new();
        for message in messages.iter() {
            if let Some(error) = message.error() {
                lost.extend(self.partition_trouble(message, error.into())?);
                continue;
            }
            let Some(topic) = self.topic_of(message) else {
                continue;
            };
            let record = Consumed { message, topic };
            let mut outbox = KafkaOutbox {
                consumer: &self.consumer,
                producer: &self.producer,
                topics: &self.parts.outputs,
                membership: &mut self.membership,
            };
            let was_open = self.worker.open_records().is_some();
            self.worker.record(&record, &mut outbox);
            if !was_open {
                self.batch_began = Instant::now();
            }
            if self.worker.is_full() {
                // what is left of this poll is passed over if the batch is aborted: nothing may be taken up
                // again before it is through
                self.commit()?;
            }
        }
        if let Some(place) = lost.first() {
            // the client has stopped fetching the partition, and would refuse to seek in it
            let topic = self.parts.settings.topic_name(*place).to_owned();
            messages.clear();
            let reason = format!("a position in {topic}[{}] is lost", place.partition);
            return self.rejoin(RDKafkaErrorCode::AutoOffsetReset, &reason);
        }
        self.act()
    }

    fn topic_of(&mut self, message: &Message) -> Option<usize> {
        let handle = message.topic_handle();
        if let Some(&topic) = self.handles.get(&handle) {
            return Some(topic);
        }
        let name = message.topic();
        let topics = &self.parts.settings.topics;
        let topic = topics.iter().position(|topic| topic.name == name)?;
        self.handles.insert(handle, topic);
        Some(topic)
    }

    /// A place whose next record is gone, if that is the trouble.
    fn partition_trouble(
        &mut self,
        message: &Message,
        code: RDKafkaErrorCode,
    ) -> Result<Option<Place>, Fatal> {
        let reason = message.error_text();
        if matches!(
            code,
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange
        ) {
            // the worker asks again where the partition stands, and decides
            let partition = message.partition();
            let topic = self.topic_of(message);
            return Ok(topic.map(|topic| Place { topic, partition }));
        }
        self.trouble(code, &reason).map(|()| None)
    }

    fn commit_if_due(&mut self, drained: bool) -> Result<(), Fatal> {
        if self.worker.open_records().is_none() {
            return Ok(());
        }
        let interval = self.config().processing.commit_interval;
        let due = self.worker.is_full()
            || self.batch_began.elapsed() >= interval
            || (drained && self.committed_at.elapsed() >= MIN_COMMIT_GAP);
        if due {
            self.commit()?;
            self.act()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fatal> {
        let began = Instant::now();
        let mut outbox = KafkaOutbox {
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            membership: &mut self.membership,
        };
        let Some(written) = self.worker.finish(&mut outbox) else {
            return Ok(());
        };
        self.parts.reporter.calls();
        failpoint::reached("batch-written");
        let ended = self.end_batch(&written);
        if ended.result == CommitResult::Committed {
            failpoint::reached("committed");
        }
        self.membership = None;
        self.committed_at = Instant::now();
        if let Some((code, reason)) = &ended.reason {
            if client::is_refusal(*code) {
                return Err(refused(reason));
            }
            if let Some(fatal) = never_fits(*code, reason) {
                return Err(fatal);
            }
            let result = match ended.result {
                CommitResult::Unknown => "unknown",
                _ => "aborted",
            };
            self.parts.reporter.metrics().transaction(result);
            self.explain("a batch was not committed", *code, reason);
        }
        let now = self.now();
        if let Some(ledger) = self.worker.ended(written, ended.result, now) {
            self.parts.reporter.committed(&ledger, began.elapsed());
        }
        Ok(())
    }

    fn end_batch(&mut self, written: &Written) -> Ended {
        let settings = &self.parts.settings;
        let offsets = written.offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        });
        let list = match offset_list(offsets) {
            Ok(list) => list,
            Err(error) => return self.give_up(&error.to_string()),
        };
        if settings.config.processing.guarantee == Guarantee::AtLeastOnce {
            return self.end_without_transaction(&list);
        }
        let Some(membership) = &self.membership else {
            return self.give_up("this instance was no member of the group when the batch began");
        };
        if self.consumer.standing().as_ref() != Some(&membership.standing) {
            return self.give_up("the group has moved on since the batch began");
        }
        let reporter = &mut self.parts.reporter;
        let mut waiting = || reporter.waiting(COMMITTING);
        self.producer.commit(&list, membership, &mut waiting)
    }

    /// Aborts a batch that must not be committed.
    fn give_up(&mut self, reason: &str) -> Ended {
        let reporter = &mut self.parts.reporter;
        let result = match self.producer.abort(&mut || reporter.waiting(ABORTING)) {
            Ok(()) => CommitResult::Aborted { timed_out: false },
            Err(_) => CommitResult::Unknown,
        };
        Ended {
            result,
            reason: Some((RDKafkaErrorCode::IllegalGeneration, reason.to_owned())),
        }
    }

    fn end_without_transaction(&mut self, list: &rdkafka::TopicPartitionList) -> Ended {
        let reporter = &mut self.parts.reporter;
        let flushed = self.producer.flush(&mut || reporter.waiting(COMMITTING));
        let committed = flushed.and_then(|()| {
            self.consumer.commit(list).map_err(|error| {
                let code = error.rdkafka_error_code();
                (code.unwrap_or(RDKafkaErrorCode::Unknown), error.to_string())
            })
        });
        let Err(failed) = committed else {
            return Ended {
                result: CommitResult::Committed,
                reason: None,
            };
        };
        let result = if self.producer.broken().is_some() {
            CommitResult::Unknown
        } else {
            CommitResult::Aborted {
                timed_out: is_timeout(failed.0),
            }
        };
        Ended {
            result,
            reason: Some(failed),
        }
    }

    /// Tells the housekeeper what is done with in the forwarded topic.
    fn publish_positions(&mut self) {
        if self.published_at.elapsed() < PUBLISH {
            return;
        }
        self.published_at = Instant::now();
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
fn connect_producer(parts: &mut Parts) -> Result<BatchProducer, Fatal> {
    let producer = client::producer(
        &parts.settings.config,
        &parts.identity,
        parts.max_bytes,
        parts.max_batch_bytes,
    );
    let (reporter, stop) = (&mut parts.reporter, &parts.stop);
    let mut explained: Option<Instant> = None;
    let connected = BatchProducer::connect(&producer, COMMIT, |error| {
        reporter.waiting("the producer waits for the cluster");
        if explained.is_none_or(|explained| explained.elapsed() > QUIET) {
            tracing::warn!(%error, "the producer waits for the cluster");
            explained = Some(Instant::now());
        }
        !stop.is_set()
    });
    connected.map_err(|error| {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        if client::is_refusal(code) {
            refused(&error.to_string())
        } else {
            service(error)
        }
    })
}

fn service(error: KafkaError) -> Fatal {
    Fatal::Service(error.to_string())
}

fn refused(reason: &str) -> Fatal {
    Fatal::Service(format!(
        "the cluster refuses this client: {reason}. Look at the credentials in [kafka.properties], and at the permissions that README lists"
    ))
}

/// A record that a topic takes at no time: trying again does not help.
fn never_fits(code: RDKafkaErrorCode, reason: &str) -> Option<Fatal> {
    let what = match code {
        RDKafkaErrorCode::MessageSizeTooLarge => "raise the topic's max.message.bytes",
        RDKafkaErrorCode::InvalidRecord => {
            "its settings do not allow the record; `keyfold topics` says what they must be"
        }
        RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopic => {
            "the topic or its partition is gone"
        }
        RDKafkaErrorCode::PolicyViolation => "a policy of the cluster forbids it",
        _ => return None,
    };
    Some(Fatal::Service(format!(
        "a record can't be written ({reason}): {what}. Nothing of its batch was committed"
    )))
}

/// A record as the worker sees it.
struct Consumed<'m> {
    message: &'m Message,
    topic: usize,
}

impl Delivered for Consumed<'_> {
    fn place(&self) -> Place {
        Place {
            topic: self.topic,
            partition: self.message.partition(),
        }
    }

    fn offset(&self) -> i64 {
        self.message.offset()
    }

    fn timestamp(&self) -> Option<i64> {
        self.message.timestamp()
    }

    fn key(&self) -> Option<&[u8]> {
        self.message.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.message.payload()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.message.headers()
    }
}
