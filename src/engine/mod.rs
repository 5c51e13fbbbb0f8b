//! The decisions of a worker, apart from Kafka's client: what happened goes in, what is to be done comes out.
//!
//! There is no I/O and no clock here (`now` is the time since the worker started), so that every interleaving of
//! records, rebalances and failures can be replayed. [`record`] holds the path of a record, [`schedule`] when a batch is
//! committed, [`commit`] what follows from its end, [`writing`] what it writes, [`split`] what elements of a batch of customers take
//! along, [`restore`] the way of a state to the end of its log, [`standing`] where a place is taken up, [`passed`]
//! positions without a record, [`status`] what is shown of a worker, [`settings`] what it is set up with; this file
//! holds ownership.
//!
//! A worker joins records into a state partition only while it owns the partition of the forwarded topic with
//! the same number, and has restored the state to the end of its log.

pub mod arrived;
pub mod assignment;
pub mod batch;
pub mod breaker;
pub mod commit;
pub mod dead_letter;
pub mod fatal;
pub mod offset_metadata;
pub mod origin;
pub mod outbox;
pub mod passed;
pub mod record;
pub mod restore;
pub mod schedule;
pub mod settings;
pub mod split;
pub mod standing;
pub mod status;
pub mod takeover;
pub mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::store::Store;
use assignment::{Assignment, Consumption, Loading, StatePartition};
use batch::{Batch, Customers, Finished};
use breaker::Breaker;
use fatal::Fatal;
use schedule::Schedule;
use takeover::Takeover;

pub use settings::{Place, Settings, Topic};
pub use standing::Standing;

/// What a worker wants to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Abort the transaction.
    Abort,
    /// Throw the producer away and make a new one with the same transactional id.
    RenewProducer,
    /// Take no more records from these places.
    Pause(Vec<Place>),
    /// Ask for the standing of these places; the answers go to [`Worker::standings`].
    FetchStandings(Vec<Place>),
    /// Ask for the ends of these partitions of the state topic; the answers go to [`Worker::ends`].
    FetchEnds(Vec<i32>),
    /// Read these partitions of the state topic, and no others, from these offsets.
    Restore(Vec<(i32, i64)>),
    /// Ask who committed last at these places, whether or not that is stable, and for the group's members; the answers
    /// go to [`Worker::writers`].
    FindWriters(Vec<Place>),
    /// Take over these transactional ids, so that what is open under them is aborted; then tell
    /// [`Worker::fenced_others`].
    Fence(Vec<String>),
    /// Take records from these places, from these offsets on.
    Consume(Vec<(Place, i64)>),
    Stop(Fatal),
}

/// A worker: what it owns, what it knows of its customers, the batch that is open, and the one before it while that is
/// committed.
#[derive(Debug)]
pub struct Worker {
    settings: Arc<Settings>,
    assignment: Assignment,
    /// By state partition. A store in memory outlives a rebalance, for its partition may come back; one on disk is
    /// closed, for its next owner may be in this process.
    stores: BTreeMap<i32, Box<dyn Store>>,
    /// Since when stores can't be opened, because somebody else has not let go of them.
    store_blocked_since: Option<Duration>,
    batch: Option<Batch>,
    committing: Option<Finished>,
    /// The memory of the customers of a batch that is through.
    spare: Customers,
    breaker: Breaker,
    fatal: Option<Fatal>,
    /// What [`Worker::actions`] has to tell first.
    urgent: Vec<Action>,
    restore_changed: bool,
    /// No new attempt before this time.
    retry_at: Duration,
    /// Commits that failed since the last one that did not.
    failed_commits: u32,
    /// Questions and seeks that failed since the last one that did not.
    failed_asks: u32,
    /// Records in a batch; halved after a time-out.
    batch_limit: usize,
    last_fenced: Option<Duration>,
    /// When a producer that was fenced is made anew.
    renew_at: Option<Duration>,
    /// The committed position of each place, as far as this worker committed it.
    committed: BTreeMap<Place, i64>,
    /// Places whose position is to be committed though no record of a batch is behind it.
    passed: BTreeSet<Place>,
    /// The ids of topics by their names, as they were when the committed offsets were last read.
    topic_ids: BTreeMap<String, String>,
    /// Inputs that the offsets of forwarded partitions remember by another id than they have.
    replaced_inputs: BTreeSet<usize>,
    /// Whether an assignment, be it an empty one, was ever given.
    joined_group: bool,
    takeover: Takeover,
    schedule: Schedule,
}

