//! An explanation as one JSON value.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Report;
use super::letter::LetterRef;
use crate::inspect::explain::{
    Decision, ExplainedRecord, Part, RecordNumber, RecordRef, RecordVerdict,
};
use crate::model::record::Violation;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    customer_id: String,
    records: Vec<Record>,
    dead_letters: Vec<Letter>,
    parts: Vec<PartOf>,
    /// Records that could not be read, because the schema registry is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_known: Option<Unread>,
    /// Only with `--values`.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<Published>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<Input>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pointer: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(flatten)]
    place: Place,
    source: &'static str,
    time: Option<String>,
    timestamp: Option<i64>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
    became: &'static str,
    by: Vec<Place>,
    decisive: bool,
    committed: bool,
    data: Vec<Datum>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Datum {
    pointer: String,
    became: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    topic: String,
    partition: i32,
    offset: i64,
    rejected_at: Option<i64>,
    record: Place,
    source: String,
    stage: String,
    code: String,
    attempts: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartOf {
    pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    shown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    decisions: Vec<Decided>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided {
    rule: &'static str,
    source: Option<String>,
    time: Option<String>,
    rank: Option<u64>,
    /// The first one won; the others say the same at the same time.
    records: Vec<Place>,
    same_value: Vec<Place>,
    others: usize,
}

#[derive(Debug, Serialize)]
struct Unread {
    records: u64,
    places: Vec<Place>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    topic: String,
    partition: i32,
    offset: Option<i64>,
    /// Null: not comparable, for records are not known.
    equal: Option<bool>,
    differences: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    topic: String,
    partition: i32,
    begin: i64,
    end: i64,
}

impl Place {
    fn of(record: &RecordRef) -> Place {
        let location = &record.location;
        Place {
            topic: location.topic.clone(),
            partition: location.partition,
            offset: location.offset,
            pointer: record.pointer.clone(),
        }
    }
}

impl Explained {
    pub fn of(report: &Report<'_>) -> Explained {
        let explanation = report.explanation;
        let numbers: Vec<RecordNumber> = match report.selected {
            None => (0..explanation.records.len()).collect(),
            Some(selected) => selected.records.iter().copied().collect(),
        };
        let records = numbers.into_iter();
        let records = records.filter_map(|number| explanation.records.get(number));
        let parts = report
            .selected
            .map_or(&explanation.parts, |selected| &selected.parts);
        let snapshot = explanation.snapshot.as_deref().filter(|_| report.values);
        let snapshot = snapshot.and_then(|text| raw(std::str::from_utf8(text).ok()?));
        Explained {
            customer_id: report.id.to_owned(),
            records: records.map(|record| of_record(report, record)).collect(),
            dead_letters: report
                .letters
                .iter()
                .map(|letter| of_letter(letter))
                .collect(),
            parts: parts.iter().map(|part| of_part(report, part)).collect(),
            not_known: unread(report),
            snapshot,
            published: report.live.map(|live| {
                let published = &live.published;
                Published {
                    topic: published.topic.clone(),
                    partition: published.partition,
                    offset: published.offset,
                    equal: (report.not_known.records == 0)
                        .then_some(published.differences.is_empty()),
                    differences: published.differences.clone(),
                }
            }),
            inputs: report.live.map(|live| {
                let inputs = live.inputs.iter().map(|range| Input {
                    topic: range.topic.clone(),
                    partition: range.partition,
                    begin: range.from,
                    end: range.end,
                });
                inputs.collect()
            }),
        }
    }
}

fn unread(report: &Report<'_>) -> Option<Unread> {
    let not_known = report.not_known;
    let places = not_known.places.iter().cloned();
    let places = places.map(|(topic, partition, offset)| Place {
        topic,
        partition,
        offset,
        pointer: String::new(),
    });
    (not_known.records > 0).then(|| Unread {
        records: not_known.records,
        places: places.collect(),
    })
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

fn of_record(report: &Report<'_>, record: &ExplainedRecord) -> Record {
    let (verdict, rejection) = match &record.verdict {
        RecordVerdict::Valid => ("valid", None),
        RecordVerdict::Erasure => ("erasure", None),
        RecordVerdict::Nothing => ("nothing", None),
        RecordVerdict::Rejected(rejection) => ("rejected", Some(rejection)),
    };
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let data = record.data.iter().map(|datum| Datum {
        pointer: datum.pointer.clone(),
        became: datum.fate.name(),
        by: datum.by.and_then(|by| places(report, &[by]).pop()),
        text: datum.value.as_ref().map(text),
    });
    Record {
        place: Place::of(&record.record),
        source: record.record.source.name(),
        time: record.at.map(|at| at.to_string()),
        timestamp: record.record.timestamp,
        verdict,
        stage: rejection.map(|rejection| rejection.code.stage().name()),
        code: rejection.map(|rejection| rejection.code.name()),
        violations: rejection.map_or_else(Vec::new, |rejection| rejection.violations.clone()),
        became: record.fate.name(),
        by: places(report, &record.by),
        decisive: record.is_decisive,
        committed: !record.record.is_pending,
        data: data.collect(),
    }
}

fn places(report: &Report<'_>, records: &[RecordNumber]) -> Vec<Place> {
    let records = records.iter();
    let records = records.filter_map(|number| report.explanation.records.get(*number));
    records.map(|record| Place::of(&record.record)).collect()
}

fn of_part(report: &Report<'_>, part: &Part) -> PartOf {
    let value = report.value_of(part).filter(|_| part.is_shown);
    PartOf {
        pointer: part.pointer.clone(),
        id: part.id.clone().filter(|_| report.values),
        shown: part.is_shown,
        value: value.and_then(|value| raw(&value)),
        decisions: part
            .decisions
            .iter()
            .map(|one| decided(report, one))
            .collect(),
    }
}

fn decided(report: &Report<'_>, decision: &Decision) -> Decided {
    Decided {
        rule: decision.rule.name(),
        source: decision.source.clone(),
        time: decision.time.map(|time| time.to_string()),
        rank: decision.rank,
        records: places(report, &decision.records),
        same_value: places(report, &decision.same_value),
        others: decision.others,
    }
}

fn of_letter(letter: &LetterRef) -> Letter {
    let (topic, partition, offset) = letter.record.clone();
    Letter {
        topic: letter.topic.clone(),
        partition: letter.id.partition,
        offset: letter.id.offset,
        rejected_at: letter.rejected_at,
        record: Place {
            topic,
            partition,
            offset,
            pointer: String::new(),
        },
        source: letter.source.clone(),
        stage: letter.stage.clone(),
        code: letter.code.clone(),
        attempts: letter.attempts,
    }
}
