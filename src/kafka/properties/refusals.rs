//! What librdkafka itself refuses when a client is created. That needs no broker.

use std::thread;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use super::{Finding, identity, key};
use crate::config::Config;
use crate::kafka::client::{ClientSettings, Targets};
use crate::kafka::client_log;
use crate::kafka::side_by_side::joined;

/// Properties that are known to be `wrong` are left out, and also those that librdkafka might refuse only because of
/// them.
pub(super) fn refusals(config: &Config, wrong: &[Finding]) -> Vec<Finding> {
    let mut kafka = config.kafka.clone();
    let properties = &mut kafka.properties;
    for (name, _) in wrong {
        properties.remove(name);
        if name.starts_with("sasl.") || name.starts_with("ssl.") {
            properties.remove("security.protocol");
        }
    }
    let settings = ClientSettings {
        application_id: &config.application_id,
        kafka: &kafka,
    };
    let (identity, guarantee) = (identity(config), config.processing.guarantee);
    let targets = Targets {
        record_bytes: 1_000_000,
        batch_bytes: 1_000_000,
        partitions: 1,
    };
    let producer = settings.producer(guarantee, &identity, targets);
    let failures = refused(settings.reader(), settings.member(&identity), producer);
    let mut found: Vec<Finding> = Vec::new();
    for error in failures.into_iter().flatten() {
        let finding = refusal(config, &error);
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

/// Creates the clients, and returns why that failed. Side by side, because each takes a tenth of a second to end.
fn refused(
    reader: ClientConfig,
    member: ClientConfig,
    producer: ClientConfig,
) -> [Option<KafkaError>; 3] {
    thread::scope(|scope| {
        let member = scope.spawn(|| refused_consumer(member));
        let producer = scope.spawn(|| refused_producer(producer));
        [refused_consumer(reader), joined(member), joined(producer)]
    })
}

fn refused_consumer(mut client: ClientConfig) -> Option<KafkaError> {
    client.remove("bootstrap.servers");
    let made: Result<BaseConsumer<Silent>, _> = client.create_with_context(Silent);
    made.err()
}

fn refused_producer(mut client: ClientConfig) -> Option<KafkaError> {
    client.remove("bootstrap.servers");
    let made: Result<BaseProducer<Silent>, _> = client.create_with_context(Silent);
    made.err()
}

/// librdkafka's message, under the key of the property that it names.
fn refusal(config: &Config, error: &KafkaError) -> Finding {
    let text = match error {
        KafkaError::ClientCreation(text) => text.clone(),
        error => client_log::creation_error(error),
    };
    let kafka = &config.kafka;
    let text = kafka.without_secrets(client_log::without_secret(&text));
    let names = kafka.properties.keys();
    let named = names.filter(|name| text.contains(name.as_str()));
    let key = match named.max_by_key(|name| name.len()) {
        Some(name) => key(name),
        None => "kafka.properties".to_owned(),
    };
    (key, format!("the client refuses: {text}"))
}

/// Discards the log of a client that is created only as a check.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Silent {}

impl ProducerContext for Silent {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
