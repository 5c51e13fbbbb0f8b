//! What records tell and the snapshot does not show: erased, superseded by a null, or left out by a newer record.

use std::collections::BTreeMap;

use super::{Building, CONSOLE, PUBLISHER, escaped};
use crate::customer::declared::Scalar;
use crate::customer::inventory::Subject;
use crate::inspect::explain::{Decision, Part};

impl Building<'_, '_> {
    /// The fields that are told and not shown.
    pub(super) fn untold(&mut self) {
        let mut untold: BTreeMap<String, Vec<Decision>> = BTreeMap::new();
        for (number, source, subject) in self.trace.subjects.iter() {
            if self.parts.shown_at.contains_key(&number) {
                continue;
            }
            if let Some(pointer) = pointer(source, subject)
                && let Some(decision) = self.trace.decide(number)
            {
                untold.entry(pointer).or_default().push(decision);
            }
        }
        for (pointer, decisions) in untold {
            let is_shown = |part: &Part| part.is_shown && part.pointer == pointer;
            // The value of another source is shown, and what this one says is no part of the snapshot.
            if !self.parts.all.iter().any(is_shown) {
                self.parts.all.push(Part {
                    pointer,
                    id: None,
                    is_shown: false,
                    decisions,
                });
            }
        }
    }
}

/// Where a snapshot shows what a source says of a subject. None: the subject has no place of its own.
pub fn pointer(source: &str, subject: &Subject) -> Option<String> {
    match subject {
        Subject::Scalar(Scalar::CreatedAt) | Subject::Known => Some(pointer_of_source(source)),
        Subject::Scalar(scalar) => Some(format!("/{}", scalar.name())),
        Subject::Attribute(name) => Some(format!("/attributes/{}", escaped(name))),
        Subject::Customer => Some(pointer_of_source(source)),
        Subject::Listing(_)
        | Subject::Listed(..)
        | Subject::Element(..)
        | Subject::Action(_)
        | Subject::Whole => None,
    }
}

/// The member of `sources` that speaks of a source.
fn pointer_of_source(source: &str) -> String {
    let name = match source {
        super::LOYALTY => "loyalty",
        super::ACTIONS => "actions",
        CONSOLE => "console",
        PUBLISHER => "publisher",
        declared => declared,
    };
    format!("/sources/{}", escaped(name))
}
