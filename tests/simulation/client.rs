//! The simulated clients of a worker: the group member, as librdkafka's background thread runs it, and the producer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use keyfold::engine::Place;
use keyfold::engine::client_error::ErrorKind;
use keyfold::engine::outbox::{Backlog, Clients, Generation, Outbox, Outgoing, Output};

use crate::group::{Group, HeartbeatResponse, Membership, Protocol, generation_of};
use crate::log::Record;
use crate::transactions::{Cluster, LogId, Refused};

/// A change of the assignment that the application must handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    Assigned(BTreeSet<Place>),
    Revoked(BTreeSet<Place>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is not in the group, and will join.
    Out,
    /// Classic protocol: it has joined, and waits for the new generation.
    Joining,
    Member,
    /// Its assignment is lost; it joins again after the application has handled that.
    Lost,
}

/// A member of the group.
#[derive(Debug)]
pub struct Member {
    id: Option<u64>,
    client: u64,
    generation: i32,
    phase: Phase,
    events: VecDeque<GroupEvent>,
    /// The client's assignment. It changes only when the application handles an event.
    assigned: BTreeSet<Place>,
    /// The next offset to fetch of each place that is not paused.
    consuming: BTreeMap<Place, i64>,
    /// Whether it joins again before the application has handled the lost assignment, as librdkafka does not.
    hasty: bool,
    next_heartbeat: Duration,
}

const HEARTBEAT: Duration = Duration::from_millis(150);

impl Member {
    pub fn new(client: u64, hasty: bool) -> Member {
        Member {
            id: None,
            client,
            generation: -1,
            phase: Phase::Out,
            events: VecDeque::new(),
            assigned: BTreeSet::new(),
            consuming: BTreeMap::new(),
            hasty,
            next_heartbeat: Duration::ZERO,
        }
    }

    /// The generation and member id; none while it is not a member.
    pub fn membership(&self) -> Option<Membership> {
        let id = self.id?;
        (self.generation >= 0).then_some((self.generation, id))
    }

    pub fn id(&self) -> Option<u64> {
        self.id
    }

    pub fn due(&self) -> Duration {
        self.next_heartbeat
    }

    /// A step of the client's background thread: joins, sends heartbeats, and creates events for the application.
    pub fn background(&mut self, group: &mut Group, now: Duration) {
        self.next_heartbeat = now + HEARTBEAT;
        match self.phase {
            Phase::Out => {
                self.id = Some(group.join(self.id, self.client, now));
                match group.protocol {
                    Protocol::Classic => self.phase = Phase::Joining,
                    Protocol::Kip848 => {
                        self.phase = Phase::Member;
                        self.generation = 0;
                    }
                }
                self.next_heartbeat = now;
            }
            Phase::Joining => {
                let Some(id) = self.id else { return };
                match group.joined(id) {
                    Err(()) => self.left(),
                    Ok(None) => self.next_heartbeat = now + HEARTBEAT / 10,
                    Ok(Some((generation, places))) => {
                        self.generation = generation;
                        self.phase = Phase::Member;
                        self.events.push_back(GroupEvent::Assigned(places));
                    }
                }
            }
            Phase::Member => self.send_heartbeat(group, now),
            // it joins when the application has handled the lost assignment
            Phase::Lost => {}
        }
    }

    fn left(&mut self) {
        self.id = None;
        self.generation = -1;
        self.phase = Phase::Out;
    }

