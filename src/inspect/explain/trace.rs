//! Which records told what has won: the data that records say beside those that the state of all of them holds.

use std::collections::HashMap;

use super::rule::Rule;
use super::told::{SubjectNumber, Subjects, Told, ToldData, ToldDatum, What, digest};
use super::{Decision, RecordNumber};
use crate::customer::Customer;
use crate::customer::declared::{DeclaredStamp, Order};
use crate::customer::inventory::{ListName, Subject};
use crate::customer::stamp::AnyStamp;
use crate::model::record::Source;
use crate::model::time::Instant;

/// What has won, of one subject.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub stamp: DeclaredStamp,
    /// Of the text. None: there is nothing, or the text was erased.
    pub digest: Option<u64>,
    /// Only the stamp was left by an erasure.
    pub is_erased: bool,
}

/// What is known of a source as a whole.
#[derive(Debug, Clone, Default)]
pub struct OfSource {
    pub erased: Option<Instant>,
    pub floors: Vec<ListName>,
    pub evicted: Option<Instant>,
}

/// A datum, by the number of its record.
#[derive(Clone, Copy)]
pub struct Teller<'t> {
    pub record: RecordNumber,
    pub datum: &'t ToldDatum,
}

pub struct Trace<'t> {
    pub told: &'t [Told],
    pub subjects: &'t Subjects,
    held: HashMap<SubjectNumber, Held>,
    sources: HashMap<String, OfSource>,
    /// The time up to which the data of all sources are erased.
    erased: Instant,
    tellers: HashMap<SubjectNumber, Vec<Teller<'t>>>,
    /// The records that tell what has won.
    winners: HashMap<SubjectNumber, Vec<RecordNumber>>,
    /// The records of the erasure that holds for each source.
    erasers: HashMap<&'t str, Vec<RecordNumber>>,
}

/// Enters the subjects that only the state knows.
pub fn number_all(state: &Customer, subjects: &mut Subjects) {
    for of_source in state.inventory() {
        for datum in of_source.data {
            subjects.number(&of_source.source, datum.subject);
        }
    }
}

