//! The decisions of a worker, apart from Kafka's clients: an [`Event`] says what happened, an [`Effect`] what is to be done.
//!
//! There is no I/O, no clock and no thread here (`now` is the time since the engine was made), so that every interleaving of
//! records, rebalances and failures can be replayed: `runtime::driver` carries effects out on Kafka, the simulation in
//! `tests/simulation` on a model of it, and neither decides anything. Whoever drives an engine does this, over and over:
//!
//! 1. tell [`Engine::handle`] what happened, and give polled records to [`Engine::record`] while
//!    [`Engine::takes_records`];
//! 2. let [`Engine::turn`] look at the time, and at what there is to commit and to write;
//! 3. carry out every [`Engine::next_effect`], and where [`Engine::awaits_commit`], wait for the step of the commit that is
//!    in flight before anything else is told.
//!
//! # The life of a partition
//!
//! ```text
//!  consumed   Unknown ─FetchOffsets─► Asked ─OffsetsFetched─► Held ─Consume─► Consuming ⇄ WaitingForSchema
//!  (a Place)     ▲                                             ▲                 │  ⇅
//!                │                                             └── rebalance, ───┤ Unreadable
//!                │                                                 batch dropped │
//!                └──── commit without an answer, producer fenced ────────────────┘
//!
//!  state      Unknown ─FetchStateEnds─► Asked ─StateEndsFetched─► Restoring ─StateRecord…─► Ready
//! ```
//!
//! A state partition comes with the partition of the forwarded topic that has its number. Its ends are asked for once the
//! committed offset of that one is known, and a partition is consumed once the state partition of its number is ready.
//! [`assignment`] holds both, [`ownership`] what the group changes, [`start`] where a partition is taken up, [`restore`] the
//! state partitions.
//!
//! # The life of a batch
//!
//! ```text
//!  none ─record─► open ─turn─► Writing ─┬─ exactly once ──► Committing ────────────────────► committed
//!                  │             ▲  │   └─ at least once ─► Delivering ─► CommittingOffsets ─► committed
//!          dropped │             └──┘                         (snapshots first, then states)
//!                  ▼           no room                    Committing, Delivering ─► aborted, unknown, fenced
//!  none, its records are read again
//! ```
//!
//! While one batch is in flight, records go into the next, which rests on it: if the first fails, the second is dropped.
//! [`schedule`] says when a batch ends, [`commit`] drives it to its end, [`offsets`] says what it commits and [`writing`]
//! what it writes. [`record`] is the path of one record.

pub mod arrived;
pub(crate) mod assignment;
pub(crate) mod batch;
pub(crate) mod breaker;
pub mod client_error;
pub mod commit;
pub mod dead_letter;
pub mod event;
pub mod fatal;
mod joining;
pub mod offset_metadata;
mod offsets;
pub mod origin;
pub mod outbox;
mod ownership;
mod passed;
mod record;
mod restore;
pub mod schedule;
pub(crate) mod settings;
pub(crate) mod split;
mod start;
pub(crate) mod status;
pub mod takeover;
mod topics;
pub(crate) mod unreadable;
pub mod writing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::store::Store;
use assignment::Assignment;
use batch::{Batch, Customers};
use breaker::Breaker;
use commit::InFlightCommit;
use fatal::Fatal;
use schedule::Schedule;
use takeover::Takeover;
use unreadable::UnreadablePartitions;

pub use event::{Effect, Event, GroupChange, Loss, Notice, PartitionOffsets, StepEnd};
pub use settings::{LogPartition, Place, Policy, Settings, Topic};

/// The waits between attempts at what failed, be it a question to the cluster or a commit.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// The time between two attempts of one store to let go of what was written over.
const COMPACTION_PERIOD: Duration = Duration::from_secs(1);

