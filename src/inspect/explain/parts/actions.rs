//! The part `actions`: the newest actions, and what is derived of those that are kept.

use super::{ACTIONS, Building, escaped};
use crate::customer::inventory::Subject;
use crate::customer::stamp::AnyStamp;
use crate::inspect::explain::rule::Rule;
use crate::inspect::explain::told::{
    Derived, SubjectNumber, ToldData, What, digest, elements, member_of,
};
use crate::inspect::explain::{Decision, Part, RecordNumber};
use crate::json::members::members;

/// The records of actions.
struct Tellers {
    /// What they tell is kept.
    kept: Vec<RecordNumber>,
    /// Another record with the same id wins, or the action was let go.
    not_kept: Vec<RecordNumber>,
}

impl Building<'_, '_> {
    pub(super) fn actions(&mut self) {
        let parts = member_of(self.snapshot, "actions");
        for (name, text) in &parts {
            let pointer = format!("/actions/{name}");
            match name.as_str() {
                "recent" => {
                    for (at, action) in elements(text).into_iter().enumerate() {
                        self.recent(&format!("{pointer}/{at}"), action);
                    }
                }
                "total" => {
                    let all = self.tellers_of(|_| true);
                    self.counted(pointer, Rule::Counted, all);
                }
                "truncated" => {
                    let decision = self.truncated(text == "true");
                    self.shown(pointer, vec![decision]);
                }
                "byType" => {
                    for (kind, _) in members(text.as_bytes()).unwrap_or_default() {
                        let of_kind = (Derived::Kind, digest(kind.as_bytes()));
                        let pointer = format!("{pointer}/{}", escaped(&kind));
                        let tellers = self.tellers_of(|derived| derived.contains(&of_kind));
                        self.counted(pointer, Rule::Counted, tellers);
                    }
                }
                "subscriptions" => {
                    for (at, one) in elements(text).into_iter().enumerate() {
                        let pointer = format!("{pointer}/{at}");
                        self.derived(pointer, Rule::Newest, Derived::Subscription, one);
                    }
                }
                "signedUpAt" => self.derived(pointer, Rule::Earliest, Derived::SignedUpAt, text),
                "firstTouch" => self.derived(pointer, Rule::Earliest, Derived::Touch, text),
                _ => self.derived(pointer, Rule::Latest, Derived::Touch, text),
            }
        }
        self.not_kept();
    }

    fn recent(&mut self, pointer: &str, action: &str) {
        let fields = members(action.as_bytes()).unwrap_or_default();
        let text = |name: &str| -> Option<String> {
            let (_, text) = fields.iter().find(|(found, _)| found == name)?;
            serde_json::from_str(text).ok()
        };
        let source = text("source").unwrap_or_else(|| ACTIONS.to_owned());
        let id = text("interactionId").unwrap_or_default();
        let subject = self.subject(&source, Subject::Action(id));
        self.shows(subject, pointer);
        self.shown(pointer.to_owned(), self.decide(subject));
    }

    fn derived(&mut self, pointer: String, rule: Rule, what: Derived, text: &str) {
        let one = (what, digest(text.as_bytes()));
        let tellers = self.tellers_of(|derived| derived.contains(&one));
        self.counted(pointer, rule, tellers);
    }

    fn counted(&mut self, pointer: String, rule: Rule, tellers: Tellers) {
        let decision = Decision {
            others: tellers.not_kept.len(),
            same_value: tellers.not_kept,
            ..Decision::new(rule, tellers.kept)
        };
        self.shown(pointer, vec![decision]);
    }

    fn tellers_of(&self, is_one: impl Fn(&[(Derived, u64)]) -> bool) -> Tellers {
        let mut tellers = Tellers {
            kept: Vec::new(),
            not_kept: Vec::new(),
        };
        for (record, told) in self.trace.told.iter().enumerate() {
            let What::Data(ToldData { data, derived, .. }) = &told.what else {
                continue;
            };
            let actions = data.iter().filter(|datum| {
                let (_, subject) = self.trace.subjects.get(datum.subject);
                matches!(subject, Subject::Action(_))
            });
            for datum in actions.filter(|_| is_one(derived)) {
                match self.trace.is_held(datum) {
                    true => tellers.kept.push(record),
                    false => tellers.not_kept.push(record),
                }
            }
        }
        tellers
    }

    /// Whether actions were let go: the newest of them decides.
    fn truncated(&self, is_truncated: bool) -> Decision {
        if !is_truncated {
            return Decision::new(Rule::Counted, Vec::new());
        }
        let mut let_go: Vec<(RecordNumber, bool)> = Vec::new();
        let mut time = None;
        for (number, source, subject) in self.trace.subjects.iter() {
            let evicted = self.trace.of_source(source).and_then(|known| known.evicted);
            time = time.max(evicted);
            if matches!(subject, Subject::Action(_)) && self.trace.held(number).is_none() {
                let erased = self.trace.erased(source);
                let tellers = self.trace.tellers(number).iter();
                let known = tellers.filter(|one| one.datum.stamp.at() > erased);
                let_go.extend(known.map(|one| {
                    let is_newest = Some(one.datum.stamp.at()) == evicted;
                    (one.record, is_newest)
                }));
            }
        }
        let of = |newest: bool| {
            let all = let_go.iter().filter(|(_, is_newest)| *is_newest == newest);
            all.map(|(record, _)| *record).collect::<Vec<_>>()
        };
        Decision {
            time,
            same_value: of(false),
            others: let_go.len(),
            ..Decision::new(Rule::LetGo, of(true))
        }
    }

    /// The actions that are not kept; those that are kept and not listed are counted.
    fn not_kept(&mut self) {
        let mut not_kept: Vec<(String, Option<Decision>)> = Vec::new();
        let mut counted = Vec::new();
        for (number, _, subject) in self.trace.subjects.iter() {
            let Subject::Action(id) = subject else {
                continue;
            };
            match self.trace.held(number) {
                Some(_) => counted.push(number),
                None => not_kept.push((id.clone(), self.trace.decide(number))),
            }
        }
        for number in counted {
            if !self.parts.shown_at.contains_key(&number) {
                self.shows(Some(number), "/actions/total");
            }
        }
        for (id, decision) in not_kept {
            self.parts.all.push(Part {
                pointer: "/actions".to_owned(),
                id: Some(id),
                is_shown: false,
                decisions: decision.into_iter().collect(),
            });
        }
    }

    /// The newest action of a source that is kept.
    pub(super) fn newest_action(&self, source: &str) -> Option<SubjectNumber> {
        let subjects = self.trace.subjects.iter();
        let kept = subjects.filter_map(|(number, of, subject)| match subject {
            Subject::Action(id) if of == source => {
                Some((self.trace.held(number)?.stamp, id, number))
            }
            _ => None,
        });
        kept.max().map(|(_, _, number)| number)
    }
}
