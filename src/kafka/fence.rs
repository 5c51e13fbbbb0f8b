//! Fences the producer of a dead worker, so that nobody waits for the timeout of its open transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer};

use super::deliveries::{Context, Deliveries};

/// Takes over the transactional id in the configuration: the broker fences its producer, aborts the open transaction,
/// and answers when that is done.
pub fn fence(config: &ClientConfig, timeout: Duration) -> KafkaResult<()> {
    let deadline = Instant::now() + timeout;
    let context = Context(Arc::new(Deliveries::default()));
    let producer: BaseProducer<Context> = config.create_with_context(context)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match producer.init_transactions(left.max(Duration::from_millis(1))) {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && Instant::now() < deadline => {}
            ended => return ended,
        }
    }
}
