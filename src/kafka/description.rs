//! Topics as the brokers describe them, with their ids and with the operations that this client is allowed (KIP-430).
//! The Rust binding does not offer this request.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// Why a request failed.
#[derive(Debug)]
pub(crate) struct RequestError {
    /// `None` if no broker was asked.
    pub code: Option<RDKafkaErrorCode>,
    pub reason: String,
}

impl RequestError {
    /// Whether the brokers are too old for this request.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(
            self.code,
            Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion)
        )
    }
}

impl From<&str> for RequestError {
    fn from(reason: &str) -> RequestError {
        RequestError {
            code: None,
            reason: reason.to_owned(),
        }
    }
}

/// A pointer of librdkafka, and the function that destroys it.
pub(super) struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    pub(super) fn new(
        pointer: *mut T,
        destroy: unsafe extern "C" fn(*mut T),
    ) -> Result<Owned<T>, RequestError> {
        let pointer = NonNull::new(pointer).ok_or("the client is out of memory")?;
        Ok(Owned(pointer, destroy))
    }

    pub(super) fn from(pointer: NonNull<T>, destroy: unsafe extern "C" fn(*mut T)) -> Owned<T> {
        Owned(pointer, destroy)
    }

    pub(super) fn get(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only owner, and the function is the one for this type.
        unsafe { (self.1)(self.0.as_ptr()) }
    }
}

/// An operation on a resource of the cluster, as access control lists (ACLs) name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Read,
    Write,
    Describe,
    DescribeConfigs,
    Create,
    Delete,
}

impl Operation {
    fn of(operation: rd::rd_kafka_AclOperation_t) -> Option<Operation> {
        use rd::rd_kafka_AclOperation_t as Op;
        Some(match operation {
            Op::RD_KAFKA_ACL_OPERATION_READ => Operation::Read,
            Op::RD_KAFKA_ACL_OPERATION_WRITE => Operation::Write,
            Op::RD_KAFKA_ACL_OPERATION_DESCRIBE => Operation::Describe,
            Op::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS => Operation::DescribeConfigs,
            Op::RD_KAFKA_ACL_OPERATION_CREATE => Operation::Create,
            Op::RD_KAFKA_ACL_OPERATION_DELETE => Operation::Delete,
            _ => return None,
        })
    }
}

/// The id of a topic. A topic that is deleted and recreated gets another one.
#[derive(Debug)]
pub(crate) enum TopicId {
    /// In base64.
    Known(String),
    /// The brokers are too old to have topic ids (before Kafka 3.1).
    Unsupported,
    /// There is no such topic.
    NoTopic(RequestError),
    Failed(RequestError),
}

/// The brokers that have a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartitionReplicas {
    pub partition: i32,
    pub has_leader: bool,
    pub replicas: usize,
    pub in_sync: usize,
}

/// A topic as the brokers describe it.
pub(super) struct TopicDescription {
    pub name: String,
    /// In base64. `None` if the brokers are too old to have topic ids.
    id: Option<String>,
    /// The number of its partitions, or why the topic is not described.
    pub partitions: Result<i32, RDKafkaErrorCode>,
    pub replicas: Vec<PartitionReplicas>,
    /// The operations that this client is allowed; `None` if they were not requested, or the brokers do not report
    /// them.
    pub allowed: Option<BTreeSet<Operation>>,
}

impl TopicDescription {
    /// A topic of which only the replicas matter.
    #[cfg(test)]
    pub(super) fn of_replicas(name: &str, replicas: Vec<PartitionReplicas>) -> TopicDescription {
        TopicDescription {
            name: name.to_owned(),
            id: None,
            partitions: Ok(replicas.len() as i32),
            replicas,
            allowed: None,
        }
    }

    fn into_id(self) -> TopicId {
        let code = match (self.partitions, self.id) {
            (Ok(_), Some(id)) => return TopicId::Known(id),
            (Ok(_), None) => return TopicId::Unsupported,
            (Err(code), _) => code,
        };
        let error = RequestError {
            code: Some(code),
            reason: format!("the topic {}: {code}", self.name),
        };
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition => TopicId::NoTopic(error),
            _ => TopicId::Failed(error),
        }
    }
}

/// Whether the description of a topic includes the operations that this client is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedOperations {
    Ask,
    Omit,
}

/// The ids of topics, in the order of their names.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<TopicId>, RequestError> {
    let all = describe(client, topics, AllowedOperations::Omit, timeout)?;
    Ok(all.into_iter().map(TopicDescription::into_id).collect())
}

/// Describes topics, in the order of their names.
pub(super) fn describe<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    allowed: AllowedOperations,
    timeout: Duration,
) -> Result<Vec<TopicDescription>, RequestError> {
    let names: Result<Vec<_>, _> = topics.iter().map(|topic| CString::new(*topic)).collect();
    let names = names.map_err(|_| "a name holds a null character")?;
    let client = client.native_ptr();
    // SAFETY: the client outlives all that is made of it here, and the names outlive the request; the answer is alive
    // while it is read.
    let mut all = unsafe {
        let options = options(client, allowed, timeout)?;
        let answer = request(client, &names, &options, timeout)?;
        descriptions(&answer)?
    };
    if all.len() != topics.len() {
        return Err("the answer does not name each topic".into());
    }
    // the answer has an order of its own
    let position = |one: &TopicDescription| topics.iter().position(|topic| *topic == one.name);
    if all.iter().any(|one| position(one).is_none()) {
        return Err("the answer names another topic".into());
    }
    all.sort_by_key(position);
    Ok(all)
}

