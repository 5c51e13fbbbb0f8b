//! Carries out the effects of an engine on the simulated cluster, and tells it what happened: what `runtime::driver` does on
//! Kafka. It decides nothing; whatever takes time on Kafka is a step of its own here, so that anything may come between two
//! steps.

mod commit;
mod questions;
mod records;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keyfold::engine::client_error::{ClientError, ErrorKind};
use keyfold::engine::fatal::Fatal;
use keyfold::engine::{Effect, Engine, Event, GroupChange, Place, Settings};

use crate::client::{Aside, Member, Producer, SimulatedClients, Told};
use crate::faults::{Faults, Sabotage};
use crate::log::TransactionNumber;
use crate::random::Random;
use crate::transactions::{Cluster, Intent, Refused};

pub use commit::Commit;
pub use questions::writer;
pub use records::Message;

/// What a step may look at and touch.
pub struct Surroundings<'w> {
    pub cluster: &'w mut Cluster,
    pub random: &'w mut Random,
    pub faults: &'w Faults,
    pub sabotage: &'w Sabotage,
    /// The most records of a batch.
    pub batch: usize,
    pub now: Duration,
}

/// How a step ended.
#[derive(Debug)]
pub enum Stepped {
    On,
    /// Nothing to do until then.
    Idle(Duration),
    /// The engine cannot go on.
    Ended(Fatal),
    /// A promise is broken.
    Broken(String),
}

/// Where the loop goes on when all effects are carried out, and the engine does not wait for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Restore,
    Turn,
    Serve,
}

/// A place, the first offset of its log, and the committed one if it was told.
type Committed = (Place, i64, Option<Option<(i64, String)>>);

/// The next step of the worker's thread.
#[derive(Debug)]
pub enum Step {
    Serve,
    Act(Then),
    /// A new producer takes over the transactional id.
    Renew(Then),
    /// The first offsets are known, the committed ones are next.
    FetchCommitted(Vec<(Place, i64)>, Then),
    /// The ends of the logs are next.
    FetchEnds(Vec<Committed>, Then),
    /// An answer is on its way to the engine.
    Answer(Event<'static>, Then),
    Restore,
    Poll,
    Take,
    Turn,
}

pub struct Shell {
    pub engine: Engine,
    pub member: Member,
    pub producer: Producer,
    pub step: Step,
    /// The step of a commit that is under way at the producer.
    pub commit: Option<Commit>,
    settings: Arc<Settings>,
    /// An effect that could not be carried out yet.
    pending: Option<Effect>,
    /// The records that the batch in flight took, and those of the open one.
    committing: Vec<(Place, i64)>,
    taken: Vec<(Place, i64)>,
    /// What the open batch has produced while the one before it is in flight.
    aside: Aside,
    restorer: Option<BTreeMap<i32, i64>>,
    /// The members of the group when it was described last.
    alive: Vec<u64>,
    messages: VecDeque<Message>,
    polled_nothing: bool,
    intent: Intent,
    /// What the group told, and the engine is not told yet.
    told: Vec<Told>,
    /// The client has lost a position, and cannot fetch there any more.
    lost: bool,
    /// The ends as they were before the committed offsets were asked for, for one of the sabotages.
    early_ends: BTreeMap<i32, (i64, i64)>,
    /// The transaction whose end was told to the engine last, and the records that its batch took.
    ended: (Option<TransactionNumber>, u64),
    schedule: commit::ObservedSchedule,
}

impl Shell {
    pub fn start(
        settings: &Arc<Settings>,
        transactional_id: u64,
        named: bool,
        hasty: bool,
    ) -> Shell {
        Shell {
            engine: Engine::new(Arc::clone(settings))
                .with_writer((!named).then(|| writer(transactional_id))),
            member: Member::new(transactional_id, hasty),
            producer: Producer::new(transactional_id, -1, is_transactional(settings)),
            step: Step::Renew(Then::Serve),
            commit: None,
            settings: Arc::clone(settings),
            pending: None,
            committing: Vec::new(),
            taken: Vec::new(),
            aside: Aside::new(),
            restorer: None,
            alive: Vec::new(),
            messages: VecDeque::new(),
            polled_nothing: true,
            intent: Intent::default(),
            told: Vec::new(),
            lost: false,
            early_ends: BTreeMap::new(),
            ended: (None, 0),
            schedule: commit::ObservedSchedule::default(),
        }
    }

    /// Takes one step, of the thread that commits or of the worker's.
    pub fn step(&mut self, around: &mut Surroundings<'_>) -> Stepped {
        if self.commit.as_ref().is_some_and(|commit| !commit.is_over())
            && (self.waits_for_commit() || around.random.often(5000))
        {
            self.commit_step(around);
            return Stepped::On;
        }
        match std::mem::replace(&mut self.step, Step::Serve) {
            Step::Serve => self.serve(around),
            Step::Act(then) => return self.act(then, around),
            Step::Renew(then) => self.renew(then, around),
            Step::FetchCommitted(starts, then) => self.fetch_committed(starts, then, around),
            Step::FetchEnds(committed, then) => self.fetch_ends(committed, then, around),
            Step::Answer(event, then) => {
                self.engine.handle(event, around.now);
                self.step = Step::Act(then);
            }
            Step::Restore => self.restore(around),
            Step::Poll => return self.poll(around),
            Step::Take => self.take(around),
            Step::Turn => {
                self.step = Step::Act(Then::Serve);
                self.tell_commit_end(around);
                if let Err(broken) = self.turn(around) {
                    return Stepped::Broken(broken);
                }
            }
        }
        Stepped::On
    }

