//! What a worker says of its trouble: each kind now and then, and that of the cluster as a whole once ([`outage`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Driver, LOOK};
use crate::runtime::outage::{self, CALM};

/// What keeps happening is said this seldom.
const QUIET: Duration = Duration::from_secs(5);

/// What was said, and when.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<String, Instant>);

impl Said {
    /// Whether something is to be said now. Of each text by itself, or one would swallow another.
    fn is_due(&mut self, what: &str, now: Instant) -> bool {
        self.0.retain(|_, said| now - *said < QUIET);
        let due = !self.0.contains_key(what);
        if due {
            self.0.insert(what.to_owned(), now);
        }
        due
    }
}

impl Driver {
    /// Says what keeps the worker, but not over and over. Other trouble does not wait for it.
    pub(super) fn explain(&mut self, what: &str, code: RDKafkaErrorCode, reason: &str) {
        self.explain_at(what, None, code, reason);
    }

    pub(super) fn explain_error(&mut self, what: &str, error: &KafkaError) {
        self.explain_error_at(what, None, error);
    }

    pub(super) fn explain_error_at(
        &mut self,
        what: &str,
        at: Option<(&str, i32)>,
        error: &KafkaError,
    ) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        self.explain_at(what, at, code, &error.to_string());
    }

    fn explain_at(
        &mut self,
        what: &str,
        at: Option<(&str, i32)>,
        code: RDKafkaErrorCode,
        reason: &str,
    ) {
        let (worker, now) = (self.parts.reporter.worker(), Instant::now());
        if outage::is_outage(code) {
            self.troubled = Some(now);
            return self.parts.outage.trouble(worker, what, code, reason);
        }
        let (topic, partition) = at.unzip();
        if self.explained.is_due(&format!("{what} {code:?}"), now) {
            tracing::warn!(
                worker,
                topic,
                partition,
                ?code,
                reason,
                "{what}; keyfold tries again"
            );
        }
    }

    /// Looks whether the trouble that this worker had with the cluster is over.
    pub(super) fn look_for_calm(&mut self) {
        let calm = self.troubled.is_some_and(|at| at.elapsed() >= CALM);
        let soon = self.calm_looked.is_some_and(|at| at.elapsed() < LOOK);
        if !calm || soon || self.away || self.worker.is_retrying() {
            return;
        }
        self.calm_looked = Some(Instant::now());
        let topic = &self.parts.settings.state_topic;
        if self.ends.partitions(topic, LOOK / 2).is_ok() {
            self.troubled = None;
            self.parts.outage.over(self.parts.reporter.worker());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_does_not_swallow_another() {
        let (mut said, start) = (Said::default(), Instant::now());
        assert!(said.is_due("a", start));
        assert!(!said.is_due("a", start + QUIET / 2));
        assert!(said.is_due("b", start + QUIET / 2));
        assert!(said.is_due("a", start + QUIET));
        assert!(!said.is_due("b", start + QUIET));
        assert!(said.is_due("b", start + QUIET * 2));
    }
}
