//! Records that were read from Kafka, as they are judged and as letters.

use crate::engine::received::Received;
use crate::inspect::letter::{Letter, LetterId};
use crate::kafka::range_reader::RangeRecord;
use crate::model::record::{Header, RawRecord, Source};

/// A record of an input, as the processor receives it.
pub fn received<'a>(
    record: &RangeRecord<'a>,
    source: Source,
    headers: &'a [Header<'a>],
) -> Received<'a> {
    Received {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        raw: RawRecord {
            source,
            timestamp: record.timestamp(),
            key: record.key(),
            value: record.value(),
        },
        headers,
        forwarded: None,
    }
}

/// A record of the dead-letter topic as a letter; none if it is no letter. `headers` are the record's.
pub fn letter<'a>(record: &RangeRecord<'a>, headers: &[Header<'a>]) -> Option<Letter<'a>> {
    let id = LetterId {
        partition: record.partition,
        offset: record.offset,
    };
    let parts = (record.key(), record.value());
    Letter::read(id, record.timestamp(), parts, headers)
}
