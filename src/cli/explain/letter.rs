//! The dead letters of a customer, as far as an explanation names them.

use crate::inspect::letter::{Letter, LetterId};

/// Topic, partition, offset.
pub type PlaceKey = (String, i32, i64);

#[derive(Debug, Clone)]
pub struct LetterRef {
    /// The dead-letter topic.
    pub topic: String,
    pub id: LetterId,
    /// When the record was rejected, in milliseconds since 1970.
    pub rejected_at: Option<i64>,
    /// The record that was rejected.
    pub record: PlaceKey,
    pub source: String,
    pub stage: String,
    pub code: String,
    pub attempts: u64,
    /// Whether the rejected record speaks of the customer.
    pub speaks: bool,
}

impl LetterRef {
    pub fn of(topic: &str, letter: &Letter<'_>, speaks: bool) -> LetterRef {
        LetterRef {
            topic: topic.to_owned(),
            id: letter.id,
            rejected_at: letter.rejected_at,
            record: (letter.topic.to_owned(), letter.partition, letter.offset),
            source: letter.source.to_owned(),
            stage: letter.stage.to_owned(),
            code: letter.code.to_owned(),
            attempts: letter.attempts,
            speaks,
        }
    }
}