    /// Whether the worker's thread does nothing but wait for the step of the commit.
    fn waits_for_commit(&self) -> bool {
        matches!(self.step, Step::Act(_)) && self.pending.is_none() && self.engine.awaits_commit()
    }

    fn serve(&mut self, around: &mut Surroundings<'_>) {
        self.step = Step::Act(Then::Restore);
        self.told.extend(self.member.serve(around.now));
        if self.told.is_empty() {
            return;
        }
        self.member.pause_all();
        if around.sabotage.batch_survives_revoke && self.engine.open_records().is_some() {
            return;
        }
        for told in self.told.drain(..) {
            let change = match told {
                Told::Assigned(places) => GroupChange::Assigned(places.into_iter().collect()),
                Told::Revoked(places) => GroupChange::Revoked(places.into_iter().collect()),
            };
            self.engine.handle(Event::Group(change), around.now);
        }
    }

    /// Carries out the next effect; when there is none, and the engine waits for the commit in flight, so does this.
    fn act(&mut self, then: Then, around: &mut Surroundings<'_>) -> Stepped {
        self.step = Step::Act(then);
        let next = self.pending.take();
        let next = next.or_else(|| self.engine.next_effect(around.now));
        match next {
            Some(Effect::Stop(fatal)) => Stepped::Ended(fatal),
            Some(effect) => match self.carry_out(effect, then, around) {
                Ok(()) => Stepped::On,
                Err(broken) => Stepped::Broken(broken),
            },
            None if self.engine.awaits_commit() => {
                let told = self.tell_commit_end(around);
                match self.engine.is_writing() && !told {
                    true => self
                        .turn(around)
                        .map_or_else(Stepped::Broken, |()| Stepped::On),
                    false => Stepped::On,
                }
            }
            None => {
                self.step = match then {
                    Then::Restore => Step::Restore,
                    Then::Turn => Step::Turn,
                    Then::Serve => Step::Serve,
                };
                Stepped::On
            }
        }
    }

    fn carry_out(
        &mut self,
        effect: Effect,
        then: Then,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match effect {
            Effect::Pause(places) => self.member.pause(&places),
            Effect::FetchOffsets(places) => self.fetch_offsets(places, then, around),
            Effect::FetchStateEnds(partitions) => self.fetch_state_ends(partitions, then, around),
            Effect::Restore(from) => {
                self.restorer = (!from.is_empty()).then(|| from.into_iter().collect());
            }
            Effect::Consume(from) => self.consume(from, around),
            Effect::FindWriters(places) => self.find_writers(&places, around),
            Effect::Fence(ids) => self.fence(&ids, around)?,
            Effect::Rejoin => self.rejoin(around),
            Effect::Abort => self.abort(around),
            Effect::RenewProducer => self.step = Step::Renew(then),
            // the simulation has no topic ids, and is not shut down
            Effect::CheckTopicIds | Effect::Finish | Effect::Stop(_) => {}
            commit => return self.carry_out_commit(commit, around),
        }
        Ok(())
    }

    fn abort(&mut self, around: &mut Surroundings<'_>) {
        self.producer.purge();
        if !is_transactional(&self.settings) {
            return self.producer.over();
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        match around.cluster.end(id, epoch, None) {
            Ok(_) => self.producer.over(),
            Err(Refused::Busy) => self.pending = Some(Effect::Abort),
            Err(_) => {
                let error = client_error(ErrorKind::Fenced);
                self.engine.handle(Event::AbortFailed(error), around.now);
            }
        }
    }

    fn renew(&mut self, then: Then, around: &mut Surroundings<'_>) {
        let transactional = is_transactional(&self.settings);
        let epoch = match transactional {
            true => around.cluster.init(self.producer.id),
            false => Ok(0),
        };
        self.step = match epoch {
            Ok(epoch) => {
                self.producer = Producer::new(self.producer.id, epoch, transactional);
                Step::Act(then)
            }
            Err(_) => Step::Renew(then),
        };
    }

    /// Leaves the group, and joins as another member.
    fn rejoin(&mut self, around: &mut Surroundings<'_>) {
        if let Some(id) = self.member.id() {
            around.cluster.group.leave(id, around.now);
        }
        self.member = Member::new(self.producer.id, around.sabotage.hasty_client);
        self.messages.clear();
        self.told.clear();
        self.lost = false;
    }

    /// The engine, and what it uses of the clients, with so much room at the producer.
    fn engine_and_clients<'s>(
        &'s mut self,
        room: usize,
        around: &'s Surroundings<'_>,
    ) -> (&'s mut Engine, SimulatedClients<'s>, &'s mut Aside) {
        let clients = SimulatedClients {
            member: &self.member,
            producer: &mut self.producer,
            aside: None,
            room,
            forwarded: self.settings.topics.len() - 1,
            timestamp: 0,
            cluster: &*around.cluster,
            fetched_is_taken: self.messages.is_empty() || around.sabotage.fetched_counts_as_taken,
            polled_nothing: self.polled_nothing,
            no_backlog: around.sabotage.fetched_counts_as_taken,
        };
        (&mut self.engine, clients, &mut self.aside)
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

fn is_transactional(settings: &Settings) -> bool {
    settings.policy.processing.guarantee == keyfold::config::Guarantee::ExactlyOnce
}

fn client_error(kind: ErrorKind) -> ClientError {
    ClientError {
        kind,
        code: format!("{kind:?}"),
        text: "simulated".to_owned(),
    }
}
