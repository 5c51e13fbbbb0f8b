//! The parts of a snapshot, each with the data that it shows, and the rules that decided.

mod actions;
mod lists;
mod untold;

pub use untold::pointer;

use std::collections::HashMap;

use super::rule::Rule;
use super::told::{SubjectNumber, What, member_of};
use super::trace::Trace;
use super::{Decision, Part, RecordNumber};
use crate::customer::Customer;
use crate::customer::contribution::Status;
use crate::customer::declared::Scalar;
use crate::customer::inventory::Subject;
use crate::customer::snapshot::{self, ShownField, View};
use crate::customer::stamp::AnyStamp;
use crate::json::members::members;
use crate::model::record::Source;

const LOYALTY: &str = Source::LoyaltyCustomers.name();
const ACTIONS: &str = Source::LoyaltyActions.name();
const CONSOLE: &str = Source::ConsoleCustomers.name();
const PUBLISHER: &str = Source::PublisherCustomers.name();

/// The parts of a snapshot, and what became of the data of which it is made.
#[derive(Default)]
pub struct Parts {
    pub all: Vec<Part>,
    /// Where the snapshot shows a datum that has won.
    pub shown_at: HashMap<SubjectNumber, Vec<String>>,
    /// Why a datum that has won is not shown.
    pub hidden_by: HashMap<SubjectNumber, Decision>,
}

impl Parts {
    /// The parts of the snapshot of a customer.
    pub fn of(customer: &Customer, view: &View, trace: &Trace<'_>) -> Parts {
        // A snapshot that is a null value because of the status is explained by what it would be otherwise.
        let whole = View {
            deleted_is_null: false,
            ..view.clone()
        };
        let mut text = Vec::new();
        snapshot::write(customer, "", &whole, &mut text);
        let mut building = Building {
            trace,
            view,
            snapshot: &text,
            parts: Parts::default(),
        };
        building.fields(&snapshot::shown_fields(customer, view));
        building.lists();
        building.actions();
        building.publisher();
        building.sources();
        building.untold();
        building.whole();
        let mut parts = building.parts;
        parts.in_order_of(&text);
        parts
    }

    /// Sorts the parts as the snapshot has them. Those that it has not come last.
    fn in_order_of(&mut self, snapshot: &[u8]) {
        let names = members(snapshot).unwrap_or_default();
        let order = |part: &Part| {
            let name = part.pointer.split('/').nth(1).unwrap_or_default();
            let at = names.iter().position(|(found, _)| found == name);
            let at = at.filter(|_| part.is_shown).unwrap_or(names.len());
            (!part.pointer.is_empty(), at)
        };
        self.all.sort_by_key(order);
    }
}

struct Building<'p, 't> {
    trace: &'p Trace<'t>,
    view: &'p View,
    snapshot: &'p [u8],
    parts: Parts,
}

impl Building<'_, '_> {
    fn subject(&self, source: &str, subject: Subject) -> Option<SubjectNumber> {
        self.trace.subjects.find(source, subject)
    }

    /// Adds a part that the snapshot shows.
    fn shown(&mut self, pointer: String, decisions: Vec<Decision>) {
        self.parts.all.push(Part {
            pointer,
            id: None,
            is_shown: true,
            decisions,
        });
    }

    /// Notes that a datum is shown.
    fn shows(&mut self, subject: Option<SubjectNumber>, pointer: &str) {
        if let Some(subject) = subject {
            let pointers = self.parts.shown_at.entry(subject).or_default();
            pointers.push(pointer.to_owned());
        }
    }

    /// How the value of a source is decided. Empty if nothing is known of it.
    fn decide(&self, subject: Option<SubjectNumber>) -> Vec<Decision> {
        let decision = subject.and_then(|subject| self.trace.decide(subject));
        decision.into_iter().collect()
    }

    /// What a source tells a field by.
    fn subject_of_field(&self, field: &ShownField, source: &str) -> Option<SubjectNumber> {
        let (name, attribute) = &field.name;
        let subject = match attribute {
            _ if source == CONSOLE => Subject::Customer,
            Some(name) => Subject::Attribute(name.clone()),
            None => Subject::Scalar(scalar(name)?),
        };
        self.subject(source, subject)
    }

