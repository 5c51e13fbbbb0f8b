//! The rules that a JSON Schema cannot express: the stage `semantic` (docs/contract.md, section 2).

use std::collections::HashSet;
use std::hash::Hash;

use crate::config::{RuleAction, Rules};
use crate::customer::fields::trim;
use crate::definition::{Countries, Definition, RuleDefault};
use crate::json::strict::Text;
use crate::model::country;
use crate::model::record::{Code, Source, Violation};
use crate::model::time::Instant;

/// Checks one record, or one element of a batch, and collects the rules that it breaks.
pub struct RuleCheck<'r> {
    rules: &'r Rules,
    /// The source's own defaults.
    defaults: &'r [(Code, RuleDefault)],
    source: Source,
    countries: Countries,
    /// The latest `updatedAt` that is accepted as not in the future; none if the record has no timestamp.
    latest: Option<Instant>,
    findings: Findings,
}

/// The rules that a record breaks.
#[derive(Default)]
pub struct Findings {
    /// The first code, in the order of the rules, that causes a rejection.
    pub code: Option<Code>,
    pub violations: Vec<Violation>,
    pub warnings: Vec<Violation>,
}

impl Findings {
    /// Adds those of another check of the same record.
    pub fn add(&mut self, other: Findings) {
        self.code = self.code.into_iter().chain(other.code).min();
        self.violations.extend(other.violations);
        self.warnings.extend(other.warnings);
    }
}

/// A country as the snapshot shows it.
#[derive(Debug, Clone, Copy)]
pub enum Country<'t> {
    /// An alpha-2 code, in a field `countryCode`.
    Known(&'t str),
    /// A text that the rules accept although it is not a known code, in a field `country`.
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

impl<'r> RuleCheck<'r> {
    pub fn new(rules: &'r Rules, source: Source, latest: Option<Instant>) -> RuleCheck<'r> {
        RuleCheck {
            rules,
            defaults: &[],
            source,
            countries: match source.is_loyalty() {
                true => Countries::Alpha2,
                false => Countries::Any,
            },
            latest,
            findings: Findings::default(),
        }
    }

    /// The same for the rules of a declared source.
    pub fn by(self, definition: &'r Definition) -> RuleCheck<'r> {
        RuleCheck {
            defaults: &definition.rules,
            countries: definition.countries,
            ..self
        }
    }

    /// Records that the rule of `code` is broken at `pointer`.
    pub fn broken(&mut self, code: Code, pointer: impl FnOnce() -> String) {
        let own = self.defaults.iter().find(|(known, _)| *known == code);
        let own = own.map(|(_, action)| *action);
        let found = &mut self.findings;
        match self.rules.action_or(code, self.source, own) {
            RuleAction::Reject => {
                found.code = Some(found.code.map_or(code, |first| first.min(code)));
                found.violations.push(Violation::semantic(pointer(), code));
            }
            RuleAction::Warn => found.warnings.push(Violation::semantic(pointer(), code)),
            RuleAction::Off => {}
        }
    }

    pub fn id(&mut self, id: &str, pointer: impl FnOnce() -> String) {
        if trim(id).is_empty() {
            self.broken(Code::BlankId, pointer);
        }
    }

    /// Checks the ids of the elements of a list: none is blank, and none occurs twice. `pointer` returns the pointer of
    /// the id of the element at an index.
    pub fn element_ids<T>(
        &mut self,
        list: &[T],
        id: impl for<'t> Fn(&'t T) -> &'t Text<'t>,
        pointer: impl Fn(usize) -> String,
    ) {
        for at in repeated(list.iter().map(|element| &**id(element))) {
            self.broken(Code::DuplicateElement, || pointer(at));
        }
        for (at, element) in list.iter().enumerate() {
            self.id(id(element), || pointer(at));
        }
    }

    pub fn updated_at(&mut self, at: Instant, pointer: impl FnOnce() -> String) {
        if self.latest.is_some_and(|latest| at > latest) {
            self.broken(Code::FutureTimestamp, pointer);
        }
    }

    pub fn country<'t>(&mut self, text: &'t str, pointer: impl FnOnce() -> String) -> Country<'t> {
        let text = trim(text);
        let known = match self.countries {
            Countries::Alpha2 => country::from_alpha2(text),
            Countries::Any => country::from_any(text),
        };
        match known {
            Some(code) => Country::Known(code),
            None => {
                self.broken(Code::CountryCode, pointer);
                Country::Unknown(text)
            }
        }
    }

    pub fn findings(self) -> Findings {
        self.findings
    }
}

/// The indices, in ascending order, of ids that occur earlier in the list too.
pub fn repeated<T: Eq + Hash>(ids: impl ExactSizeIterator<Item = T>) -> Vec<usize> {
    if ids.len() < 2 {
        return Vec::new();
    }
    // Seeded at random for each process, so that no sender can choose ids that collide.
    let mut seen: HashSet<T, ahash::RandomState> = HashSet::default();
    ids.enumerate()
        .filter_map(|(at, id)| (!seen.insert(id)).then_some(at))
        .collect()
}
