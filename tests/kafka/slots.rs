//! How many tests run side by side: they share the machine with one broker.

use std::sync::{Condvar, Mutex, PoisonError};

const SLOTS: usize = 3;

static FREE: Mutex<usize> = Mutex::new(SLOTS);
static FREED: Condvar = Condvar::new();

/// The right to run. Dropping it lets the next test in.
pub struct Slot(());

impl Slot {
    /// Waits for a free one.
    pub fn take() -> Slot {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREED
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREED.notify_one();
    }
}
