//! Trouble with the cluster as a whole, such as a broker that restarts. Every client of every worker meets it, and again
//! with every attempt; the process says it once, and once more when it is over.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

/// A worker that meets no more trouble for so long has none.
pub const CALM: Duration = Duration::from_secs(5);

/// Whether an error is one of the way to the brokers, or of brokers that come and go.
pub fn is_outage(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::NetworkException
            | RDKafkaErrorCode::BrokerNotAvailable
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::NotEnoughReplicas
            | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
    )
}

/// What is said of the outage. One for a process.
#[derive(Debug, Default)]
pub struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    last: Option<Instant>,
    /// The workers that met it.
    workers: BTreeSet<usize>,
    /// What was not said, for it was said before.
    left_out: u64,
}

impl Outage {
    /// A worker met trouble.
    pub fn trouble(&self, worker: usize, what: &str, code: RDKafkaErrorCode, reason: &str) {
        if self.begins(worker, Instant::now()) {
            tracing::warn!(
                worker,
                ?code,
                reason,
                "{what}; keyfold tries again, and says when it is over"
            );
        } else {
            tracing::debug!(worker, ?code, reason, "{what}");
        }
    }

    /// A worker has no trouble any more.
    pub fn over(&self, worker: usize) {
        if let Some((lasted, left_out)) = self.ends(worker) {
            let seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
            tracing::info!(seconds, left_out, "the trouble with the cluster is over");
        }
    }

    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.lock().since.is_some()
    }

    fn begins(&self, worker: usize, now: Instant) -> bool {
        let mut state = self.lock();
        state.workers.insert(worker);
        state.last = Some(now);
        let begins = state.since.is_none();
        if begins {
            (state.since, state.left_out) = (Some(now), 0);
        } else {
            state.left_out += 1;
        }
        begins
    }

    /// How long it took, and what was left out, if that was the last of the workers that met it.
    fn ends(&self, worker: usize) -> Option<(Duration, u64)> {
        let mut state = self.lock();
        if !state.workers.remove(&worker) || !state.workers.is_empty() {
            return None;
        }
        let (since, last) = (state.since.take()?, state.last?);
        Some((last - since, state.left_out))
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
        assert!(outage.is_on());
        assert_eq!(outage.ends(0), None);
        assert_eq!(outage.ends(2), None, "it met none");
        assert_eq!(outage.ends(1), Some((later - start, 2)));
        assert!(!outage.is_on());
        assert_eq!(outage.ends(1), None);
        assert!(outage.begins(1, later));
    }
}
