//! The world: processes around a cluster, and the scheduler that says who takes the next step.

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
use crate::shell::{Shell, Stepped, Surroundings};
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
    /// Nothing of it moves before.
    pub stalled: Duration,
    /// The worker's thread does not move before.
    pub resting: Duration,
    /// Why it ended last.
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
    /// Input records that are still to come, and when.
    pub coming: VecDeque<(Duration, Place, Rc<Record>)>,
    /// Whether fatal errors of the worker are taken as they come, for the scenarios.
    pub fatal_is_fine: bool,
    pub trace: bool,
    random: Random,
}

impl World {
    pub fn new(plan: Plan, seed: u64) -> World {
        let mut settings = records::settings(plan.partitions, 2, plan.batch);
        settings.policy.processing.guarantee = plan.guarantee;
        settings.transaction_timeout = plan.transaction_time_out;
        if plan.sabotage.drained_counts_as_full {
            settings.policy.processing.max_batch_records = 1;
        }
        let mut partitions = plan.inputs.to_vec();
        partitions.push(plan.partitions);
        let group = Group::new(plan.protocol, partitions, plan.session);
        let processes = (0..plan.processes).map(|_| Process {
            shell: None,
            stalled: Duration::ZERO,
            resting: Duration::ZERO,
            fatal: None,
            starts: 0,
        });
        World {
            cluster: Cluster::new(group, plan.transaction_time_out),
            processes: processes.collect(),
            audit: Audit::new(
                !plan.sabotage.joined_unnamed,
                plan.guarantee == Guarantee::AtLeastOnce,
            ),
            now: Duration::ZERO,
            steps: 0,
            coming: VecDeque::new(),
            fatal_is_fine: false,
            trace: false,
            random: Random::new(seed),
            settings: Arc::new(settings),
            plan,
        }
    }

    /// Lets random records come in, over so long a time.
    pub fn feed(&mut self, count: u64, customers: u64, over: Duration) {
        let mut times: Vec<u64> = (0..count)
            .map(|_| self.random.below(over.as_millis() as u64))
            .collect();
        times.sort_unstable();
        for time in times {
            let (place, record) = records::any(&mut self.random, &self.plan.inputs, customers);
            let at = self.now + Duration::from_millis(time);
            self.coming.push_back((at, place, record));
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
        (process.stalled, process.resting) = (self.now, self.now);
    }

    fn around<'w>(&'w mut self) -> (&'w mut Vec<Process>, Surroundings<'w>) {
        let around = Surroundings {
            cluster: &mut self.cluster,
            random: &mut self.random,
            faults: &self.plan.faults,
            sabotage: &self.plan.sabotage,
            batch: self.plan.batch,
            now: self.now,
        };
        (&mut self.processes, around)
    }

    /// Kills a process.
    pub fn kill(&mut self, at: usize) {
        let (processes, mut around) = self.around();
        if let Some(shell) = processes[at].shell.take() {
            shell.die(&mut around);
        }
        self.processes[at].stalled = self.now + Duration::from_millis(self.random.below(2000));
    }

