//! Carries out the effects of an engine on the simulated cluster, and reports to it what happened, as `runtime::driver`
//! does on Kafka. It decides nothing. Whatever takes time on Kafka is a separate step here, so that anything can happen
//! between two steps.

mod commit;
mod questions;
mod records;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keyfold::engine::client_error::{ClientError, ErrorKind};
use keyfold::engine::fatal::Fatal;
use keyfold::engine::{Effect, Engine, Event, GroupChange, Place, Settings};

use crate::client::{Aside, GroupEvent, Member, Producer, SimulatedClients};
use crate::faults::{Faults, Sabotage};
use crate::log::TransactionNumber;
use crate::random::Random;
use crate::transactions::{Cluster, Intent, Refused};

pub use commit::Commit;
pub use questions::writer;
pub use records::Message;

/// What a step can use and change outside its own process.
pub struct StepContext<'w> {
    pub cluster: &'w mut Cluster,
    pub random: &'w mut Random,
    pub faults: &'w Faults,
    pub sabotage: &'w Sabotage,
    /// The maximum number of records in a batch.
    pub batch: usize,
    pub now: Duration,
}

/// How a step ended.
#[derive(Debug)]
pub enum Stepped {
    Continue,
    /// There is nothing to do until this time.
    Idle(Duration),
    /// The engine cannot continue.
    Ended(Fatal),
    /// A promise is broken.
    Broken(String),
}

/// Where the loop continues when all effects are carried out and the engine does not wait for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Restore,
    Turn,
    Serve,
}

/// A place, the first offset of its log, and the committed offset if the request was answered.
type Committed = (Place, i64, Option<Option<(i64, String)>>);

