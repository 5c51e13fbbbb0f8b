//! The lists whose elements have ids: which elements they show, and whose content.

use super::{Building, CONSOLE, LOYALTY};
use crate::customer::inventory::{ListName, Subject};
use crate::customer::stamp::AnyStamp;
use crate::inspect::explain::rule::Rule;
use crate::inspect::explain::told::{SubjectNumber, elements};
use crate::inspect::explain::{Decision, Part, RecordNumber};
use crate::json::members::members;

impl Building<'_, '_> {
    pub(super) fn lists(&mut self) {
        let all = members(self.snapshot).unwrap_or_default();
        for list in ListName::ALL {
            self.list_as_whole(list);
            let text = all.iter().find(|(name, _)| name == list.name());
            let shown = text.map_or_else(Vec::new, |(_, text)| elements(text));
            for (at, element) in shown.into_iter().enumerate() {
                let pointer = format!("/{}/{at}", list.name());
                self.element(list, &pointer, element);
            }
            self.not_shown(list);
        }
    }

    /// Why a list has the elements that it has: a decision for each source.
    fn list_as_whole(&mut self, list: ListName) {
        let pointer = format!("/{}", list.name());
        let mut decisions = Vec::new();
        for (number, source, subject) in self.trace.subjects.iter() {
            let is_console =
                source == CONSOLE && *subject == Subject::Customer && list != ListName::Dependents;
            let is_list = *subject == Subject::Listing(list);
            if !is_console && !is_list {
                continue;
            }
            let Some(mut decision) = self.trace.decide(number) else {
                continue;
            };
            if is_list && decision.rule != Rule::Erased && decision.rule != Rule::LetGo {
                decision.rule = match self.view.union {
                    true => Rule::Union,
                    false => Rule::NewestList,
                };
                let subjects = self.trace.held(number).map(|_| number);
                let pointers = self.parts.shown_at.entry(subjects.unwrap_or(number));
                pointers.or_default().push(pointer.clone());
            }
            decisions.push(decision);
        }
        if !self.snapshot.is_empty() && !decisions.is_empty() {
            self.shown(pointer, decisions);
        }
    }

    /// An element that is shown.
    fn element(&mut self, list: ListName, pointer: &str, element: &str) {
        let fields = members(element.as_bytes()).unwrap_or_default();
        let text = |name: &str| -> Option<String> {
            let (_, text) = fields.iter().find(|(found, _)| found == name)?;
            serde_json::from_str(text).ok()
        };
        let source = text("source");
        let source = match (list, source.as_deref()) {
            (_, Some("console")) | (ListName::Phones, None) => CONSOLE,
            (_, Some("loyalty") | None) => LOYALTY,
            (_, Some(source)) => source,
        };
        if source == CONSOLE {
            let subject = self.subject(CONSOLE, Subject::Customer);
            self.shows(subject, pointer);
            return self.shown(pointer.to_owned(), self.decide(subject));
        }
        let id = text(list.id_name()).unwrap_or_default();
        let subject = self.subject(source, Subject::Element(list, id.clone()));
        let mut decisions = self.decide(subject);
        self.shows(subject, pointer);
        let listed = self.subject(source, Subject::Listed(list, id));
        decisions.extend(self.listed(list, source, subject, listed));
        self.shown(pointer.to_owned(), decisions);
    }

    /// The newest records that list an element.
    fn listed(
        &self,
        list: ListName,
        source: &str,
        element: Option<SubjectNumber>,
        listed: Option<SubjectNumber>,
    ) -> Option<Decision> {
        let held = self.trace.held(listed?)?;
        let listings = self
            .trace
            .tellers(self.subject(source, Subject::Listing(list))?);
        let at_the_stamp = listings.iter().filter(|one| one.datum.stamp == held.stamp);
        let names: Vec<RecordNumber> = self
            .trace
            .tellers(element?)
            .iter()
            .map(|one| one.record)
            .collect();
        let records = at_the_stamp
            .clone()
            .map(|one| one.record)
            .filter(|record| names.contains(record));
        let rule = match self.view.union {
            true => Rule::Union,
            false => Rule::NewestList,
        };
        Some(Decision {
            source: Some(source.to_owned()),
            time: Some(held.stamp.at()),
            rank: Some(held.stamp.rank()),
            others: listings.len() - at_the_stamp.clone().count(),
            ..Decision::new(rule, records.collect())
        })
    }

    /// The elements that are told and not shown.
    fn not_shown(&mut self, list: ListName) {
        let mut hidden = Vec::new();
        for (number, source, subject) in self.trace.subjects.iter() {
            let Subject::Element(of, id) = subject else {
                continue;
            };
            if *of != list || self.parts.shown_at.contains_key(&number) {
                continue;
            }
            let content = self.trace.decide(number);
            let Some(held) = self.trace.held(number) else {
                hidden.push((number, id, None, content));
                continue;
            };
            let why = match held.is_erased {
                true => None,
                false => Some(self.unlisted(list, source, id)),
            };
            hidden.push((number, id, why, content));
        }
        for (number, id, why, content) in hidden {
            if let Some(why) = &why {
                self.parts.hidden_by.insert(number, why.clone());
            }
            let mut decisions: Vec<Decision> = content.into_iter().collect();
            decisions.extend(why);
            self.parts.all.push(Part {
                pointer: format!("/{}", list.name()),
                id: Some(id.clone()),
                is_shown: false,
                decisions,
            });
        }
    }

    /// Why an element whose content is known is not shown.
    fn unlisted(&self, list: ListName, source: &str, id: &str) -> Decision {
        let held = |subject| {
            let subject = self.subject(source, subject)?;
            Some((subject, self.trace.held(subject)?))
        };
        let newest = held(Subject::Listing(list));
        let listed = held(Subject::Listed(list, id.to_owned()));
        let lists = match self.view.union {
            true => listed,
            false => newest,
        };
        match lists {
            Some((subject, held)) if !held.is_erased && !self.view.union => Decision {
                source: Some(source.to_owned()),
                time: Some(held.stamp.at()),
                rank: Some(held.stamp.rank()),
                ..Decision::new(Rule::NotListed, self.trace.winners(subject).to_vec())
            },
            lists => {
                let time = lists.map(|(_, held)| held.stamp.at());
                let erased = self.trace.erased(source);
                self.trace.erasure(source, time.unwrap_or(erased))
            }
        }
    }
}
