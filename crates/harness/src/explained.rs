//! Holds the explanation of a customer against the fold: without what it names the snapshot is another one, and without
//! what it names as not decisive it is the same.

use std::collections::BTreeSet;

use keyfold::customer::bounded::Limits;
use keyfold::customer::contribution::{Contribution, Data};
use keyfold::inspect::explain::{
    Decision, Explainer, Explanation, Fate, Part, RecordNumber, RecordRef, Rule, Said,
};
use keyfold::model::record::{Location, Source};
use keyfold::source::Verdict;
use serde_json::Value;

/// The records of a customer, in the order in which they are folded.
pub struct History<'h> {
    pub customer: &'h str,
    pub records: Vec<(Source, Data)>,
    pub limits: &'h Limits,
}

/// What a verdict says of customers.
pub fn contributions(verdict: Verdict<'_>) -> Vec<Contribution> {
    match verdict {
        Verdict::Valid(contribution) => vec![contribution],
        Verdict::Nothing | Verdict::Rejected(_) => Vec::new(),
        Verdict::Batch { elements, .. } => {
            let elements = elements.into_iter();
            elements.map(|element| element.contribution).collect()
        }
    }
}

impl History<'_> {
    /// The explanation of the records that are kept. The offset of a record is its position in the history.
    pub fn explain(&self, is_kept: impl Fn(usize) -> bool) -> Explanation {
        let mut explainer = Explainer::new(self.customer, self.limits.clone(), true);
        for (offset, (source, data)) in self.records.iter().enumerate() {
            if is_kept(offset) {
                let location = Location {
                    topic: source.name().to_owned(),
                    partition: 0,
                    offset: i64::try_from(offset).expect("a small number"),
                };
                let record = RecordRef {
                    location,
                    pointer: String::new(),
                    source: *source,
                    timestamp: None,
                    is_pending: false,
                };
                explainer.add(record, Said::Data(data.clone()));
            }
        }
        explainer.explain()
    }

    /// # Errors
    /// What is wrong with the explanation.
    pub fn check(&self) -> Result<(), String> {
        let base = self.explain(|_| true);
        if base.records.len() != self.records.len() {
            return Err("a record is missing".to_owned());
        }
        self.check_others(&base)?;
        for part in &base.parts {
            self.check_part(&base, part)
                .map_err(|wrong| format!("{wrong}\nof {part:#?}"))?;
        }
        Ok(())
    }

    /// Without records that are not decisive, one or all of them, the snapshot is the same.
    fn check_others(&self, base: &Explanation) -> Result<(), String> {
        let others = base.records.iter().filter(|record| !record.is_decisive);
        let others: Vec<usize> = others
            .map(|record| position(record.record.location.offset))
            .collect();
        let halves = [0, 1].map(|half| {
            let own = others.iter().enumerate().filter(|(at, _)| at % 2 == half);
            own.map(|(_, offset)| *offset).collect::<Vec<usize>>()
        });
        let single = others.iter().map(|offset| vec![*offset]);
        for removed in single.chain(halves).chain([others.clone()]) {
            let without = self.explain(|offset| !removed.contains(&offset));
            if without.snapshot != base.snapshot {
                return Err(format!("{removed:?} are decisive after all\n{base:#?}"));
            }
        }
        Ok(())
    }

    /// Without the records that a part is from, the part is another one.
    fn check_part(&self, base: &Explanation, part: &Part) -> Result<(), String> {
        for (at, decision) in part.decisions.iter().enumerate() {
            // The content of what is not shown does not matter.
            let is_content = !matches!(
                decision.rule,
                Rule::Cleared | Rule::Whole | Rule::Erased | Rule::NotListed | Rule::Deleted
            );
            if is_content && !part.is_shown {
                continue;
            }
            if decision.records.is_empty() {
                let is_open =
                    matches!(decision.rule, Rule::LetGo | Rule::Counted | Rule::NeverTold);
                if !is_open {
                    return Err(format!("decision {at} names no record"));
                }
                continue;
            }
            let same = part.decisions.iter().flat_map(|one| &one.same_value);
            let removed: BTreeSet<usize> = decision
                .records
                .iter()
                .chain(same)
                .map(|record| offset_of(base, *record))
                .collect();
            let without = self.explain(|offset| !removed.contains(&offset));
            if !is_changed(base, &without, part, at, decision) {
                let same = without.parts.iter();
                let same: Vec<&Part> = same
                    .filter(|other| other.pointer == part.pointer && other.id == part.id)
                    .collect();
                return Err(format!(
                    "without {removed:?} decision {at} is the same: {same:#?}"
                ));
            }
        }
        Ok(())
    }
}

fn position(offset: i64) -> usize {
    usize::try_from(offset).expect("an offset of a history")
}

fn offset_of(base: &Explanation, record: RecordNumber) -> usize {
    position(base.records[record].record.location.offset)
}

/// Whether a part has another value or, where another record may well say the same, is decided by another one.
fn is_changed(
    base: &Explanation,
    without: &Explanation,
    part: &Part,
    at: usize,
    decision: &Decision,
) -> bool {
    let value = |of: &Explanation| -> Option<Value> {
        let snapshot: Value = serde_json::from_slice(of.snapshot.as_deref()?).expect("JSON");
        snapshot.pointer(&part.pointer).cloned()
    };
    if part.is_shown && value(base) != value(without) {
        return true;
    }
    // Of a customer that is told as a whole some other part may have changed.
    let source = decision.source.as_deref();
    let is_whole = matches!(source, Some("console-customers" | "publisher-customers"));
    if is_whole && base.snapshot != without.snapshot {
        return true;
    }
    let same = without
        .parts
        .iter()
        .filter(|other| other.pointer == part.pointer && other.id == part.id);
    let stamp = |decision: &Decision| (decision.source.clone(), decision.time, decision.rank);
    let others: Vec<&Part> = same.collect();
    let is_strict = part.is_shown
        && at == 0
        && part.decisions.len() < 2
        && !is_whole
        && !matches!(decision.rule, Rule::NewestList | Rule::Union | Rule::Erased);
    match is_strict && part.pointer != "/updatedAt" && !part.pointer.starts_with("/sources/") {
        true => false,
        false => !others.iter().any(|other| {
            let mut decisions = other.decisions.iter();
            other.is_shown == part.is_shown
                && decisions.any(|one| one.rule == decision.rule && stamp(one) == stamp(decision))
        }),
    }
}

/// How often each fate and each rule occurs in an explanation: so that a test sees that all are reached.
pub fn counted(explanation: &Explanation, into: &mut std::collections::BTreeMap<String, usize>) {
    let mut count = |name: &str| *into.entry(name.to_owned()).or_default() += 1;
    for record in &explanation.records {
        count(record.fate.name());
        if record.fate == Fate::Shown && !record.is_decisive {
            count("shown, not decisive");
        }
    }
    for part in &explanation.parts {
        for decision in &part.decisions {
            count(decision.rule.name());
        }
    }
}
