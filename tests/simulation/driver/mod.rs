//! The model of `runtime/driver.rs`, step by step: whatever the driver does in one go is one step here, so that
//! anything may come between two steps.

mod commit;
mod takeover;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use keyfold::engine::arrived::Delivered;
use keyfold::engine::commit::{CommitResult, Written};
use keyfold::engine::fatal::Fatal;
use keyfold::engine::origin::Header;
use keyfold::engine::{Action, Place, Settings, Standing as PlaceStanding, Worker};

use crate::client::{Aside, Member, Producer, SimulatedOutbox, Told};
use crate::faults::{Faults, Sabotage};
use crate::group::Standing;
use crate::log::{Next, Record, TransactionNumber};
use crate::random::Random;
use crate::transactions::{Cluster, Intent, LogId, Refused};

/// What a step may look at and touch.
pub struct Surroundings<'w> {
    pub cluster: &'w mut Cluster,
    pub random: &'w mut Random,
    pub faults: &'w Faults,
    pub sabotage: &'w Sabotage,
    pub now: Duration,
}

/// How a step ended.
#[derive(Debug)]
pub enum Stepped {
    On,
    /// Nothing to do until then.
    Idle(Duration),
    /// The worker can't go on.
    Ended(Fatal),
    /// A promise is broken.
    Broken(String),
}

/// Where the driver goes when there is nothing more to carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Restore,
    CommitIfDue { drained: bool },
    Serve,
}

/// A place, the first offset of its log, and the committed one if it was told.
type Committed = (Place, i64, Option<Option<(i64, String)>>);

/// The next step.
#[derive(Debug)]
pub enum Step {
    Serve,
    Act(Then),
    /// A new producer takes over the transactional id.
    Renew(Then),
    /// The first offsets are known, the committed ones are next.
    AskCommitted(Vec<(Place, i64)>, Then),
    /// The ends of the logs are next.
    AskHigh(Vec<Committed>, Then),
    Standings(Vec<(Place, Option<PlaceStanding>)>, Then),
    Ends(Vec<(i32, Option<(i64, i64)>)>, Then),
    Restore,
    Poll,
    Take,
    CommitIfDue {
        drained: bool,
    },
    /// A takeover has done what it must not.
    Broken(String),
    /// Waits for the end of the commit that is under way.
    Await(Box<Step>),
    /// Goes on writing the batch that has ended.
    Write(Box<Step>),
    /// What the group told is taken in.
    Tell,
    /// The open batch ends; taking records goes on behind it, or acting.
    Finish,
}

/// The next step of the thread that commits.
#[derive(Debug)]
pub enum Commit {
    /// Not this thread's: the worker's has more to write.
    Write(Written),
    SendOffsets(Written),
    Flush(Written),
    End(Written),
    Abort(Written, bool),
    /// What the worker's thread has yet to take in.
    Ended(Written, CommitResult, Option<TransactionNumber>),
}

/// A record on its way to the worker.
struct Message {
    place: Place,
    offset: i64,
    /// None: the client has come to the end of what may be read.
    record: Option<Rc<Record>>,
}

impl Message {
    fn record(&self) -> &Record {
        self.record.as_ref().expect("not the end of a log")
    }
}

impl Delivered for Message {
    fn place(&self) -> Place {
        self.place
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Option<i64> {
        Some(self.record().timestamp)
    }

    fn key(&self) -> Option<&[u8]> {
        self.record().key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.record().value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.record().headers.iter();
        headers
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect()
    }
}

pub struct Driver {
    pub worker: Worker,
    pub member: Member,
    pub producer: Producer,
    pub step: Step,
    /// The commit that is under way, the records that its batch took, and its membership.
    pub commit: Option<Commit>,
    committed: Vec<(Place, i64)>,
    committer: Option<Standing>,
    /// What the batch behind it has produced.
    aside: Aside,
    settings: Arc<Settings>,
    restorer: Option<BTreeMap<i32, i64>>,
    membership: Option<Standing>,
    actions: VecDeque<Action>,
    /// The members of the group when it was described last.
    alive: Vec<u64>,
    messages: VecDeque<Message>,
    /// Whether the polled messages are not all taken yet.
    within_poll: bool,
    drained: bool,
    taken: Vec<(Place, i64)>,
    intent: Intent,
    /// What the group told, and the worker is not told yet.
    told: Vec<Told>,
    /// The client has lost a position, and can't fetch there any more.
    lost: bool,
    /// The ends as they were before the committed offsets were asked for, for one of the sabotages.
    early_ends: BTreeMap<i32, (i64, i64)>,
}

impl Driver {
    pub fn start(
        settings: &Arc<Settings>,
        transactional_id: u64,
        named: bool,
        hasty: bool,
    ) -> Driver {
        Driver {
            worker: Worker::new(Arc::clone(settings))
                .with_writer((!named).then(|| takeover::writer(transactional_id))),
            member: Member::new(transactional_id, hasty),
            producer: Producer::new(transactional_id, -1),
            step: Step::Renew(Then::Serve),
            commit: None,
            committed: Vec::new(),
            committer: None,
            aside: Aside::new(),
            settings: Arc::clone(settings),
            restorer: None,
            membership: None,
            actions: VecDeque::new(),
            alive: Vec::new(),
            messages: VecDeque::new(),
            within_poll: false,
            drained: true,
            taken: Vec::new(),
            intent: Intent::default(),
            told: Vec::new(),
            lost: false,
            early_ends: BTreeMap::new(),
        }
    }

