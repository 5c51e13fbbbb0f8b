//! What an audit found, as a table for people or as JSON lines.

use std::collections::HashSet;

use serde::Serialize;

use super::super::output::{Output, say, say_json, table};
use super::records::WithoutLetter;
use crate::exit::Failure;
use crate::inspect::audit::cut::InputPartition;
use crate::inspect::audit::evidence::{At, Evidence, InputAt};
use crate::inspect::audit::finding::{Because, Conclusion, Difference, Kind, Place};
use crate::inspect::audit::tally::Customers;

pub struct Report {
    output: Output,
    /// Whether customer ids are shown.
    ids: bool,
    /// How many differences are listed.
    max: usize,
    topics: Topics,
    pub customers: Customers,
    /// Customers whose states know a record that is rejected today.
    pub rejected_today: HashSet<String>,
    rows: Vec<[String; 6]>,
    listed: usize,
    not_listed: u64,
}

/// The names that places are shown with.
#[derive(Debug, Clone)]
pub struct Topics {
    pub inputs: Vec<String>,
    pub states: String,
    pub snapshots: String,
}

/// An input partition in JSON.
#[derive(Serialize)]
struct PartitionLine<'a> {
    r#type: &'static str,
    topic: &'a str,
    partition: i32,
    begin: i64,
    end: i64,
    committed: Option<i64>,
    lag: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

/// A difference in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DifferenceLine<'a> {
    r#type: &'static str,
    result: &'static str,
    place: &'static str,
    topic: Option<&'a str>,
    partition: Option<i32>,
    offset: Option<i64>,
    pointers: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
    /// The last record of the customer in the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordPlace<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Serialize)]
struct RecordPlace<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// A rejected record without a dead letter in JSON.
#[derive(Serialize)]
struct WithoutLetterLine<'a> {
    r#type: &'static str,
    result: &'static str,
    place: &'static str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    stage: &'static str,
    code: &'static str,
}

impl Report {
    pub fn new(output: Output, ids: bool, max: usize, topics: Topics) -> Report {
        Report {
            output,
            ids,
            max,
            topics,
            customers: Customers::default(),
            rejected_today: HashSet::new(),
            rows: Vec::new(),
            listed: 0,
            not_listed: 0,
        }
    }

    /// Shows the input partitions.
    pub fn partitions(&self, partitions: &[InputPartition]) -> Result<(), Failure> {
        if self.output == Output::Json {
            return partitions.iter().try_for_each(|one| {
                say_json(&PartitionLine {
                    r#type: "partition",
                    topic: &one.topic,
                    partition: one.partition,
                    begin: one.begin,
                    end: one.end,
                    committed: one.committed,
                    lag: one.lag(),
                    problem: one.problem(),
                })
            });
        }
        let heading = ["INPUT", "BEGIN", "END", "COMMITTED", "LAG", ""];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.extend(partitions.iter().map(|one| {
            [
                format!("{}[{}]", one.topic, one.partition),
                one.begin.to_string(),
                one.end.to_string(),
                one.committed.map_or("-".to_owned(), |at| at.to_string()),
                one.lag().to_string(),
                one.problem().unwrap_or_default().to_owned(),
            ]
        }));
        say(&table(&rows))
    }

    /// Counts a customer, and lists its differences.
    pub fn customer(
        &mut self,
        id: &[u8],
        evidence: &Evidence,
        conclusion: &Conclusion,
    ) -> Result<(), Failure> {
        self.customers.count(conclusion);
        if let Conclusion::Differs(differences) = conclusion {
            for difference in differences {
                if difference.because == Some(Because::RejectedToday) {
                    let id = String::from_utf8_lossy(id);
                    self.rejected_today.insert(id.into_owned());
                }
                if self.lists() {
                    self.difference(id, evidence, difference)?;
                }
            }
        }
        Ok(())
    }

    /// Whether one more is listed.
    fn lists(&mut self) -> bool {
        if self.listed == self.max {
            self.not_listed += 1;
            return false;
        }
        self.listed += 1;
        true
    }

