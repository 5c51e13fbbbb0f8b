//! A clean stop on SIGTERM and SIGINT, for good after SIGUSR1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The interval at which a pause checks the stop.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Set when the processor is to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    set: Arc<AtomicBool>,
    /// Whether the instance does not come back after the stop.
    for_good: Arc<AtomicBool>,
}

impl Stop {
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    pub fn set(&self) {
        self.set.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has said that the instance does not come back after its next stop.
    pub fn is_for_good(&self) -> bool {
        self.for_good.load(Ordering::Relaxed)
    }

    /// Waits for this duration, or until the stop is set.
    pub fn wait(&self, duration: Duration) {
        let until = Instant::now() + duration;
        while Instant::now() < until && !self.is_set() {
            std::thread::sleep(POLL_INTERVAL.min(duration));
        }
    }

    /// Sets the stop on SIGTERM and SIGINT. Repeated signals change nothing, because some senders signal twice.
    pub fn on_signals(&self) -> std::io::Result<()> {
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&self.set))?;
        }
        Ok(())
    }

    /// Makes the next stop one for good on SIGUSR1. That does not stop anything.
    pub fn on_signal_for_good(&self) -> std::io::Result<()> {
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&self.for_good))
            .map(|_| ())
    }
}
