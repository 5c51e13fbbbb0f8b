//! The log and the errors of the clients, and which errors are permanent.

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why a client could not be created, without the value of the property that caused it, because that may be secret.
pub(super) fn creation_error(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => name.clone(),
        error => without_secret(&error.to_string()).to_owned(),
    }
}

/// A text of librdkafka, cut off where it quotes a secret value. It quotes a value only for this property.
pub(super) fn without_secret(text: &str) -> &str {
    const NAME: &str = "sasl.oauthbearer.config";
    text.find(NAME)
        .and_then(|at| text.get(..at + NAME.len()))
        .unwrap_or(text)
}

/// Writes the client's log to keyfold's, and keeps the client's last error for the message of a failure.
#[derive(Default)]
pub(crate) struct LastError {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// The last log line at the level of an error; it says more than an error code.
    line: Mutex<Option<String>>,
}

impl LastError {
    /// The last error of the connection to the cluster, if there was one.
    pub(super) fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let (code, reason) = self.last.lock().ok()?.clone()?;
        let line = self.line.lock().ok()?.clone();
        Some((code, line.unwrap_or(reason)))
    }

    /// Stores an error. An authentication error is not overwritten, because later errors are its consequences.
    pub(super) fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        if let Ok(mut last) = self.last.lock()
            && last
                .as_ref()
                .is_none_or(|(code, reason)| !refuses(*code, reason))
        {
            *last = Some((code, without_secret(reason).to_owned()));
        }
    }
}

/// Whether the error is permanent: the cluster refuses this client.
pub fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
    )
}

/// Like [`is_refusal`], but looks at the text as well: librdkafka uses the same codes when a connection breaks during
/// authentication, which a retry can fix.
pub fn refuses(code: RDKafkaErrorCode, reason: &str) -> bool {
    let broken_connection = [
        "Disconnected",
        "SSL transport error",
        // the connection broke before the broker listed its mechanisms
        "supported mechanisms: (n/a)",
    ];
    is_refusal(code) && !broken_connection.iter().any(|text| reason.contains(text))
}

impl ConsumerContext for LastError {}

impl ClientContext for LastError {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Error)
            && let Ok(mut line) = self.line.lock()
        {
            *line = Some(without_secret(message).to_owned());
        }
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.note(code, reason);
        }
        tracing::debug!(%error, reason = without_secret(reason), "client");
    }
}

/// The log facilities for connections. Every client of every worker logs such lines at every attempt, and with a delay,
/// because its log is read only when it is polled. It also logs as errors what it recovers from by itself, such as the
/// first address of a host that does not answer. The workers log the errors that keep keyfold from its work.
const CONNECTION_FACILITIES: [&str; 4] = ["FAIL", "ERROR", "REQTMOUT", "GETPID"];

/// Writes a line of the client's log to keyfold's.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let message = without_secret(message);
    match level {
        _ if CONNECTION_FACILITIES.contains(&facility) => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::error!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_during_authentication_is_no_refusal() {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        for (code, reason, refused) in [
            (
                Authentication,
                "SASL authentication error: Authentication failed: Invalid username or password",
                true,
            ),
            (
                Authentication,
                "SASL PLAIN mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a)",
                false,
            ),
            (
                Authentication,
                "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-256",
                true,
            ),
            (
                SSL,
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified",
                true,
            ),
            (
                SSL,
                "SSL handshake failed: SSL transport error: Connection timed out",
                false,
            ),
            (AllBrokersDown, "1/1 brokers are down", false),
        ] {
            assert_eq!(refuses(code, reason), refused, "{reason}");
        }
    }

    #[test]
    fn a_creation_error_holds_no_secret() {
        let quoted = "Unrecognized sasl.oauthbearer.config beginning at: hunter2".to_owned();
        let text = creation_error(&KafkaError::ClientCreation(quoted));
        assert!(!text.contains("hunter2"), "{text}");
    }
}
