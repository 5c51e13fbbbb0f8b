//! Topics as the brokers describe them, with their ids and with what this client may do with them (KIP-430). The Rust
//! binding does not ask for these.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// Why there is no answer.
pub struct Unanswered {
    /// None where no broker was asked.
    pub code: Option<RDKafkaErrorCode>,
    pub reason: String,
}

impl Unanswered {
    /// Whether the brokers do not know the question.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.code,
            Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion)
        )
    }

    /// Whether the topic is not there.
    pub fn is_unknown_topic(&self) -> bool {
        self.code == Some(RDKafkaErrorCode::UnknownTopicOrPartition)
    }
}

/// Why the cluster can't be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers, or the cluster is not yet able to: it may be so later.
    Away(String),
    /// The cluster does not want this client, and waiting does not mend it.
    Refused(String),
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Trouble {
        Trouble::Away(unanswered.reason)
    }
}

impl From<&str> for Unanswered {
    fn from(reason: &str) -> Unanswered {
        Unanswered {
            code: None,
            reason: reason.to_owned(),
        }
    }
}

/// A pointer of librdkafka, and what destroys it.
pub(super) struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    pub(super) fn new(
        pointer: *mut T,
        destroy: unsafe extern "C" fn(*mut T),
    ) -> Result<Owned<T>, Unanswered> {
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

/// What may be done with something on the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Read,
    Write,
    Describe,
    DescribeConfigs,
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
            Op::RD_KAFKA_ACL_OPERATION_DELETE => Operation::Delete,
            _ => return None,
        })
    }
}

/// A topic as the brokers describe it.
pub struct Described {
    pub name: String,
    /// In base64. None where the brokers are too old to have topic ids (before Kafka 3.1).
    pub id: Option<String>,
    /// Its partitions; or why it is not described.
    pub partitions: Result<i32, RDKafkaErrorCode>,
    /// What this client may do with it; none where it was not asked, or the brokers do not tell.
    pub allowed: Option<BTreeSet<Operation>>,
}

/// The id of a topic, as [`Described::id`] tells it.
pub fn id<C: ClientContext>(
    admin: &AdminClient<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<String>, Unanswered> {
    let mut all = ids(admin.inner(), &[topic], patience)?;
    all.pop().ok_or("the answer names no topic")?
}

/// The ids of topics, in their order.
pub fn ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    patience: Duration,
) -> Result<Vec<Result<Option<String>, Unanswered>>, Unanswered> {
    let all = describe(client, topics, false, patience)?;
    let id = |described: Described| match described.partitions {
        Ok(_) => Ok(described.id),
        Err(code) => Err(Unanswered {
            code: Some(code),
            reason: format!("the topic {}: {code}", described.name),
        }),
    };
    Ok(all.into_iter().map(id).collect())
}

/// Describes topics, in their order; on request with what this client may do with them.
pub fn describe<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    with_permissions: bool,
    patience: Duration,
) -> Result<Vec<Described>, Unanswered> {
    let names: Result<Vec<_>, _> = topics.iter().map(|topic| CString::new(*topic)).collect();
    let names = names.map_err(|_| "a name holds a null character")?;
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    let client = client.native_ptr();
    // SAFETY: the client outlives all that is made of it here; what is made is destroyed by its owner, the answer's
    // parts with the answer, and strings are copied before that.
    unsafe {
        let queue = Owned::new(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy)?;
        let options = Owned::new(
            rd::rd_kafka_AdminOptions_new(
                client,
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            ),
            rd::rd_kafka_AdminOptions_destroy,
        )?;
        let mut said = [0; 512];
        rd::rd_kafka_AdminOptions_set_request_timeout(
            options.get(),
            millis,
            said.as_mut_ptr(),
            said.len(),
        );
        let refused = rd::rd_kafka_AdminOptions_set_include_authorized_operations(
            options.get(),
            i32::from(with_permissions),
        );
        if !refused.is_null() {
            rd::rd_kafka_error_destroy(refused);
        }
        let collection = Owned::new(
            rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            rd::rd_kafka_TopicCollection_destroy,
        )?;
        rd::rd_kafka_DescribeTopics(client, collection.get(), options.get(), queue.get());
        let event = rd::rd_kafka_queue_poll(queue.get(), millis.saturating_add(1000));
        let event = NonNull::new(event).ok_or("no answer in time")?;
        let event = Owned(event, rd::rd_kafka_event_destroy);
        let code = rd::rd_kafka_event_error(event.get());
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Unanswered {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_event_error_string(event.get())),
            });
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event.get());
        if result.is_null() {
            return Err("the answer is to another question".into());
        }
        let mut count = 0;
        let all = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if all.is_null() || count != names.len() {
            return Err("the answer does not name each topic".into());
        }
        // the answer has them in an order of its own
        let mut all: Vec<Described> = (0..count).map(|at| described(*all.add(at))).collect();
        let place = |one: &Described| topics.iter().position(|topic| *topic == one.name);
        if all.iter().any(|one| place(one).is_none()) {
            return Err("the answer names another topic".into());
        }
        all.sort_by_key(place);
        Ok(all)
    }
}

/// # Safety
/// The description must be part of an answer that is alive.
unsafe fn described(topic: *const rd::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: as the caller promises; a list has as many elements as it says.
    unsafe {
        let error = rd::rd_kafka_TopicDescription_error(topic);
        let code = rd::rd_kafka_error_code(error);
        let mut count = 0;
        rd::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
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
        Described {
            name: text(rd::rd_kafka_TopicDescription_name(topic)),
            id: (parts != [0, 0]).then(|| text(rd::rd_kafka_Uuid_base64str(id))),
            partitions: match code {
                rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    Ok(i32::try_from(count).unwrap_or(i32::MAX))
                }
                code => Err(code.into()),
            },
            allowed: allowed.map(|all| all.filter_map(|one| Operation::of(*one)).collect()),
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
