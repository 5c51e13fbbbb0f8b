//! The few functions of librdkafka that its Rust binding does not offer: polling batches from a separate queue, and
//! transaction calls that neither poll nor wait in slices. All unsafe code of keyfold is in this folder.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::prefetch;
use crate::source::metadata::Metadata;

/// A queue that partitions' records are forwarded to. It must be dropped before its client.
pub struct Queue(NonNull<rd::rd_kafka_queue_t>);

// SAFETY: queues of librdkafka are guarded by locks of their own.
unsafe impl Send for Queue {}

impl Queue {
    /// # Safety
    /// `client` must be alive for as long as the queue.
    pub unsafe fn new(client: *mut rd::rd_kafka_t) -> Option<Queue> {
        // SAFETY: the client is alive.
        NonNull::new(unsafe { rd::rd_kafka_queue_new(client) }).map(Queue)
    }

    /// The queue of a client's events.
    ///
    /// # Safety
    /// `client` must be alive for as long as the queue.
    pub unsafe fn of_events(client: *mut rd::rd_kafka_t) -> Option<Queue> {
        // SAFETY: the client is alive.
        NonNull::new(unsafe { rd::rd_kafka_queue_get_main(client) }).map(Queue)
    }

    /// Forwards the records of a partition to this queue instead of the consumer's. Must be called while none are
    /// fetched: before the partition is assigned, or while it is paused. Otherwise records arrive on two queues and out
    /// of order. The forwarding ends when fetching stops, which happens some time after the partition was removed from
    /// the assignment: if the partition has been assigned again by then, its records go nowhere.
    ///
    /// # Safety
    /// `client` must be the client of this queue.
    pub unsafe fn take_partition(
        &self,
        client: *mut rd::rd_kafka_t,
        topic: &str,
        partition: i32,
    ) -> bool {
        let Ok(topic) = CString::new(topic) else {
            return false;
        };
        // SAFETY: the client is alive, the topic is a C string; the partition's queue is released at once, which
        // leaves the forwarding in force.
        unsafe {
            let source = rd::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            rd::rd_kafka_queue_forward(source, self.0.as_ptr());
            rd::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// Waits for the first message, and takes the others that are available without waiting.
    pub fn poll(&self, wait: Duration, into: &mut Messages) {
        into.clear();
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; messages are given over to `into`, which destroys them.
        unsafe {
            let first = rd::rd_kafka_consume_queue(self.0.as_ptr(), wait);
            let Some(first) = NonNull::new(first) else {
                return;
            };
            into.list.push_back(Message(first));
            // The number is limited, because the client refills its queue with as much as is taken out of it.
            while into.list.len() < Messages::MAX_COUNT && into.bytes() < Messages::MAX_BYTES {
                let mut more: [*mut rd::rd_kafka_message_t; Messages::CHUNK] =
                    [ptr::null_mut(); Messages::CHUNK];
                let count = rd::rd_kafka_consume_batch_queue(
                    self.0.as_ptr(),
                    0,
                    more.as_mut_ptr(),
                    more.len(),
                );
                let count = usize::try_from(count).unwrap_or(0);
                let more = more.into_iter().take(count).filter_map(NonNull::new);
                into.list.extend(more.map(Message));
                if count < Messages::CHUNK {
                    break;
                }
            }
        }
    }
}

impl Queue {
    /// Whether no message waits in it.
    pub fn is_empty(&self) -> bool {
        // SAFETY: the queue is alive.
        unsafe { rd::rd_kafka_queue_length(self.0.as_ptr()) == 0 }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: this is the only owner.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// The messages of one poll.
#[derive(Default)]
pub struct Messages {
    list: VecDeque<Message>,
}

impl Messages {
    const MAX_COUNT: usize = 128;
    const CHUNK: usize = 32;
    /// The poll ends once keys and values have this many bytes.
    const MAX_BYTES: usize = 1024 * 1024;

    fn bytes(&self) -> usize {
        let all = self.list.iter();
        all.map(|message| message.raw().len + message.raw().key_len)
            .sum()
    }

    pub fn iter(&self) -> std::collections::vec_deque::Iter<'_, Message> {
        self.list.iter()
    }

    /// Removes and returns the first message, and asks for the memory of the next one's value.
    pub fn take(&mut self) -> Option<Message> {
        let first = self.list.pop_front();
        if let Some(value) = self.list.front().and_then(Message::payload) {
            prefetch::soon(value);
        }
        first
    }

    /// Makes a message that was taken the first one again.
    pub fn put_back(&mut self, message: Message) {
        self.list.push_front(message);
    }

    /// Drops the messages for which `keep` returns false.
    pub fn retain(&mut self, keep: impl FnMut(&Message) -> bool) {
        self.list.retain(keep);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }
}

/// A record, or an error or an end of log in place of one.
pub struct Message(NonNull<rd::rd_kafka_message_t>);

impl Message {
    fn raw(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: the message lives until it is dropped.
        unsafe { self.0.as_ref() }
    }

    /// `None` for a record; an error otherwise, [`RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF`] at the end of a
    /// log.
    pub fn error(&self) -> Option<RDKafkaRespErr> {
        let error = self.raw().err;
        (error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(error)
    }

    pub fn error_text(&self) -> String {
        // SAFETY: the text lives as long as the message.
        unsafe {
            let text = rd::rd_kafka_message_errstr(self.0.as_ptr());
            if text.is_null() {
                return String::new();
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }

    /// A number that is the same for all messages of a topic, for as long as the client lives.
    pub fn topic_handle(&self) -> usize {
        self.raw().rkt as usize
    }

    pub fn topic(&self) -> String {
        let topic = self.raw().rkt;
        if topic.is_null() {
            return String::new();
        }
        // SAFETY: the topic lives as long as the message.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(topic)) }
            .to_string_lossy()
            .into_owned()
    }

    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The record's timestamp in milliseconds since 1970, which may be negative; -1 means that it has none.
    pub fn timestamp(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let millis = unsafe { rd::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        let available = kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (available && millis != -1).then_some(millis)
    }

    pub fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: key and length belong together and live as long as the message.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    pub fn payload(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: payload and length belong together and live as long as the message.
        unsafe { bytes(raw.payload, raw.len) }
    }

    /// The sizes of key and headers. If there are headers, they are parsed for it, but not copied.
    pub fn metadata(&self) -> Metadata {
        let mut metadata = Metadata {
            headers: 0,
            bytes: self.raw().key_len,
        };
        self.each_header(|name, value| {
            metadata.headers += 1;
            metadata.bytes += name.count_bytes() + value.map_or(0, <[u8]>::len);
        });
        metadata
    }

    /// Names and values in their order. Names are UTF-8 in Kafka; others are skipped.
    pub fn headers(&self) -> Vec<(&str, Option<&[u8]>)> {
        let mut list = Vec::new();
        self.each_header(|name, value| {
            if let Ok(name) = name.to_str() {
                list.push((name, value));
            }
        });
        list
    }

    fn each_header<'m>(&'m self, mut take: impl FnMut(&'m CStr, Option<&'m [u8]>)) {
        let mut headers = ptr::null_mut();
        // SAFETY: headers, names and values live as long as the message.
        unsafe {
            let found = rd::rd_kafka_message_headers(self.0.as_ptr(), &mut headers);
            if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let found =
                    rd::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                    return;
                }
                take(CStr::from_ptr(name), bytes(value.cast_mut(), size));
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: this is the only owner.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// # Safety
/// The bytes must live for as long as the caller's message.
unsafe fn bytes<'a>(start: *mut c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// A producer's handle of a topic, so that the topic is not looked up by name for each record. It must be dropped
/// before its client.
pub struct TopicHandle(NonNull<rd::rd_kafka_topic_t>);

impl TopicHandle {
    /// # Safety
    /// `client` must be alive for as long as the handle.
    pub unsafe fn new(client: *mut rd::rd_kafka_t, name: &str) -> Option<TopicHandle> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client is alive, the name is a C string; no configuration means the client's own.
        let topic = unsafe { rd::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        NonNull::new(topic).map(TopicHandle)
    }

    /// Produces a record without headers. Key and value are copied.
    pub fn produce(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), RDKafkaErrorCode> {
        let parts = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
        };
        let ((key, key_length), (value, length)) = (parts(key), parts(value));
        // SAFETY: the topic is alive; key and value are copied before this returns.
        unsafe {
            let result = rd::rd_kafka_produce(
                self.0.as_ptr(),
                partition,
                rd::RD_KAFKA_MSG_F_COPY,
                value.cast_mut().cast(),
                length,
                key.cast(),
                key_length,
                ptr::null_mut(),
            );
            match result {
                0 => Ok(()),
                _ => Err(rd::rd_kafka_last_error().into()),
            }
        }
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: this is the only owner, and the client is alive.
        unsafe { rd::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// The error of a transaction call, with librdkafka's flags that say how to react.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionError {
    pub code: RDKafkaRespErr,
    pub text: String,
    pub fatal: bool,
    pub retriable: bool,
    pub requires_abort: bool,
}

/// Converts and destroys the error that a call returned; null means success.
///
/// # Safety
/// The error must have just been returned, and must not be used afterwards.
pub unsafe fn taken(error: *mut rd::rd_kafka_error_t) -> Result<(), TransactionError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is alive until it is destroyed here.
    unsafe {
        let taken = TransactionError {
            code: rd::rd_kafka_error_code(error),
            text: CStr::from_ptr(rd::rd_kafka_error_string(error))
                .to_string_lossy()
                .into_owned(),
            fatal: rd::rd_kafka_error_is_fatal(error) != 0,
            retriable: rd::rd_kafka_error_is_retriable(error) != 0,
            requires_abort: rd::rd_kafka_error_txn_requires_abort(error) != 0,
        };
        rd::rd_kafka_error_destroy(error);
        Err(taken)
    }
}

/// The ends of a partition as the client last received them: the first offset, and the offset after the last readable
/// record.
///
/// # Safety
/// `client` must be alive.
pub unsafe fn cached_ends(
    client: *mut rd::rd_kafka_t,
    topic: &str,
    partition: i32,
) -> Option<(i64, i64)> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the topic is a C string.
    let error = unsafe {
        rd::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition, &mut low, &mut high)
    };
    (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= 0)
        .then_some((low, high))
}