    /// Takes one step, of the thread that commits or of the worker's.
    pub fn step(&mut self, around: &mut Surroundings<'_>) -> Stepped {
        let worker_is_next = matches!(
            self.commit,
            None | Some(Commit::Write(_) | Commit::Ended(..))
        );
        if !worker_is_next && (matches!(self.step, Step::Await(_)) || around.random.often(5000)) {
            self.commit_step(around);
            return Stepped::On;
        }
        match std::mem::replace(&mut self.step, Step::Serve) {
            Step::Serve => self.serve(around),
            Step::Act(then) => return self.act(then, around),
            Step::Renew(then) => self.renew(then, around),
            Step::AskCommitted(lows, then) => self.ask_committed(lows, then, around),
            Step::AskHigh(committed, then) => self.ask_high(committed, then, around),
            Step::Standings(answers, then) => {
                self.worker.standings(answers, around.now);
                self.step = Step::Act(then);
            }
            Step::Ends(answers, then) => {
                self.worker.ends(answers, around.now);
                self.step = Step::Act(then);
            }
            Step::Restore => self.restore(around),
            Step::Poll => return self.poll(around),
            Step::Take => self.take(around),
            Step::CommitIfDue { drained } => self.commit_if_due(drained, around),
            Step::Await(then) => {
                if let Some(broken) = self.go_on(around) {
                    return Stepped::Broken(broken);
                }
                self.step = match self.commit {
                    None => *then,
                    Some(_) => Step::Await(then),
                };
            }
            Step::Write(then) => {
                self.step = *then;
                self.go_on(around);
            }
            Step::Tell => self.tell(around),
            Step::Finish => self.finish(around),
            Step::Broken(what) => return Stepped::Broken(what),
        }
        Stepped::On
    }

    /// The worker's part of the commit that is under way; what promise is broken, if one is.
    fn go_on(&mut self, around: &mut Surroundings<'_>) -> Option<String> {
        match self.commit.take() {
            Some(Commit::Write(written)) => self.write(written, around),
            Some(Commit::Ended(written, result, number)) => {
                return self.ended(written, result, number, around).err();
            }
            other => self.commit = other,
        }
        None
    }

    fn serve(&mut self, around: &mut Surroundings<'_>) {
        self.told.extend(self.member.serve(around.now));
        if !self.told.is_empty() {
            self.member.pause_all();
        }
        self.step = match self.told.is_empty() {
            true => Step::Act(Then::Restore),
            false => Step::Await(Box::new(Step::Tell)),
        };
    }

    fn tell(&mut self, around: &mut Surroundings<'_>) {
        self.step = Step::Act(Then::Restore);
        if around.sabotage.batch_survives_revoke && self.worker.open_records().is_some() {
            return;
        }
        for told in self.told.drain(..) {
            match told {
                Told::Assigned(places) => {
                    let places: Vec<Place> = places.into_iter().collect();
                    self.worker.assigned(&places);
                }
                Told::Revoked(places) => {
                    let places: Vec<Place> = places.into_iter().collect();
                    self.worker.revoked(&places);
                }
            }
        }
    }

    fn act(&mut self, then: Then, around: &mut Surroundings<'_>) -> Stepped {
        if self.actions.is_empty() {
            self.actions.extend(self.worker.actions(around.now));
        }
        self.step = Step::Act(then);
        match self.actions.pop_front() {
            None => {
                self.step = match then {
                    Then::Restore => Step::Restore,
                    Then::CommitIfDue { drained } => Step::CommitIfDue { drained },
                    Then::Serve => Step::Serve,
                };
            }
            Some(action @ Action::Stop(_)) if self.commit.is_some() => {
                self.actions.push_front(action);
                self.step = Step::Await(Box::new(Step::Act(then)));
            }
            Some(Action::Stop(fatal)) => {
                let _ = around
                    .cluster
                    .end(self.producer.id, self.producer.epoch, None);
                return Stepped::Ended(fatal);
            }
            Some(action) => self.carry_out(action, then, around),
        }
        Stepped::On
    }

