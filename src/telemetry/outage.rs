//! Trouble with the cluster as a whole, such as a broker that restarts. Every client of every worker meets it, and again
//! with every attempt; the process logs it once when it begins, and once when it is over.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker that meets no more trouble for so long has none.
pub const CALM: Duration = Duration::from_secs(5);

/// What is said of the outage. One for a process.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When it began, and when a worker last met it.
    ongoing: Option<(Instant, Instant)>,
    /// The workers that met it and are not through yet.
    workers: BTreeSet<usize>,
    /// How many errors were not logged as warnings.
    suppressed: u64,
}

impl Outage {
    /// A worker met trouble.
    pub fn trouble(&self, worker: usize, what: &str, code: &str, reason: &str) {
        if self.begins(worker, Instant::now()) {
            tracing::warn!(
                worker,
                code,
                reason,
                "{what}; keyfold tries again, and says when it is over"
            );
        } else {
            tracing::debug!(worker, code, reason, "{what}");
        }
    }

    /// A worker has no trouble any more.
    pub(crate) fn over(&self, worker: usize) {
        if let Some((lasted, left_out)) = self.ends(worker) {
            let seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
            tracing::info!(seconds, left_out, "the trouble with the cluster is over");
        }
    }

    pub(crate) fn is_ongoing(&self) -> bool {
        self.lock().ongoing.is_some()
    }

    /// Notes that a worker met the outage; whether it is the first to do so.
    fn begins(&self, worker: usize, now: Instant) -> bool {
        let mut state = self.lock();
        state.workers.insert(worker);
        match &mut state.ongoing {
            Some((_, last)) => {
                *last = now;
                state.suppressed += 1;
                false
            }
            None => {
                (state.ongoing, state.suppressed) = (Some((now, now)), 0);
                true
            }
        }
    }

    /// How long the outage took and how many errors were suppressed, if that was the last of the workers that met it.
    fn ends(&self, worker: usize) -> Option<(Duration, u64)> {
        let mut state = self.lock();
        if !state.workers.remove(&worker) || !state.workers.is_empty() {
            return None;
        }
        let (since, last) = state.ongoing.take()?;
        Some((last - since, state.suppressed))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_and_ends_when_all_workers_are_through() {
        let (outage, start) = (Outage::default(), Instant::now());
        assert!(outage.begins(0, start));
        assert!(!outage.begins(0, start));
        let later = start + Duration::from_secs(30);
        assert!(!outage.begins(1, later));
        assert!(outage.is_ongoing());
        assert_eq!(outage.ends(0), None);
        assert_eq!(outage.ends(2), None, "it met none");
        assert_eq!(outage.ends(1), Some((later - start, 2)));
        assert!(!outage.is_ongoing());
        assert_eq!(outage.ends(1), None);
        assert!(outage.begins(1, later));
    }
}
