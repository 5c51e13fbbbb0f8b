//! What an engine needs of the clients while it runs: a way to produce records, and a few cheap questions.

/// The topics that an engine writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Snapshot { partition: i32 },
    State { partition: i32 },
    Forwarded { partition: i32 },
    DeadLetter,
}

/// A record to produce. Its headers are owned, because keyfold composes them.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub output: Output,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

/// The identity of a group member. The coordinator refuses offsets that are committed under an older generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The generation, or under KIP-848 the member's epoch.
    pub number: i32,
    pub member_id: String,
}

/// Takes the records that a batch produces. Failures are reported when the batch is committed.
pub trait Outbox {
    /// Begins a batch: all that is produced from now on belongs to one transaction. The transaction may be committed
    /// only under the generation that is returned. None if this process is no member of the group.
    fn begin(&mut self) -> Option<Generation>;

    /// Produces a record. Waits while the producer has no room.
    fn produce(&mut self, outgoing: Outgoing<'_>);

    /// Produces a record if the producer has room for it now. Returns whether it had.
    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool;
}

/// The lag, in offsets, as far as the client knows it: of all partitions together, and of the partition with the
/// largest. Transaction markers and aborted records count too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub all: i64,
    pub longest: i64,
}

/// What the clients know at this moment.
pub trait Clients: Outbox {
    /// The current group generation and member id; none while this process is no member.
    fn generation(&self) -> Option<Generation>;
    /// Whether the engine has taken every record that was fetched.
    fn all_fetched_is_taken(&self) -> bool;
    /// Whether the last poll found no record.
    fn polled_nothing(&self) -> bool;
    /// The lag behind these positions.
    fn backlog(&self, positions: &mut dyn Iterator<Item = (super::Place, i64)>) -> Backlog;
}
