//! What a record says of the customer, as far as it matters for the erasure.

use super::target::Frames;
use crate::config::{Config, KeyFormat, RuleAction, Tombstone};
use crate::engine::received::Received;
use crate::inspect::erase::copies::{Copies, Holds, Passed};
use crate::inspect::erase::times::{Claim, Known, Times, claim_of_rejected, latest_of};
use crate::inspect::explain::Said;
use crate::kafka::range_reader::RangeRecord;
use crate::model::record::{Code, Location, RawRecord, Source, usable_timestamp};
use crate::model::time::Instant;
use crate::source::tombstone::frame_of;

/// The largest value that is read although it is too large for the rules, in bytes.
const MAX_BYTES: usize = 100_000_000;

/// A configuration by which only records are rejected whose data cannot be read.
pub fn lenient(config: &Config) -> Config {
    let mut lenient = config.clone();
    for code in Code::SEMANTIC {
        lenient.validation.rules.set(code, RuleAction::Off);
    }
    lenient.validation.max_record_bytes = MAX_BYTES;
    lenient.validation.max_metadata_bytes = MAX_BYTES;
    lenient
}

pub fn place(record: &RangeRecord<'_>) -> Location {
    Location {
        topic: record.topic.to_owned(),
        partition: record.partition,
        offset: record.offset,
    }
}

pub fn pass(copies: &mut Copies, record: &RangeRecord<'_>, holds: Holds) {
    copies.pass(&Passed {
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp(),
        key: record.key(),
        holds,
    });
}

pub fn held(said: &[(String, Said)], value: Option<&[u8]>) -> Holds {
    match (said.is_empty(), value) {
        (true, _) => Holds::Nothing,
        (false, None) => Holds::Id,
        (false, Some(_)) => Holds::Data,
    }
}

/// Notes the frame of keys in Avro, for sources to whose topics null values may be written.
pub fn note_frame(frames: &mut Frames, record: &RangeRecord<'_>, source: Source, config: &Config) {
    let settings = config.sources.get(source);
    let is_needed = settings.is_some_and(|settings| {
        settings.key_format == KeyFormat::Avro && settings.tombstone == Tombstone::Erase
    });
    if is_needed && let Some(frame) = record.key().and_then(frame_of) {
        frames.insert(record.topic.to_owned(), frame);
    }
}

/// Notes what a record says of the customer.
pub fn note(
    times: &mut Times,
    known: &Known,
    said: &[(String, Said)],
    received: &Received<'_>,
    config: &Config,
    location: &Location,
) {
    let RawRecord {
        source,
        timestamp,
        value,
        ..
    } = received.raw;
    for (_, said) in said {
        let claim = match said {
            Said::Data(data) => match data.as_erasure() {
                Some(erasure) => {
                    times.note_erasure(erasure, Some(location));
                    continue;
                }
                None => Claim::Until(latest_of(data)),
            },
            Said::Nothing => Claim::Until(None),
            Said::Rejected(_) => claim_of_rejected(source, timestamp, value),
        };
        let limit = limit_of(config, source, timestamp);
        times.note_rejected(known.clone(), claim, limit, Some(location));
    }
}

/// The latest time that the rule on times in the future lets pass; none if it rejects nothing.
fn limit_of(config: &Config, source: Source, timestamp: Option<i64>) -> Option<Instant> {
    let plan = config.sources.plan(source);
    let own = plan.and_then(|plan| {
        let mut rules = plan.definition.rules.iter();
        let rule = rules.find(|(code, _)| *code == Code::FutureTimestamp)?;
        Some(rule.1)
    });
    let rules = &config.validation.rules;
    let action = rules.action_or(Code::FutureTimestamp, source, own);
    let at = Instant::from_millis(timestamp.and_then(usable_timestamp)?);
    let latest = at.saturating_add(config.validation.max_future_skew);
    (action == RuleAction::Reject).then_some(latest)
}
