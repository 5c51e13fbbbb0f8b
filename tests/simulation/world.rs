//! The world: several processes with one cluster, and the scheduler that chooses who takes the next step.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use keyfold::config::Guarantee;
use keyfold::engine::fatal::Fatal;
use keyfold::engine::{Place, Settings};

use crate::audit::Audit;
use crate::faults::Faults;
use crate::group::Group;
use crate::log::Record;
use crate::plan::Plan;
use crate::random::Random;
use crate::records;
use crate::shell::{Shell, StepContext, Stepped};
use crate::transactions::{Cluster, LogId};

/// A promise that was broken, and when.
#[derive(Debug)]
pub struct Broken {
    pub what: String,
    pub step: u64,
    pub now: Duration,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}, {:?}: {}", self.step, self.now, self.what)
    }
}

pub struct Process {
    pub shell: Option<Shell>,
    /// The whole process takes no step before this time.
    pub stalled_until: Duration,
    /// The worker's thread takes no step before this time; the clients' threads do.
    pub thread_stalled_until: Duration,
    /// Why the engine last stopped.
    pub fatal: Option<Fatal>,
    pub starts: u64,
}

#[derive(Debug, Clone, Copy)]
enum Actor {
    Feeder,
    Markers,
    Worker(usize),
    Member(usize),
    Delivery(usize),
    Start(usize),
}

pub struct World {
    pub plan: Plan,
    pub settings: Arc<Settings>,
    pub cluster: Cluster,
    pub processes: Vec<Process>,
    pub audit: Audit,
    pub now: Duration,
    pub steps: u64,
    /// Input records that will be produced, with their times.
    pub scheduled: VecDeque<(Duration, Place, Rc<Record>)>,
    /// Whether a scenario expects a fatal error of a worker. Otherwise such an error is a broken promise.
    pub fatal_is_expected: bool,
    pub trace: bool,
    random: Random,
}

impl World {
    pub fn new(plan: Plan, seed: u64) -> World {
        let mut settings = records::settings(plan.partitions, 2, plan.batch);
        settings.policy.processing.guarantee = plan.guarantee;
        settings.transaction_timeout = plan.transaction_timeout;
        if plan.sabotage.drained_counts_as_full {
            settings.policy.processing.max_batch_records = 1;
        }
        let mut partitions = plan.inputs.to_vec();
        partitions.push(plan.partitions);
        let group = Group::new(plan.protocol, partitions, plan.session);
        let processes = (0..plan.processes).map(|_| Process {
            shell: None,
            stalled_until: Duration::ZERO,
            thread_stalled_until: Duration::ZERO,
            fatal: None,
            starts: 0,
        });
        World {
            cluster: Cluster::new(group, plan.transaction_timeout),
            processes: processes.collect(),
            audit: Audit::new(
                !plan.sabotage.joined_unnamed,
                plan.guarantee == Guarantee::AtLeastOnce,
            ),
            now: Duration::ZERO,
            steps: 0,
            scheduled: VecDeque::new(),
            fatal_is_expected: false,
            trace: false,
            random: Random::new(seed),
            settings: Arc::new(settings),
            plan,
        }
    }

    /// Schedules random records, spread over this duration.
    pub fn feed(&mut self, count: u64, customers: u64, duration: Duration) {
        let mut times: Vec<u64> = (0..count)
            .map(|_| self.random.below(duration.as_millis() as u64))
            .collect();
        times.sort_unstable();
        for time in times {
            let (place, record) = records::any(&mut self.random, &self.plan.inputs, customers);
            let at = self.now + Duration::from_millis(time);
            self.scheduled.push_back((at, place, record));
        }
    }

    pub fn append(&mut self, place: Place, record: Rc<Record>) {
        self.cluster.log(LogId::Place(place)).append(record, None);
    }

    /// Starts a process.
    pub fn start(&mut self, at: usize) {
        let process = &mut self.processes[at];
        process.starts += 1;
        let id = if self.plan.named {
            at as u64
        } else {
            at as u64 + 1000 * process.starts
        };
        let hasty = self.plan.sabotage.hasty_client;
        process.shell = Some(Shell::start(&self.settings, id, self.plan.named, hasty));
        process.fatal = None;
        (process.stalled_until, process.thread_stalled_until) = (self.now, self.now);
    }

