//! What a worker says of its trouble: each kind now and then, and that of the cluster as a whole once ([`outage`]).

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Driver, LOOK};
use crate::engine::client_error::{ClientError, ErrorKind};
use crate::kafka::errors::{code_of, is_outage};
use crate::telemetry::outage::CALM;

/// Minimum time between repeats of the same warning.
pub(super) const WARNING_INTERVAL: Duration = Duration::from_secs(5);

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
        self.explain_at(what, at, code_of(error), &error.to_string());
    }

    fn explain_at(
        &mut self,
        what: &str,
        at: Option<(&str, i32)>,
        code: RDKafkaErrorCode,
        reason: &str,
    ) {
        self.explain_as(what, at, is_outage(code), &format!("{code:?}"), reason);
    }

    /// Says what the client said of something that keyfold tries again.
    pub(super) fn explain_client_error(&mut self, what: &str, error: &ClientError) {
        let is_outage = matches!(error.kind, ErrorKind::Unavailable | ErrorKind::TimedOut);
        self.explain_as(what, None, is_outage, &error.code, &error.text);
    }

    fn explain_as(
        &mut self,
        what: &str,
        at: Option<(&str, i32)>,
        is_outage: bool,
        code: &str,
        reason: &str,
    ) {
        let (worker, now) = (self.parts.reporter.worker(), Instant::now());
        if is_outage {
            self.troubled = Some(now);
            return self.parts.outage.trouble(worker, what, code, reason);
        }
        let (topic, partition) = at.unzip();
        if self.warnings.allows(format!("{what} {code}"), now) {
            tracing::warn!(
                worker,
                topic,
                partition,
                code,
                reason,
                "{what}; keyfold tries again"
            );
        }
    }

    /// Looks whether the trouble that this worker had with the cluster is over.
    pub(super) fn look_for_calm(&mut self) {
        let calm = self.troubled.is_some_and(|at| at.elapsed() >= CALM);
        let soon = self.calm_looked.is_some_and(|at| at.elapsed() < LOOK);
        if !calm || soon || self.away || self.engine.is_retrying() {
            return;
        }
        self.calm_looked = Some(Instant::now());
        let topic = &self.parts.settings.state_topic;
        if self.query.partitions(topic, LOOK / 2).is_ok() {
            self.troubled = None;
            self.parts.outage.over(self.parts.reporter.worker());
        }
    }
}