impl Worker {
    pub fn new(settings: Arc<Settings>) -> Worker {
        let processing = &settings.config.processing;
        Worker {
            assignment: Assignment::default(),
            stores: BTreeMap::new(),
            store_blocked_since: None,
            batch: None,
            committing: None,
            spare: Customers::default(),
            breaker: Breaker::new(processing.reject_window, processing.max_reject_share),
            fatal: None,
            urgent: Vec::new(),
            restore_changed: false,
            retry_at: Duration::ZERO,
            failed_commits: 0,
            failed_asks: 0,
            batch_limit: processing.max_batch_records,
            last_fenced: None,
            renew_at: None,
            committed: BTreeMap::new(),
            passed: BTreeSet::new(),
            topic_ids: BTreeMap::new(),
            replaced_inputs: BTreeSet::new(),
            joined_group: false,
            takeover: Takeover::default(),
            schedule: Schedule::default(),
            settings,
        }
    }

    /// The group gave these places to this worker. They are paused, and so are those that it had and keeps, which are
    /// taken up again from where it stands. To be told only when no commit is under way, as whatever the group tells.
    pub fn assigned(&mut self, places: &[Place]) {
        self.joined_group = true;
        // what failed to commit belonged to the ownership before
        self.failed_commits = 0;
        self.assignment.hold_consumed();
        for &place in places {
            self.assignment.places.insert(place, Consumption::Unknown);
            if self.settings.is_forwarded(place) {
                let state = StatePartition {
                    loading: Loading::Unknown,
                    known_end: 0,
                    marker: false,
                };
                self.assignment.states.insert(place.partition, state);
            }
        }
        // stores of partitions that went elsewhere are let go now that it is known which came back
        self.stores
            .retain(|partition, _| self.assignment.states.contains_key(partition));
    }

    /// The group takes these places away, or this worker was away for too long and has lost them. Those that it keeps
    /// are paused, as by [`Worker::assigned`]. The open batch is dropped: what it read is read again by the next owner.
    pub fn revoked(&mut self, places: &[Place]) {
        if self.committing.is_some() {
            self.stop(Fatal::Bug(
                "partitions are let go while a batch is committed".to_owned(),
            ));
            return;
        }
        self.drop_batch();
        for place in places {
            self.assignment.places.remove(place);
            self.committed.remove(place);
            self.passed.remove(place);
            if self.settings.is_forwarded(*place) {
                self.assignment.states.remove(&place.partition);
                self.restore_changed = true;
                let store = self.stores.get(&place.partition);
                if store.is_some_and(|store| store.is_durable()) {
                    self.stores.remove(&place.partition);
                }
            }
        }
        self.assignment.hold_consumed();
    }

    /// Everything that this worker owned is lost.
    pub fn lost(&mut self) {
        let all: Vec<_> = self.assignment.places.keys().copied().collect();
        self.revoked(&all);
        self.joined_group = false;
    }

    /// Takes back what the open batch did; its places are taken up again where it began.
    fn drop_batch(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        self.urgent.push(Action::Abort);
        self.rewind(&batch.began_at);
    }

    /// Sets places back to where a batch took their first record, to be taken up again from there.
    fn rewind(&mut self, began_at: &BTreeMap<Place, i64>) {
        for (&place, &position) in began_at {
            self.assignment.rewind(place, position);
        }
        self.urgent
            .push(Action::Pause(began_at.keys().copied().collect()));
    }

    /// Puts off every new attempt, longer after each failure.
    fn back_off(&mut self, failures: u32, now: Duration) {
        let wait = Duration::from_millis(50) * 2_u32.pow(failures.min(7));
        self.retry_at = now + wait.min(Duration::from_secs(5));
    }

    /// A question was answered in full, or was not.
    fn asked(&mut self, answered: bool, now: Duration) {
        if answered {
            self.failed_asks = 0;
        } else {
            self.back_off(self.failed_asks, now);
            self.failed_asks = self.failed_asks.saturating_add(1);
        }
    }

    fn commit_failed(&mut self, now: Duration) {
        self.back_off(self.failed_commits, now);
        self.failed_commits = self.failed_commits.saturating_add(1);
    }

    fn stop(&mut self, fatal: Fatal) {
        if self.fatal.is_none() {
            self.fatal = Some(fatal);
        }
    }

