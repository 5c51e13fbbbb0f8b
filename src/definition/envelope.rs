//! What an envelope means for all records of a source. What it looks like is in `plan::envelope`, how one is read in
//! `source::declared::envelope`, and how one is made up in `sample::layout`.

/// The beginning of the names of headers that hold a CloudEvent's attributes (the Kafka protocol binding of CloudEvents,
/// binary mode).
const CLOUD_EVENT_HEADER: &str = "ce_";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    None,
    Debezium,
    CloudEvents,
}

impl Envelope {
    /// Whether each record is a change of one row of a database: its id is in its key, its position in the database's
    /// log is its rank, a value may be left out because it was not changed, and it is never a batch.
    pub fn is_of_rows(self) -> bool {
        self == Envelope::Debezium
    }

    /// Whether a record with a null value says nothing: it follows the change that deleted the row, for compaction.
    pub fn null_says_nothing(self) -> bool {
        self == Envelope::Debezium
    }

    /// Whether a record is an event with attributes of its own, which may also be in headers, and events may come as a
    /// list of several.
    pub fn is_of_events(self) -> bool {
        self == Envelope::CloudEvents
    }

    /// Whether a header of this name is an attribute of the envelope.
    pub fn is_attribute(self, header: &str) -> bool {
        self.is_of_events() && header.starts_with(CLOUD_EVENT_HEADER)
    }

    /// Whether the data are at one place in all records, so that a pass over a record can find a batch in them.
    pub fn has_one_shape(self) -> bool {
        self == Envelope::None
    }
}
