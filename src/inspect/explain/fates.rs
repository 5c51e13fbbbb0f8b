//! What became of each record, and of what it tells.

use std::collections::{BTreeSet, HashMap};

use super::parts::{Parts, pointer};
use super::rule::Rule;
use super::told::{Told, ToldData, ToldDatum, What};
use super::trace::Trace;
use super::{ExplainedDatum, ExplainedRecord, Fate, RecordNumber, RecordVerdict};
use crate::customer::contribution::Erasure;
use crate::customer::declared::Order;
use crate::customer::inventory::Subject;
use crate::customer::stamp::AnyStamp;
use crate::model::record::Source;

pub fn of(
    trace: &Trace<'_>,
    parts: &Parts,
    decisive: &BTreeSet<RecordNumber>,
) -> Vec<ExplainedRecord> {
    let fates = Fates { trace, parts };
    let mut said: HashMap<u64, RecordNumber> = HashMap::new();
    let mut erased: Vec<(Erasure, RecordNumber)> = Vec::new();
    let told = trace.told.iter().enumerate();
    told.map(|(number, told)| {
        let mut record = fates.of_record(told);
        record.is_decisive = decisive.contains(&number);
        let before = match &told.what {
            What::Data(data) => Some(*said.entry(data.digest).or_insert(number)),
            What::Erasure(erasure) => {
                let same = erased.iter().find(|(same, _)| same == erasure);
                let same = same.map_or(number, |(_, same)| *same);
                erased.push((*erasure, number));
                Some(same)
            }
            _ => None,
        };
        if let Some(before) = before.filter(|before| *before != number) {
            record.fate = Fate::Repeated;
            record.by = vec![before];
            record.is_decisive = false;
        }
        record
    })
    .collect()
}

struct Fates<'f, 't> {
    trace: &'f Trace<'t>,
    parts: &'f Parts,
}

impl Fates<'_, '_> {
    fn of_record(&self, told: &Told) -> ExplainedRecord {
        let mut record = ExplainedRecord {
            record: told.record.clone(),
            at: told.at,
            verdict: RecordVerdict::Valid,
            fate: Fate::Nothing,
            by: Vec::new(),
            is_decisive: false,
            data: Vec::new(),
        };
        match &told.what {
            What::Nothing => record.verdict = RecordVerdict::Nothing,
            What::Rejected(rejection) => {
                record.verdict = RecordVerdict::Rejected(rejection.clone());
                record.fate = Fate::Rejected;
            }
            What::Erasure(erasure) => {
                record.verdict = RecordVerdict::Erasure;
                (record.fate, record.by) = self.of_erasure(*erasure);
            }
            What::Data(data) => {
                record.data = self.of_data(data);
                let fates = record.data.iter().map(|datum| datum.fate);
                record.fate = fates.min().unwrap_or(Fate::Superseded);
                let same = record.data.iter().filter(|datum| datum.fate == record.fate);
                let by: BTreeSet<RecordNumber> = same.filter_map(|datum| datum.by).collect();
                record.by = by.into_iter().collect();
            }
        }
        record
    }

    /// Whether an erasure holds for a source, or which later ones do instead.
    fn of_erasure(&self, erasure: Erasure) -> (Fate, Vec<RecordNumber>) {
        let mut sources: BTreeSet<&str> = match erasure.only {
            Some(source) => BTreeSet::from([source.name()]),
            None => Source::BUILT_IN.iter().map(|one| one.name()).collect(),
        };
        if erasure.only.is_none() {
            let known = self.trace.subjects.iter();
            sources.extend(known.map(|(_, source, _)| source));
        }
        if sources
            .iter()
            .any(|source| self.trace.erased(source) == erasure.at)
        {
            return (Fate::Erases, Vec::new());
        }
        let later = sources.iter().flat_map(|source| self.trace.erasers(source));
        let later: BTreeSet<RecordNumber> = later.copied().collect();
        (Fate::Superseded, later.into_iter().collect())
    }

    fn of_data(&self, told: &ToldData) -> Vec<ExplainedDatum> {
        let mut all = Vec::new();
        let mut known = None;
        for datum in &told.data {
            let (source, subject) = self.trace.subjects.get(datum.subject);
            let (fate, by) = self.of_datum(datum);
            let mut explained = ExplainedDatum {
                pointer: pointer_of(source, subject),
                fate,
                by,
                value: datum.value.as_deref().map(<[u8]>::to_vec),
            };
            match subject {
                Subject::Whole => continue,
                // Of a source that tells more it is of interest only where it is shown.
                Subject::Known if fate != Fate::Shown => {
                    known = Some(explained);
                    continue;
                }
                _ => {}
            }
            let pointers = self.parts.shown_at.get(&datum.subject);
            let pointers = pointers.filter(|_| fate == Fate::Shown);
            for pointer in pointers.into_iter().flatten() {
                explained.pointer.clone_from(pointer);
                all.push(explained.clone());
                explained.value = None;
            }
            if pointers.is_none_or(Vec::is_empty) {
                all.push(explained);
            }
        }
        if all.is_empty() {
            all.extend(known);
        }
        all
    }

    fn of_datum(&self, datum: &ToldDatum) -> (Fate, Option<RecordNumber>) {
        let trace = self.trace;
        let (source, subject) = trace.subjects.get(datum.subject);
        let erased_by = || (Fate::Erased, trace.erasers(source).first().copied());
        let is_erased = datum.stamp.at() <= trace.erased(source);
        let held = trace.held(datum.subject);
        if let Some(held) = held.filter(|_| trace.is_held(datum)) {
            if held.is_erased {
                return erased_by();
            }
            if self.parts.shown_at.contains_key(&datum.subject) {
                return (Fate::Shown, None);
            }
            return match self.parts.hidden_by.get(&datum.subject) {
                Some(why) => {
                    let fate = match why.rule {
                        Rule::Erased => Fate::Erased,
                        _ => Fate::Hidden,
                    };
                    (fate, why.records.first().copied())
                }
                // Told as nothing, which is what the snapshot shows.
                None if held.digest.is_none() => (Fate::Shown, None),
                None => (Fate::Hidden, None),
            };
        }
        if is_erased && datum.stamp.order() == Order::UpdatedAt {
            return erased_by();
        }
        let winner = match held {
            Some(held) if held.stamp >= datum.stamp => Some(datum.subject),
            Some(_) => None,
            None => {
                let whole = trace.subjects.find(source, Subject::Whole);
                let is_left_out = matches!(subject, Subject::Scalar(_) | Subject::Attribute(_));
                whole.filter(|whole| {
                    let held = trace.held(*whole);
                    is_left_out && held.is_some_and(|held| held.stamp >= datum.stamp)
                })
            }
        };
        match winner {
            Some(winner) => {
                let by = trace.winners(winner).first().copied();
                (Fate::Superseded, by)
            }
            None if is_erased => erased_by(),
            None => (Fate::LetGo, None),
        }
    }
}

/// Where the snapshot shows a subject, or the list that it would be in.
fn pointer_of(source: &str, subject: &Subject) -> String {
    match subject {
        Subject::Listing(list) | Subject::Listed(list, _) | Subject::Element(list, _) => {
            format!("/{}", list.name())
        }
        Subject::Action(_) => "/actions".to_owned(),
        _ => pointer(source, subject).unwrap_or_default(),
    }
}
