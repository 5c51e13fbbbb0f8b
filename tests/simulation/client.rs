//! The clients of a worker: the group's member as librdkafka keeps it in the background, and the producer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use keyfold::engine::Place;
use keyfold::engine::client_error::ErrorKind;
use keyfold::engine::outbox::{Backlog, Clients, Generation, Outbox, Outgoing, Output};

use crate::group::{Beat, Group, Protocol, Standing, generation_of};
use crate::log::Record;
use crate::transactions::{Cluster, LogId, Refused};

/// What waits for the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Assigned(BTreeSet<Place>),
    Revoked(BTreeSet<Place>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It will join.
    Out,
    /// Classic: it has joined, and waits for the generation.
    Joining,
    Member,
    /// Something waits for the application; to join anew comes after that.
    Lost,
}

/// A member of the group.
#[derive(Debug)]
pub struct Member {
    id: Option<u64>,
    client: u64,
    generation: i32,
    phase: Phase,
    told: VecDeque<Told>,
    /// What is assigned at the client: it changes when the application serves what it was told.
    holds: BTreeSet<Place>,
    /// The next offset of each place that is not paused.
    consuming: BTreeMap<Place, i64>,
    /// Whether it joins anew before the application has served the loss. librdkafka does not.
    hasty: bool,
    next_beat: Duration,
}

const HEARTBEAT: Duration = Duration::from_millis(150);

impl Member {
    pub fn new(client: u64, hasty: bool) -> Member {
        Member {
            id: None,
            client,
            generation: -1,
            phase: Phase::Out,
            told: VecDeque::new(),
            holds: BTreeSet::new(),
            consuming: BTreeMap::new(),
            hasty,
            next_beat: Duration::ZERO,
        }
    }

    /// Who this member is; none while it is not one.
    pub fn standing(&self) -> Option<Standing> {
        let id = self.id?;
        (self.generation >= 0).then_some((self.generation, id))
    }

    pub fn id(&self) -> Option<u64> {
        self.id
    }

    pub fn due(&self) -> Duration {
        self.next_beat
    }