    fn step_context<'w>(&'w mut self) -> (&'w mut Vec<Process>, StepContext<'w>) {
        let context = StepContext {
            cluster: &mut self.cluster,
            random: &mut self.random,
            faults: &self.plan.faults,
            sabotage: &self.plan.sabotage,
            batch: self.plan.batch,
            now: self.now,
        };
        (&mut self.processes, context)
    }

    /// Kills a process.
    pub fn kill(&mut self, at: usize) {
        let (processes, mut context) = self.step_context();
        if let Some(shell) = processes[at].shell.take() {
            shell.crash(&mut context);
        }
        self.processes[at].stalled_until =
            self.now + Duration::from_millis(self.random.below(2000));
    }

    /// The actors that can take a step now.
    fn ready(&self) -> Vec<Actor> {
        let mut ready = Vec::with_capacity(16);
        if self
            .scheduled
            .front()
            .is_some_and(|(at, ..)| *at <= self.now)
        {
            ready.push(Actor::Feeder);
        }
        if self.cluster.is_ending() {
            ready.push(Actor::Markers);
        }
        for (at, process) in self.processes.iter().enumerate() {
            if process.stalled_until > self.now {
                continue;
            }
            let Some(shell) = &process.shell else {
                if process.fatal.is_none() || !self.fatal_is_expected {
                    ready.push(Actor::Start(at));
                }
                continue;
            };
            if process.thread_stalled_until <= self.now {
                // three times, so that it is chosen more often than the others: a worker has the most to do
                ready.extend([Actor::Worker(at); 3]);
            }
            if shell.member.due() <= self.now {
                ready.push(Actor::Member(at));
            }
            if shell.producer.undelivered() > 0 && !self.plan.faults.late_delivery {
                ready.push(Actor::Delivery(at));
            }
        }
        ready
    }

    /// The next time at which an actor can take a step, if none can now.
    fn next_time(&self) -> Duration {
        let feeder = self.scheduled.front().map(|(at, ..)| *at);
        let mut times: Vec<Duration> = feeder.into_iter().chain(self.cluster.due()).collect();
        for process in &self.processes {
            times.push(process.stalled_until.max(match &process.shell {
                Some(shell) => process.thread_stalled_until.min(shell.member.due()),
                None => Duration::ZERO,
            }));
        }
        let later = times.into_iter().filter(|time| *time > self.now).min();
        later.unwrap_or(self.now + Duration::from_millis(10))
    }

    fn broken(&self, what: impl Into<String>) -> Broken {
        Broken {
            what: what.into(),
            step: self.steps,
            now: self.now,
        }
    }

    /// Lets a random actor take one step, and audits what was committed.
    pub fn step(&mut self) -> Result<(), Broken> {
        self.cluster.tick(self.now);
        let ready = self.ready();
        if ready.is_empty() {
            self.now = self.next_time();
            return Ok(());
        }
        let actor = *self.random.pick(&ready);
        self.steps += 1;
        self.run_actor(actor)?;
        for decision in std::mem::take(&mut self.cluster.decisions) {
            let judged = self.audit.commit(&self.settings, decision);
            judged.map_err(|what| self.broken(what))?;
        }
        for (state, newest) in std::mem::take(&mut self.cluster.plain_states) {
            let judged = self
                .audit
                .plain_state(&self.settings, &state, newest.as_deref());
            judged.map_err(|what| self.broken(what))?;
        }
        self.now += Duration::from_micros(self.random.below(2000));
        Ok(())
    }

    fn run_actor(&mut self, actor: Actor) -> Result<(), Broken> {
        if self.trace {
            self.print_step(actor);
        }
        match actor {
            Actor::Feeder => {
                if let Some((_, place, record)) = self.scheduled.pop_front() {
                    self.append(place, record);
                }
            }
            Actor::Markers => {
                let choice = self.random.draw();
                let written = self.cluster.write_marker(choice);
                written.map_err(|what| self.broken(what))?;
                if self.random.chance(500) {
                    self.delete_forwarded();
                }
            }
            Actor::Worker(at) => self.work(at)?,
            Actor::Member(at) => {
                let now = self.now;
                if let Some(shell) = &mut self.processes[at].shell {
                    shell.member.background(&mut self.cluster.group, now);
                }
            }
            Actor::Delivery(at) => {
                let (choice, now) = (self.random.draw(), self.now);
                if let Some(shell) = &mut self.processes[at].shell {
                    shell.producer.deliver(&mut self.cluster, choice, now);
                }
            }
            Actor::Start(at) => self.start(at),
        }
        Ok(())
    }

    /// Does what maintenance does: deletes forwarded records that are processed.
    fn delete_forwarded(&mut self) {
        for partition in 0..self.settings.partitions {
            let place = self.settings.forwarded(partition);
            if let (Some((offset, _)), _) = self.cluster.group.committed(place) {
                self.cluster.log(LogId::Place(place)).delete_before(offset);
            }
        }
    }

    fn print_step(&self, actor: Actor) {
        let what = match actor {
            Actor::Worker(at) => self.processes[at]
                .shell
                .as_ref()
                .map(|shell| {
                    let mut step = format!("{:?}", shell.step);
                    step.truncate(60);
                    format!("{step} as {:?}", shell.member.membership())
                })
                .unwrap_or_default(),
            _ => String::new(),
        };
        eprintln!("{:>6} {:>12?} {actor:?} {what}", self.steps, self.now);
    }

    /// Lets a worker's thread take a step, after which a fault may occur.
    pub fn work(&mut self, at: usize) -> Result<(), Broken> {
        let (processes, mut context) = self.step_context();
        let Some(shell) = &mut processes[at].shell else {
            return Ok(());
        };
        let stepped = shell.step(&mut context);
        match stepped {
            Stepped::Continue => {}
            Stepped::Idle(until) => self.processes[at].thread_stalled_until = until,
            Stepped::Broken(what) => return Err(self.broken(what)),
            Stepped::Ended(fatal) => {
                if !self.fatal_is_expected {
                    return Err(self.broken(format!("process {at} can't go on: {fatal}")));
                }
                self.leave(at);
                self.processes[at].fatal = Some(fatal);
                return Ok(());
            }
        }
        self.inject_faults(at);
        Ok(())
    }

    /// A process leaves the group and ends.
    pub fn leave(&mut self, at: usize) {
        if let Some(shell) = self.processes[at].shell.take()
            && let Some(id) = shell.member.id()
        {
            self.cluster.group.leave(id, self.now);
        }
        self.processes[at].stalled_until =
            self.now + Duration::from_millis(self.random.below(1000));
    }

    fn inject_faults(&mut self, at: usize) {
        let faults = &self.plan.faults;
        let longest = faults.longest_stall.as_millis() as u64;
        let (stall, rest) = (faults.stall, faults.thread_stall);
        let (crash, stop) = (faults.crash, faults.stop);
        if self.random.chance(stall) {
            let span = Duration::from_millis(self.random.below(longest));
            self.processes[at].stalled_until = self.now + span;
        }
        if self.random.chance(rest) {
            let span = Duration::from_millis(self.random.below(longest));
            self.processes[at].thread_stalled_until = self.now + span;
        }
        if self.random.chance(crash) {
            self.kill(at);
        } else if self.random.chance(stop) {
            self.leave(at);
        }
    }

    /// Runs until a condition is true; an error if that takes more than `most` steps.
    pub fn run_until(
        &mut self,
        what: &str,
        most: u64,
        mut condition: impl FnMut(&World) -> bool,
    ) -> Result<(), Broken> {
        let last = self.steps + most;
        while !condition(self) {
            if self.steps >= last {
                return Err(self.broken(format!("no progress: {what}")));
            }
            self.step()?;
        }
        Ok(())
    }

    /// Whether every record is part of a committed batch, and no transaction is open.
    pub fn is_settled(&self) -> bool {
        self.scheduled.is_empty()
            && self.cluster.is_quiet()
            && self.cluster.logs().all(|(id, log)| match id {
                LogId::Place(place) => self.audit.untaken(place, log).is_none(),
                _ => true,
            })
    }

    /// Stops all faults, waits until all records are processed, and audits the result.
    pub fn settle(&mut self) -> Result<(), Broken> {
        self.plan.faults = Faults {
            longest_batch: self.plan.faults.longest_batch,
            max_poll: self.plan.faults.max_poll,
            ..Faults::none()
        };
        for process in &mut self.processes {
            process.stalled_until = process.stalled_until.min(self.now + self.plan.session * 4);
        }
        // the check is expensive, so it is not made after every step
        let mut checks = 0;
        self.run_until("it does not settle", 100_000, |world| {
            checks += 1;
            checks % 64 == 0 && world.is_settled()
        })?;
        let judged = self.audit.end(&self.settings, &self.cluster);
        judged.map_err(|what| self.broken(what))
    }
}
