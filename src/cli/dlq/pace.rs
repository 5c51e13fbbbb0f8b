//! How fast letters are sent: never more than so many in any second, also after a pause.

use std::time::{Duration, Instant};

/// The pace of a command that sends in portions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Letters a second; none: as fast as it goes.
    rate: Option<f64>,
    /// Not before then.
    next: Option<Instant>,
}

impl Pace {
    pub fn new(rate: Option<u32>) -> Pace {
        Pace {
            rate: rate.map(f64::from),
            next: None,
        }
    }

    /// The most letters that may be sent at once: what may be sent within half a second.
    pub fn portion(&self, most: usize) -> usize {
        let half_a_second = self.rate.map_or(most, |rate| (rate / 2.0) as usize);
        half_a_second.clamp(1, most.max(1))
    }

    /// How long the next portion has to wait.
    pub fn wait(&self, now: Instant) -> Duration {
        let next = self.next.map(|next| next.saturating_duration_since(now));
        next.unwrap_or_default()
    }

    /// So many letters were sent, the last of them at this time. What a pause has left unused is not made up for.
    pub fn sent(&mut self, letters: usize, at: Instant) {
        if let Some(rate) = self.rate {
            self.next = Some(at + Duration::from_secs_f64(letters as f64 / rate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_not_made_up_for() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut pace = Pace::new(Some(10));
        let portion = pace.portion(2_000);
        assert_eq!((portion, pace.wait(at(0))), (5, Duration::ZERO));
        pace.sent(portion, at(100));
        assert_eq!(pace.wait(at(200)), Duration::from_millis(400));
        // an hour later
        assert_eq!(pace.wait(at(3_600_000)), Duration::ZERO);
        pace.sent(portion, at(3_600_000));
        assert_eq!(pace.wait(at(3_600_000)), Duration::from_millis(500));
    }

    #[test]
    fn portions_are_bounded() {
        let portion = |rate| Pace::new(rate).portion(2_000);
        assert_eq!(portion(None), 2_000);
        assert_eq!(portion(Some(1)), 1);
        assert_eq!(portion(Some(400)), 200);
        assert_eq!(portion(Some(1_000_000)), 2_000);
        let mut pace = Pace::new(None);
        pace.sent(7, Instant::now());
        assert_eq!(pace.wait(Instant::now()), Duration::ZERO);
    }
}