    /// The client's own thread: joins, beats, and tells the application.
    pub fn background(&mut self, group: &mut Group, now: Duration) {
        self.next_beat = now + HEARTBEAT;
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
                self.next_beat = now;
            }
            Phase::Joining => {
                let Some(id) = self.id else { return };
                match group.joined(id) {
                    Err(()) => self.left(),
                    Ok(None) => self.next_beat = now + HEARTBEAT / 10,
                    Ok(Some((generation, places))) => {
                        self.generation = generation;
                        self.phase = Phase::Member;
                        self.told.push_back(Told::Assigned(places));
                    }
                }
            }
            Phase::Member => self.beat(group, now),
            // joins when the application has served the loss
            Phase::Lost => {}
        }
    }

    fn left(&mut self) {
        self.id = None;
        self.generation = -1;
        self.phase = Phase::Out;
    }

    fn beat(&mut self, group: &mut Group, now: Duration) {
        let Some(standing) = self.standing() else {
            return;
        };
        // what the application has yet to serve is not told to the coordinator; a hasty client has let go of all
        let nothing = BTreeSet::new();
        let holds = if self.told.is_empty() {
            Some(&self.holds)
        } else {
            self.hasty.then_some(&nothing)
        };
        match group.heartbeat(standing, holds, now) {
            Beat::Fine => {}
            Beat::Rebalance => self.lose(),
            Beat::Unknown => {
                self.lose();
                if group.protocol == Protocol::Classic {
                    self.id = None;
                    self.generation = -1;
                }
            }
            Beat::Reconcile(epoch, places) => {
                self.generation = epoch;
                if !self.told.is_empty() {
                    return;
                }
                let gone: BTreeSet<Place> = self.holds.difference(&places).copied().collect();
                let new: BTreeSet<Place> = places.difference(&self.holds).copied().collect();
                if !gone.is_empty() {
                    self.told.push_back(Told::Revoked(gone));
                } else if !new.is_empty() {
                    self.told.push_back(Told::Assigned(new));
                }
            }
        }
    }

    fn lose(&mut self) {
        let undone = std::mem::take(&mut self.told);
        let assigned = undone.into_iter().filter_map(|told| match told {
            Told::Assigned(places) => Some(places),
            Told::Revoked(_) => None,
        });
        // what was never served was never held, but is told all the same, in order
        self.told.extend(assigned.map(Told::Assigned));
        let mut all = self.holds.clone();
        for told in &self.told {
            if let Told::Assigned(places) = told {
                all.extend(places);
            }
        }
        self.told.push_back(Told::Revoked(all));
        self.phase = if self.hasty { Phase::Out } else { Phase::Lost };
    }

    /// The application serves what it was told, as in the rebalance callback.
    pub fn serve(&mut self, now: Duration) -> Vec<Told> {
        let all: Vec<Told> = self.told.drain(..).collect();
        for told in &all {
            match told {
                Told::Assigned(places) => self.holds.extend(places),
                Told::Revoked(places) => {
                    self.holds.retain(|place| !places.contains(place));
                    self.consuming.retain(|place, _| !places.contains(place));
                }
            }
        }
        if self.phase == Phase::Lost {
            self.phase = Phase::Out;
        }
        if !all.is_empty() {
            self.next_beat = now;
        }
        all
    }

    pub fn pause(&mut self, places: &[Place]) {
        self.consuming.retain(|place, _| !places.contains(place));
    }

    /// Behind a rebalance nothing goes on by itself, not even what is kept.
    pub fn pause_all(&mut self) {
        self.consuming.clear();
    }

    pub fn consume(&mut self, from: &[(Place, i64)]) {
        for &(place, offset) in from {
            if self.holds.contains(&place) {
                self.consuming.insert(place, offset);
            }
        }
    }

    pub fn consuming(&mut self) -> &mut BTreeMap<Place, i64> {
        &mut self.consuming
    }
}

/// A producer.
#[derive(Debug)]
pub struct Producer {
    pub id: u64,
    pub epoch: i32,
    transactional: bool,
    /// Records that are not delivered yet.
    buffer: VecDeque<(LogId, Rc<Record>)>,
    /// The first failure of the batch.
    pub failed: Option<ErrorKind>,
    begun: bool,
    /// How many records the batch produced.
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

    /// The transaction is over, or given up.
    pub fn over(&mut self) {
        self.buffer.clear();
        self.failed = None;
        self.begun = false;
    }

    pub fn is_over(&self) -> bool {
        !self.begun
    }

    /// What is not delivered never will be: the transaction is about to be aborted.
    pub fn purge(&mut self) {
        self.buffer.clear();
    }

    pub fn undelivered(&self) -> usize {
        self.buffer.len()
    }

    /// Delivers one record; of each partition the first comes first.
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

    /// A delivery fails: nothing of the batch is delivered any more.
    pub fn fail(&mut self, kind: ErrorKind) {
        self.buffer.clear();
        self.failed.get_or_insert(kind);
    }
}

/// What a batch has produced while the transaction before it was committed.
pub type Aside = Vec<(LogId, Rc<Record>)>;

/// What an engine uses of the clients while it works.
pub struct SimulatedClients<'d> {
    pub member: &'d Member,
    pub producer: &'d mut Producer,
    pub aside: Option<&'d mut Aside>,
    /// So many records are taken when offered.
    pub room: usize,
    pub forwarded: usize,
    pub timestamp: i64,
    pub cluster: &'d Cluster,
    pub fetched_is_taken: bool,
    pub polled_nothing: bool,
    /// Says that nothing is left of the logs, for one of the sabotages.
    pub no_backlog: bool,
}

impl Clients for SimulatedClients<'_> {
    fn generation(&self) -> Option<Generation> {
        self.member.standing().map(generation_of)
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
            if let Some(log) = self.cluster.look(LogId::Place(place)) {
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