    fn fields(&mut self, fields: &[ShownField]) {
        for field in fields {
            let pointer = match &field.name {
                (name, None) => format!("/{name}"),
                (name, Some(attribute)) => format!("/{name}/{}", escaped(attribute)),
            };
            let subject = self.subject_of_field(field, &field.source);
            let mut decisions = self.decide(subject);
            self.shows(subject, &pointer);
            if !field.others.is_empty() {
                let choice = self.choice(field, subject);
                for other in &field.others {
                    if let Some(other) = self.subject_of_field(field, other) {
                        let hidden_by = &mut self.parts.hidden_by;
                        hidden_by.entry(other).or_insert_with(|| choice.clone());
                    }
                }
                decisions.push(choice);
            }
            self.shown(pointer, decisions);
        }
    }

    /// Why one of several sources is shown.
    fn choice(&self, field: &ShownField, subject: Option<SubjectNumber>) -> Decision {
        let rule = match field.by_priority {
            true => Rule::Priority,
            false => Rule::NewestSource,
        };
        let held = subject.and_then(|subject| self.trace.held(subject));
        let records = subject.map(|subject| self.trace.winners(subject).to_vec());
        let others = field.others.iter();
        let others = others.filter_map(|other| self.subject_of_field(field, other));
        let tellers = others.flat_map(|other| self.trace.tellers(other));
        let same = tellers.filter(|one| {
            let digest = held.and_then(|held| held.digest);
            digest.is_some() && one.datum.digest == digest
        });
        Decision {
            source: Some(field.source.clone()),
            time: held.map(|held| held.stamp.at()),
            same_value: same.map(|one| one.record).collect(),
            others: field.others.len(),
            ..Decision::new(rule, records.unwrap_or_default())
        }
    }

    fn publisher(&mut self) {
        let subject = self.subject(PUBLISHER, Subject::Customer);
        let is_held = subject.is_some_and(|subject| self.trace.held(subject).is_some());
        let subject = subject.filter(|_| is_held);
        for name in ["enrollment", "accounts"] {
            let pointer = format!("/{name}");
            if subject.is_some() {
                self.shows(subject, &pointer);
                self.shown(pointer, self.decide(subject));
            }
        }
    }

    /// The parts `sources` and `updatedAt`.
    fn sources(&mut self) {
        let mut newest: Vec<Decision> = Vec::new();
        for (name, _) in member_of(self.snapshot, "sources") {
            let pointer = format!("/sources/{}", escaped(&name));
            let subjects = match name.as_str() {
                "loyalty" => vec![self.subject(LOYALTY, Subject::Scalar(Scalar::CreatedAt))],
                "actions" => vec![self.newest_action(ACTIONS)],
                "console" => vec![self.subject(CONSOLE, Subject::Customer)],
                "publisher" => vec![self.subject(PUBLISHER, Subject::Customer)],
                name => self.subjects_of_declared(name),
            };
            let mut decisions = Vec::new();
            for subject in subjects {
                let mut decision = self.decide(subject);
                if let Some(decision) = decision.first_mut() {
                    self.add_equally_new(subject, decision);
                }
                decisions.extend(decision);
                self.shows(subject, &pointer);
            }
            newest.extend(decisions.first().cloned());
            self.shown(pointer, decisions);
        }
        let greatest = newest.iter().filter_map(|decision| decision.time).max();
        newest.retain(|decision| decision.time == greatest);
        if let Some(first) = newest.first().cloned() {
            let winners = newest.iter().flat_map(|one| one.records.iter().copied());
            let winners: Vec<RecordNumber> = winners.collect();
            let told = self.trace.told.iter().enumerate();
            let same = told.filter(|(record, told)| {
                let is_data = matches!(told.what, What::Data(_));
                is_data && told.at == first.time && !winners.contains(record)
            });
            let newest = Decision {
                source: first.source,
                time: first.time,
                same_value: same.map(|(record, _)| record).collect(),
                ..Decision::new(Rule::Newest, winners)
            };
            self.shown("/updatedAt".to_owned(), vec![newest]);
        }
    }

