//! What an engine uses of its clients while it works: a place for what it produces, and facts that cost nothing to ask.

/// The topics that an engine writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Snapshot { partition: i32 },
    State { partition: i32 },
    Forwarded { partition: i32 },
    DeadLetter,
}

/// A record to produce. Its headers are owned, because they are put together here.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub output: Output,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

/// Who a member of the consumer group is: an offset that is committed under a generation that has passed is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The generation, or under KIP-848 the member's epoch.
    pub number: i32,
    pub member_id: String,
}

/// Takes what a batch produces. Failures show when the batch is committed.
pub trait Outbox {
    /// A batch begins: from now on everything that is produced belongs to one transaction, which may be committed only under
    /// the membership of this moment. None: this process is no member of the group.
    fn begin(&mut self) -> Option<Generation>;

    /// Produces a record, and waits for room where there is none.
    fn produce(&mut self, outgoing: Outgoing<'_>);

    /// Produces a record if there is room for it now; whether there was.
    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool;
}

/// Offsets behind what was taken, as far as the client knows: of all partitions together, and of the one with the most.
/// Transaction markers and aborted records count too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub all: i64,
    pub longest: i64,
}

/// What the clients know now. It is asked for only where the answer matters.
pub trait Clients: Outbox {
    /// Who this member of the group is now; none while it is none.
    fn generation(&self) -> Option<Generation>;
    /// Whether every record that was fetched is taken.
    fn all_fetched_is_taken(&self) -> bool;
    /// Whether the last poll found no record.
    fn polled_nothing(&self) -> bool;
    /// How much is left of the logs behind these positions.
    fn backlog(&self, positions: &mut dyn Iterator<Item = (super::Place, i64)>) -> Backlog;
}