pub(super) fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// The options of a request of this kind.
///
/// # Safety
/// The client must be alive for as long as the options.
pub(super) unsafe fn request_options(
    client: *mut rd::rd_kafka_t,
    kind: rd::rd_kafka_admin_op_t,
    timeout: Duration,
) -> Result<Owned<rd::rd_kafka_AdminOptions_t>, RequestError> {
    let mut error_text = [0; 512];
    // SAFETY: as the caller promises.
    unsafe {
        let options = Owned::new(
            rd::rd_kafka_AdminOptions_new(client, kind),
            rd::rd_kafka_AdminOptions_destroy,
        )?;
        rd::rd_kafka_AdminOptions_set_request_timeout(
            options.get(),
            millis(timeout),
            error_text.as_mut_ptr(),
            error_text.len(),
        );
        Ok(options)
    }
}

/// # Safety
/// The client must be alive for as long as the options.
unsafe fn options(
    client: *mut rd::rd_kafka_t,
    allowed: AllowedOperations,
    timeout: Duration,
) -> Result<Owned<rd::rd_kafka_AdminOptions_t>, RequestError> {
    let describe_topics = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: as the caller promises; an error is destroyed once.
    unsafe {
        let options = request_options(client, describe_topics, timeout)?;
        let refused = rd::rd_kafka_AdminOptions_set_include_authorized_operations(
            options.get(),
            i32::from(allowed == AllowedOperations::Ask),
        );
        if !refused.is_null() {
            rd::rd_kafka_error_destroy(refused);
        }
        Ok(options)
    }
}

/// Sends the request, and waits for its answer.
///
/// # Safety
/// The client must be alive for as long as the answer, and the options must be of this client.
unsafe fn request(
    client: *mut rd::rd_kafka_t,
    names: &[CString],
    options: &Owned<rd::rd_kafka_AdminOptions_t>,
    timeout: Duration,
) -> Result<Owned<rd::rd_kafka_event_t>, RequestError> {
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: as the caller promises; what is made here is destroyed by its owner, and strings are copied before that.
    unsafe {
        let queue = Owned::new(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy)?;
        let collection = Owned::new(
            rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            rd::rd_kafka_TopicCollection_destroy,
        )?;
        rd::rd_kafka_DescribeTopics(client, collection.get(), options.get(), queue.get());
        let event = rd::rd_kafka_queue_poll(queue.get(), millis(timeout).saturating_add(1000));
        let event = NonNull::new(event).ok_or("no answer in time")?;
        let event = Owned::from(event, rd::rd_kafka_event_destroy);
        match rd::rd_kafka_event_error(event.get()) {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
            code => Err(RequestError {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_event_error_string(event.get())),
            }),
        }
    }
}

/// # Safety
/// The client of the answer must be alive.
unsafe fn descriptions(
    answer: &Owned<rd::rd_kafka_event_t>,
) -> Result<Vec<TopicDescription>, RequestError> {
    // SAFETY: as the caller promises; a list has as many elements as it says.
    unsafe {
        let result = rd::rd_kafka_event_DescribeTopics_result(answer.get());
        if result.is_null() {
            return Err("the answer is to another request".into());
        }
        let mut count = 0;
        let all = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if all.is_null() {
            return Ok(Vec::new());
        }
        Ok((0..count).map(|at| description(*all.add(at))).collect())
    }
}

/// # Safety
/// The description must be part of an answer that is alive.
unsafe fn description(topic: *const rd::rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: as the caller promises; a list has as many elements as it says.
    unsafe {
        let error = rd::rd_kafka_TopicDescription_error(topic);
        let code = rd::rd_kafka_error_code(error);
        let mut count = 0;
        let partitions = rd::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        let replicas = match partitions.is_null() {
            true => Vec::new(),
            false => (0..count).map(|at| replicas(*partitions.add(at))).collect(),
        };
        let mut length = 0;
        let allowed = rd::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut length);
        let allowed =
            (!allowed.is_null()).then(|| std::slice::from_raw_parts(allowed, length).iter());
        let id = rd::rd_kafka_TopicDescription_topic_id(topic);
        let parts = match id.is_null() {
            true => [0, 0],
            false => [
                rd::rd_kafka_Uuid_most_significant_bits(id),
                rd::rd_kafka_Uuid_least_significant_bits(id),
            ],
        };
        TopicDescription {
            name: text(rd::rd_kafka_TopicDescription_name(topic)),
            id: (parts != [0, 0]).then(|| text(rd::rd_kafka_Uuid_base64str(id))),
            partitions: match code {
                rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    Ok(i32::try_from(count).unwrap_or(i32::MAX))
                }
                code => Err(code.into()),
            },
            replicas,
            allowed: allowed.map(|all| all.filter_map(|one| Operation::of(*one)).collect()),
        }
    }
}

/// # Safety
/// The partition must be part of an answer that is alive.
unsafe fn replicas(partition: *const rd::rd_kafka_TopicPartitionInfo_t) -> PartitionReplicas {
    let (mut replicas, mut in_sync) = (0, 0);
    // SAFETY: as the caller promises.
    unsafe {
        rd::rd_kafka_TopicPartitionInfo_replicas(partition, &raw mut replicas);
        rd::rd_kafka_TopicPartitionInfo_isr(partition, &raw mut in_sync);
        PartitionReplicas {
            partition: rd::rd_kafka_TopicPartitionInfo_partition(partition),
            has_leader: !rd::rd_kafka_TopicPartitionInfo_leader(partition).is_null(),
            replicas,
            in_sync,
        }
    }
}

/// # Safety
/// The text must be null or a C string.
pub(super) unsafe fn text(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is a C string.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
