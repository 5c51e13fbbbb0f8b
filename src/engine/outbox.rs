//! What a worker produces within a batch.

/// The topics that a worker writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Snapshot { partition: i32 },
    State { partition: i32 },
    Forwarded { partition: i32 },
    DeadLetter,
}

/// A record to produce. Its headers are owned, for they are put together.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub output: Output,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

/// Takes what a batch produces. Failures show when the batch is committed.
pub trait Outbox {
    /// A batch begins: from now on everything belongs to one transaction, under the ownership of this moment.
    fn begin(&mut self);

    fn produce(&mut self, outgoing: Outgoing<'_>);

    /// Produces a record if there is room for it now; whether there was.
    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool;
}
