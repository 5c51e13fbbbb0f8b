//! The decisions of a worker, separate from Kafka's clients: an [`Event`] says what happened, an [`Effect`] what the
//! driver must do.
//!
//! There is no I/O, no clock and no thread here (`now` is the time since the engine was made), so that every
//! interleaving of records, rebalances and failures can be replayed: `runtime::driver` carries effects out on Kafka,
//! the simulation in `tests/simulation` on a model of it, and neither decides anything. A driver repeats these steps:
//!
//! 1. call [`Engine::handle`] with each event, and give polled records to [`Engine::record`] while
//!    [`Engine::takes_records`];
//! 2. call [`Engine::turn`], which looks at the time, and at what can be committed and written;
//! 3. carry out every [`Engine::next_effect`]; if [`Engine::awaits_commit`], wait for the current step of the commit in
//!    flight before the engine is given anything else.
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
//! A state partition is assigned together with the partition of the forwarded topic that has the same number. Its ends
//! are fetched when the committed offset of that partition is known. A partition is consumed when the state partition
//! of its number is ready. [`assignment`] holds both, [`ownership`] handles what the group changes, [`start`] says from
//! which offset a partition is consumed, and [`restore`] restores the state partitions.
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
//! While one batch is in flight, records go into the next batch, which starts from the states of the first: if the
//! first fails, the second is dropped. [`schedule`] says when a batch ends, [`commit`] commits it, [`offsets`] says
//! which offsets it commits, and [`writing`] what it writes. [`record`] is the path of one record.

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
pub mod received;
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
pub use status::CommittedState;

/// The backoff between attempts, both of requests to the cluster and of commits.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// The time between two compactions of a store. One store is compacted at a time.
const COMPACTION_PERIOD: Duration = Duration::from_secs(1);

