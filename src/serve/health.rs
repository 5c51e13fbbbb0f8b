//! Whether the process works (`/healthz`) and whether it is caught up (`/readyz`)
//! (docs/contract.md, section 8).
//!
//! Workers report; nothing here measures by itself. The clock is passed in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest reason kept, in characters.
const MAX_REASON_CHARS: usize = 300;

/// What a worker says about its partitions and services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// All its partitions are caught up and no service is away.
    Ready,
    /// Why not: "restoring partition 3, 1200 records remain". The text is public: no ids of
    /// customers, no payload, no secrets. It is cut at 300 characters and put on one line.
    NotReady(String),
}

/// Health of all workers of one process. Share it in an `Arc`.
pub struct Health {
    limit: Duration,
    workers: Mutex<BTreeMap<usize, Worker>>,
    /// What is wrong with the group as a whole.
    group: Mutex<Option<String>>,
    /// What the start waits for, before there are workers.
    starting: Mutex<Option<String>>,
}

struct Worker {
    last_beat: Instant,
    /// It waits for the cluster within a call that it can't leave.
    in_call: bool,
    ended: bool,
    readiness: Readiness,
}

/// A call to the cluster that takes longer makes a worker unready.
const SLOW_CALL: Duration = Duration::from_secs(3);
/// A worker that waits for the cluster lives, but not for ever.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

impl Health {
    /// `workers` workers, numbered from 0, alive as of `now` and not ready ("starting"). A worker that
    /// is silent for longer than `limit` is stuck.
    pub fn new(workers: usize, limit: Duration, now: Instant) -> Health {
        let worker = |index| {
            let readiness = Readiness::NotReady("starting".to_owned());
            let worker = Worker {
                last_beat: now,
                in_call: false,
                ended: false,
                readiness,
            };
            (index, worker)
        };
        Health {
            limit,
            workers: Mutex::new((0..workers).map(worker).collect()),
            group: Mutex::default(),
            starting: Mutex::default(),
        }
    }

    /// What the start waits for, before there are workers: the process works, and is not ready. None: the workers start.
    pub fn starting(&self, reason: Option<&str>) {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        *starting = reason.map(bounded);
    }

    fn is_starting(&self) -> Option<String> {
        let starting = self.starting.lock();
        starting.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A worker went round its loop. One that had ended lives again.
    pub fn heartbeat(&self, worker: usize, now: Instant) {
        if let Some(worker) = self.lock().get_mut(&worker) {
            worker.last_beat = now;
            worker.in_call = false;
            worker.ended = false;
        }
    }

    /// A worker begins a call to the cluster that may take as long as the cluster is away. The next heartbeat
    /// ends it.
    pub(crate) fn begin_blocking_call(&self, worker: usize, now: Instant) {
        if let Some(worker) = self.lock().get_mut(&worker) {
            worker.last_beat = now;
            worker.in_call = true;
        }
    }

    /// A worker left its loop, for whatever reason.
    pub fn ended(&self, worker: usize) {
        if let Some(worker) = self.lock().get_mut(&worker) {
            worker.ended = true;
        }
    }

    /// A worker says whether it is ready. This is no heartbeat.
    pub fn readiness(&self, worker: usize, readiness: Readiness) {
        let readiness = match readiness {
            Readiness::Ready => Readiness::Ready,
            Readiness::NotReady(reason) => Readiness::NotReady(bounded(&reason)),
        };
        if let Some(worker) = self.lock().get_mut(&worker) {
            worker.readiness = readiness;
        }
    }

    /// Says what is wrong with the group as a whole; none: nothing.
    pub fn group(&self, wrong: Option<String>) {
        let wrong = wrong.map(|reason| bounded(&reason));
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    /// `/healthz`: every worker lives and has beaten within the limit.
    ///
    /// # Errors
    /// One line for each worker that does not.
    pub fn live(&self, now: Instant) -> Result<(), Vec<String>> {
        if self.is_starting().is_some() {
            return Ok(());
        }
        let lines: Vec<String> = self
            .lock()
            .iter()
            .filter_map(|(index, worker)| {
                let reason = worker.fault(self.limit, now)?;
                Some(format!("worker {index}: {reason}"))
            })
            .collect();
        none_or(lines)
    }

    /// `/readyz`: every worker lives and is ready. An instance without a partition is ready.
    ///
    /// # Errors
    /// One line for each worker that is not.
    pub fn ready(&self, now: Instant) -> Result<(), Vec<String>> {
        if let Some(reason) = self.is_starting() {
            return Err(vec![reason]);
        }
        let mut lines: Vec<String> = self
            .lock()
            .iter()
            .filter_map(|(index, worker)| {
                let waits = now.saturating_duration_since(worker.last_beat) > SLOW_CALL;
                let reason = match (worker.fault(self.limit, now), &worker.readiness) {
                    (Some(fault), _) => fault,
                    _ if worker.in_call && waits => "waits for the cluster".to_owned(),
                    (None, Readiness::NotReady(reason)) => reason.clone(),
                    (None, Readiness::Ready) => return None,
                };
                Some(format!("worker {index}: {reason}"))
            })
            .collect();
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(group.clone());
        none_or(lines)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Worker>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn fault(&self, limit: Duration, now: Instant) -> Option<String> {
        if self.ended {
            return Some("ended".to_owned());
        }
        // Saturates at zero, so a beat from another thread after `now` was taken is no fault.
        let silent = now.saturating_duration_since(self.last_beat);
        let limit = if self.in_call { LONGEST_CALL } else { limit };
        (silent > limit).then(|| format!("no sign of life for {} s", silent.as_secs()))
    }
}

fn none_or(lines: Vec<String>) -> Result<(), Vec<String>> {
    if lines.is_empty() { Ok(()) } else { Err(lines) }
}

/// One line of bounded length, whatever a library's error text holds.
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
        health.group(Some("kcat".to_owned()));
        assert_eq!(health.ready(now), Err(vec!["kcat".to_owned()]));
        assert_eq!(health.live(now), Ok(()));
        health.group(None);
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
    fn what_the_start_waits_for_is_told_and_takes_as_long_as_it_takes() {
        let now = Instant::now();
        let health = Health::new(1, LIMIT, now);
        health.starting(Some("no broker can be reached"));
        let later = now + LIMIT * 10;
        assert_eq!(health.live(later), Ok(()));
        let reason = "no broker can be reached".to_owned();
        assert_eq!(health.ready(later), Err(vec![reason]));
        health.starting(None);
        health.heartbeat(0, later);
        assert_eq!(health.live(later), Ok(()));
        assert!(health.ready(later).is_err());
    }

    #[test]
    fn ready_when_all_workers_are() {
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
    fn a_worker_that_ended_is_a_fault_until_it_beats_again() {
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
    fn a_beat_after_the_reading_of_the_clock_is_no_fault() {
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