impl<'t> Trace<'t> {
    /// `state` is that of all records.
    pub fn of(state: &Customer, told: &'t [Told], subjects: &'t Subjects) -> Trace<'t> {
        let mut trace = Trace {
            told,
            subjects,
            held: HashMap::new(),
            sources: HashMap::new(),
            erased: state.erased_of_all_sources(),
            tellers: HashMap::new(),
            winners: HashMap::new(),
            erasers: HashMap::new(),
        };
        for of_source in state.inventory() {
            let erased = of_source.erased;
            for datum in of_source.data {
                let Some(number) = subjects.find(&of_source.source, datum.subject) else {
                    continue;
                };
                let outlives = datum.stamp.outlives_erasure();
                let held = Held {
                    stamp: datum.stamp,
                    digest: datum.text.as_deref().map(digest),
                    is_erased: outlives && datum.stamp.at() <= erased,
                };
                trace.held.insert(number, held);
            }
            let known = OfSource {
                erased: Some(erased),
                floors: of_source.floors,
                evicted: of_source.evicted,
            };
            trace.sources.insert(of_source.source, known);
        }
        for (record, told) in told.iter().enumerate() {
            if let What::Data(ToldData { data, .. }) = &told.what {
                for datum in data {
                    let tellers = trace.tellers.entry(datum.subject).or_default();
                    tellers.push(Teller { record, datum });
                    if trace.is_held(datum) {
                        let winners = trace.winners.entry(datum.subject).or_default();
                        winners.push(record);
                    }
                }
            }
        }
        let known = subjects.iter().map(|(_, source, _)| source);
        for source in known.chain(Source::BUILT_IN.map(Source::name)) {
            if !trace.erasers.contains_key(source) {
                let erased = trace.erased(source);
                let erasers = trace.erasures(source, |at| at == erased);
                trace.erasers.insert(source, erasers);
            }
        }
        trace
    }

    pub fn held(&self, subject: SubjectNumber) -> Option<Held> {
        self.held.get(&subject).copied()
    }

    pub fn of_source(&self, source: &str) -> Option<&OfSource> {
        self.sources.get(source)
    }

    /// Data of the source up to this time are erased.
    pub fn erased(&self, source: &str) -> Instant {
        let known = self.sources.get(source);
        known.and_then(|known| known.erased).unwrap_or(self.erased)
    }

    /// All that tell the subject, in the order of the records.
    pub fn tellers(&self, subject: SubjectNumber) -> &[Teller<'t>] {
        self.tellers.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// Whether a datum is what the state holds.
    pub fn is_held(&self, datum: &ToldDatum) -> bool {
        self.held(datum.subject).is_some_and(|held| {
            held.stamp == datum.stamp && (held.is_erased || held.digest == datum.digest)
        })
    }

    /// The records that tell what the state holds. Empty if it holds nothing, or only the state knows it.
    pub fn winners(&self, subject: SubjectNumber) -> &[RecordNumber] {
        self.winners.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// The records of the erasure that holds for a source: those with the greatest time.
    pub fn erasers(&self, source: &str) -> &[RecordNumber] {
        self.erasers.get(source).map_or(&[], Vec::as_slice)
    }

    fn erasures(&self, source: &str, is_one: impl Fn(Instant) -> bool) -> Vec<RecordNumber> {
        let told = self.told.iter().enumerate();
        let erasers = told.filter(|(_, told)| match &told.what {
            What::Erasure(erasure) => {
                is_one(erasure.at) && erasure.only.is_none_or(|only| only.name() == source)
            }
            _ => false,
        });
        erasers.map(|(record, _)| record).collect()
    }

    /// The decision that an erasure has covered the data of a source up to some time, of which the newest is given.
    pub fn erasure(&self, source: &str, newest: Instant) -> Decision {
        let records = self.erasers(source).to_vec();
        let erased = self.erased(source);
        Decision {
            source: Some(source.to_owned()),
            time: Some(erased),
            // Lesser erasures that would cover it as well.
            same_value: self.erasures(source, |at| at >= newest && at < erased),
            ..Decision::new(Rule::Erased, records)
        }
    }

    /// What is told of a subject, and how it is decided. None: neither a record nor the state tells it.
    pub fn decide(&self, subject: SubjectNumber) -> Option<Decision> {
        let (source, of) = self.subjects.get(subject);
        let tellers = self.tellers(subject);
        let Some(held) = self.held(subject) else {
            let newest = tellers.iter().map(|teller| teller.datum.stamp).max()?;
            return Some(self.not_held(subject, newest));
        };
        if held.is_erased {
            let mut erased = self.erasure(source, held.stamp.at());
            // What wins is not there, but what it wins against is not shown either.
            erased.records.extend(self.winners(subject));
            return Some(erased);
        }
        let records = self.winners(subject).to_vec();
        let others = tellers.iter().filter(|one| !self.is_held(one.datum));
        let is_cleared =
            held.digest.is_none() && matches!(of, Subject::Scalar(_) | Subject::Attribute(_));
        let same_value = others
            .clone()
            .filter(|one| held.digest.is_some() && one.datum.digest == held.digest);
        Some(Decision {
            source: Some(source.to_owned()),
            time: Some(held.stamp.at()),
            rank: self.shown_rank(subject, held.stamp),
            same_value: same_value.map(|one| one.record).collect(),
            others: others.count(),
            ..Decision::new(
                match is_cleared {
                    true => Rule::Cleared,
                    false => self.rule(subject, held),
                },
                records,
            )
        })
    }

    /// The rank of a stamp, if its source has ranks. That of the console is its version.
    fn shown_rank(&self, subject: SubjectNumber, stamp: DeclaredStamp) -> Option<u64> {
        let (source, _) = self.subjects.get(subject);
        (source != Source::PublisherCustomers.name()).then_some(stamp.rank())
    }

    /// Why data are not in the state, of which the newest is given.
    fn not_held(&self, subject: SubjectNumber, newest: DeclaredStamp) -> Decision {
        let (source, of) = self.subjects.get(subject);
        let whole = self.subjects.find(source, Subject::Whole);
        if let Some(whole) =
            whole.filter(|_| matches!(of, Subject::Scalar(_) | Subject::Attribute(_)))
            && let Some(held) = self.held(whole)
            && held.stamp >= newest
        {
            return Decision {
                source: Some(source.to_owned()),
                time: Some(held.stamp.at()),
                rank: Some(held.stamp.rank()),
                others: self.tellers(subject).len(),
                ..Decision::new(Rule::Whole, self.winners(whole).to_vec())
            };
        }
        if newest.at() <= self.erased(source) {
            return self.erasure(source, newest.at());
        }
        let others = self.tellers(subject).len();
        Decision {
            source: Some(source.to_owned()),
            time: Some(newest.at()),
            others,
            ..Decision::new(Rule::LetGo, Vec::new())
        }
    }

    /// The rule by which a datum wins against the others of its subject.
    fn rule(&self, subject: SubjectNumber, held: Held) -> Rule {
        let (source, _) = self.subjects.get(subject);
        let erased = self.erased(source);
        let order = held.stamp.order();
        let others = self.tellers(subject).iter().filter(|one| {
            let is_known = order == Order::Rank || one.datum.stamp.at() > erased;
            is_known && !self.is_held(one.datum)
        });
        let nearest = others.map(|one| one.datum.stamp).max();
        match nearest {
            None => Rule::Only,
            Some(nearest) if nearest == held.stamp => Rule::GreaterText,
            Some(nearest) if order == Order::Rank => match nearest.rank() == held.stamp.rank() {
                true => Rule::Newest,
                false if source == Source::ConsoleCustomers.name() => Rule::HighestVersion,
                false => Rule::HighestRank,
            },
            Some(nearest) if nearest.at() == held.stamp.at() => Rule::GreaterRank,
            Some(_) => Rule::Newest,
        }
    }
}