/// The next step of the worker's thread.
#[derive(Debug)]
pub enum Step {
    Serve,
    Act(Then),
    /// A new producer initialises the transactional id.
    Renew(Then),
    /// The first offsets are known; the committed offsets are read next.
    FetchCommitted(Vec<(Place, i64)>, Then),
    /// The ends of the logs are read next.
    FetchEnds(Vec<Committed>, Then),
    /// An answer is given to the engine next.
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
    /// The current step of a commit at the producer.
    pub commit: Option<Commit>,
    settings: Arc<Settings>,
    /// An effect that must be tried again.
    pending: Option<Effect>,
    /// The records of the batch in flight.
    committing: Vec<(Place, i64)>,
    /// The records of the open batch.
    taken: Vec<(Place, i64)>,
    /// What the open batch has produced while the previous one is in flight.
    aside: Aside,
    restorer: Option<BTreeMap<i32, i64>>,
    /// The members of the group when it was last described.
    described_members: Vec<u64>,
    messages: VecDeque<Message>,
    polled_nothing: bool,
    intent: Intent,
    /// Events of the group that were not given to the engine yet.
    group_events: Vec<GroupEvent>,
    /// Set if the client has lost its position in a partition, and cannot fetch from it any more.
    position_lost: bool,
    /// The ends of the state logs before the committed offsets were read, for the sabotage `ends_first`.
    early_state_ends: BTreeMap<i32, (i64, i64)>,
    /// The transaction whose end was last reported to the engine, and the number of records of its batch.
    last_ended: (Option<TransactionNumber>, u64),
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
            described_members: Vec::new(),
            messages: VecDeque::new(),
            polled_nothing: true,
            intent: Intent::default(),
            group_events: Vec::new(),
            position_lost: false,
            early_state_ends: BTreeMap::new(),
            last_ended: (None, 0),
            schedule: commit::ObservedSchedule::default(),
        }
    }

    /// Takes one step, of the thread that commits or of the worker's thread.
    pub fn step(&mut self, context: &mut StepContext<'_>) -> Stepped {
        if self
            .commit
            .as_ref()
            .is_some_and(|commit| !commit.has_ended())
            && (self.waits_for_commit() || context.random.chance(5000))
        {
            self.commit_step(context);
            return Stepped::Continue;
        }
        match std::mem::replace(&mut self.step, Step::Serve) {
            Step::Serve => self.serve(context),
            Step::Act(then) => return self.act(then, context),
            Step::Renew(then) => self.renew(then, context),
            Step::FetchCommitted(starts, then) => self.fetch_committed(starts, then, context),
            Step::FetchEnds(committed, then) => self.fetch_ends(committed, then, context),
            Step::Answer(event, then) => {
                self.engine.handle(event, context.now);
                self.step = Step::Act(then);
            }
            Step::Restore => self.restore(context),
            Step::Poll => return self.poll(context),
            Step::Take => self.take(context),
            Step::Turn => {
                self.step = Step::Act(Then::Serve);
                self.report_commit_end(context);
                if let Err(broken) = self.turn(context) {
                    return Stepped::Broken(broken);
                }
            }
        }
        Stepped::Continue
    }

    /// Whether the worker's thread only waits for the step of the commit.
    fn waits_for_commit(&self) -> bool {
        matches!(self.step, Step::Act(_)) && self.pending.is_none() && self.engine.awaits_commit()
    }

    fn serve(&mut self, context: &mut StepContext<'_>) {
        self.step = Step::Act(Then::Restore);
        self.group_events.extend(self.member.serve(context.now));
        if self.group_events.is_empty() {
            return;
        }
        self.member.pause_all();
        if context.sabotage.batch_survives_revoke && self.engine.open_records().is_some() {
            return;
        }
        for event in self.group_events.drain(..) {
            let change = match event {
                GroupEvent::Assigned(places) => GroupChange::Assigned(places.into_iter().collect()),
                GroupEvent::Revoked(places) => GroupChange::Revoked(places.into_iter().collect()),
            };
            self.engine.handle(Event::Group(change), context.now);
        }
    }

    /// Carries out the next effect. If there is none, and the engine waits for the commit in flight, it waits too.
    fn act(&mut self, then: Then, context: &mut StepContext<'_>) -> Stepped {
        self.step = Step::Act(then);
        let next = self.pending.take();
        let next = next.or_else(|| self.engine.next_effect(context.now));
        match next {
            Some(Effect::Stop(fatal)) => Stepped::Ended(fatal),
            Some(effect) => match self.carry_out(effect, then, context) {
                Ok(()) => Stepped::Continue,
                Err(broken) => Stepped::Broken(broken),
            },
            None if self.engine.awaits_commit() => {
                let reported = self.report_commit_end(context);
                match self.engine.is_writing() && !reported {
                    true => self
                        .turn(context)
                        .map_or_else(Stepped::Broken, |()| Stepped::Continue),
                    false => Stepped::Continue,
                }
            }
            None => {
                self.step = match then {
                    Then::Restore => Step::Restore,
                    Then::Turn => Step::Turn,
                    Then::Serve => Step::Serve,
                };
                Stepped::Continue
            }
        }
    }

    fn carry_out(
        &mut self,
        effect: Effect,
        then: Then,
        context: &mut StepContext<'_>,
    ) -> Result<(), String> {
        match effect {
            Effect::Pause(places) => self.member.pause(&places),
            Effect::FetchOffsets(places) => self.fetch_offsets(places, then, context),
            Effect::FetchStateEnds(partitions) => self.fetch_state_ends(partitions, then, context),
            Effect::Restore(from) => {
                self.restorer = (!from.is_empty()).then(|| from.into_iter().collect());
            }
            Effect::Consume(from) => self.consume(from, context),
            Effect::FindWriters(places) => self.find_writers(&places, context),
            Effect::Fence(ids) => self.fence(&ids, context)?,
            Effect::Rejoin => self.rejoin(context),
            Effect::Abort => self.abort(context),
            Effect::RenewProducer => self.step = Step::Renew(then),
            // the simulation has no topic ids and no shutdown
            Effect::CheckTopicIds | Effect::Finish | Effect::Stop(_) => {}
            commit => return self.carry_out_commit(commit, context),
        }
        Ok(())
    }

    fn abort(&mut self, context: &mut StepContext<'_>) {
        self.producer.purge();
        if !is_transactional(&self.settings) {
            return self.producer.reset();
        }
        let (id, epoch) = (self.producer.id, self.producer.epoch);
        match context.cluster.end(id, epoch, None) {
            Ok(_) => self.producer.reset(),
            Err(Refused::Busy) => self.pending = Some(Effect::Abort),
            Err(_) => {
                let error = client_error(ErrorKind::Fenced);
                self.engine.handle(Event::AbortFailed(error), context.now);
            }
        }
    }

    fn renew(&mut self, then: Then, context: &mut StepContext<'_>) {
        let transactional = is_transactional(&self.settings);
        let epoch = match transactional {
            true => context.cluster.init(self.producer.id),
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

    /// Leaves the group, and joins it as a new member.
    fn rejoin(&mut self, context: &mut StepContext<'_>) {
        if let Some(id) = self.member.id() {
            context.cluster.group.leave(id, context.now);
        }
        self.member = Member::new(self.producer.id, context.sabotage.hasty_client);
        self.messages.clear();
        self.group_events.clear();
        self.position_lost = false;
    }

    /// The engine and its clients. `room` is the number of records for which the producer has room.
    fn engine_and_clients<'s>(
        &'s mut self,
        room: usize,
        context: &'s StepContext<'_>,
    ) -> (&'s mut Engine, SimulatedClients<'s>, &'s mut Aside) {
        let clients = SimulatedClients {
            member: &self.member,
            producer: &mut self.producer,
            aside: None,
            room,
            forwarded: self.settings.topics.len() - 1,
            timestamp: 0,
            cluster: &*context.cluster,
            fetched_is_taken: self.messages.is_empty() || context.sabotage.fetched_counts_as_taken,
            polled_nothing: self.polled_nothing,
            no_backlog: context.sabotage.fetched_counts_as_taken,
        };
        (&mut self.engine, clients, &mut self.aside)
    }

    /// The process is killed. Some of its records that are not delivered yet may still arrive.
    pub fn crash(mut self, context: &mut StepContext<'_>) {
        let arrives = context.random.below(4);
        for _ in 0..arrives {
            let choice = context.random.draw();
            self.producer.deliver(context.cluster, choice, context.now);
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
