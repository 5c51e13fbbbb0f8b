//! The workers of a process join the group side by side. A group that is complete before the last of them has come would
//! have to rebalance at once, and those that joined first notice that only with a heartbeat.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::signals::Stop;

/// One whose producer waits for the cluster is not waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(2);

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

    /// A worker is ready to join, and waits until all are.
    pub fn wait(&self, stop: &Stop) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let began = Instant::now();
        while self.missing.load(Ordering::Acquire) > 0
            && began.elapsed() < PATIENCE
            && !stop.is_set()
        {
            std::thread::sleep(LOOK);
        }
    }
}
