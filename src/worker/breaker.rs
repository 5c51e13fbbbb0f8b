//! The circuit breaker: it stops the processor when most of a long run of records is rejected, instead of emptying
//! the topic into the dead letters.

/// Counts over windows of records, one after the other.
#[derive(Debug, Clone)]
pub struct Breaker {
    window: usize,
    max_share: f64,
    records: usize,
    rejected: usize,
}

impl Breaker {
    /// Opens when more than `max_share` of `window` records are rejected; a share of 1 never is.
    pub fn new(window: usize, max_share: f64) -> Breaker {
        Breaker {
            window,
            max_share,
            records: 0,
            rejected: 0,
        }
    }

    /// Counts a record; whether the breaker opens.
    pub fn count(&mut self, rejected: bool) -> bool {
        self.records += 1;
        self.rejected += usize::from(rejected);
        if self.records < self.window {
            return false;
        }
        let share = self.rejected as f64 / self.records as f64;
        (self.records, self.rejected) = (0, 0);
        share > self.max_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_at_the_end_of_a_window_with_too_many_rejections() {
        let mut breaker = Breaker::new(10, 0.5);
        assert!((0..20).all(|at| !breaker.count(at % 2 == 0)));
        assert!((0..9).all(|_| !breaker.count(true)));
        assert!(breaker.count(true));
        let mut off = Breaker::new(10, 1.0);
        assert!((0..100).all(|_| !off.count(true)));
    }
}
