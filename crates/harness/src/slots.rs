//! How many tests run side by side: they share the machine with one broker.

use std::sync::{Condvar, Mutex, PoisonError};

const SLOTS: usize = 6;

static FREE: Mutex<usize> = Mutex::new(SLOTS);
static FREED: Condvar = Condvar::new();

/// The right to run. Dropping it lets the next test in.
pub struct Slot(usize);

impl Slot {
    /// Waits for a free one.
    pub fn take() -> Slot {
        Slot::wait_for(1)
    }

    /// Waits for room for a cluster of its own. Two of them would starve each other on two cores, so that it takes more
    /// than half.
    pub fn take_for_cluster() -> Slot {
        Slot::wait_for(SLOTS / 2 + 1)
    }

    fn wait_for(slots: usize) -> Slot {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREED
            .wait_while(free, |free| *free < slots)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= slots;
        Slot(slots)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        FREED.notify_all();
    }
}
