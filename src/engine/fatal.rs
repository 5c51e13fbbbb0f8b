//! Why an engine cannot continue. The open batch is not committed, except when the circuit breaker opens: then it is
//! committed first.

use super::breaker::Opened;
use crate::customer::codec::CodecError;
use crate::store::StoreError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    #[error(
        "the committed offset {offset} of {topic}[{partition}] is not in its log, which holds {low} to {high}: records were deleted before they were read, or the topic was recreated. Set kafka.on_lost_offset = \"earliest\" to go on from the oldest record there is"
    )]
    LostOffset {
        topic: String,
        partition: i32,
        offset: i64,
        low: i64,
        high: i64,
    },
    #[error(
        "the topic {topic} was deleted and recreated: what was committed of it says nothing of the records that it holds now, and what the old one held and was not read is lost. {remedy}"
    )]
    TopicRecreated { topic: String, remedy: &'static str },
    #[error(
        "the topic {topic} does not exist any more: create it again, or remove it from the configuration"
    )]
    TopicGone { topic: String },
    #[error(
        "somebody else has committed the offset {offset} of {topic}[{partition}] for this group (its log holds {low} to {high}): records before it may never have been processed. Find out who uses the group's name (`kafka-consumer-groups.sh --describe --members`); then set the offset to the log's first with `kafka-consumer-groups.sh --reset-offsets --to-earliest`, which reads its records again and repeats nothing in the snapshots, or set kafka.on_foreign_offset = \"accept\" to go on from {offset}"
    )]
    ForeignOffset {
        topic: String,
        partition: i32,
        offset: i64,
        low: i64,
        high: i64,
    },
    #[error(
        "the log of {topic}[{partition}] ends at {end}, but state up to {known} was committed to it: the topic was truncated or recreated, and the state is lost. Stop all instances and run `keyfold topics reset` to rebuild it from the inputs"
    )]
    LostState {
        topic: String,
        partition: i32,
        end: i64,
        known: i64,
    },
    #[error(
        "restoring {topic}[{partition}] has been standing still at {position} of {target} for {seconds} s: a transaction of a producer that is gone may be open on it (see `kafka-transactions.sh`), or its leader is away"
    )]
    RestoreStalled {
        topic: String,
        partition: i32,
        position: i64,
        target: i64,
        seconds: u64,
    },
    #[error(
        "the record at {topic}[{partition}]@{offset} is not one that keyfold forwarded there: only keyfold may write to this topic. Take the record away with `kafka-delete-records.sh`"
    )]
    ForeignRecord {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error(
        "the record at {topic}[{partition}]@{offset} was forwarded for the source {source_name}, which is not in the configuration any more. Put [sources.{source_name}] back until its forwarded records are consumed (the lag of {topic} is 0), and take it out only then"
    )]
    UnknownSource {
        topic: String,
        partition: i32,
        offset: i64,
        source_name: String,
    },
    #[error("{topic}[{partition}]: {error}")]
    State {
        topic: String,
        partition: i32,
        error: CodecError,
    },
    #[error(
        "{} of the last {} records of {} ({} %) were rejected, most of them as {}/{}, for example {}[{}]@{}: the circuit breaker is open. What was read is committed, and the dead letters say why. Correct the producer or the setting that is at fault, then start again; processing.max_reject_share = 1.0 switches the breaker off",
        .0.rejected, .0.window, .0.source, .0.rejected * 100 / .0.window.max(1), .0.code.stage().name(), .0.code.name(),
        .0.example.topic, .0.example.partition, .0.example.offset
    )]
    BreakerOpen(Opened),
    #[error(
        "the rejected record at {topic}[{partition}]@{offset} does not fit into the dead-letter topic, not even without its value, headers and key: raise the topic's max.message.bytes"
    )]
    DeadLetterDoesNotFit {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error(
        "this instance was fenced twice within a minute: two processes use the instance_id {instance:?}. Give each its own"
    )]
    FencedTwice { instance: String },
    #[error(
        "another process was started with the instance_id {instance:?}, and has taken over from this one. Give each its own"
    )]
    TakenOver { instance: String },
    #[error(
        "the group knows another living process by the instance_id {instance:?}, and has refused this one for longer than a session lasts. Give each its own"
    )]
    NameInUse { instance: String },
    #[error(
        "the cluster refuses this client: {reason}. Look at the credentials in [kafka.properties], and at the permissions that docs/topics-and-permissions.md lists"
    )]
    NotAuthorized { reason: String },
    #[error("a record cannot be written ({reason}): {remedy}. Nothing of its batch was committed")]
    RecordNotAccepted {
        reason: String,
        remedy: &'static str,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Service(String),
    #[error(
        "a fault of keyfold itself: {0}. Nothing was committed that rests on it. Please report this, with the log"
    )]
    Bug(String),
}

impl Fatal {
    /// Where it happened, as far as the error concerns one place: the topic, the partition and the offset.
    pub fn place(&self) -> (Option<&str>, Option<i32>, Option<i64>) {
        match self {
            Fatal::LostOffset {
                topic,
                partition,
                offset,
                ..
            }
            | Fatal::ForeignOffset {
                topic,
                partition,
                offset,
                ..
            }
            | Fatal::ForeignRecord {
                topic,
                partition,
                offset,
            }
            | Fatal::UnknownSource {
                topic,
                partition,
                offset,
                ..
            }
            | Fatal::DeadLetterDoesNotFit {
                topic,
                partition,
                offset,
            } => (Some(topic), Some(*partition), Some(*offset)),
            Fatal::LostState {
                topic, partition, ..
            }
            | Fatal::State {
                topic, partition, ..
            } => (Some(topic), Some(*partition), None),
            Fatal::RestoreStalled {
                topic,
                partition,
                position,
                ..
            } => (Some(topic), Some(*partition), Some(*position)),
            Fatal::TopicRecreated { topic, .. } | Fatal::TopicGone { topic } => {
                (Some(topic), None, None)
            }
            Fatal::BreakerOpen(opened) => {
                let at = &opened.example;
                (Some(&at.topic), Some(at.partition), Some(at.offset))
            }
            Fatal::FencedTwice { .. }
            | Fatal::TakenOver { .. }
            | Fatal::NameInUse { .. }
            | Fatal::NotAuthorized { .. }
            | Fatal::RecordNotAccepted { .. }
            | Fatal::Store(_)
            | Fatal::Service(_)
            | Fatal::Bug(_) => (None, None, None),
        }
    }
}