    fn carry_out(&mut self, action: Action, then: Then, around: &mut Surroundings<'_>) {
        let cluster = &mut *around.cluster;
        match action {
            Action::Abort => {
                self.membership = None;
                self.producer.purge();
                match cluster.end(self.producer.id, self.producer.epoch, None) {
                    Ok(_) => self.producer.over(),
                    Err(Refused::Busy) => self.actions.push_front(Action::Abort),
                    Err(_) => self.step = Step::Renew(then),
                }
            }
            Action::RenewProducer => {
                self.membership = None;
                self.step = Step::Renew(then);
            }
            Action::Pause(places) => self.member.pause(&places),
            Action::FetchStandings(places) => {
                if around.sabotage.ends_first {
                    for partition in 0..self.settings.partitions {
                        let log = cluster.log(LogId::State(partition));
                        let ends = (log.low(), log.high());
                        self.early_ends.insert(partition, ends);
                    }
                }
                let lows = places.into_iter().map(|place| {
                    let low = cluster.log(LogId::Place(place)).low();
                    (place, low)
                });
                self.step = Step::AskCommitted(lows.collect(), then);
            }
            Action::FetchEnds(partitions) => {
                let answers = partitions.into_iter().map(|partition| {
                    let log = cluster.log(LogId::State(partition));
                    let mut ends = (log.low(), log.high());
                    if around.sabotage.restore_to_stable {
                        ends.1 = log.stable();
                    }
                    if around.sabotage.ends_first {
                        ends = self.early_ends.get(&partition).copied().unwrap_or(ends);
                    }
                    let told = !around.random.often(around.faults.no_answer);
                    (partition, told.then_some(ends))
                });
                self.step = Step::Ends(answers.collect(), then);
            }
            Action::Restore(from) => {
                self.restorer = (!from.is_empty()).then(|| from.into_iter().collect());
            }
            Action::Consume(from) => {
                let taken_up = !around.random.often(around.faults.no_answer);
                if !around.sabotage.stale_poll {
                    let again = |place| from.iter().any(|(from, _)| *from == place);
                    self.messages.retain(|message| !again(message.place));
                }
                if taken_up {
                    self.member.consume(&from);
                }
                self.worker.consuming(&from, taken_up, around.now);
            }
            Action::FindWriters(places) => self.find_writers(&places, around),
            Action::Fence(ids) => self.fence(&ids, then, around),
            Action::Stop(_) => {}
        }
    }

    fn renew(&mut self, then: Then, around: &mut Surroundings<'_>) {
        self.membership = None;
        self.step = match around.cluster.init(self.producer.id) {
            Ok(epoch) => {
                self.producer = Producer::new(self.producer.id, epoch);
                Step::Act(then)
            }
            Err(_) => Step::Renew(then),
        };
    }

    fn ask_committed(
        &mut self,
        lows: Vec<(Place, i64)>,
        then: Then,
        around: &mut Surroundings<'_>,
    ) {
        let answers = lows.into_iter().map(|(place, low)| {
            let (committed, stable) = around.cluster.group.committed(place);
            let stable = stable || around.sabotage.unstable_offsets;
            let told = stable && !around.random.often(around.faults.no_answer);
            (place, low, told.then_some(committed))
        });
        self.step = Step::AskHigh(answers.collect(), then);
    }

    fn ask_high(&mut self, committed: Vec<Committed>, then: Then, around: &mut Surroundings<'_>) {
        let answers = committed.into_iter().map(|(place, low, committed)| {
            let log = around.cluster.log(LogId::Place(place));
            let standing = committed.map(|committed| PlaceStanding {
                committed,
                low: if around.sabotage.low_after_committed {
                    log.low()
                } else {
                    low
                },
                high: log.high(),
            });
            (place, standing)
        });
        self.step = Step::Standings(answers.collect(), then);
    }

    fn restore(&mut self, around: &mut Surroundings<'_>) {
        self.step = Step::Poll;
        let Some(restorer) = &mut self.restorer else {
            return;
        };
        let now = around.now;
        for _ in 0..around.random.between(1, 4) {
            let partitions: Vec<i32> = restorer.keys().copied().collect();
            let partition = *around.random.pick(&partitions);
            let position = restorer.entry(partition).or_default();
            match around.cluster.log(LogId::State(partition)).next(*position) {
                Next::Record(offset, record) => {
                    *position = offset + 1;
                    let key = record.key.as_deref().unwrap_or_default();
                    let value = record.value.as_deref();
                    self.worker.restored(partition, offset, key, value, now);
                }
                Next::End(offset) => {
                    *position = offset;
                    self.worker.restored_to(partition, offset, now);
                }
                Next::OutOfRange => {}
            }
        }
    }

