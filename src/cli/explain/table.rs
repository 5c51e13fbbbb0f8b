//! An explanation for people.

use std::collections::BTreeSet;

use super::Report;
use super::words::{cut, fate, fate_at, place, places, why};
use crate::cli::output::table;
use crate::inspect::explain::{Part, RecordNumber};
use crate::model::time::Instant;

/// Of a list's elements that are not shown, and of the actions that are not kept, so many are told.
const MOST_NOT_SHOWN: usize = 8;

pub fn text(report: &Report<'_>) -> String {
    let explanation = report.explanation;
    let mut blocks = vec![heading(report)];
    match report.selected {
        None => {
            let all = (0..explanation.records.len()).collect();
            blocks.push(records(report, &all, &[]));
            blocks.push(letters(report));
            blocks.push(parts(report, &explanation.parts));
        }
        Some(selected) => {
            blocks.push(parts(report, &selected.parts));
            blocks.push(records(report, &selected.records, &selected.parts));
        }
    }
    blocks.extend(notes(report));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

fn heading(report: &Report<'_>) -> String {
    let records = report.explanation.records.len();
    let rejected = report.letters.len();
    let snapshot = match &report.explanation.snapshot {
        Some(_) => "they fold to a snapshot",
        None => "they fold to a null value: nothing is left to show",
    };
    match records {
        0 => format!("{}: no record of this customer was found", report.id),
        _ => format!(
            "{}: {records} records, {rejected} dead letters; {snapshot}",
            report.id
        ),
    }
}

fn time(at: Option<Instant>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// The records, with what became of what they tell of some parts, or of all that they tell.
fn records(report: &Report<'_>, shown: &BTreeSet<RecordNumber>, parts: &[Part]) -> String {
    let explanation = report.explanation;
    if shown.is_empty() {
        return String::new();
    }
    let heading = ["TIME", "RECORD", "SOURCE", "WHAT BECAME OF IT"].map(str::to_owned);
    let rows = shown.iter().filter_map(|number| {
        let record = explanation.records.get(*number)?;
        Some([
            time(record.at),
            place(&record.record),
            record.record.source.name().to_owned(),
            fate_at(explanation, record, parts, report.values)
                .unwrap_or_else(|| fate(explanation, record)),
        ])
    });
    let rows: Vec<[String; 4]> = std::iter::once(heading).chain(rows).collect();
    table(&rows)
}

fn letters(report: &Report<'_>) -> String {
    if report.letters.is_empty() {
        return String::new();
    }
    let heading = [
        "DEAD LETTER",
        "REJECTED AT",
        "RECORD",
        "STAGE",
        "CODE",
        "ATTEMPTS",
    ];
    let rows = report.letters.iter().map(|letter| {
        let (topic, partition, offset) = &letter.record;
        [
            letter.id.to_string(),
            time(letter.rejected_at.map(Instant::from_millis)),
            format!("{topic}[{partition}]@{offset}"),
            letter.stage.clone(),
            letter.code.clone(),
            letter.attempts.to_string(),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(heading.map(str::to_owned))
        .chain(rows)
        .collect();
    table(&rows)
}

fn parts(report: &Report<'_>, parts: &[Part]) -> String {
    let heading = ["PART", "FROM", "TIME", "WHY"].map(str::to_owned);
    let mut rows = vec![heading];
    let mut not_shown: Vec<(&str, usize)> = Vec::new();
    for part in parts {
        if part.id.is_some() {
            match not_shown.last_mut() {
                Some((pointer, count)) if *pointer == part.pointer => *count += 1,
                _ => not_shown.push((&part.pointer, 1)),
            }
            let told = not_shown.last().map_or(0, |(_, count)| *count);
            if told > MOST_NOT_SHOWN {
                continue;
            }
        }
        rows.push(row(report, part));
    }
    let mut text = match rows.len() {
        1 => String::new(),
        _ => table(&rows),
    };
    for (pointer, count) in not_shown {
        if count > MOST_NOT_SHOWN {
            let more = count - MOST_NOT_SHOWN;
            text.push_str(&format!(
                "\n{more} more of {pointer} are not shown; --output json has them all"
            ));
        }
    }
    text
}

fn row(report: &Report<'_>, part: &Part) -> [String; 4] {
    let first = part.decisions.first();
    let from = part
        .decisions
        .iter()
        .find(|decision| !decision.records.is_empty());
    let from = from.map(|decision| places(report.explanation, &decision.records, 1));
    let name = match part.pointer.as_str() {
        "" => "(all)".to_owned(),
        pointer => pointer.to_owned(),
    };
    let name = match (&part.id, report.value_of(part)) {
        (Some(id), _) if report.values => format!("{name} {id}"),
        (None, Some(value)) if part.is_shown => format!("{name} = {}", cut(&value)),
        _ => name,
    };
    [
        name,
        from.unwrap_or_else(|| "-".to_owned()),
        time(first.and_then(|decision| decision.time)),
        why(part),
    ]
}

/// What else an operator should know.
fn notes(report: &Report<'_>) -> Option<String> {
    let mut notes = not_known(report);
    let Some(live) = report.live else {
        return (!notes.is_empty()).then(|| notes.join("\n"));
    };
    let published = &live.published;
    let place = |offset| format!("{}[{}]@{offset}", published.topic, published.partition);
    notes.push(match (published.offset, published.differences.is_empty()) {
        _ if !notes.is_empty() => {
            "it is not known whether that is as published, without these records".to_owned()
        }
        (None, true) => "nothing is published of this customer, as the records say".to_owned(),
        (None, false) => format!(
            "NOT AS PUBLISHED: {} has no record of this customer",
            published.topic
        ),
        (Some(offset), true) => format!("as published in {}", place(offset)),
        (Some(offset), false) => format!(
            "NOT AS PUBLISHED in {}, which differs at {}",
            place(offset),
            at(&published.differences)
        ),
    });
    let pending = report.explanation.records.iter();
    let pending = pending.filter(|record| record.record.is_pending).count();
    if pending > 0 {
        notes.push(format!(
            "{pending} of the records came meanwhile or are not committed yet: what is published may not know of them"
        ));
    }
    let cut: Vec<String> = live
        .cut()
        .map(|range| format!("{}[{}] before {}", range.topic, range.partition, range.from))
        .collect();
    if !cut.is_empty() {
        notes.push(format!(
            "retention has taken records of {}; of those the state alone knows what won",
            cut.join(", ")
        ));
    }
    if !live.has_state && !report.explanation.records.is_empty() {
        notes.push("the state topic has no record of this customer".to_owned());
    }
    Some(notes.join("\n"))
}

/// The records that could not be read.
fn not_known(report: &Report<'_>) -> Vec<String> {
    let not_known = report.not_known;
    let places = not_known.places.iter();
    let mut places: Vec<String> = places
        .map(|(topic, partition, offset)| format!("{topic}[{partition}]@{offset}"))
        .collect();
    let more = not_known.records.saturating_sub(places.len() as u64);
    if more > 0 {
        places.push(format!("and {more} more"));
    }
    match places.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "{} records are not known: the registry is away ({})",
            not_known.records,
            places.join(", ")
        )],
    }
}

fn at(pointers: &[String]) -> String {
    let whole = |pointer: &String| match pointer.as_str() {
        "" => "the whole value".to_owned(),
        pointer => pointer.to_owned(),
    };
    pointers.iter().map(whole).collect::<Vec<_>>().join(" ")
}
