//! Prevents a lasting condition from filling the log with the same line.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Decides whether a log line is due, for each message separately: a message never suppresses a different one.
#[derive(Debug)]
pub(crate) struct Throttle<M> {
    /// Minimum time between repeats of the same message.
    interval: Duration,
    last_logged: HashMap<M, Instant>,
}

impl<M: Hash + Eq> Throttle<M> {
    pub(crate) fn new(interval: Duration) -> Throttle<M> {
        Throttle {
            interval,
            last_logged: HashMap::new(),
        }
    }

    /// Whether the message may be logged now. If so, its next interval begins.
    pub(crate) fn allows(&mut self, message: M, now: Instant) -> bool {
        let interval = self.interval;
        self.last_logged
            .retain(|_, at| now.saturating_duration_since(*at) < interval);
        let allowed = !self.last_logged.contains_key(&message);
        if allowed {
            self.last_logged.insert(message, now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_messages_do_not_suppress_each_other_and_the_same_one_waits() {
        let (interval, start) = (Duration::from_secs(5), Instant::now());
        let mut throttle = Throttle::new(interval);
        assert!(throttle.allows("a", start));
        assert!(!throttle.allows("a", start + interval / 2));
        assert!(throttle.allows("b", start + interval / 2));
        assert!(throttle.allows("a", start + interval));
        assert!(!throttle.allows("b", start + interval));
        assert!(throttle.allows("b", start + interval * 2));
        assert_eq!(throttle.last_logged.len(), 1, "old messages are forgotten");
    }
}
