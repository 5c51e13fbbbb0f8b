//! Whether the process works (`/healthz`) and whether it is caught up (`/readyz`)
//! (docs/contract.md, section 8).
//!
//! The workers report their state; nothing here measures anything. The caller passes the clock in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest reason kept, in characters.
const MAX_REASON_CHARS: usize = 300;

/// What a worker reports about its partitions and services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// All its partitions are restored and consumed, and no service is away.
    Ready,
    /// Not ready, for this reason, for example "restoring partition 3, 1200 records remain". The text is public: no ids
    /// of customers, no payload, no secrets. It is cut at 300 characters and put on one line.
    NotReady(String),
}

/// Health of all workers of one process. Share it in an `Arc`.
pub struct Health {
    limit: Duration,
    workers: Mutex<BTreeMap<usize, Worker>>,
    /// What is wrong with the consumer group as a whole.
    group_problem: Mutex<Option<String>>,
    /// What the start is waiting for, before there are workers.
    starting: Mutex<Option<String>>,
}

struct Worker {
    last_heartbeat: Instant,
    /// Whether the worker is in a call to the cluster that it cannot interrupt.
    in_call: bool,
    ended: bool,
    readiness: Readiness,
}

/// A call to the cluster that takes longer than this makes a worker unready.
const SLOW_CALL: Duration = Duration::from_secs(3);
/// A worker in a call to the cluster counts as alive for this long.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

impl Health {
    /// `workers` workers, numbered from 0, alive as of `now` and not ready ("starting"). A worker
    /// without a heartbeat for longer than `limit` is no longer alive.
    pub fn new(workers: usize, limit: Duration, now: Instant) -> Health {
        let worker = |index| {
            let readiness = Readiness::NotReady("starting".to_owned());
            let worker = Worker {
                last_heartbeat: now,
                in_call: false,
                ended: false,
                readiness,
            };
            (index, worker)
        };
        Health {
            limit,
            workers: Mutex::new((0..workers).map(worker).collect()),
            group_problem: Mutex::default(),
            starting: Mutex::default(),
        }
    }

    /// Sets what the start is waiting for, before there are workers: the process is alive, and not ready.
    pub fn starting(&self, reason: &str) {
        *lock(&self.starting) = Some(bounded(reason));
    }

    /// The start has ended: from here on the health is that of the workers, all of which are alive now.
    pub fn started(&self, now: Instant) {
        *lock(&self.starting) = None;
        for worker in lock(&self.workers).values_mut() {
            worker.last_heartbeat = now;
        }
    }

    /// A worker has completed a turn of its loop.
    pub fn heartbeat(&self, worker: usize, now: Instant) {
        if let Some(worker) = lock(&self.workers).get_mut(&worker) {
            worker.last_heartbeat = now;
            worker.in_call = false;
            worker.ended = false;
        }
    }

    /// A worker begins a call to the cluster that may last as long as the cluster is away. The next heartbeat ends it.
    pub(crate) fn begin_blocking_call(&self, worker: usize, now: Instant) {
        if let Some(worker) = lock(&self.workers).get_mut(&worker) {
            worker.last_heartbeat = now;
            worker.in_call = true;
        }
    }

    /// A worker has left its loop, for whatever reason.
    pub fn ended(&self, worker: usize) {
        if let Some(worker) = lock(&self.workers).get_mut(&worker) {
            worker.ended = true;
        }
    }

    /// A worker reports whether it is ready. This does not count as a heartbeat.
    pub fn readiness(&self, worker: usize, readiness: Readiness) {
        let readiness = match readiness {
            Readiness::Ready => Readiness::Ready,
            Readiness::NotReady(reason) => Readiness::NotReady(bounded(&reason)),
        };
        if let Some(worker) = lock(&self.workers).get_mut(&worker) {
            worker.readiness = readiness;
        }
    }

    /// Sets what is wrong with the consumer group as a whole, if anything is.
    pub fn group_problem(&self, problem: Option<String>) {
        *lock(&self.group_problem) = problem.map(|reason| bounded(&reason));
    }

    /// `/healthz`: every worker is alive.
    ///
    /// # Errors
    /// One line for each worker that is not.
    pub fn live(&self, now: Instant) -> Result<(), Vec<String>> {
        if lock(&self.starting).is_some() {
            return Ok(());
        }
        let lines: Vec<String> = lock(&self.workers)
            .iter()
            .filter_map(|(index, worker)| {
                let reason = worker.fault(self.limit, now)?;
                Some(format!("worker {index}: {reason}"))
            })
            .collect();
        ok_if_empty(lines)
    }

