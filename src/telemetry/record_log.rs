//! Logs which records were rejected, and which were accepted with a warning: for each source and code the number of
//! records, and the location of the last one. A stream may have many such records in a row, so each source and code has
//! at most one line in an interval.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::throttle::Throttle;
use crate::engine::status::Nearness;
use crate::model::record::{Code, Location, Source};

/// Minimum time between two lines about the same source and code.
const INTERVAL: Duration = Duration::from_secs(5);

/// What happened to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Rejected,
    Warned,
}

type Key = (Kind, Source, Code);

/// Records that are not logged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    records: u64,
    last: Location,
}

/// The log of the rejections and warnings of one worker.
#[derive(Debug)]
pub(super) struct RecordLog {
    pending: BTreeMap<Key, Pending>,
    throttle: Throttle<Key>,
}

impl RecordLog {
    pub(super) fn new() -> RecordLog {
        RecordLog {
            pending: BTreeMap::new(),
            throttle: Throttle::new(INTERVAL),
        }
    }

    /// Adds records of one kind, of which `last` is the last one.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        source: Source,
        code: Code,
        records: u64,
        last: Location,
    ) {
        let pending = self.pending.entry((kind, source, code));
        let pending = pending.or_insert_with(|| Pending {
            records: 0,
            last: last.clone(),
        });
        pending.records += records;
        pending.last = last;
    }

    /// Logs what the throttle allows now.
    pub(super) fn log_due(&mut self, worker: usize, nearness: &Nearness, now: Instant) {
        for (key, pending) in self.take_due(now) {
            log(worker, nearness, key, pending);
        }
    }

    /// Logs everything that is pending, as when the worker ends.
    pub(super) fn log_all(&mut self, worker: usize, nearness: &Nearness) {
        for (key, pending) in std::mem::take(&mut self.pending) {
            log(worker, nearness, key, pending);
        }
    }

    fn take_due(&mut self, now: Instant) -> BTreeMap<Key, Pending> {
        let (due, later) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(key, _)| self.throttle.allows(*key, now));
        self.pending = later;
        due
    }
}

fn log(worker: usize, nearness: &Nearness, (kind, source, code): Key, pending: Pending) {
    let (records, last) = (pending.records, pending.last);
    match kind {
        Kind::Rejected if code == Code::StateTooLarge => tracing::warn!(
            worker,
            source = source.name(),
            stage = code.stage().name(),
            code = code.name(),
            records,
            topic = last.topic,
            partition = last.partition,
            offset = last.offset,
            max_state_bytes = nearness.limit,
            largest_customer_bytes = nearness.largest,
            customers_above_half = nearness.above_half,
            "records were rejected and are in the dead-letter topic, because the state of their customer would be too large; the offset is that of the last one. The figures say how near to the limit the customers of this worker are"
        ),
        Kind::Rejected => tracing::warn!(
            worker,
            source = source.name(),
            stage = code.stage().name(),
            code = code.name(),
            records,
            topic = last.topic,
            partition = last.partition,
            offset = last.offset,
            "records were rejected and are in the dead-letter topic; the offset is that of the last one"
        ),
        Kind::Warned => tracing::warn!(
            worker,
            source = source.name(),
            code = code.name(),
            records,
            topic = last.topic,
            partition = last.partition,
            offset = last.offset,
            "records were accepted with a warning; the offset is that of the last one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Location {
        Location {
            topic: "t".to_owned(),
            partition: 0,
            offset,
        }
    }

    #[test]
    fn each_source_and_code_is_throttled_by_itself_and_no_record_is_left_out() {
        let (source, start) = (Source::LoyaltyCustomers, Instant::now());
        let mut log = RecordLog::new();
        log.add(Kind::Rejected, source, Code::InvalidJson, 2, at(7));
        assert_eq!(log.take_due(start).len(), 1);

        log.add(Kind::Rejected, source, Code::InvalidJson, 1, at(8));
        log.add(Kind::Rejected, source, Code::InvalidJson, 3, at(11));
        log.add(Kind::Rejected, source, Code::InvalidUtf8, 1, at(12));
        let due = log.take_due(start + INTERVAL / 2);
        let codes: Vec<_> = due.keys().map(|(_, _, code)| *code).collect();
        assert_eq!(codes, [Code::InvalidUtf8], "another code does not wait");

        let due = log.take_due(start + INTERVAL);
        let (records, last) = (4, at(11));
        assert_eq!(
            due.into_values().collect::<Vec<_>>(),
            [Pending { records, last }]
        );
        assert!(log.take_due(start + INTERVAL * 3).is_empty());
    }

    #[test]
    fn everything_is_logged_at_the_end() {
        let mut log = RecordLog::new();
        let source = Source::LoyaltyCustomers;
        for offset in 0..2 {
            log.add(Kind::Warned, source, Code::CountryCode, 1, at(offset));
            log.log_all(0, &Nearness::default());
            assert!(log.pending.is_empty());
        }
    }
}
