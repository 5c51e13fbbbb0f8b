//! The workers of a process join the group side by side. A group that is complete before the last of them has come would
//! have to rebalance at once, and those that joined first notice that only with a heartbeat.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::signals::Stop;

/// The longest wait: a worker whose producer waits for the cluster does not delay the others any longer.
const TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Where workers wait for each other before they join.
pub struct Rendezvous {
    missing: AtomicUsize,
}

impl Rendezvous {
    pub fn of(workers: usize) -> Rendezvous {
        Rendezvous {
            missing: AtomicUsize::new(workers),
        }
    }

    /// This worker is ready to join; waits until all are.
    pub fn wait(&self, stop: &Stop) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let began = Instant::now();
        while self.missing.load(Ordering::Acquire) > 0
            && began.elapsed() < TIMEOUT
            && !stop.is_set()
        {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
