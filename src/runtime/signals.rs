//! A clean stop on SIGTERM and SIGINT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The interval at which a pause checks the stop.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Set when the processor is to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
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
            signal_hook::flag::register(signal, Arc::clone(&self.0))?;
        }
        Ok(())
    }
}
