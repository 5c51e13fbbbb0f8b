//! An error of a Kafka client, reduced to what the engine's decisions depend on.

/// What a client reports about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    pub kind: ErrorKind,
    /// The client's name of the error, for the log.
    pub code: String,
    pub text: String,
}

/// The kinds of errors that the engine treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another producer has taken over the transactional id. The broker reports the same error if it has aborted a
    /// transaction that took too long.
    Fenced,
    /// The cluster did not answer in time.
    TimedOut,
    /// The cluster, or a part of it, cannot be reached or has no leader.
    Unavailable,
    /// The credentials are wrong, or permissions are missing.
    NotAuthorized,
    /// The topic does not take a record of this size.
    RecordTooLarge,
    /// The topic's settings do not allow the record.
    InvalidRecord,
    /// The topic or its partition does not exist.
    UnknownTopic,
    /// A policy of the cluster forbids the record.
    PolicyViolation,
    Other,
}

impl ErrorKind {
    /// What the operator can do about a record that no retry could write.
    pub fn remedy_of_record(self) -> Option<&'static str> {
        Some(match self {
            ErrorKind::RecordTooLarge => "raise the topic's max.message.bytes",
            ErrorKind::InvalidRecord => {
                "its settings do not allow the record; `keyfold topics` says what they must be"
            }
            ErrorKind::UnknownTopic => "the topic or its partition does not exist any more",
            ErrorKind::PolicyViolation => "a policy of the cluster forbids it",
            _ => return None,
        })
    }
}

/// Why the client cannot read a record batch of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    CannotBeUnpacked,
    TooLarge,
    UnknownFormat,
    Corrupt,
}

impl Cause {
    /// What the operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Cause::CannotBeUnpacked => {
                "the batch cannot be unpacked: raise kafka.properties.receive.message.max.bytes, which bounds what a batch unpacks to, or delete the records up to its end if it is corrupt"
            }
            Cause::TooLarge => {
                "the batch is larger than the client takes: raise kafka.properties.receive.message.max.bytes"
            }
            Cause::UnknownFormat => {
                "the client does not know the batch's codec or format: have its producer use none, gzip, snappy, lz4 or zstd, and delete the records up to the batch's end"
            }
            Cause::Corrupt => {
                "the batch is corrupt (kafka.properties.check.crcs): have another replica lead the partition, or delete the records up to the batch's end"
            }
        }
    }
}