    /// `/readyz`: every worker is alive and ready. An instance without a partition is ready.
    ///
    /// # Errors
    /// One line for each worker that is not.
    pub fn ready(&self, now: Instant) -> Result<(), Vec<String>> {
        if let Some(reason) = &*lock(&self.starting) {
            return Err(vec![reason.clone()]);
        }
        let mut lines: Vec<String> = lock(&self.workers)
            .iter()
            .filter_map(|(index, worker)| {
                let is_slow = now.saturating_duration_since(worker.last_heartbeat) > SLOW_CALL;
                let reason = match (worker.fault(self.limit, now), &worker.readiness) {
                    (Some(fault), _) => fault,
                    _ if worker.in_call && is_slow => "waits for the cluster".to_owned(),
                    (None, Readiness::NotReady(reason)) => reason.clone(),
                    (None, Readiness::Ready) => return None,
                };
                Some(format!("worker {index}: {reason}"))
            })
            .collect();
        lines.extend(lock(&self.group_problem).clone());
        ok_if_empty(lines)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    fn fault(&self, limit: Duration, now: Instant) -> Option<String> {
        if self.ended {
            return Some("ended".to_owned());
        }
        // This saturates at zero, so a heartbeat from another thread after `now` was read is no fault.
        let silent = now.saturating_duration_since(self.last_heartbeat);
        let limit = if self.in_call { LONGEST_CALL } else { limit };
        (silent > limit).then(|| format!("no sign of life for {} s", silent.as_secs()))
    }
}

fn ok_if_empty(lines: Vec<String>) -> Result<(), Vec<String>> {
    if lines.is_empty() { Ok(()) } else { Err(lines) }
}

/// Makes a text one line of limited length, whatever a library's error text contains.
fn bounded(reason: &str) -> String {
    let mut chars = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut text: String = chars.by_ref().take(MAX_REASON_CHARS).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn members_that_are_not_keyfold_are_named() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.readiness(0, Readiness::Ready);
        health.group_problem(Some("kcat".to_owned()));
        assert_eq!(health.ready(now), Err(vec!["kcat".to_owned()]));
        assert_eq!(health.live(now), Ok(()));
        health.group_problem(None);
        assert_eq!(health.ready(now), Ok(()));
    }

    #[test]
    fn a_new_process_is_alive_but_not_ready() {
        let now = Instant::now();
        let health = Health::new(2, LIMIT, now);
        assert_eq!(health.live(now), Ok(()));
        assert_eq!(
            health.ready(now),
            Err(vec![
                "worker 0: starting".to_owned(),
                "worker 1: starting".to_owned()
            ])
        );
    }

    #[test]
    fn the_start_may_wait_for_any_time_and_says_for_what() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.starting("no broker can be reached");
        let later = now + LIMIT * 10;
        assert_eq!(health.live(later), Ok(()));
        let reason = "no broker can be reached".to_owned();
        assert_eq!(health.ready(later), Err(vec![reason]));
        health.started(later);
        assert_eq!(health.live(later), Ok(()));
        assert!(health.ready(later).is_err());
    }

    #[test]
    fn the_process_is_ready_when_all_workers_are() {
        let now = Instant::now();
        let health = Health::new(2, LIMIT, now);
        health.readiness(0, Readiness::Ready);
        let reason = "restoring partition 3, 1200 records remain";
        health.readiness(1, Readiness::NotReady(reason.to_owned()));
        assert_eq!(health.ready(now), Err(vec![format!("worker 1: {reason}")]));
        health.readiness(1, Readiness::Ready);
        assert_eq!(health.ready(now), Ok(()));
        health.readiness(0, Readiness::NotReady("broker away".to_owned()));
        assert_eq!(
            health.ready(now),
            Err(vec!["worker 0: broker away".to_owned()])
        );
        assert_eq!(health.live(now), Ok(()));
    }

    #[test]
    fn a_silent_worker_is_neither_alive_nor_ready() {
        let start = Instant::now();
        let health = Health::new(2, LIMIT, start);
        health.readiness(0, Readiness::Ready);
        health.readiness(1, Readiness::Ready);
        let later = start + LIMIT;
        assert_eq!(health.live(later), Ok(()));
        let later = later + Duration::from_secs(1);
        health.heartbeat(0, later);
        let silent = Err(vec!["worker 1: no sign of life for 61 s".to_owned()]);
        assert_eq!(health.live(later), silent);
        assert_eq!(health.ready(later), silent);
        health.heartbeat(1, later);
        assert_eq!(health.live(later), Ok(()));
        assert_eq!(health.ready(later), Ok(()));
    }

    #[test]
    fn a_worker_that_ended_is_a_fault_until_its_next_heartbeat() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.readiness(0, Readiness::Ready);
        health.ended(0);
        assert_eq!(health.live(now), Err(vec!["worker 0: ended".to_owned()]));
        assert_eq!(health.ready(now), Err(vec!["worker 0: ended".to_owned()]));
        health.heartbeat(0, now);
        assert_eq!(health.live(now), Ok(()));
    }

    #[test]
    fn a_heartbeat_after_the_reading_of_the_clock_is_no_fault() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.heartbeat(0, now + Duration::from_secs(1));
        assert_eq!(health.live(now), Ok(()));
    }

    #[test]
    fn reasons_are_bounded_and_on_one_line() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.readiness(
            0,
            Readiness::NotReady(format!("a\r\nb{}", "é".repeat(1000))),
        );
        let lines = health.ready(now).unwrap_err();
        assert!(lines[0].starts_with("worker 0: a  bé"));
        assert!(lines[0].ends_with('…'));
        assert_eq!(
            lines[0].chars().count(),
            "worker 0: ".len() + MAX_REASON_CHARS + 1
        );
    }

    #[test]
    fn unknown_workers_are_ignored() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.readiness(0, Readiness::Ready);
        health.heartbeat(7, now);
        health.ended(7);
        assert_eq!(health.ready(now), Ok(()));
    }
}
