//! Says in the log which records were rejected, and which were accepted with a warning: for each source and code how
//! many, and where the last of them lies; each at most once a period, for a stream may have one such record after
//! another.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::status::Nearness;
use crate::model::record::{Code, Location, Source};

/// The shortest time between two lines of the same source and code.
const PERIOD: Duration = Duration::from_secs(5);

/// What became of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Rejected,
    Warned,
}

/// Records that no line has told of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Untold {
    records: u64,
    last: Location,
}

/// What is to be said of the records of one worker.
#[derive(Debug, Default)]
pub struct Notices {
    untold: BTreeMap<(Kind, Source, Code), Untold>,
    told: BTreeMap<(Kind, Source, Code), Instant>,
}

impl Notices {
    /// Notes so many more records, the last of which lies there.
    pub fn note(&mut self, kind: Kind, source: Source, code: Code, records: u64, last: Location) {
        let untold = self.untold.entry((kind, source, code));
        let untold = untold.or_insert_with(|| Untold {
            records: 0,
            last: last.clone(),
        });
        untold.records += records;
        untold.last = last;
    }

    /// Logs what is due now. With `all` also what would have to wait, as when the worker ends.
    pub fn log(&mut self, worker: usize, nearness: &Nearness, now: Instant, all: bool) {
        for ((kind, source, code), untold) in self.due(now, all) {
            let (records, last) = (untold.records, untold.last);
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
                    "records were rejected and are in the dead-letter topic, for the state of their customer would be too large; the place is that of the last one. The figures say how near to the limit customers of this worker are"
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
                    "records were rejected and are in the dead-letter topic; the place is that of the last one"
                ),
                Kind::Warned => tracing::warn!(
                    worker,
                    source = source.name(),
                    code = code.name(),
                    records,
                    topic = last.topic,
                    partition = last.partition,
                    offset = last.offset,
                    "accepted with a warning; the place is that of the last such record"
                ),
            }
        }
    }

    fn due(&mut self, now: Instant, all: bool) -> Vec<((Kind, Source, Code), Untold)> {
        if self.untold.is_empty() {
            return Vec::new();
        }
        let soon = |told: &Instant| now.saturating_duration_since(*told) < PERIOD;
        let (due, later): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.untold)
            .into_iter()
            .partition(|(key, _)| all || !self.told.get(key).is_some_and(soon));
        self.untold = later;
        self.told.extend(due.keys().map(|key| (*key, now)));
        due.into_iter().collect()
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
    fn each_source_and_code_has_a_time_of_its_own() {
        let (source, start) = (Source::LoyaltyCustomers, Instant::now());
        let mut notices = Notices::default();
        notices.note(Kind::Rejected, source, Code::InvalidJson, 2, at(7));
        assert_eq!(notices.due(start, false).len(), 1);

        notices.note(Kind::Rejected, source, Code::InvalidJson, 1, at(8));
        notices.note(Kind::Rejected, source, Code::InvalidJson, 3, at(11));
        notices.note(Kind::Rejected, source, Code::InvalidUtf8, 1, at(12));
        let due = notices.due(start + PERIOD / 2, false);
        let codes: Vec<_> = due.iter().map(|((_, _, code), _)| *code).collect();
        assert_eq!(codes, [Code::InvalidUtf8], "another code does not wait");

        let due = notices.due(start + PERIOD, false);
        let told: Vec<_> = due.into_iter().map(|(_, untold)| untold).collect();
        let (records, last) = (4, at(11));
        assert_eq!(told, [Untold { records, last }], "nothing is left out");
        assert!(notices.due(start + PERIOD * 3, true).is_empty());
    }

    #[test]
    fn at_the_end_all_is_told() {
        let (source, start) = (Source::LoyaltyCustomers, Instant::now());
        let mut notices = Notices::default();
        for offset in 0..2 {
            notices.note(Kind::Warned, source, Code::CountryCode, 1, at(offset));
            assert_eq!(notices.due(start, true).len(), 1);
        }
    }
}