    fn send_heartbeat(&mut self, group: &mut Group, now: Duration) {
        let Some(membership) = self.membership() else {
            return;
        };
        // while the application has an event to handle, the assignment is not reported to the coordinator; a hasty
        // client reports that it has released everything
        let nothing = BTreeSet::new();
        let assigned = if self.events.is_empty() {
            Some(&self.assigned)
        } else {
            self.hasty.then_some(&nothing)
        };
        match group.heartbeat(membership, assigned, now) {
            HeartbeatResponse::Fine => {}
            HeartbeatResponse::Rebalance => self.lose(),
            HeartbeatResponse::Unknown => {
                self.lose();
                if group.protocol == Protocol::Classic {
                    self.id = None;
                    self.generation = -1;
                }
            }
            HeartbeatResponse::Reconcile(epoch, places) => {
                self.generation = epoch;
                if !self.events.is_empty() {
                    return;
                }
                let gone: BTreeSet<Place> = self.assigned.difference(&places).copied().collect();
                let new: BTreeSet<Place> = places.difference(&self.assigned).copied().collect();
                if !gone.is_empty() {
                    self.events.push_back(GroupEvent::Revoked(gone));
                } else if !new.is_empty() {
                    self.events.push_back(GroupEvent::Assigned(new));
                }
            }
        }
    }

    fn lose(&mut self) {
        let undone = std::mem::take(&mut self.events);
        let assigned = undone.into_iter().filter_map(|event| match event {
            GroupEvent::Assigned(places) => Some(places),
            GroupEvent::Revoked(_) => None,
        });
        // an assignment that was not handled yet never took effect, but the application gets it all the same, in order
        self.events.extend(assigned.map(GroupEvent::Assigned));
        let mut all = self.assigned.clone();
        for event in &self.events {
            if let GroupEvent::Assigned(places) = event {
                all.extend(places);
            }
        }
        self.events.push_back(GroupEvent::Revoked(all));
        self.phase = if self.hasty { Phase::Out } else { Phase::Lost };
    }

    /// The application handles all events, as in the rebalance callback.
    pub fn serve(&mut self, now: Duration) -> Vec<GroupEvent> {
        let all: Vec<GroupEvent> = self.events.drain(..).collect();
        for event in &all {
            match event {
                GroupEvent::Assigned(places) => self.assigned.extend(places),
                GroupEvent::Revoked(places) => {
                    self.assigned.retain(|place| !places.contains(place));
                    self.consuming.retain(|place, _| !places.contains(place));
                }
            }
        }
        if self.phase == Phase::Lost {
            self.phase = Phase::Out;
        }
        if !all.is_empty() {
            self.next_heartbeat = now;
        }
        all
    }

    pub fn pause(&mut self, places: &[Place]) {
        self.consuming.retain(|place, _| !places.contains(place));
    }

    /// After a rebalance all partitions are paused, also those that are kept.
    pub fn pause_all(&mut self) {
        self.consuming.clear();
    }

    pub fn consume(&mut self, from: &[(Place, i64)]) {
        for &(place, offset) in from {
            if self.assigned.contains(&place) {
                self.consuming.insert(place, offset);
            }
        }
    }

    pub fn consuming(&mut self) -> &mut BTreeMap<Place, i64> {
        &mut self.consuming
    }
}

/// The simulated producer.
#[derive(Debug)]
pub struct Producer {
    pub id: u64,
    pub epoch: i32,
    transactional: bool,
    /// Records that are not delivered yet.
    buffer: VecDeque<(LogId, Rc<Record>)>,
    /// The first failed delivery of the batch.
    pub failed: Option<ErrorKind>,
    begun: bool,
    /// The number of records that the batch produced.
    pub produced: usize,
}

impl Producer {
    pub fn new(id: u64, epoch: i32, transactional: bool) -> Producer {
        Producer {
            id,
            epoch,
            transactional,
            buffer: VecDeque::new(),
            failed: None,
            begun: false,
            produced: 0,
        }
    }

    pub fn begin(&mut self) {
        self.failed = None;
        self.produced = 0;
        if self.begun {
            self.failed = Some(ErrorKind::Other);
        }
        self.begun = true;
    }

    /// Hands over a record for delivery.
    pub fn produce(&mut self, log: LogId, record: Rc<Record>) {
        self.produced += 1;
        if self.failed.is_none() {
            self.buffer.push_back((log, record));
        }
    }