    /// Of actions only the time is shown, which other ones may have too.
    fn add_equally_new(&self, newest: Option<SubjectNumber>, decision: &mut Decision) {
        let is_action = |subject: &Subject| matches!(subject, Subject::Action(_));
        let all = &self.trace.subjects;
        let Some((of, _)) = newest
            .map(|newest| all.get(newest))
            .filter(|(_, subject)| is_action(subject))
        else {
            return;
        };
        let actions = all
            .iter()
            .filter(|(_, source, subject)| *source == of && is_action(subject));
        let tellers = actions.flat_map(|(number, ..)| self.trace.tellers(number));
        let same = tellers.filter(|one| Some(one.datum.stamp.at()) == decision.time);
        let same = same.map(|one| one.record);
        let same: Vec<RecordNumber> = same
            .filter(|record| !decision.records.contains(record))
            .collect();
        decision.same_value = same;
    }

    /// What `sources.NAME` of a declared source shows.
    fn subjects_of_declared(&self, name: &str) -> Vec<Option<SubjectNumber>> {
        let known = self.subject(name, Subject::Known);
        if known.is_none_or(|known| self.trace.held(known).is_none()) {
            return vec![self.newest_action(name)];
        }
        let created_at = self.subject(name, Subject::Scalar(Scalar::CreatedAt));
        let is_held = |subject: &SubjectNumber| self.trace.held(*subject).is_some();
        match created_at.filter(is_held) {
            None => vec![known],
            created_at => vec![known, created_at],
        }
    }

    /// The snapshot as a whole, if it is a null value.
    fn whole(&mut self) {
        let status = self.parts.all.iter().find(|part| part.pointer == "/status");
        let deleted = format!("\"{}\"", Status::Deleted.text());
        let all = members(self.snapshot).unwrap_or_default();
        let is_deleted = all
            .iter()
            .any(|(name, text)| name == "status" && *text == deleted);
        let decision = if self.view.deleted_is_null && is_deleted {
            let of_status = status.and_then(|status| status.decisions.first());
            let records: Vec<RecordNumber> =
                of_status.map_or_else(Vec::new, |decision| decision.records.clone());
            let mut decisions: Vec<Decision> =
                status.map_or_else(Vec::new, |part| part.decisions.clone());
            let deleted = Decision::new(Rule::Deleted, records);
            self.hide_all(&deleted);
            decisions.insert(0, deleted);
            decisions
        } else if self.snapshot.is_empty() {
            let erased = self.parts.all.iter().flat_map(|part| &part.decisions);
            let mut erased: Vec<Decision> = erased
                .filter(|decision| decision.rule == Rule::Erased)
                .cloned()
                .collect();
            erased.dedup_by(|one, other| one.source == other.source);
            match erased.is_empty() {
                true => vec![Decision::new(Rule::NeverTold, Vec::new())],
                false => erased,
            }
        } else {
            return;
        };
        self.parts.all.push(Part {
            pointer: String::new(),
            id: None,
            is_shown: false,
            decisions: decision,
        });
    }

    /// Nothing is shown but that the snapshot is a null value.
    fn hide_all(&mut self, why: &Decision) {
        for part in &mut self.parts.all {
            part.is_shown = false;
        }
        for (subject, _) in std::mem::take(&mut self.parts.shown_at) {
            self.parts.hidden_by.insert(subject, why.clone());
        }
        let status = |subject: &SubjectNumber| {
            let (_, subject) = self.trace.subjects.get(*subject);
            *subject == Subject::Scalar(Scalar::Status)
        };
        let subjects: Vec<SubjectNumber> = self.parts.hidden_by.keys().copied().collect();
        for subject in subjects.into_iter().filter(status) {
            let winners = self.trace.winners(subject);
            if winners.first() == why.records.first() {
                self.parts.hidden_by.remove(&subject);
                self.shows(Some(subject), "");
            }
        }
    }
}

fn scalar(name: &str) -> Option<Scalar> {
    Scalar::ALL.into_iter().find(|one| one.name() == name)
}

/// A name as a token of a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
