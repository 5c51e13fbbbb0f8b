//! A producer with a thread that handles its events: failed deliveries, errors, lines for the log, expired tokens.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer};

use super::deliveries::Context;
use super::native::Queue;

/// How often the thread looks for events. Nothing hurries: records that are delivered make no event.
const EVERY: Duration = Duration::from_millis(20);

/// A producer whose events are handled while it lives. The binding's own `ThreadedProducer` does the same, but waits in
/// whole milliseconds for a deadline between two of them, and spins for the rest: one of a hundred cycles of a core, for
/// each producer, even when there is nothing to do.
pub struct ServedProducer {
    producer: Arc<BaseProducer<Context>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ServedProducer {
    pub fn create(config: &ClientConfig, context: Context) -> KafkaResult<ServedProducer> {
        let producer: BaseProducer<Context> = config.create_with_context(context)?;
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let body = {
            let (producer, stop) = (Arc::clone(&producer), Arc::clone(&stop));
            move || {
                // SAFETY: the client outlives the queue, which this thread drops first.
                let events = unsafe { Queue::of_events(producer.client().native_ptr()) };
                while !stop.load(Ordering::Relaxed) {
                    serve(&producer, events.as_ref());
                    thread::park_timeout(EVERY);
                }
            }
        };
        let thread = thread::Builder::new().name("producer events".to_owned());
        let thread = thread.spawn(body).map_err(|error| {
            KafkaError::ClientCreation(format!("cannot start a thread: {error}"))
        })?;
        Ok(ServedProducer {
            producer,
            stop,
            thread: Some(thread),
        })
    }
}

/// Handles the events that there are.
fn serve(producer: &BaseProducer<Context>, events: Option<&Queue>) {
    loop {
        // without a wait it handles one event
        producer.poll(Duration::ZERO);
        if events.is_none_or(Queue::is_empty) {
            return;
        }
    }
}

impl Deref for ServedProducer {
    type Target = BaseProducer<Context>;

    fn deref(&self) -> &BaseProducer<Context> {
        &self.producer
    }
}

impl Drop for ServedProducer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // fails only if the thread has panicked
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::error::RDKafkaErrorCode;
    use rdkafka::producer::BaseRecord;

    use super::*;
    use crate::kafka::deliveries::Deliveries;

    /// Nobody polls here: the thread does.
    #[test]
    fn a_failed_delivery_is_noted() {
        let deliveries = Arc::new(Deliveries::default());
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", "127.0.0.1:1")
            .set("message.timeout.ms", "50");
        let producer = ServedProducer::create(&config, Context(Arc::clone(&deliveries))).unwrap();
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to("topic").payload(b"value");
        producer.send(record).map_err(|(error, _)| error).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let (code, _) = loop {
            if let Some(failed) = deliveries.take() {
                break failed;
            }
            assert!(Instant::now() < deadline, "nothing was noted");
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(code, RDKafkaErrorCode::MessageTimedOut);
    }
}