/// The decisions of a worker, with the partitions that it owns, their stores, the open batch, and the batch in flight.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    assignment: Assignment,
    /// The stores by state partition. When its partition is revoked, a store in memory is kept until the next
    /// assignment, because the partition may come back; a store on disk is closed, because its next owner may be in
    /// this process.
    stores: BTreeMap<i32, Box<dyn Store>>,
    /// Since when a store cannot be opened because its previous owner has not closed it.
    store_blocked_since: Option<Duration>,
    batch: Option<Batch>,
    in_flight: Option<InFlightCommit>,
    /// The emptied map of an earlier batch, whose memory the next batch reuses.
    empty_map: Customers,
    breaker: Breaker,
    fatal: Option<Fatal>,
    /// The effects that the driver must carry out next, in this order.
    effects: VecDeque<Effect>,
    /// Set if the commit in flight must end before the engine is given another event or record.
    awaits_commit: bool,
    /// Changes by the group while a commit was in flight; they are applied when it has ended.
    deferred: Vec<GroupChange>,
    /// Set if the set of state partitions to restore has changed, so that [`Effect::Restore`] must be sent.
    restore_wanted: bool,
    /// Failed requests are not sent again before this time.
    retry_at: Duration,
    /// Commits that failed since the last successful one.
    failed_commits: u32,
    /// Requests that failed since the last successful one.
    failed_requests: u32,
    /// The maximum number of records in a batch; it is halved after a timeout.
    batch_limit: usize,
    last_fenced: Option<Duration>,
    /// When the producer will be replaced, if it has to be.
    renew_producer_at: Option<Duration>,
    /// When the transaction began that is open, or would be under at-least-once: when its batch was opened or, if later,
    /// when the commit of the batch before it ended. While a batch is in flight it is that one's, and the next has none.
    transaction_began: Duration,
    /// The last position of each place that this engine committed.
    committed: BTreeMap<Place, i64>,
    /// Places whose position must be committed although no record has moved it ([`passed`]).
    passed: BTreeSet<Place>,
    /// The topic ids by the topics' names, as they were when the committed offsets were last read.
    topic_ids: BTreeMap<String, String>,
    /// The inputs, by their index, whose current id differs from the one in the metadata of forwarded partitions'
    /// offsets.
    replaced_inputs: BTreeSet<usize>,
    /// Whether the engine is in the group: it has received an assignment, perhaps an empty one, since it last joined.
    joined_group: bool,
    /// Since when the group has refused this instance's id.
    instance_id_refused_since: Option<Duration>,
    takeover: Takeover,
    schedule: Schedule,
    unreadable: UnreadablePartitions,
    next_compaction: Duration,
    /// The number of records of the state topic that were loaded.
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
            empty_map: Customers::default(),
            breaker: Breaker::new(processing.reject_window, processing.max_reject_share),
            fatal: None,
            effects: VecDeque::new(),
            awaits_commit: false,
            deferred: Vec::new(),
            restore_wanted: false,
            retry_at: Duration::ZERO,
            failed_commits: 0,
            failed_requests: 0,
            batch_limit: processing.max_batch_records,
            last_fenced: None,
            renew_producer_at: None,
            transaction_began: Duration::ZERO,
            committed: BTreeMap::new(),
            passed: BTreeSet::new(),
            topic_ids: BTreeMap::new(),
            replaced_inputs: BTreeSet::new(),
            joined_group: false,
            instance_id_refused_since: None,
            takeover: Takeover::default(),
            schedule: Schedule::default(),
            unreadable: UnreadablePartitions::default(),
            next_compaction: Duration::ZERO,
            restored_records: 0,
            settings,
        }
    }

    /// Handles an event. An event may come at any time: a change by the group waits until the commit in flight has
    /// ended, and an answer for which the engine does not wait any more is ignored.
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
                self.restore_end_reached(partition, offset, now);
            }
            Event::EndReached { place, offset } => self.end_reached(place, offset),
            Event::Unreadable {
                log,
                offset,
                cause,
                error,
            } => self.read_failed(log, offset, cause, error, now),
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

    /// The next effect to carry out; none if there is nothing to do before the next event, or before the commit in
    /// flight has ended.
    pub fn next_effect(&mut self, now: Duration) -> Option<Effect> {
        if self.effects.is_empty() {
            self.plan(now);
        }
        self.effects.pop_front()
    }

    /// Whether the current step of the commit in flight must end before the engine is given another event or record.
    pub fn awaits_commit(&self) -> bool {
        self.in_flight.is_some() && (self.awaits_commit || self.fatal.is_some())
    }

    /// Adds the effects that follow from the engine's current state.
    fn plan(&mut self, now: Duration) {
        if self.fatal.is_some() {
            return self.plan_stop();
        }
        if self.restore_wanted {
            self.restore_wanted = false;
            self.effects
                .push_back(Effect::Restore(self.restore_positions()));
        }
        match self.renew_producer_at {
            Some(at) if now < at => return,
            Some(_) => self.effects.push_back(Effect::RenewProducer),
            None => {}
        }
        self.renew_producer_at = None;
        let search = self.find_writers(now);
        self.effects.extend(search);
        if now >= self.retry_at {
            self.plan_requests();
        }
    }

    /// Stops the engine for a fatal error, after the commit in flight has ended. The open batch is dropped.
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

    /// Requests what is still unknown, and starts to consume the partitions that are ready.
    fn plan_requests(&mut self) {
        let unknown = self.assignment.ask_unknown();
        if !unknown.is_empty() {
            self.effects.push_back(Effect::FetchOffsets(unknown));
        }
        let ends = self.state_partitions_to_fetch();
        if !ends.is_empty() {
            self.effects.push_back(Effect::FetchStateEnds(ends));
        }
        let start = self.assignment.start_consuming(self.settings.partitions);
        if !start.is_empty() {
            self.effects.push_back(Effect::Consume(start));
        }
    }

    /// Delays the next attempt; the delay grows with each failure.
    fn back_off(&mut self, failures: u32, now: Duration) {
        self.retry_at = now + RETRIES.after(failures.saturating_add(1));
    }

    /// A request was answered completely, or it was not, and must be sent again after a backoff.
    fn request_ended(&mut self, answered: bool, now: Duration) {
        if answered {
            self.failed_requests = 0;
        } else {
            self.back_off(self.failed_requests, now);
            self.failed_requests = self.failed_requests.saturating_add(1);
        }
    }

    fn commit_failed(&mut self, now: Duration) {
        self.back_off(self.failed_commits, now);
        self.failed_commits = self.failed_commits.saturating_add(1);
    }

    /// Stops the engine. If there are several reasons, the first counts.
    fn stop(&mut self, fatal: Fatal) {
        self.fatal.get_or_insert(fatal);
    }
}