    /// Where places stand, as far as that could be learnt.
    pub fn standings(&mut self, answers: Vec<(Place, Option<Standing>)>, now: Duration) {
        let answered = answers.iter().all(|(_, standing)| standing.is_some());
        self.asked(answered, now);
        if !answered {
            self.waits_for_writer();
        }
        self.look_at_remembered(&answers);
        for (place, standing) in answers {
            if self.assignment.places.get(&place) != Some(&Consumption::Asked) {
                continue;
            }
            let consumption = match standing {
                None => Consumption::Unknown,
                Some(standing) => match self.start_of(place, &standing) {
                    Ok(position) => Consumption::Held { position },
                    Err(fatal) => return self.stop(fatal),
                },
            };
            self.assignment.places.insert(place, consumption);
        }
    }

    /// What is to be done now. Must be asked after everything that happened.
    pub fn actions(&mut self, now: Duration) -> Vec<Action> {
        self.look_for_stalled_restore(now);
        let mut actions = std::mem::take(&mut self.urgent);
        if let Some(fatal) = &self.fatal {
            actions.push(Action::Stop(fatal.clone()));
            return actions;
        }
        if self.restore_changed {
            self.restore_changed = false;
            actions.push(Action::Restore(self.restoring()));
        }
        match self.renew_at {
            Some(at) if now < at => return actions,
            Some(_) => actions.push(Action::RenewProducer),
            None => {}
        }
        self.renew_at = None;
        actions.extend(self.find_writers(now));
        if now < self.retry_at {
            return actions;
        }
        let unknown: Vec<_> = self
            .assignment
            .places
            .iter_mut()
            .filter(|(_, consumption)| **consumption == Consumption::Unknown)
            .map(|(place, consumption)| {
                *consumption = Consumption::Asked;
                *place
            })
            .collect();
        if !unknown.is_empty() {
            actions.push(Action::FetchStandings(unknown));
        }
        let ends = self.states_to_ask();
        if !ends.is_empty() {
            actions.push(Action::FetchEnds(ends));
        }
        let start = self.places_to_start();
        if !start.is_empty() {
            actions.push(Action::Consume(start));
        }
        actions
    }

    fn restoring(&self) -> Vec<(i32, i64)> {
        let states = self.assignment.states.iter();
        states
            .filter_map(|(&partition, state)| match state.loading {
                Loading::Restoring { position, .. } => Some((partition, position)),
                _ => None,
            })
            .collect()
    }

    /// State partitions whose end is asked for only now that the committed offsets are read: those are stable,
    /// so that a transaction of the owner before is decided.
    fn states_to_ask(&mut self) -> Vec<i32> {
        let known: BTreeSet<i32> = self
            .assignment
            .states
            .keys()
            .copied()
            .filter(|&partition| {
                let place = self.settings.forwarded(partition);
                self.assignment.position(place).is_some()
            })
            .collect();
        let unasked = self
            .assignment
            .states
            .iter_mut()
            .filter(|(partition, state)| {
                state.loading == Loading::Unknown && known.contains(partition)
            });
        unasked
            .map(|(partition, state)| {
                state.loading = Loading::Asked;
                *partition
            })
            .collect()
    }

    /// Places whose state partition is ready, or not this worker's: then the records are forwarded.
    fn places_to_start(&mut self) -> Vec<(Place, i64)> {
        let states = &self.assignment.states;
        let partitions = self.settings.partitions;
        let may_start = |place: &Place| {
            states
                .get(&(place.partition % partitions))
                .is_none_or(|state| state.loading == Loading::Ready)
        };
        let mut start = Vec::new();
        for (&place, consumption) in &mut self.assignment.places {
            if let Consumption::Held { position } = *consumption
                && may_start(&place)
            {
                *consumption = Consumption::Consuming { position };
                start.push((place, position));
            }
        }
        start
    }

    /// Whether places could be taken up; if not, they are tried again.
    pub fn consuming(&mut self, places: &[(Place, i64)], taken_up: bool, now: Duration) {
        if !taken_up {
            for &(place, position) in places {
                self.assignment.rewind(place, position);
            }
        }
        self.asked(taken_up, now);
    }

    /// The client can't read the next record of a place. Nothing behind it may be taken, whatever the client passes
    /// over; the position, where the place was consumed.
    pub fn unreadable(&mut self, place: Place) -> Option<i64> {
        let position = self.assignment.unreadable(place)?;
        self.urgent.push(Action::Pause(vec![place]));
        Some(position)
    }

    /// Places whose next record could not be read are tried again.
    pub fn read_again(&mut self) {
        self.assignment.read_again();
    }

    /// The state topic is to be read anew, from where each state partition stands.
    pub fn restore_again(&mut self) {
        self.restore_changed = true;
    }

    /// The schema registry has answered something: who waits for a schema looks again.
    pub fn schemas_arrived(&mut self) {
        self.assignment.wait_no_longer();
    }
}