    fn poll(&mut self, around: &mut Surroundings<'_>) -> Stepped {
        self.within_poll = true;
        self.step = Step::Take;
        if !self.messages.is_empty() {
            // the rest of the poll before
            return Stepped::On;
        }
        let most = around.random.between(1, around.faults.max_poll);
        let consuming = self.member.consuming();
        let mut lost = None;
        for _ in 0..most {
            let mut found = Vec::new();
            let mut ended = Vec::new();
            for (&place, &position) in consuming.iter() {
                match around.cluster.log(LogId::Place(place)).next(position) {
                    Next::Record(offset, record) => found.push((place, offset, record)),
                    Next::End(end) if end > position => ended.push((place, end)),
                    Next::End(_) => {}
                    Next::OutOfRange => lost = Some(place),
                }
            }
            for (place, offset) in ended {
                consuming.insert(place, offset);
                self.messages.push_back(Message {
                    place,
                    offset,
                    record: None,
                });
            }
            if found.is_empty() {
                break;
            }
            let (place, offset, record) = found.swap_remove(around.random.index(found.len()));
            consuming.insert(place, offset + 1);
            self.messages.push_back(Message {
                place,
                offset,
                record: Some(record),
            });
        }
        if let Some(&place) = consuming.keys().next()
            && around.random.often(around.faults.lost_position)
        {
            lost = Some(place);
        }
        self.drained = self.messages.is_empty();
        if let Some(place) = lost {
            consuming.remove(&place);
            self.lost = true;
        }
        let has_work = self.worker.open_records().is_some()
            || self.commit.is_some()
            || self.worker.has_passed();
        if self.drained && !has_work && self.restorer.is_none() {
            return Stepped::Idle(around.now + Duration::from_millis(50));
        }
        Stepped::On
    }

    /// Leaves the group, and joins as another member.
    fn rejoin(&mut self, around: &mut Surroundings<'_>) {
        self.worker.lost();
        if let Some(id) = self.member.id() {
            around.cluster.group.leave(id, around.now);
        }
        self.member = Member::new(self.producer.id, around.sabotage.hasty_client);
        self.messages.clear();
        self.told.clear();
    }

    fn take(&mut self, around: &mut Surroundings<'_>) {
        let Some(message) = self.messages.pop_front() else {
            self.within_poll = false;
            if self.lost && self.commit.is_some() {
                self.step = Step::Await(Box::new(Step::Take));
                return;
            }
            if std::mem::take(&mut self.lost) {
                self.rejoin(around);
            }
            let act = Step::Act(Then::CommitIfDue {
                drained: self.drained,
            });
            self.step = match self.commit {
                Some(Commit::Ended(..)) => Step::Await(Box::new(act)),
                Some(Commit::Write(_)) => Step::Write(Box::new(act)),
                _ => act,
            };
            return;
        };
        if !self.told.is_empty() {
            // a batch that has survived a rebalance takes nothing more, nor does the next one before it is told
            self.step = Step::Take;
            return;
        }
        if message.record.is_none() {
            self.worker.reached_end(message.place, message.offset);
            self.step = Step::Take;
            return;
        }
        let before = self.worker.open_records();
        let mut outbox = SimulatedOutbox {
            member: &self.member,
            producer: &mut self.producer,
            membership: &mut self.membership,
            aside: self.commit.is_some().then_some(&mut self.aside),
            room: usize::MAX,
            forwarded: self.settings.topics.len() - 1,
            timestamp: message.record().timestamp,
        };
        self.worker.record(&message, &mut outbox);
        if before.is_none() && self.worker.open_records().is_some() {
            self.taken.clear();
            self.worker.batch_opened(around.now);
        }
        if self.worker.open_records() > before {
            self.taken.push((message.place, message.offset));
        }
        self.step = Step::Take;
        if !self.lost && around.random.often(around.faults.short_turn) {
            // the time of the turn is over
            self.within_poll = false;
            self.step = Step::Act(Then::CommitIfDue {
                drained: self.drained && self.messages.is_empty(),
            });
        }
        if self.worker.is_full() && !around.sabotage.limit_after_poll {
            self.step = Step::Await(Box::new(Step::Finish));
        }
    }

    /// What is on its way when the process dies may still arrive.
    pub fn die(mut self, around: &mut Surroundings<'_>) {
        let arrives = around.random.below(4);
        for _ in 0..arrives {
            let choice = around.random.draw();
            self.producer.deliver(around.cluster, choice, around.now);
        }
    }
}
