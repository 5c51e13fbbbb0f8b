//! Delivery reports: whether the records of a producer were delivered.

use std::sync::{Arc, Mutex};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::client_log;

/// Stores the error of the first record of a batch that could not be delivered.
#[derive(Default)]
pub struct Deliveries {
    failed: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Deliveries {
    pub fn note(&self, code: RDKafkaErrorCode, text: String) {
        if let Ok(mut failed) = self.failed.lock() {
            failed.get_or_insert((code, text));
        }
    }

    pub fn take(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.failed.lock().ok()?.take()
    }
}

/// librdkafka's callbacks.
pub struct Context(pub Arc<Deliveries>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            let text = format!("{}[{}]: {error}", message.topic(), message.partition());
            self.0.note(code, text);
        }
    }
}