    /// The transaction has ended, or was given up.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.failed = None;
        self.begun = false;
    }

    pub fn is_idle(&self) -> bool {
        !self.begun
    }

    /// Drops all undelivered records, because the transaction will be aborted.
    pub fn purge(&mut self) {
        self.buffer.clear();
    }

    pub fn undelivered(&self) -> usize {
        self.buffer.len()
    }

    /// Delivers one record. Records of the same partition are delivered in order.
    pub fn deliver(&mut self, cluster: &mut Cluster, choice: u64, now: Duration) {
        if self.buffer.is_empty() {
            return;
        }
        let chosen = (choice % self.buffer.len() as u64) as usize;
        let log = self.buffer[chosen].0;
        let Some(at) = self.buffer.iter().position(|(of, _)| *of == log) else {
            return;
        };
        let record = Rc::clone(&self.buffer[at].1);
        if !self.transactional {
            cluster.produce_plain(log, record);
            self.buffer.remove(at);
            return;
        }
        match cluster.produce(self.id, self.epoch, log, record, now) {
            Ok(()) => {
                self.buffer.remove(at);
            }
            Err(Refused::Busy) => {}
            Err(_) => self.fail(ErrorKind::Other),
        }
    }

    /// A delivery fails: no more records of the batch are delivered.
    pub fn fail(&mut self, kind: ErrorKind) {
        self.buffer.clear();
        self.failed.get_or_insert(kind);
    }
}

/// What a batch has produced while the previous transaction was committed.
pub type Aside = Vec<(LogId, Rc<Record>)>;

/// The clients as the engine sees them.
pub struct SimulatedClients<'d> {
    pub member: &'d Member,
    pub producer: &'d mut Producer,
    pub aside: Option<&'d mut Aside>,
    /// The number of offered records for which there is room.
    pub room: usize,
    pub forwarded: usize,
    pub timestamp: i64,
    pub cluster: &'d Cluster,
    pub fetched_is_taken: bool,
    pub polled_nothing: bool,
    /// Reports no lag, for the sabotage `fetched_counts_as_taken`.
    pub no_backlog: bool,
}

impl Clients for SimulatedClients<'_> {
    fn generation(&self) -> Option<Generation> {
        self.member.membership().map(generation_of)
    }

    fn all_fetched_is_taken(&self) -> bool {
        self.fetched_is_taken
    }

    fn polled_nothing(&self) -> bool {
        self.polled_nothing
    }

    fn backlog(&self, positions: &mut dyn Iterator<Item = (Place, i64)>) -> Backlog {
        let mut backlog = Backlog::default();
        if self.no_backlog {
            return backlog;
        }
        for (place, position) in positions {
            if let Some(log) = self.cluster.existing_log(LogId::Place(place)) {
                let left = (log.stable() - position).max(0);
                backlog.all += left;
                backlog.longest = backlog.longest.max(left);
            }
        }
        backlog
    }
}

impl Outbox for SimulatedClients<'_> {
    fn begin(&mut self) -> Option<Generation> {
        if self.aside.is_none() {
            self.producer.begin();
        }
        self.generation()
    }

    fn produce(&mut self, outgoing: Outgoing<'_>) {
        let log = match outgoing.output {
            Output::Snapshot { partition } => LogId::Snapshot(partition),
            Output::State { partition } => LogId::State(partition),
            Output::Forwarded { partition } => LogId::Place(Place {
                topic: self.forwarded,
                partition,
            }),
            Output::DeadLetter => LogId::DeadLetter,
        };
        let record = Record {
            key: outgoing.key.map(<[u8]>::to_vec),
            value: outgoing.value.map(<[u8]>::to_vec),
            headers: outgoing.headers.to_vec(),
            timestamp: self.timestamp,
        };
        let record = Rc::new(record);
        match &mut self.aside {
            Some(aside) => aside.push((log, record)),
            None => self.producer.produce(log, record),
        }
    }

    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool {
        let Some(left) = self.room.checked_sub(1) else {
            return false;
        };
        self.room = left;
        self.produce(outgoing);
        true
    }
}
