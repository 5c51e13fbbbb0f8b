//! What happens to an engine, and what it wants to be done: [`Event`] in, [`Effect`] out.
//!
//! Records that are polled are not among the events: [`super::Engine::record`] takes them one by one, because they are many,
//! each client has a type of its own for them, and what they lead to is produced at once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::Ledger;
use super::client_error::{Cause, ClientError};
use super::fatal::Fatal;
use super::outbox::Generation;
use super::{LogPartition, Place};

/// What happened. Where an event answers an effect, its variant names it; an answer that comes too late, because the
/// partitions went elsewhere meanwhile, is ignored.
#[derive(Debug)]
pub enum Event<'a> {
    /// The consumer group, or the client that is its member, changed what this engine owns. It takes effect behind the
    /// commit that is in flight, if there is one.
    Group(GroupChange),
    /// The answer to [`Effect::FetchOffsets`].
    OffsetsFetched {
        /// The ids of topics by their names; a topic without an id is not checked. None: they could not be read, and
        /// then no offset counts as answered.
        topic_ids: Option<BTreeMap<String, String>>,
        /// None: it could not be read.
        offsets: Vec<(Place, Option<PartitionOffsets>)>,
    },
    /// The answer to [`Effect::FetchStateEnds`]: the first offset and the end of each log, as far as they could be read.
    StateEndsFetched(Vec<(i32, Option<(i64, i64)>)>),
    /// The answer to [`Effect::Consume`].
    ConsumeStarted {
        from: Vec<(Place, i64)>,
        succeeded: bool,
    },
    /// A record of the state topic. A null value belongs to a key that can be forgotten.
    StateRecord {
        partition: i32,
        offset: i64,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    },
    /// The reader of the state topic is at the end of what can be read of a partition now.
    StateEndReached { partition: i32, offset: i64 },
    /// The consumer is at the end of what can be read of a partition now: everything before it was taken.
    EndReached { place: Place, offset: i64 },
    /// A client cannot read the next record of a partition.
    Unreadable {
        log: LogPartition,
        offset: i64,
        cause: Cause,
        error: ClientError,
    },
    /// The schema registry has answered something, so that partitions which wait for a schema try again.
    SchemasArrived,
    /// The ids that topics have now, and a topic that does not exist any more; nobody asked for them.
    TopicsSeen {
        ids: BTreeMap<String, String>,
        gone: Option<String>,
    },
    /// The answer to [`Effect::CheckTopicIds`].
    TopicIdsChecked(BTreeMap<String, String>),
    /// The answer to [`Effect::FindWriters`]: the transactional ids of those who may have written, and the client ids of
    /// the group's members, none where those are not known.
    WritersFound {
        writers: Vec<String>,
        members: Option<Vec<String>>,
    },
    /// The answer to [`Effect::Fence`]: those that are fenced.
    WritersFenced(Vec<String>),
    /// How the step of a commit ended that [`Effect::CommitTransaction`], [`Effect::Deliver`], [`Effect::CommitOffsets`] or
    /// [`Effect::AbortCommit`] asked for.
    CommitStepEnded(StepEnd),
    /// [`Effect::Abort`] failed.
    AbortFailed(ClientError),
    /// The process is to end: the open batch is committed, and then [`Effect::Finish`] follows.
    Shutdown,
}

/// A change of what an engine owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// The group gave these partitions. They are paused, and so are those that are kept.
    Assigned(Vec<Place>),
    /// The group took these partitions away. Those that are kept are paused.
    Revoked(Vec<Place>),
    /// The client of the group cannot go on, and everything that it owned is lost.
    Lost(Loss),
}

/// Why the client of the group cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It failed, or lost the position in a partition.
    Client,
    /// Another process has joined with the instance id of this one.
    FencedInstanceId,
    /// The group knows a living member by the instance id of this one.
    InstanceIdInUse,
}

/// What Kafka knows of the position in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The group's committed offset, with its metadata.
    pub committed: Option<(i64, String)>,
    /// The first offset of the log.
    pub first: i64,
    /// The offset behind the last record of the log, records of open transactions included.
    pub end: i64,
}

/// How a step of a commit ended at the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    Done,
    /// Nothing of the batch is visible to anybody, and it can be tried again.
    Aborted(ClientError),
    /// The client cannot say what became of the batch, or its producer cannot be used any more.
    Undecided(ClientError),
}

/// An offset to commit, with its metadata.
pub type Offset = (Place, i64, String);

/// What an engine wants to be done. Effects are carried out in their order, each before the next record is taken.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Take no more records from these partitions.
    Pause(Vec<Place>),
    /// Read the ids of the topics, and the first offset, the committed offset and the end of these partitions, in this order:
    /// whatever others commit or delete meanwhile, a committed offset that is not lost then lies between the two.
    FetchOffsets(Vec<Place>),
    /// Read the first offset and the end of these partitions of the state topic.
    FetchStateEnds(Vec<i32>),
    /// Read these partitions of the state topic, and no others, from these offsets.
    Restore(Vec<(i32, i64)>),
    /// Consume these partitions from these offsets.
    Consume(Vec<(Place, i64)>),
    /// Read who committed last at these places, whether or not that is stable, and the members of the group.
    FindWriters(Vec<Place>),
    /// Take over these transactional ids, so that what is open under them is aborted.
    Fence(Vec<String>),
    /// Read the ids of the topics: they may not be those that they were.
    CheckTopicIds,
    /// Leave the group, and join it with a new client.
    Rejoin,
    /// Abort the open transaction, whose batch is dropped.
    Abort,
    /// Begin a transaction for the batch that was opened while the one before was committed, and produce into it what that
    /// batch has produced meanwhile.
    BeginTransaction,
    /// Discard what the open batch has produced while the one before was committed.
    DiscardProduced,
    /// Replace the producer by a new one with the same transactional id.
    RenewProducer,
    /// Commit the transaction with these offsets, under the membership of the batch's beginning.
    CommitTransaction {
        offsets: Vec<Offset>,
        generation: Generation,
    },
    /// Wait until what was produced is delivered.
    Deliver,
    /// Commit these offsets without a transaction.
    CommitOffsets(Vec<Offset>),
    /// Abort the transaction of a batch that must not be committed.
    AbortCommit,
    /// Show something to the operator.
    Report(Notice),
    /// The engine has ended, after a shutdown.
    Finish,
    /// The engine cannot go on.
    Stop(Fatal),
}

/// Something that an operator wants to know.
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// A batch was committed: what it adds to the metrics, and how long its commit took.
    Committed { ledger: Box<Ledger>, took: Duration },
    /// A batch was not committed, or it is not known whether it was.
    NotCommitted {
        is_unknown: bool,
        error: ClientError,
    },
    /// A topic was deleted and recreated, and is read from its start.
    TopicRecreated(String),
    /// A partition cannot be read.
    Unreadable {
        log: LogPartition,
        offset: i64,
        cause: Cause,
        error: ClientError,
    },
    /// A partition is read again, or is not this engine's any more.
    ReadableAgain(LogPartition),
}
