//! The id of a topic, which the Rust binding does not ask for.

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

impl From<&str> for Unanswered {
    fn from(reason: &str) -> Unanswered {
        Unanswered {
            code: None,
            reason: reason.to_owned(),
        }
    }
}

/// A pointer of librdkafka, and what destroys it.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Owned<T>, Unanswered> {
        let pointer = NonNull::new(pointer).ok_or("the client is out of memory")?;
        Ok(Owned(pointer, destroy))
    }

    fn get(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only owner, and the function is the one for this type.
        unsafe { (self.1)(self.0.as_ptr()) }
    }
}

/// The id of a topic in base64. None where the brokers are too old to have topic ids (before Kafka 3.1).
pub fn of<C: ClientContext>(
    admin: &AdminClient<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<String>, Unanswered> {
    let mut all = of_all(admin.inner(), &[topic], patience)?;
    all.pop().ok_or("the answer names no topic")?
}

/// The ids of topics, in their order, each as [`of`] tells it.
pub fn of_all<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    patience: Duration,
) -> Result<Vec<Result<Option<String>, Unanswered>>, Unanswered> {
    let names: Result<Vec<_>, _> = topics.iter().map(|topic| CString::new(*topic)).collect();
    let names = names.map_err(|_| "its name holds a null character")?;
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
        let described = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count != names.len() {
            return Err("the answer does not name each topic".into());
        }
        // the answer has them in an order of its own
        let described = std::slice::from_raw_parts(described, count);
        let named = |name: &CString| {
            let is = |one: &&*const rd::rd_kafka_TopicDescription_t| {
                let told = rd::rd_kafka_TopicDescription_name(**one);
                !told.is_null() && CStr::from_ptr(told) == name.as_c_str()
            };
            let found = described.iter().find(is);
            found.map_or(Err("the answer lacks a topic".into()), |one| id_in(*one))
        };
        Ok(names.iter().map(named).collect())
    }
}

/// # Safety
/// The description must be part of an answer that is alive.
unsafe fn id_in(
    described: *const rd::rd_kafka_TopicDescription_t,
) -> Result<Option<String>, Unanswered> {
    // SAFETY: as the caller promises.
    unsafe {
        let error = rd::rd_kafka_TopicDescription_error(described);
        let code = rd::rd_kafka_error_code(error);
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Unanswered {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_error_string(error)),
            });
        }
        let id = rd::rd_kafka_TopicDescription_topic_id(described);
        let parts = [
            rd::rd_kafka_Uuid_most_significant_bits(id),
            rd::rd_kafka_Uuid_least_significant_bits(id),
        ];
        Ok((parts != [0, 0]).then(|| text(rd::rd_kafka_Uuid_base64str(id))))
    }
}

/// # Safety
/// The text must be null or a C string.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is a C string.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
