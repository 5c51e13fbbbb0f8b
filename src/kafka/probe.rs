//! One broker by itself: whether it answers this client at one address, and which brokers it names.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::ClientSettings;
use super::client_log;
use super::query_client::QueryClient;
use crate::config::{Config, Kafka};

/// One attempt; between two of them it is looked whether the broker has refused this client.
const SLICE: Duration = Duration::from_millis(500);

/// What a broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Of the cluster; none where the broker does not tell it.
    pub cluster_id: Option<String>,
    /// All brokers of the cluster, with the addresses that they give to clients.
    pub brokers: Vec<AdvertisedBroker>,
}

/// A broker with the address that it gives to clients (`advertised.listeners`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdvertisedBroker {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

/// Why a broker does not answer, with the text of the client. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    /// The broker refuses the user, the password or the mechanism.
    Credentials(String),
    /// No TLS connection comes about.
    Tls(String),
    /// There is no answer, or the connection breaks.
    Silent(String),
    /// No client can be made of this configuration.
    Client(String),
}

/// Asks the broker at an address, as it stands in `bootstrap.servers`, for the brokers of its cluster. It takes
/// `timeout` at the most.
///
/// # Errors
/// The broker does not answer in time, or refuses this client.
pub fn probe(config: &Config, server: &str, timeout: Duration) -> Result<Probed, ProbeError> {
    let deadline = Instant::now() + timeout;
    let kafka = Kafka {
        bootstrap_servers: server.to_owned(),
        ..config.kafka.clone()
    };
    let settings = ClientSettings {
        application_id: &config.application_id,
        kafka: &kafka,
    };
    let query = QueryClient::connect(settings)
        .map_err(|error| ProbeError::Client(client_log::creation_error(&error)))?;
    // asking for one topic keeps the answer small
    let topic = Some(config.snapshot.topic.as_str());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let failed = match query.client().fetch_metadata(topic, SLICE.min(left)) {
            Ok(metadata) => {
                let brokers = metadata.brokers().iter().filter_map(|broker| {
                    Some(AdvertisedBroker {
                        id: broker.id(),
                        host: broker.host().to_owned(),
                        port: u16::try_from(broker.port()).ok()?,
                    })
                });
                return Ok(Probed {
                    cluster_id: query.client().fetch_cluster_id(SLICE),
                    brokers: brokers.collect(),
                });
            }
            Err(error) => error,
        };
        let last = query.last_error();
        let refused = last
            .as_ref()
            .is_some_and(|(code, reason)| client_log::refuses(*code, reason));
        if refused || left <= SLICE {
            return Err(explained(&kafka, last, &failed, timeout));
        }
    }
}

/// The last error of the connection says more than that of the request.
fn explained(
    kafka: &Kafka,
    last: Option<(RDKafkaErrorCode, String)>,
    failed: &KafkaError,
    timeout: Duration,
) -> ProbeError {
    let shown = |text: &str| kafka.without_secrets(&essence(text));
    match last {
        None if failed.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) => {
            ProbeError::Silent(format!("no answer within {} s", timeout.as_secs()))
        }
        None => ProbeError::Silent(shown(&failed.to_string())),
        Some((code, reason)) if !client_log::refuses(code, &reason) => {
            ProbeError::Silent(shown(&reason))
        }
        Some((RDKafkaErrorCode::SSL, reason)) => ProbeError::Tls(shown(&reason)),
        Some((_, reason)) => ProbeError::Credentials(shown(&reason)),
    }
}

/// A text of the client without the thread and the address before it, and without how long it took.
fn essence(text: &str) -> String {
    let behind = |text: &str, mark: &str| text.split_once(mark).map(|(_, rest)| rest.to_owned());
    let text = behind(text, "/bootstrap: ").unwrap_or_else(|| text.to_owned());
    let text = match text.starts_with("[thrd:") {
        true => behind(&text, "]: ").unwrap_or(text),
        false => text,
    };
    let end = text.find(" (after ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_essence_of_a_text_of_the_client() {
        for (text, expected) in [
            (
                "[thrd:sasl_ssl://h:1/bootstrap]: sasl_ssl://h:1/bootstrap: SASL authentication error: no (after 302ms in state AUTH_REQ, 3 identical error(s) suppressed)",
                "SASL authentication error: no",
            ),
            ("1/1 brokers are down", "1/1 brokers are down"),
            ("[thrd:app]: odd", "odd"),
        ] {
            assert_eq!(essence(text), expected);
        }
    }
}
