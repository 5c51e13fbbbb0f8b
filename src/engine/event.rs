//! The inputs and outputs of an engine: an [`Event`] says what happened, an [`Effect`] what the driver must do.
//!
//! Polled records are not events: [`super::Engine::record`] takes them one by one, because there are many of them, each
//! client has its own type for them, and what follows from them is produced at once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::Ledger;
use super::client_error::{Cause, ClientError};
use super::fatal::Fatal;
use super::outbox::Generation;
use super::{LogPartition, Place};

/// What happened. If an event is the answer to an effect, its comment names the effect. An answer that arrives after
/// its partitions were revoked is ignored.
#[derive(Debug)]
pub enum Event<'a> {
    /// The consumer group or its client changed what this engine owns. If a commit is in flight, the change takes
    /// effect when that has ended.
    Group(GroupChange),
    /// The answer to [`Effect::FetchOffsets`].
    OffsetsFetched {
        /// The ids of topics by their names; a topic without an id is not checked. None: they could not be read, and
        /// then the offsets are not used either, but fetched again.
        topic_ids: Option<BTreeMap<String, String>>,
        /// The offsets of each place; none if they could not be read.
        offsets: Vec<(Place, Option<PartitionOffsets>)>,
    },
    /// The answer to [`Effect::FetchStateEnds`]: the first offset and the end of each log, as far as they could be
    /// read.
    StateEndsFetched(Vec<(i32, Option<(i64, i64)>)>),
    /// The answer to [`Effect::Consume`].
    ConsumeStarted {
        from: Vec<(Place, i64)>,
        succeeded: bool,
    },
    /// A record of the state topic. A null value is a tombstone.
    StateRecord {
        partition: i32,
        offset: i64,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    },
    /// The reader of the state topic has read a partition up to this offset, and cannot read further now.
    StateEndReached { partition: i32, offset: i64 },
    /// The consumer has read a partition up to this offset, and cannot read further now. All records before it were
    /// given to the engine.
    EndReached { place: Place, offset: i64 },
    /// A client cannot read the next record of a partition.
    Unreadable {
        log: LogPartition,
        offset: i64,
        cause: Cause,
        error: ClientError,
    },
    /// The schema registry has answered, so partitions that wait for a schema can try again.
    SchemasArrived,
    /// The current ids of topics, and a topic that does not exist any more. It is no answer: `runtime::watch` looks at
    /// the topics regularly.
    TopicsSeen {
        ids: BTreeMap<String, String>,
        gone: Option<String>,
    },
    /// The answer to [`Effect::CheckTopicIds`].
    TopicIdsChecked(BTreeMap<String, String>),
    /// The answer to [`Effect::FindWriters`]: the transactional ids that may have written, and the client ids of the
    /// group's members; none if the members are not known.
    WritersFound {
        writers: Vec<String>,
        members: Option<Vec<String>>,
    },
    /// The answer to [`Effect::Fence`]: the transactional ids that are fenced.
    WritersFenced(Vec<String>),
    /// The answer to [`Effect::CommitTransaction`], [`Effect::Deliver`], [`Effect::CommitOffsets`] or
    /// [`Effect::AbortCommit`]: how that step of the commit ended.
    CommitStepEnded(StepEnd),
    /// [`Effect::Abort`] failed.
    AbortFailed(ClientError),
    /// The process shuts down: the open batch is committed, then [`Effect::Finish`] follows.
    Shutdown,
}

/// A change of what an engine owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// The group assigned these partitions in addition. The client has paused them, and also those that are kept.
    Assigned(Vec<Place>),
    /// The group revoked these partitions. The client has paused those that are kept.
    Revoked(Vec<Place>),
    /// The group's client cannot continue, and all its partitions are lost.
    Lost(Loss),
}

/// Why the group's client cannot continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It failed, or it has no valid position in a partition any more.
    Client,
    /// Another process has joined with the instance id of this one.
    FencedInstanceId,
    /// The group has a live member with the instance id of this one.
    InstanceIdInUse,
}

/// The offsets that Kafka knows for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The group's committed offset, with its metadata.
    pub committed: Option<(i64, String)>,
    /// The first offset of the log.
    pub first: i64,
    /// The end of the log (high watermark): records of open transactions are before it too.
    pub end: i64,
}

/// How a step of a commit ended at the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    Done,
    /// The batch was not committed: no reader sees any of it, and its records can be processed again.
    Aborted(ClientError),
    /// The client does not know whether the batch was committed, or its producer cannot be used any more.
    Undecided(ClientError),
}

/// An offset to commit, with its metadata.
pub type Offset = (Place, i64, String);

/// What the driver must do. It carries out effects in their order, all of them before it gives the next record to the
/// engine.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Pause these partitions.
    Pause(Vec<Place>),
    /// Read the topic ids, then the first offset, the committed offset and the end of these partitions, in this order.
    /// Because of it, a committed offset that is not lost lies between first offset and end, even if others commit or
    /// delete records meanwhile.
    FetchOffsets(Vec<Place>),
    /// Read the first offset and the end of these partitions of the state topic.
    FetchStateEnds(Vec<i32>),
    /// Read these partitions of the state topic from these offsets, and stop reading all others.
    Restore(Vec<(i32, i64)>),
    /// Consume these partitions from these offsets.
    Consume(Vec<(Place, i64)>),
    /// Read who committed last for these places, stable or not, and describe the group's members.
    FindWriters(Vec<Place>),
    /// Fence these transactional ids, which aborts their open transactions.
    Fence(Vec<String>),
    /// Read the topic ids: a topic may have been recreated.
    CheckTopicIds,
    /// Leave the group, and join it with a new client.
    Rejoin,
    /// Abort the open transaction: its batch is dropped.
    Abort,
    /// Begin a transaction for the batch that was opened while the previous one was committed, and produce what that
    /// batch has buffered meanwhile.
    BeginTransaction,
    /// Discard what the open batch has buffered while the previous one was committed.
    DiscardProduced,
    /// Replace the producer with a new one that has the same transactional id.
    RenewProducer,
    /// Commit the transaction with these offsets, under the group generation of the batch's start.
    CommitTransaction {
        offsets: Vec<Offset>,
        generation: Generation,
    },
    /// Wait until all that was produced is delivered.
    Deliver,
    /// Commit these offsets without a transaction.
    CommitOffsets(Vec<Offset>),
    /// Abort the transaction of a batch that must not be committed.
    AbortCommit,
    /// Log something, or count it in the metrics.
    Report(Notice),
    /// The shutdown is complete.
    Finish,
    /// The engine cannot continue.
    Stop(Fatal),
}

/// Something that an operator should know.
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// A batch was committed: what it adds to the metrics, and the duration of its commit.
    Committed { ledger: Box<Ledger>, took: Duration },
    /// A batch was not committed, or it is not known whether it was.
    NotCommitted {
        is_unknown: bool,
        error: ClientError,
    },
    /// An input was deleted and recreated, and is now read from its start.
    TopicRecreated(String),
    /// A partition cannot be read.
    Unreadable {
        log: LogPartition,
        offset: i64,
        cause: Cause,
        error: ClientError,
    },
    /// A partition can be read again, or is not owned by this engine any more.
    ReadableAgain(LogPartition),
}