    fn difference(
        &mut self,
        id: &[u8],
        evidence: &Evidence,
        difference: &Difference,
    ) -> Result<(), Failure> {
        let Difference {
            kind,
            place,
            at,
            pointers,
            because,
        } = difference;
        let (place, topic) = match place {
            Place::Snapshot => ("snapshot", &self.topics.snapshots),
            Place::State => ("state", &self.topics.states),
        };
        let id = self.ids.then(|| String::from_utf8_lossy(id));
        if self.output == Output::Json {
            let record = evidence.record.and_then(|record| self.record_place(record));
            return say_json(&DifferenceLine {
                r#type: "customer",
                result: kind.name(),
                place,
                topic: at.map(|_| topic.as_str()),
                partition: at.map(|at| at.partition),
                offset: at.map(|at| at.offset),
                pointers,
                because: because.map(Because::name),
                record,
                customer_id: id,
            });
        }
        let record = evidence.record.and_then(|record| self.record_place(record));
        let whose = match (id, record) {
            (Some(id), _) => id.into_owned(),
            (None, Some(record)) => {
                format!("{} {}@{}", record.topic, record.partition, record.offset)
            }
            (None, None) => String::new(),
        };
        self.rows.push([
            told(*kind).to_owned(),
            place.to_owned(),
            at.map_or(String::new(), |at| format!("{topic} {}", text_of(at))),
            whose,
            because.map_or("", told_because).to_owned(),
            pointers_text(pointers),
        ]);
        Ok(())
    }

    fn record_place(&self, record: InputAt) -> Option<RecordPlace<'_>> {
        let topic = self.topics.inputs.get(usize::from(record.input))?;
        Some(RecordPlace {
            topic,
            partition: record.at.partition,
            offset: record.at.offset,
        })
    }

    /// Lists rejected records whose dead letters are not there.
    pub fn without_letter(&mut self, records: &[WithoutLetter], all: u64) -> Result<(), Failure> {
        let mut left = all;
        for WithoutLetter { at, code, .. } in records {
            if self.listed == self.max {
                break;
            }
            let Some(topic) = self.topics.inputs.get(usize::from(at.input)).cloned() else {
                continue;
            };
            left -= 1;
            self.listed += 1;
            if self.output == Output::Json {
                say_json(&WithoutLetterLine {
                    r#type: "record",
                    result: Kind::Missing.name(),
                    place: "deadLetter",
                    topic: &topic,
                    partition: at.at.partition,
                    offset: at.at.offset,
                    stage: code.stage().name(),
                    code: code.name(),
                })?;
            } else {
                self.rows.push([
                    "missing".to_owned(),
                    "dead letter".to_owned(),
                    String::new(),
                    format!("{topic} {}", text_of(at.at)),
                    code.name().to_owned(),
                    String::new(),
                ]);
            }
        }
        self.not_listed += left;
        Ok(())
    }

    /// Shows the table of differences, if there is one.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let whose = if self.ids { "CUSTOMER" } else { "RECORD" };
        let heading = ["RESULT", "WHAT", "AT", whose, "WHY", "POINTERS"];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.append(&mut self.rows);
        say("")?;
        say(&table(&rows))?;
        if self.not_listed > 0 {
            say(&format!(
                "and {} more, which --max would list",
                self.not_listed
            ))?;
        }
        Ok(())
    }
}

fn text_of(at: At) -> String {
    format!("{}@{}", at.partition, at.offset)
}

const fn told(kind: Kind) -> &'static str {
    match kind {
        Kind::Different => "different",
        Kind::Missing => "missing",
        Kind::TooMany => "too many",
    }
}

/// The explanation of a difference in a table; the summary has it as a sentence.
pub const fn told_because(because: Because) -> &'static str {
    match because {
        Because::ValidToday => "valid today",
        Because::RejectedToday => "rejected today",
        Because::NotTheView => "state is right",
        Because::Unreadable => "cannot be decoded",
        Because::Partition => "partition",
    }
}

/// Pointers for people: "(all)" for the whole.
fn pointers_text(pointers: &[String]) -> String {
    let texts = pointers.iter().map(|pointer| match pointer.as_str() {
        "" => "(all)",
        pointer => pointer,
    });
    texts.collect::<Vec<_>>().join(" ")
}
