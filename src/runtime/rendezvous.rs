//! Lets the workers of a process join the group at the same time. If the group became stable before the last worker
//! joined, it would have to rebalance again at once, and the first workers would notice that only with a heartbeat.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::signals::Stop;

/// The longest wait: a worker whose producer still waits for the cluster does not delay the others for longer.
const TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A barrier at which the workers wait for each other before they join.
pub struct Rendezvous {
    missing: AtomicUsize,
}

impl Rendezvous {
    pub fn of(workers: usize) -> Rendezvous {
        Rendezvous {
            missing: AtomicUsize::new(workers),
        }
    }

    /// Reports this worker as ready to join, and waits until all are.
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
