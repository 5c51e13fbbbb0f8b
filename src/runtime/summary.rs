//! What the process as a whole says in the log: once that it is ready, and every minute how it goes.

use std::time::{Duration, Instant};

use crate::serve::metrics::{Totals, lag};
use crate::serve::{Health, Metrics};

const PERIOD: Duration = Duration::from_secs(60);

/// What happened within a period, and how far behind the process is at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Period {
    happened: Totals,
    records_per_second: f64,
}

pub struct Summary {
    began: Instant,
    was_ready: bool,
    told: Totals,
    told_at: Instant,
}

impl Summary {
    /// Of a process that began then.
    pub fn of(began: Instant) -> Summary {
        Summary {
            began,
            was_ready: false,
            told: Totals::default(),
            told_at: began,
        }
    }

    /// Says what is due.
    pub fn look(&mut self, metrics: &Metrics, health: &Health, now: Instant) {
        let reasons = health.ready(now).err();
        let ready = reasons.is_none();
        if ready && !self.was_ready {
            self.was_ready = true;
            let seconds = (now - self.began).as_secs_f64();
            let restored = metrics.restored();
            tracing::info!(
                seconds = rounded(seconds),
                restored_records = restored,
                "ready after {seconds:.1} s, {} records restored",
                grouped(restored)
            );
        }
        let Some(period) = self.period(metrics.totals(), now) else {
            return;
        };
        let (partitions, lag_records, lag_seconds) = metrics.lag.sum(lag::millis());
        tracing::info!(
            records = period.happened.input_records,
            records_per_second = rounded(period.records_per_second),
            rejected = period.happened.rejected,
            commits = period.happened.commits,
            snapshots = period.happened.snapshots,
            lag_records,
            lag_seconds = rounded(lag_seconds),
            partitions,
            ready,
            reason = reasons.as_ref().and_then(|reasons| reasons.first()),
            "summary of the last minute"
        );
    }

    fn period(&mut self, totals: Totals, now: Instant) -> Option<Period> {
        let passed = now - self.told_at;
        if passed < PERIOD {
            return None;
        }
        let happened = totals.since(self.told);
        (self.told, self.told_at) = (totals, now);
        Some(Period {
            happened,
            records_per_second: happened.input_records as f64 / passed.as_secs_f64(),
        })
    }
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_tells_what_happened_in_it() {
        let start = Instant::now();
        let mut summary = Summary::of(start);
        let totals = |input_records, commits| Totals {
            input_records,
            commits,
            ..Totals::default()
        };
        assert_eq!(summary.period(totals(100, 1), start + PERIOD / 2), None);
        let told = summary.period(totals(600, 5), start + PERIOD);
        let expected = Period {
            happened: totals(600, 5),
            records_per_second: 10.0,
        };
        assert_eq!(told, Some(expected));
        assert_eq!(summary.period(totals(700, 6), start + PERIOD * 3 / 2), None);
        let told = summary.period(totals(720, 6), start + PERIOD * 3);
        let expected = Period {
            happened: totals(120, 1),
            records_per_second: 1.0,
        };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn numbers_can_be_read() {
        let all = [0, 999, 1_000, 93_000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "93,000", "1,234,567"]);
    }
}