    /// Who could take a step now.
    fn ready(&self) -> Vec<Actor> {
        let mut ready = Vec::with_capacity(16);
        if self.coming.front().is_some_and(|(at, ..)| *at <= self.now) {
            ready.push(Actor::Feeder);
        }
        if self.cluster.is_ending() {
            ready.push(Actor::Markers);
        }
        for (at, process) in self.processes.iter().enumerate() {
            if process.stalled > self.now {
                continue;
            }
            let Some(shell) = &process.shell else {
                if process.fatal.is_none() || !self.fatal_is_fine {
                    ready.push(Actor::Start(at));
                }
                continue;
            };
            if process.resting <= self.now {
                // more than the others: a worker has most to do
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

    /// When somebody could take a step, should nobody be able to now.
    fn next_time(&self) -> Duration {
        let feeder = self.coming.front().map(|(at, ..)| *at);
        let mut times: Vec<Duration> = feeder.into_iter().chain(self.cluster.due()).collect();
        for process in &self.processes {
            times.push(process.stalled.max(match &process.shell {
                Some(shell) => process.resting.min(shell.member.due()),
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

    /// One step of somebody.
    pub fn step(&mut self) -> Result<(), Broken> {
        self.cluster.tick(self.now);
        let ready = self.ready();
        if ready.is_empty() {
            self.now = self.next_time();
            return Ok(());
        }
        let actor = *self.random.pick(&ready);
        self.steps += 1;
        self.take(actor)?;
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

    fn take(&mut self, actor: Actor) -> Result<(), Broken> {
        if self.trace {
            self.tell(actor);
        }
        match actor {
            Actor::Feeder => {
                if let Some((_, place, record)) = self.coming.pop_front() {
                    self.append(place, record);
                }
            }
            Actor::Markers => {
                let choice = self.random.draw();
                let written = self.cluster.write_marker(choice);
                written.map_err(|what| self.broken(what))?;
                if self.random.often(500) {
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

    /// Maintenance: what is committed in the forwarded topic is deleted.
    fn delete_forwarded(&mut self) {
        for partition in 0..self.settings.partitions {
            let place = self.settings.forwarded(partition);
            if let (Some((offset, _)), _) = self.cluster.group.committed(place) {
                self.cluster.log(LogId::Place(place)).delete_before(offset);
            }
        }
    }

    fn tell(&self, actor: Actor) {
        let what = match actor {
            Actor::Worker(at) => self.processes[at]
                .shell
                .as_ref()
                .map(|shell| {
                    let mut step = format!("{:?}", shell.step);
                    step.truncate(60);
                    format!("{step} as {:?}", shell.member.standing())
                })
                .unwrap_or_default(),
            _ => String::new(),
        };
        eprintln!("{:>6} {:>12?} {actor:?} {what}", self.steps, self.now);
    }

    /// A step of a worker's thread, and what goes wrong after it.
    pub fn work(&mut self, at: usize) -> Result<(), Broken> {
        let (processes, mut around) = self.around();
        let Some(shell) = &mut processes[at].shell else {
            return Ok(());
        };
        let stepped = shell.step(&mut around);
        match stepped {
            Stepped::On => {}
            Stepped::Idle(until) => self.processes[at].resting = until,
            Stepped::Broken(what) => return Err(self.broken(what)),
            Stepped::Ended(fatal) => {
                if !self.fatal_is_fine {
                    return Err(self.broken(format!("process {at} can't go on: {fatal}")));
                }
                self.leave(at);
                self.processes[at].fatal = Some(fatal);
                return Ok(());
            }
        }
        self.go_wrong(at);
        Ok(())
    }

    /// A process leaves the group and ends.
    pub fn leave(&mut self, at: usize) {
        if let Some(shell) = self.processes[at].shell.take()
            && let Some(id) = shell.member.id()
        {
            self.cluster.group.leave(id, self.now);
        }
        self.processes[at].stalled = self.now + Duration::from_millis(self.random.below(1000));
    }

    fn go_wrong(&mut self, at: usize) {
        let faults = &self.plan.faults;
        let longest = faults.longest_stall.as_millis() as u64;
        let (stall, rest) = (faults.stall, faults.thread_stall);
        let (crash, stop) = (faults.crash, faults.stop);
        if self.random.often(stall) {
            let span = Duration::from_millis(self.random.below(longest));
            self.processes[at].stalled = self.now + span;
        }
        if self.random.often(rest) {
            let span = Duration::from_millis(self.random.below(longest));
            self.processes[at].resting = self.now + span;
        }
        if self.random.often(crash) {
            self.kill(at);
        } else if self.random.often(stop) {
            self.leave(at);
        }
    }

    /// Runs until something holds; an error if that takes more steps.
    pub fn run_until(
        &mut self,
        what: &str,
        most: u64,
        mut holds: impl FnMut(&World) -> bool,
    ) -> Result<(), Broken> {
        let last = self.steps + most;
        while !holds(self) {
            if self.steps >= last {
                return Err(self.broken(format!("no progress: {what}")));
            }
            self.step()?;
        }
        Ok(())
    }

    /// Whether every record has been taken by a committed batch, and every transaction is over.
    pub fn is_settled(&self) -> bool {
        self.coming.is_empty()
            && self.cluster.is_quiet()
            && self.cluster.logs().all(|(id, log)| match id {
                LogId::Place(place) => self.audit.untaken(place, log).is_none(),
                _ => true,
            })
    }

    /// Lets all faults end, everything settle, and judges what has come of it.
    pub fn settle(&mut self) -> Result<(), Broken> {
        self.plan.faults = Faults {
            longest_batch: self.plan.faults.longest_batch,
            max_poll: self.plan.faults.max_poll,
            ..Faults::none()
        };
        for process in &mut self.processes {
            process.stalled = process.stalled.min(self.now + self.plan.session * 4);
        }
        // the question whether all is settled is dear, and need not be asked after each step
        let mut asked = 0;
        self.run_until("it does not settle", 100_000, |world| {
            asked += 1;
            asked % 64 == 0 && world.is_settled()
        })?;
        let judged = self.audit.end(&self.settings, &self.cluster);
        judged.map_err(|what| self.broken(what))
    }
}
