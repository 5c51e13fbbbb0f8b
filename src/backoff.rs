//! How long to wait before the next attempt at something that failed.

use std::time::Duration;

/// The wait doubles with each failure in a row, up to the longest one. It knows no clock: the caller counts the failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest }
    }

    /// The wait after so many failures in a row; the first one counts as 1.
    pub(crate) fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let after = |failures| backoff.after(failures).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 6, 7].map(after),
            [100, 100, 200, 400, 3200, 5000]
        );
        assert_eq!(after(u32::MAX), 5000);
    }
}
