//! What clients say when something is wrong: their log, their errors, and whether trying again helps.

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What a failure to make a client says, without the value of the property that is at fault.
pub fn not_made(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => name.clone(),
        error => without_secret(&error.to_string()).to_owned(),
    }
}

/// What the client says, up to where it quotes a value that holds a secret: only of this property it does.
pub(super) fn without_secret(text: &str) -> &str {
    const NAME: &str = "sasl.oauthbearer.config";
    text.find(NAME)
        .and_then(|at| text.get(..at + NAME.len()))
        .unwrap_or(text)
}

/// Logs what the client has to say, and keeps its last trouble for the message that a failure ends with.
#[derive(Default)]
pub struct LastTrouble {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// The last line of the log that was an error; it says more than a code.
    said: Mutex<Option<String>>,
}

impl LastTrouble {
    /// The last trouble with the cluster, if there was one.
    pub fn last_trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        let (code, reason) = self.last.lock().ok()?.clone()?;
        let said = self.said.lock().ok()?.clone();
        Some((code, said.unwrap_or(reason)))
    }

    /// Notes a trouble. One with authentication stays, for others follow from it.
    pub fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        if let Ok(mut last) = self.last.lock()
            && last
                .as_ref()
                .is_none_or(|(code, reason)| !refuses(*code, reason))
        {
            *last = Some((code, without_secret(reason).to_owned()));
        }
    }
}

/// Whether trying again does not help: the cluster does not want this client.
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

/// Whether trying again does not help, also by what the client says: it calls a connection that broke in the midst of a
/// login a refusal too.
pub fn refuses(code: RDKafkaErrorCode, reason: &str) -> bool {
    let broke = [
        "Disconnected",
        "SSL transport error",
        // the broker has not even said which mechanisms it has
        "supported mechanisms: (n/a)",
    ];
    is_refusal(code) && !broke.iter().any(|broke| reason.contains(broke))
}

impl ConsumerContext for LastTrouble {}

impl ClientContext for LastTrouble {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Error)
            && let Ok(mut said) = self.said.lock()
        {
            *said = Some(without_secret(message).to_owned());
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

/// What the client says of its connections. Every client of every worker does so with every attempt, and late, for its
/// log is only read where it is polled; and it calls an error what it gets over by itself, such as the first of a name's
/// addresses that does not answer. What keeps keyfold from its work is said by the workers.
const CONNECTIONS: [&str; 4] = ["FAIL", "ERROR", "REQTMOUT", "GETPID"];

/// Passes on a line of the client's log.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let message = without_secret(message);
    match level {
        _ if CONNECTIONS.contains(&facility) => {
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
    fn a_connection_that_breaks_in_a_login_is_no_refusal() {
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
    fn what_a_client_says_holds_no_secret() {
        let text = "Unrecognized sasl.oauthbearer.config beginning at: hunter2".to_owned();
        let said = not_made(&KafkaError::ClientCreation(text));
        assert!(!said.contains("hunter2"), "{said}");
    }
}
