//! Sends the offsets of a batch to its transaction, from a thread of its own.
//!
//! librdkafka's call takes a time-out and does not keep to it: it may block for minutes where the coordinator went away
//! in its midst. Here it is given up on time; its producer must then be thrown away.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;

struct Request {
    offsets: TopicPartitionList,
    metadata: Arc<ConsumerGroupMetadata>,
}

/// The thread, and the way to it. It must be dropped before its producer.
pub struct OffsetSender {
    /// None only while this is dropped.
    requests: Option<Sender<Request>>,
    answers: Receiver<KafkaResult<()>>,
    thread: Option<JoinHandle<()>>,
    stuck: Cell<bool>,
    /// The longest wait between two signs of life.
    slice: Duration,
}

impl OffsetSender {
    /// `producer` is a handle of the client that sends.
    pub fn start<C: ProducerContext + 'static>(
        producer: ThreadedProducer<C>,
        slice: Duration,
    ) -> Result<OffsetSender, KafkaError> {
        let (requests, asked) = channel::<Request>();
        let (answer, answers) = channel();
        let body = move || {
            while let Ok(Request { offsets, metadata }) = asked.recv() {
                let sent = producer.send_offsets_to_transaction(&offsets, &metadata, slice);
                if answer.send(sent).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("offsets".to_owned());
        let thread = thread.spawn(body).map_err(|error| {
            KafkaError::ClientCreation(format!("can't start a thread: {error}"))
        })?;
        Ok(OffsetSender {
            requests: Some(requests),
            answers,
            thread: Some(thread),
            stuck: Cell::new(false),
            slice,
        })
    }

    /// What the client says; none where it says nothing until the deadline, and then the client is of no use any
    /// more. `waiting` is called while it is waited for.
    pub fn send(
        &self,
        offsets: &TopicPartitionList,
        metadata: &Arc<ConsumerGroupMetadata>,
        deadline: Instant,
        waiting: &mut dyn FnMut(),
    ) -> Option<KafkaResult<()>> {
        let request = Request {
            offsets: offsets.clone(),
            metadata: Arc::clone(metadata),
        };
        // fails only if the thread has ended, and so does then the waiting for its answer
        let _ = self.requests.as_ref()?.send(request);
        loop {
            match self.answers.recv_timeout(self.slice) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => waiting(),
                Err(_) => {
                    self.stuck.set(true);
                    return None;
                }
            }
        }
    }
}

impl Drop for OffsetSender {
    fn drop(&mut self) {
        self.requests = None;
        // one that is stuck keeps its client until the client lets go of it
        if !self.stuck.get()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}
