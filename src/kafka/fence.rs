//! Fences the producer of a dead worker, so that nobody waits for the timeout of its open transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::BaseProducer;

use super::deliveries::{Context, Deliveries};
use super::take_over::take_over;

/// Takes over the transactional id in the configuration: the broker fences its producer, aborts the open transaction,
/// and answers when that is done.
pub fn fence(config: &ClientConfig, timeout: Duration) -> KafkaResult<()> {
    let deadline = Instant::now() + timeout;
    let context = Context(Arc::new(Deliveries::default()));
    let producer: BaseProducer<Context> = config.create_with_context(context)?;
    take_over(&producer, |_| Instant::now() < deadline)
}
