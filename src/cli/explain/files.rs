//! Gathers the records of a customer from lines of kcat.

use std::path::PathBuf;

use super::gathering::Gathering;
use crate::cli::line::Line;
use crate::cli::lines;
use crate::config::Config;
use crate::engine::origin::{NotForwarded, Unwrapped};
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::letter::{Letter, LetterId};
use crate::model::record::Source;

/// Reads records of inputs and of the forwarded topic, and dead letters. A forwarded record counts only if no line has
/// the record that it comes from.
pub fn read(
    files: &[PathBuf],
    config: &Config,
    id: &str,
    gathering: &mut Gathering<'_>,
) -> Result<(), Failure> {
    let mut forwarded: Vec<Line> = Vec::new();
    lines::read_plain(files, |line, wrong| {
        let headers = line.headers();
        if let Some(source) = config.sources.source_of(&line.topic) {
            let received = Received {
                topic: &line.topic,
                partition: line.partition,
                offset: line.offset,
                raw: line.record(source),
                headers: &headers,
                forwarded: None,
            };
            return gathering.record(&received);
        }
        let raw = line.record(Source::LoyaltyCustomers);
        let place = LetterId {
            partition: line.partition,
            offset: line.offset,
        };
        let parts = (raw.key, raw.value);
        if let Some(letter) = Letter::read(place, raw.timestamp, parts, &headers) {
            gathering.letter(&line.topic, &letter);
            return Ok(());
        }
        match Unwrapped::of(&headers, &config.sources) {
            Ok(_) if raw.key == Some(id.as_bytes()) => {
                forwarded.push(line.clone());
                Ok(())
            }
            Ok(_) | Err(NotForwarded::UnknownSource(_)) => Ok(()),
            Err(NotForwarded::Foreign) => Err(wrong(
                "its topic feeds no source, and it is neither a dead letter nor a forwarded record; see `topics` under [sources] in the configuration",
            )),
        }
    })?;
    for line in &forwarded {
        let headers = line.headers();
        if let Ok(unwrapped) = Unwrapped::of(&headers, &config.sources) {
            let value = line.record(unwrapped.origin.source).value;
            gathering.record(&Received::forwarded(&unwrapped, value))?;
        }
    }
    Ok(())
}
