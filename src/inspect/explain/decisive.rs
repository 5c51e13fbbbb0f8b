//! Which records decide the snapshot: without all the others it is the same.

use std::collections::BTreeSet;

use super::RecordNumber;
use super::parts::Parts;
use super::rule::Rule;
use super::trace::{Teller, Trace};
use crate::customer::inventory::Subject;
use crate::customer::snapshot::View;
use crate::customer::stamp::AnyStamp;

pub fn records(trace: &Trace<'_>, parts: &Parts, view: &View) -> BTreeSet<RecordNumber> {
    let mut all = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for (number, source, subject) in trace.subjects.iter() {
        sources.insert(source);
        let Some(held) = trace.held(number) else {
            continue;
        };
        let is_shown = parts.shown_at.contains_key(&number);
        let decides = match subject {
            // What is told as nothing, or has no more than its stamp, keeps lesser data from being shown. So does what
            // has won by its rank against data that are no older: against other sources these might win.
            Subject::Scalar(_) | Subject::Attribute(_) => {
                let is_no_older = |one: &Teller<'_>| {
                    let stamp = one.datum.stamp;
                    stamp != held.stamp && stamp.at() >= held.stamp.at()
                };
                is_shown || held.digest.is_none() || trace.tellers(number).iter().any(is_no_older)
            }
            Subject::Element(..) => is_shown || held.is_erased,
            Subject::Customer
            | Subject::Whole
            | Subject::Known
            | Subject::Listing(_)
            | Subject::Action(_) => true,
            Subject::Listed(list, id) => {
                let element = Subject::Element(*list, id.clone());
                let element = trace.subjects.find(source, element);
                let is_shown = element.is_some_and(|one| parts.shown_at.contains_key(&one));
                if (is_shown || view.union)
                    && let Some(listing) = trace.subjects.find(source, Subject::Listing(*list))
                {
                    let listings = trace.tellers(listing).iter();
                    let newest = listings.filter(|one| one.datum.stamp == held.stamp);
                    all.extend(newest.map(|one| one.record));
                }
                false
            }
        };
        if decides {
            all.extend(trace.winners(number));
        }
    }
    for source in sources {
        all.extend(trace.erasers(source));
        // Which elements are let go depends on all that is listed.
        let floors = trace.of_source(source).map(|known| &known.floors);
        for list in floors.into_iter().flatten() {
            if let Some(listing) = trace.subjects.find(source, Subject::Listing(*list)) {
                all.extend(trace.tellers(listing).iter().map(|one| one.record));
            }
        }
    }
    let let_go = parts.all.iter().flat_map(|part| &part.decisions);
    let let_go = let_go.filter(|decision| decision.rule == Rule::LetGo);
    all.extend(let_go.flat_map(|decision| decision.records.iter().copied()));
    all
}
