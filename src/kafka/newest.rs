//! The newest timestamp in each partition (KIP-734). The Rust binding does not offer this request.

use std::ffi::CString;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as rd;

use super::cluster::{Cluster, ClusterError};
use super::description::{Owned, RequestError, millis, request_options, text};
use super::retry::ATTEMPT_TIMEOUT;

/// The greatest timestamp of the records of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub topic: String,
    pub partition: i32,
    /// In milliseconds since 1970.
    pub timestamp: i64,
}

impl Cluster {
    /// The newest timestamps of topics, which are given with their number of partitions. Partitions without a timestamp,
    /// and those that do not answer, are left out.
    pub fn newest_timestamps(&self, topics: &[(&str, i32)]) -> Result<Vec<Newest>, ClusterError> {
        let client = self.client().native_ptr();
        // SAFETY: the client outlives the call, and all that is made of it.
        let answer = unsafe { newest(client, topics, ATTEMPT_TIMEOUT) };
        answer.map_err(|error| {
            let reason = error.reason;
            ClusterError(format!("cannot read the newest timestamps: {reason}"))
        })
    }
}

/// # Safety
/// The client must be alive until this returns.
unsafe fn newest(
    client: *mut rd::rd_kafka_t,
    topics: &[(&str, i32)],
    timeout: Duration,
) -> Result<Vec<Newest>, RequestError> {
    let of_newest = rd::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_MAX_TIMESTAMP as i64;
    // SAFETY: as the caller promises; what is made here is destroyed by its owner, names are copied when they are added,
    // and an answer is alive while it is read.
    unsafe {
        let asked = Owned::new(
            rd::rd_kafka_topic_partition_list_new(0),
            rd::rd_kafka_topic_partition_list_destroy,
        )?;
        for (topic, partitions) in topics {
            let topic = CString::new(*topic).map_err(|_| "a name holds a null character")?;
            for partition in 0..*partitions {
                let element =
                    rd::rd_kafka_topic_partition_list_add(asked.get(), topic.as_ptr(), partition);
                // here the request has what it asks for in the place of an offset
                (*element).offset = of_newest;
            }
        }
        let kind = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
        let options = request_options(client, kind, timeout)?;
        let queue = Owned::new(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy)?;
        rd::rd_kafka_ListOffsets(client, asked.get(), options.get(), queue.get());
        let event = rd::rd_kafka_queue_poll(queue.get(), millis(timeout).saturating_add(1000));
        let event = NonNull::new(event).ok_or("no answer in time")?;
        let event = Owned::from(event, rd::rd_kafka_event_destroy);
        match rd::rd_kafka_event_error(event.get()) {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(timestamps(&event)),
            code => Err(RequestError {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_event_error_string(event.get())),
            }),
        }
    }
}

/// # Safety
/// The client of the answer must be alive.
unsafe fn timestamps(answer: &Owned<rd::rd_kafka_event_t>) -> Vec<Newest> {
    // SAFETY: as the caller promises; a list has as many elements as it says.
    unsafe {
        let result = rd::rd_kafka_event_ListOffsets_result(answer.get());
        if result.is_null() {
            return Vec::new();
        }
        let mut count = 0;
        let all = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let found = (0..count).filter_map(|at| {
            let one = *all.add(at);
            let place = rd::rd_kafka_ListOffsetsResultInfo_topic_partition(one);
            let timestamp = rd::rd_kafka_ListOffsetsResultInfo_timestamp(one);
            let is_known = (*place).err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                && timestamp >= 0;
            is_known.then(|| Newest {
                topic: text((*place).topic),
                partition: (*place).partition,
                timestamp,
            })
        });
        found.collect()
    }
}
