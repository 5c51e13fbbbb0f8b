//! The log lines about the process as a whole: one when it is ready, and a summary every minute.

use std::time::{Duration, Instant};

use crate::serve::metrics::{Totals, lag};
use crate::serve::{Health, Metrics};

/// Time between two summaries.
const PERIOD: Duration = Duration::from_secs(60);

/// What happened between two summaries.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Period {
    happened: Totals,
    records_per_second: f64,
}

pub(crate) struct Summary {
    process_began: Instant,
    was_ready: bool,
    /// The totals at the last summary, and when that was.
    last: Totals,
    last_at: Instant,
}

impl Summary {
    pub(crate) fn new(process_began: Instant) -> Summary {
        Summary {
            process_began,
            was_ready: false,
            last: Totals::default(),
            last_at: process_began,
        }
    }

    /// Logs the lines that are due.
    pub(crate) fn log_due(&mut self, metrics: &Metrics, health: &Health, now: Instant) {
        let reasons = health.ready(now).err();
        let ready = reasons.is_none();
        if ready && !self.was_ready {
            self.was_ready = true;
            let seconds = (now - self.process_began).as_secs_f64();
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
        let lag = metrics.lag.total(lag::millis());
        tracing::info!(
            records = period.happened.input_records,
            records_per_second = rounded(period.records_per_second),
            rejected = period.happened.rejected,
            commits = period.happened.commits,
            snapshots = period.happened.snapshots,
            lag_records = lag.records,
            lag_seconds = rounded(lag.seconds),
            partitions = lag.partitions,
            ready,
            reason = reasons.as_ref().and_then(|reasons| reasons.first()),
            "summary of the last minute"
        );
    }

    fn period(&mut self, totals: Totals, now: Instant) -> Option<Period> {
        let elapsed = now - self.last_at;
        if elapsed < PERIOD {
            return None;
        }
        let happened = totals.since(self.last);
        (self.last, self.last_at) = (totals, now);
        Some(Period {
            happened,
            records_per_second: happened.input_records as f64 / elapsed.as_secs_f64(),
        })
    }
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A number with its digits in groups of three: `1,234,567`.
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
    fn a_period_has_what_happened_in_it() {
        let start = Instant::now();
        let mut summary = Summary::new(start);
        let totals = |input_records, commits| Totals {
            input_records,
            commits,
            ..Totals::default()
        };
        assert_eq!(summary.period(totals(100, 1), start + PERIOD / 2), None);
        let period = summary.period(totals(600, 5), start + PERIOD);
        let expected = Period {
            happened: totals(600, 5),
            records_per_second: 10.0,
        };
        assert_eq!(period, Some(expected));
        assert_eq!(summary.period(totals(700, 6), start + PERIOD * 3 / 2), None);
        let period = summary.period(totals(720, 6), start + PERIOD * 3);
        let expected = Period {
            happened: totals(120, 1),
            records_per_second: 1.0,
        };
        assert_eq!(period, Some(expected));
    }

    #[test]
    fn digits_are_grouped_by_thousands() {
        let all = [0, 999, 1_000, 93_000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "93,000", "1,234,567"]);
    }
}
