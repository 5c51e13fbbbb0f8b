//! An outage: errors of the cluster as a whole, such as while a broker restarts. Every client of every worker gets
//! them, and again at every attempt; the process logs the outage once when it begins, and once when it is over.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker without such an error for this long is no longer in the outage.
pub const CALM: Duration = Duration::from_secs(5);

/// The outage that is being logged. A process has one of these.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the outage began, and when a worker last had an error.
    ongoing: Option<(Instant, Instant)>,
    /// The workers that are still in the outage.
    workers: BTreeSet<usize>,
    /// How many errors were not logged as warnings.
    suppressed: u64,
}

impl Outage {
    /// A worker had an error of an outage.
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

    /// A worker is no longer in the outage.
    pub(crate) fn over(&self, worker: usize) {
        if let Some((lasted, left_out)) = self.ends(worker) {
            let seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
            tracing::info!(seconds, left_out, "the trouble with the cluster is over");
        }
    }

    pub(crate) fn is_ongoing(&self) -> bool {
        self.lock().ongoing.is_some()
    }

    /// Records an error of a worker; returns whether it is the first one of the outage.
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

    /// Records that a worker is out of the outage. If it is the last one, returns how long the outage lasted and how
    /// many errors were suppressed.
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
    fn an_outage_begins_once_and_ends_when_it_is_over_for_all_workers() {
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