/// A worker's decisions: what it owns, what it knows of its customers, the batch that is open, and the one before it while
/// that is in flight.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    assignment: Assignment,
    /// By state partition. A store in memory outlives a rebalance, because its partition may come back; one on disk is
    /// closed, because its next owner may be in this process.
    stores: BTreeMap<i32, Box<dyn Store>>,
    /// Since when a store cannot be opened, because somebody else has not closed it.
    store_blocked_since: Option<Duration>,
    batch: Option<Batch>,
    in_flight: Option<InFlightCommit>,
    /// The memory of the customers of a batch that is through.
    spare: Customers,
    breaker: Breaker,
    fatal: Option<Fatal>,
    /// What is to be done next, in its order.
    effects: VecDeque<Effect>,
    /// Nothing is told and no record is taken before the commit that is in flight has ended.
    awaits_commit: bool,
    /// What the group changed while a commit was in flight.
    deferred: Vec<GroupChange>,
    restore_wanted: bool,
    /// No question is asked again before this time.
    retry_at: Duration,
    /// Commits that failed since the last one that did not.
    failed_commits: u32,
    /// Questions that were not answered since the last one that was.
    failed_questions: u32,
    /// Records in a batch; halved after a time-out.
    batch_limit: usize,
    last_fenced: Option<Duration>,
    /// When a producer that was fenced is replaced.
    renew_producer_at: Option<Duration>,
    /// When the open transaction began.
    transaction_began: Duration,
    /// The committed position of each place, as far as this engine committed it.
    committed: BTreeMap<Place, i64>,
    /// Places whose position is to be committed though no record of a batch is behind it.
    passed: BTreeSet<Place>,
    /// The ids of topics by their names, as they were when the committed offsets were last read.
    topic_ids: BTreeMap<String, String>,
    /// Inputs that the offsets of forwarded partitions remember by another id than they have.
    replaced_inputs: BTreeSet<usize>,
    /// Whether an assignment, be it an empty one, was ever given.
    joined_group: bool,
    /// Since when the group has refused this instance's name.
    name_refused_since: Option<Duration>,
    takeover: Takeover,
    schedule: Schedule,
    unreadable: UnreadablePartitions,
    next_compaction: Duration,
    /// Records of the state topic that were loaded.
    restored_records: u64,
}

impl Engine {
    pub fn new(settings: Arc<Settings>) -> Engine {
        let processing = &settings.policy.processing;
        Engine {
            assignment: Assignment::default(),
            stores: BTreeMap::new(),
            store_blocked_since: None,
            batch: None,
            in_flight: None,
            spare: Customers::default(),
            breaker: Breaker::new(processing.reject_window, processing.max_reject_share),
            fatal: None,
            effects: VecDeque::new(),
            awaits_commit: false,
            deferred: Vec::new(),
            restore_wanted: false,
            retry_at: Duration::ZERO,
            failed_commits: 0,
            failed_questions: 0,
            batch_limit: processing.max_batch_records,
            last_fenced: None,
            renew_producer_at: None,
            transaction_began: Duration::ZERO,
            committed: BTreeMap::new(),
            passed: BTreeSet::new(),
            topic_ids: BTreeMap::new(),
            replaced_inputs: BTreeSet::new(),
            joined_group: false,
            name_refused_since: None,
            takeover: Takeover::default(),
            schedule: Schedule::default(),
            unreadable: UnreadablePartitions::default(),
            next_compaction: Duration::ZERO,
            restored_records: 0,
            settings,
        }
    }

