//! The parts of an explanation that a pointer is about.

use std::collections::BTreeSet;

use super::{Decision, Explanation, Fate, Part, RecordNumber, Rule};

/// The answer for one pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Those at the pointer and within it; else the nearest one that it is within.
    pub parts: Vec<Part>,
    /// The records that these name, those that tell something there, and those that are rejected.
    pub records: BTreeSet<RecordNumber>,
}

impl Explanation {
    /// What a JSON pointer into the snapshot is about. A part that no record tells is answered with
    /// [`Rule::NeverTold`].
    pub fn at(&self, pointer: &str) -> Selected {
        let is_of = |part: &&Part| is_within(&part.pointer, pointer);
        let mut parts: Vec<Part> = self.parts.iter().filter(is_of).cloned().collect();
        if parts.is_empty() {
            let around = self
                .parts
                .iter()
                .filter(|part| !part.pointer.is_empty() && is_within(pointer, &part.pointer));
            let nearest = around.clone().map(|part| part.pointer.len()).max();
            let nearest = around.filter(|part| Some(part.pointer.len()) == nearest);
            parts.extend(nearest.cloned());
        }
        if parts.is_empty() {
            // A snapshot that is a null value has no parts.
            parts.extend(
                self.parts
                    .iter()
                    .filter(|part| part.pointer.is_empty())
                    .cloned(),
            );
        }
        if parts.is_empty() {
            parts.push(Part {
                pointer: pointer.to_owned(),
                id: None,
                is_shown: false,
                decisions: vec![Decision::new(Rule::NeverTold, Vec::new())],
            });
        }
        let mut records = BTreeSet::new();
        for decision in parts.iter().flat_map(|part| &part.decisions) {
            records.extend(&decision.records);
            records.extend(&decision.same_value);
        }
        for (number, record) in self.records.iter().enumerate() {
            // A rejected record may be the one that was expected.
            if record.fate == Fate::Rejected {
                records.insert(number);
            }
            let mut told = record.data.iter().map(|datum| datum.pointer.as_str());
            if told.any(|told| {
                is_within(told, pointer) || parts.iter().any(|part| part.pointer == told)
            }) {
                records.insert(number);
            }
        }
        Selected { parts, records }
    }
}

/// Whether a pointer is at another one or within it.
fn is_within(pointer: &str, outer: &str) -> bool {
    let rest = pointer.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
