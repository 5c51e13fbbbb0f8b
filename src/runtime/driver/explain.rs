//! What a worker logs about errors: each kind once in a while, and those of the cluster as a whole once for all workers
//! ([`crate::telemetry::outage`]).

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{BROKER_CHECK_INTERVAL, Driver};
use crate::engine::client_error::{ClientError, ErrorKind};
use crate::kafka::errors::{code_of, is_outage};
use crate::telemetry::outage::CALM;

/// Minimum time between repeats of the same warning.
pub(super) const WARNING_INTERVAL: Duration = Duration::from_secs(5);

impl Driver {
    /// Logs why the worker cannot make progress, but not repeatedly. Different errors do not suppress each other.
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

    /// Logs an error of the client after which keyfold tries again.
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
            self.last_outage_error = Some(now);
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

    /// Checks whether the cluster's outage is over for this worker.
    pub(super) fn check_outage(&mut self) {
        let is_calm = self
            .last_outage_error
            .is_some_and(|at| at.elapsed() >= CALM);
        let checked_recently = self
            .outage_checked
            .is_some_and(|at| at.elapsed() < BROKER_CHECK_INTERVAL);
        if !is_calm || checked_recently || self.is_unreachable || self.engine.is_retrying() {
            return;
        }
        self.outage_checked = Some(Instant::now());
        let topic = &self.parts.settings.state_topic;
        if self
            .query
            .partitions(topic, BROKER_CHECK_INTERVAL / 2)
            .is_ok()
        {
            self.last_outage_error = None;
            self.parts.outage.over(self.parts.reporter.worker());
        }
    }
}