    /// Takes note of what happened. Whether an event is one that can be, as things are, is decided here: what the group
    /// changes waits for the commit that is in flight, and an answer that nobody waits for is ignored.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) {
        match event {
            Event::Group(change) if self.in_flight.is_some() => {
                self.deferred.push(change);
                self.awaits_commit = true;
            }
            Event::Group(change) => self.change_ownership(change, now),
            Event::OffsetsFetched { topic_ids, offsets } => {
                self.offsets_fetched(topic_ids, offsets, now);
            }
            Event::StateEndsFetched(ends) => self.state_ends_fetched(ends, now),
            Event::ConsumeStarted { from, succeeded } => {
                self.consume_started(&from, succeeded, now);
            }
            Event::StateRecord {
                partition,
                offset,
                key,
                value,
            } => self.restore_record(partition, offset, key, value, now),
            Event::StateEndReached { partition, offset } => {
                self.restore_reached(partition, offset, now);
            }
            Event::EndReached { place, offset } => self.end_reached(place, offset),
            Event::Unreadable {
                log,
                offset,
                cause,
                error,
            } => self.cannot_be_read(log, offset, cause, error, now),
            Event::SchemasArrived => self.assignment.schemas_arrived(),
            Event::TopicsSeen { ids, gone } => self.topics_seen(&ids, gone),
            Event::TopicIdsChecked(ids) => self.topic_ids_checked(&ids, now),
            Event::WritersFound { writers, members } => {
                self.writers_found(writers, members.as_deref());
            }
            Event::WritersFenced(ids) => self.writers_fenced(ids),
            Event::CommitStepEnded(end) => self.commit_step_ended(end, now),
            Event::AbortFailed(error) => self.abort_failed(&error, now),
            Event::Shutdown => self.shut_down(now),
        }
    }

    /// What is to be done next; none when there is nothing to do before something else happens, or before the commit that
    /// is in flight has ended.
    pub fn next_effect(&mut self, now: Duration) -> Option<Effect> {
        if self.effects.is_empty() {
            self.plan(now);
        }
        self.effects.pop_front()
    }

    /// Whether the step of the commit that is in flight must end before anything else is told and before a record is taken.
    pub fn awaits_commit(&self) -> bool {
        self.in_flight.is_some() && (self.awaits_commit || self.fatal.is_some())
    }

    /// What follows from how things are.
    fn plan(&mut self, now: Duration) {
        if self.fatal.is_some() {
            return self.plan_stop();
        }
        if self.restore_wanted {
            self.restore_wanted = false;
            self.effects.push_back(Effect::Restore(self.restoring()));
        }
        match self.renew_producer_at {
            Some(at) if now < at => return,
            Some(_) => self.effects.push_back(Effect::RenewProducer),
            None => {}
        }
        self.renew_producer_at = None;
        let question = self.find_writers(now);
        self.effects.extend(question);
        if now >= self.retry_at {
            self.plan_questions();
        }
    }

    /// What ends the engine waits for the commit that is in flight, and drops the batch behind it.
    fn plan_stop(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        if self.batch.take().is_some() {
            self.effects.push_back(Effect::Abort);
        }
        let fatal = self.fatal.clone();
        self.effects.extend(fatal.map(Effect::Stop));
    }

    fn plan_questions(&mut self) {
        let unknown = self.assignment.ask_unknown();
        if !unknown.is_empty() {
            self.effects.push_back(Effect::FetchOffsets(unknown));
        }
        let ends = self.state_partitions_to_ask();
        if !ends.is_empty() {
            self.effects.push_back(Effect::FetchStateEnds(ends));
        }
        let start = self.assignment.start_consuming(self.settings.partitions);
        if !start.is_empty() {
            self.effects.push_back(Effect::Consume(start));
        }
    }

    /// Puts off every new attempt, longer after each failure.
    fn back_off(&mut self, failures: u32, now: Duration) {
        self.retry_at = now + RETRIES.after(failures.saturating_add(1));
    }

    /// A question was answered in full, or was not.
    fn question_ended(&mut self, answered: bool, now: Duration) {
        if answered {
            self.failed_questions = 0;
        } else {
            self.back_off(self.failed_questions, now);
            self.failed_questions = self.failed_questions.saturating_add(1);
        }
    }

    fn commit_failed(&mut self, now: Duration) {
        self.back_off(self.failed_commits, now);
        self.failed_commits = self.failed_commits.saturating_add(1);
    }

    /// The engine cannot go on, for the first reason that it is told.
    fn stop(&mut self, fatal: Fatal) {
        self.fatal.get_or_insert(fatal);
    }
}
