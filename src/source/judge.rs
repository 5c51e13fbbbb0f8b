//! The semantic stage: rules that a JSON Schema can't say (docs/contract.md, section 2).

use std::collections::HashSet;

use crate::config::{RuleAction, Rules};
use crate::json::strict::Text;
use crate::model::country;
use crate::model::record::{Code, Source, Violation};
use crate::model::time::Instant;

/// Collects what the semantic rules find in one record, or in one element of a batch.
pub struct Judge<'r> {
    rules: &'r Rules,
    source: Source,
    /// The latest `updatedAt` that is not in the future; none where the record has no timestamp.
    latest: Option<Instant>,
    code: Option<Code>,
    violations: Vec<Violation>,
    warnings: Vec<Violation>,
}

/// A country as the snapshot shows it.
#[derive(Debug, Clone, Copy)]
pub enum Country<'t> {
    /// An alpha-2 code, in a field `countryCode`.
    Known(&'t str),
    /// A text that was let through, in a field `country`.
    Unknown(&'t str),
}

impl<'t> Country<'t> {
    /// The field's name and its text.
    pub fn field(self) -> (&'static str, &'t str) {
        match self {
            Country::Known(code) => ("countryCode", code),
            Country::Unknown(text) => ("country", text),
        }
    }
}

/// What the semantic stage found.
pub struct Findings {
    /// The first code, in the order of the rules, that rejects.
    pub code: Option<Code>,
    pub violations: Vec<Violation>,
    pub warnings: Vec<Violation>,
}

impl<'r> Judge<'r> {
    pub fn new(rules: &'r Rules, source: Source, latest: Option<Instant>) -> Judge<'r> {
        Judge {
            rules,
            source,
            latest,
            code: None,
            violations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Notes that a rule does not hold at a place.
    pub fn find(&mut self, code: Code, pointer: impl FnOnce() -> String) {
        match self.rules.action(code, self.source) {
            RuleAction::Reject => {
                self.code = Some(self.code.map_or(code, |first| first.min(code)));
                self.violations.push(Violation::semantic(pointer(), code));
            }
            RuleAction::Warn => self.warnings.push(Violation::semantic(pointer(), code)),
            RuleAction::Off => {}
        }
    }

    pub fn id(&mut self, id: &str, pointer: impl FnOnce() -> String) {
        if id.trim().is_empty() {
            self.find(Code::BlankId, pointer);
        }
    }

    pub fn updated_at(&mut self, at: Instant, pointer: impl FnOnce() -> String) {
        if self.latest.is_some_and(|latest| at > latest) {
            self.find(Code::FutureTimestamp, pointer);
        }
    }

    pub fn country<'t>(&mut self, text: &'t str, pointer: impl FnOnce() -> String) -> Country<'t> {
        let text = text.trim();
        let known = if self.source.is_loyalty() {
            country::from_alpha2(text)
        } else {
            country::from_any(text)
        };
        match known {
            Some(code) => Country::Known(code),
            None => {
                self.find(Code::CountryCode, pointer);
                Country::Unknown(text)
            }
        }
    }

    /// Judges the ids of one list: none may stand there twice.
    pub fn distinct<'t>(
        &mut self,
        ids: impl ExactSizeIterator<Item = &'t str>,
        pointer: impl Fn(usize) -> String,
    ) {
        for at in repeated(ids) {
            self.find(Code::DuplicateElement, || pointer(at));
        }
    }

    pub fn findings(self) -> Findings {
        Findings {
            code: self.code,
            violations: self.violations,
            warnings: self.warnings,
        }
    }
}

/// The places of the ids that stood in the list before.
pub fn repeated<'t>(ids: impl ExactSizeIterator<Item = &'t str>) -> Vec<usize> {
    if ids.len() < 2 {
        return Vec::new();
    }
    // seeded at random for each process, so that no sender can choose ids that collide
    let mut seen: HashSet<&str, ahash::RandomState> = HashSet::default();
    ids.enumerate()
        .filter_map(|(at, id)| (!seen.insert(id)).then_some(at))
        .collect()
}

/// What `version` of a loyalty event must be.
pub fn is_supported(version: f64) -> bool {
    (1.0..2.0).contains(&version)
}

/// The ids of a list, for [`Judge::distinct`].
pub fn texts<'t, T>(
    list: &'t [T],
    id: impl Fn(&'t T) -> &'t Text<'t>,
) -> impl ExactSizeIterator<Item = &'t str> {
    list.iter().map(move |item| &**id(item))
}
