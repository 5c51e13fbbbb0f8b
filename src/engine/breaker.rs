//! The circuit breaker: it stops the processor when too large a share of one source's recent records is rejected,
//! instead of sending the whole topic to the dead letters. Each source is counted separately, so that three good
//! sources do not hide a fourth that is broken.

use std::collections::BTreeMap;

use crate::model::record::{Code, Location, Source};

/// Why the breaker opens: the most frequent rejection code of the window, and how many of its records were rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub source: Source,
    pub code: Code,
    pub rejected: usize,
    pub window: usize,
    /// The last record of the window that was rejected with this code.
    pub example: Location,
}

/// The records of one source since its last window ended.
#[derive(Debug, Clone, Default)]
struct Window {
    records: usize,
    rejected: BTreeMap<Code, (usize, Location)>,
}

/// Counts the rejections of each source in consecutive windows of records.
#[derive(Debug, Clone)]
pub struct Breaker {
    window: usize,
    max_share: f64,
    sources: BTreeMap<Source, Window>,
}

impl Breaker {
    /// Opens when more than `max_share` of `window` records of a source are rejected; with a `max_share` of 1 it never
    /// opens.
    pub fn new(window: usize, max_share: f64) -> Breaker {
        Breaker {
            window,
            max_share,
            sources: BTreeMap::new(),
        }
    }

    /// Notes why a record was rejected. [`Breaker::count`] must be called for the record too.
    pub fn rejected(&mut self, source: Source, code: Code, example: Location) {
        let window = self.sources.entry(source).or_default();
        match window.rejected.get_mut(&code) {
            Some((records, last)) => {
                *records += 1;
                *last = example;
            }
            None => {
                window.rejected.insert(code, (1, example));
            }
        }
    }

    /// Counts a record. Returns why the breaker opens, if it does.
    pub fn count(&mut self, source: Source) -> Option<Opened> {
        let window = self.sources.entry(source).or_default();
        window.records += 1;
        if window.records < self.window {
            return None;
        }
        let Window { records, rejected } = std::mem::take(window);
        let all: usize = rejected.values().map(|(records, _)| records).sum();
        if all as f64 / records as f64 <= self.max_share {
            return None;
        }
        let most = rejected
            .into_iter()
            .max_by_key(|(_, (records, _))| *records);
        most.map(|(code, (_, example))| Opened {
            source,
            code,
            rejected: all,
            window: records,
            example,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Source = Source::LoyaltyCustomers;
    const BAD: Source = Source::ConsoleCustomers;

    fn reject(breaker: &mut Breaker, offset: i64, code: Code) -> Option<Opened> {
        let example = Location {
            topic: "console".to_owned(),
            partition: 1,
            offset,
        };
        breaker.rejected(BAD, code, example);
        breaker.count(BAD)
    }

    #[test]
    fn opens_at_the_end_of_a_window_with_too_many_rejections() {
        let mut breaker = Breaker::new(10, 0.5);
        for at in 0..20 {
            let opened = match at % 2 {
                0 => reject(&mut breaker, at, Code::InvalidJson),
                _ => breaker.count(BAD),
            };
            assert_eq!(opened, None);
        }
        assert!((0..9).all(|at| reject(&mut breaker, at, Code::InvalidJson).is_none()));
        assert!(reject(&mut breaker, 9, Code::InvalidJson).is_some());
        let mut off = Breaker::new(10, 1.0);
        assert!((0..100).all(|at| reject(&mut off, at, Code::InvalidJson).is_none()));
    }

    #[test]
    fn good_sources_do_not_hide_a_broken_one() {
        let mut breaker = Breaker::new(10, 0.5);
        let mut opened = None;
        for at in 0..10 {
            assert!((0..9).all(|_| breaker.count(GOOD).is_none()));
            let code = match at {
                0..3 => Code::InvalidUtf8,
                _ => Code::InvalidJson,
            };
            opened = reject(&mut breaker, at, code);
        }
        let opened = opened.expect("a source of which all is rejected opens the breaker");
        assert_eq!((opened.source, opened.code), (BAD, Code::InvalidJson));
        assert_eq!((opened.rejected, opened.window), (10, 10));
        assert_eq!(opened.example.offset, 9);
    }
}
