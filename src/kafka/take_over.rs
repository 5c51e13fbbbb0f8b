//! Taking a transactional id over, as each transactional producer does before anything else: the broker fences the
//! producer that had the id before, and commits or aborts the transaction that it left open.

use std::ptr;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::description::millis;
use super::transaction::SLICE;

/// How long a new client may take to reach a broker before it asks for its id all the same.
const REACHED_WITHIN: Duration = Duration::from_millis(500);

/// Takes over the transactional id of the producer's configuration. `waiting` is called every second while the brokers have
/// not answered; false gives up.
pub fn take_over<C: ProducerContext>(
    producer: &BaseProducer<C>,
    mut waiting: impl FnMut(&KafkaError) -> bool,
) -> KafkaResult<()> {
    reach_a_broker(producer.client(), REACHED_WITHIN);
    while let Err(error) = producer.init_transactions(SLICE) {
        let is_retriable = matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
        if !is_retriable || !waiting(&error) {
            return Err(error);
        }
    }
    Ok(())
}

/// Waits until a broker has told this client which brokers there are, for at most `timeout`. librdkafka looks for the
/// coordinator of a transactional id at once; if no broker is connected by then, or if the coordinator is none of those
/// that it knows, it looks again only after half a second (`rd_kafka_txn_coord_query`), and each start would take that
/// much longer.
fn reach_a_broker<C: ClientContext>(client: &Client<C>, timeout: Duration) {
    let mut metadata = ptr::null();
    // SAFETY: the client is alive; what it returns is destroyed here. Without a topic the request is for the brokers, and
    // for the topics that this client uses already.
    unsafe {
        rd::rd_kafka_metadata(
            client.native_ptr(),
            0,
            ptr::null_mut(),
            &mut metadata,
            millis(timeout),
        );
        if !metadata.is_null() {
            rd::rd_kafka_metadata_destroy(metadata);
        }
    }
}
