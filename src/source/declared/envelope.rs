//! What the envelope around a record's data says (docs/contract.md, section 9).

use super::found::{Found, Got, Spot};
use super::number;
use super::reader::Reader;
use super::typed::rank_of;
use crate::definition::pass::{Captured, Raw};
use crate::definition::{CloudEventsPlan, DebeziumPlan, EnvelopePlan, EnvelopeTime, Plan, Shape};
use crate::model::record::Header;
use crate::model::time::Instant;

/// The header that every event in binary mode has.
const SPEC_VERSION: &str = "ce_specversion";
const TIME: &str = "ce_time";

/// What happened to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are as the record says.
    Told,
    Deleted,
    /// Nothing that the record tells.
    None,
}

/// Whether a record is an event in binary mode.
pub(super) fn is_binary(headers: &[Header<'_>]) -> bool {
    headers.iter().any(|(name, _)| *name == SPEC_VERSION)
}

/// The way in which a record holds its data.
pub(super) fn shape<'r>(
    plan: &'r Plan,
    captured: &Captured<'_>,
    headers: &[Header<'_>],
) -> Option<&'r Shape> {
    let fits = |shape: &&Shape| match &shape.envelope {
        EnvelopePlan::None => true,
        EnvelopePlan::CloudEvents(events) => events.is_binary == is_binary(headers),
        EnvelopePlan::Debezium(debezium) => {
            let [schema, payload] = debezium.wrapping.map(|column| captured.cell(column));
            let is_wrapped = schema != Raw::Absent && matches!(payload, Raw::Object | Raw::Null);
            // A flattened row may have a column of that name.
            let is_enveloped = is_text(captured.cell(debezium.op))
                && debezium
                    .parts
                    .iter()
                    .any(|part| captured.cell(*part) != Raw::Absent);
            debezium.is_wrapped == is_wrapped && (debezium.is_flattened || is_enveloped)
        }
    };
    plan.shapes.iter().find(fits)
}

fn is_text(raw: Raw<'_>) -> bool {
    matches!(
        raw,
        Raw::Text(_) | Raw::Time(..) | Raw::Date(..) | Raw::Escaped(_)
    )
}

/// What an envelope says happened. `captured` is the pass over the record.
pub(super) fn change(shape: &Shape, captured: &Captured<'_>) -> Change {
    let EnvelopePlan::Debezium(debezium) = &shape.envelope else {
        return Change::Told;
    };
    if debezium.is_wrapped && captured.cell(debezium.wrapping[1]) == Raw::Null {
        return Change::None;
    }
    let is_deleted = matches!(
        captured.cell(debezium.deleted),
        Raw::Flag(true) | Raw::Text("true")
    );
    if debezium.is_flattened && is_deleted {
        return Change::Deleted;
    }
    match captured.cell(debezium.op) {
        Raw::Text("c" | "u" | "r") => Change::Told,
        Raw::Text("d") => Change::Deleted,
        Raw::Absent | Raw::Null if debezium.is_flattened => Change::Told,
        _ => Change::None,
    }
}

/// The time that an envelope gives to its data. Notes what is wrong with it.
pub(super) fn time<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    shape: &'r Shape,
    captured: &'r Captured<'a>,
) -> Found<'r, Instant> {
    match &shape.envelope {
        EnvelopePlan::None => Found::Absent,
        EnvelopePlan::CloudEvents(events) => time_of_event(reader, events, captured),
        EnvelopePlan::Debezium(debezium) => {
            let there =
                |time: &&EnvelopeTime| Got::of(captured.cell(time.column), captured).is_some();
            let Some(time) = debezium.times.iter().find(there) else {
                return Found::Absent;
            };
            let spot = Spot::at(&time.place);
            let Some(got) = Got::of(captured.cell(time.column), captured) else {
                return Found::Absent;
            };
            match number::micros(got, time.unit) {
                None => {
                    let message = format!("must be a number, but is {}", got.kind());
                    reader.violation((spot, None), "type", message)
                }
                Some(micros) => match micros.ok().and_then(Instant::checked_from_micros) {
                    Some(at) => Found::Is(at, spot),
                    None => {
                        let message = "must be a time in the years 0001 to 9999".to_owned();
                        reader.violation((spot, None), "format", message)
                    }
                },
            }
        }
    }
}

fn time_of_event<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    events: &'r CloudEventsPlan,
    captured: &'r Captured<'a>,
) -> Found<'r, Instant> {
    let (got, spot) = match events.is_binary {
        true => (reader.outside.header(TIME).map(Got::Outer), Spot::default()),
        false => {
            let got = Got::of(captured.cell(events.time), captured);
            (got, Spot::at(&events.time_place))
        }
    };
    match got {
        None => Found::Absent,
        Some(Got::Text(text) | Got::Outer(text)) => match Instant::parse(text) {
            Some(at) => Found::Is(at, spot),
            None => {
                let message = "must be a date-time of RFC 3339".to_owned();
                reader.violation((spot, None), "format", message)
            }
        },
        Some(got) => {
            let message = format!("must be a date-time in a string, but is {}", got.kind());
            reader.violation((spot, None), "type", message)
        }
    }
}

/// Notes that a record is no event, if it is none.
pub(super) fn check_event<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    shape: &'r Shape,
    captured: &'r Captured<'a>,
) {
    if let EnvelopePlan::CloudEvents(events) = &shape.envelope
        && !events.is_binary
        && captured.cell(events.spec_version) == Raw::Absent
    {
        let spot = Spot::at(&events.spec_version_place);
        let message = "is required, but missing".to_owned();
        reader.violation::<()>((spot, None), "required", message);
    }
}

/// The rank that an envelope gives to its data.
pub(super) fn rank(shape: &Shape, captured: &Captured<'_>) -> u64 {
    match &shape.envelope {
        EnvelopePlan::Debezium(debezium) => rank_of_change(debezium, captured),
        EnvelopePlan::None | EnvelopePlan::CloudEvents(_) => 0,
    }
}

fn rank_of_change(debezium: &DebeziumPlan, captured: &Captured<'_>) -> u64 {
    // What a snapshot reads is older than every change that follows.
    if captured.cell(debezium.op) == Raw::Text("r") {
        return 0;
    }
    let got = |column: &usize| Got::of(captured.cell(*column), captured);
    let number = |columns: &[usize]| columns.iter().filter_map(got).find_map(rank_of);
    if let Some(lsn) = number(&debezium.lsn) {
        return lsn;
    }
    let Some(pos) = number(&debezium.pos) else {
        return 0;
    };
    let file = debezium.file.iter().filter_map(got).find_map(Got::text);
    let file = file.map_or(0, |file| file_number(&file));
    let rank = (u128::from(file) << 32) | u128::from(pos);
    let most = i64::MAX.unsigned_abs();
    u64::try_from(rank).map_or(most, |rank| rank.min(most))
}

/// The number at the end of a file's name.
fn file_number(file: &str) -> u64 {
    let name = file.trim_end_matches(|char: char| char.is_ascii_digit());
    let digits = &file[name.len()..];
    match digits.is_empty() {
        true => 0,
        false => digits.parse().unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_number_at_its_end() {
        for (file, number) in [
            ("mysql-bin.000003", 3),
            ("binlog.12", 12),
            ("7", 7),
            ("log", 0),
            ("", 0),
            ("f.99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(file_number(file), number, "{file}");
        }
    }
}
