//! What one source says of a customer: for each place the greatest that was ever told, if no erasure covers it.

use std::collections::{BTreeMap, BTreeSet};

use super::builtin::lists::{self, Carrier, Content};
use super::{Fact, Told};

/// The end of what is forgotten, by source.
pub struct Erasures<'f>(pub Vec<(Option<&'f str>, i64)>);

impl<'f> Erasures<'f> {
    pub fn of(facts: &[&'f Fact]) -> Erasures<'f> {
        let all = facts.iter().filter_map(|fact| match fact {
            Fact::Erasure { only, at } => Some((only.as_deref(), *at)),
            _ => None,
        });
        Erasures(all.collect())
    }

    /// Whether a datum of that source and time is not forgotten.
    pub fn spare(&self, source: &str, at: i64) -> bool {
        let mut of = self.0.iter();
        of.all(|(only, end)| only.is_some_and(|only| only != source) || at > *end)
    }
}

/// A value that a source shows, with the time of its datum.
#[derive(Clone, Debug)]
pub struct Shown {
    pub at: i64,
    pub text: String,
}

/// What a source shows of a customer.
pub struct View {
    pub name: String,
    pub places: BTreeMap<String, Shown>,
    /// The elements of each list, by id.
    pub lists: BTreeMap<&'static str, Vec<(String, String)>>,
    /// The newest record: its time, and its rank if ranks are shown. None if nothing is left.
    pub newest: Option<(i64, Option<u64>)>,
}

type Stamp = (i128, i128);

/// The order of a datum of that time.
fn stamp(told: &Told, at: i64) -> Stamp {
    let (at, rank) = (i128::from(at), i128::from(told.rank));
    if told.rank_first {
        (rank, at)
    } else {
        (at, rank)
    }
}

/// What a source shows. Without `max_hidden`, lists only grow and let nothing go.
pub fn view(name: &str, all: &[&Told], erasures: &Erasures<'_>, max_hidden: Option<usize>) -> View {
    let spare = |at: i64| erasures.spare(name, at);
    let whole = all.iter().any(|told| told.whole);
    let greatest = all.iter().map(|told| stamp(told, told.at)).max();
    // under "whole" each record tells all fields: what it leaves out as nothing
    let counted: Vec<&Told> = all
        .iter()
        .filter(|told| !whole || Some(stamp(told, told.at)) == greatest)
        .copied()
        .collect();

    let names: BTreeSet<&String> = counted.iter().flat_map(|told| told.places.keys()).collect();
    let mut places = BTreeMap::new();
    for place in names {
        let data = counted.iter().filter_map(|told| {
            let text = told.places.get(place).map(String::as_str);
            let text = text.or(whole.then_some("null"))?;
            Some((stamp(told, told.at), text, told.at))
        });
        let (_, text, at) = data.max().unwrap();
        if text != "null" && spare(at) {
            let text = text.to_owned();
            places.insert(place.clone(), Shown { at, text });
        }
    }

    let mut lists = BTreeMap::new();
    for list in ["addresses", "phones", "dependents"] {
        // what a record of "whole" leaves out is a list without elements
        let carriers: Vec<&Told> = all
            .iter()
            .filter(|told| told.whole || told.lists.contains_key(list))
            .copied()
            .collect();
        lists.insert(list, elements(list, &carriers, &spare, max_hidden));
    }
    let newest = if whole {
        counted.iter().max_by_key(|told| stamp(told, told.at))
    } else {
        let alive = counted.iter().filter(|told| spare(told.at));
        alive.max_by_key(|told| stamp(told, told.at))
    };
    let newest = newest.filter(|told| spare(told.at));
    View {
        name: name.to_owned(),
        places,
        lists,
        newest: newest.map(|told| (told.at, told.has_rank.then_some(told.rank))),
    }
}

/// The shown elements of a list, by id.
fn elements(
    list: &str,
    carriers: &[&Told],
    spare: &dyn Fn(i64) -> bool,
    max_hidden: Option<usize>,
) -> Vec<(String, String)> {
    // With the rank first, an erasure hides data but forgets none.
    let counts = |told: &Told, at: i64| told.rank_first || spare(at);
    let all = carriers.iter().map(|told| {
        let elements = told.lists.get(list).map(Vec::as_slice).unwrap_or_default();
        let contents = elements.iter().filter(|element| counts(told, element.at));
        Carrier {
            stamp: stamp(told, told.at),
            stands: counts(told, told.at),
            elements: contents
                .map(|element| Content {
                    stamp: stamp(told, element.at),
                    text: element.text.clone(),
                    at: element.at,
                    id: element.id.clone(),
                })
                .collect(),
            ids: elements.iter().map(|element| element.id.clone()).collect(),
        }
    });
    let all: Vec<Carrier<Stamp>> = all.collect();
    let contents = lists::contents(&all, max_hidden);

    let newest = carriers.iter().map(|told| stamp(told, told.at)).max();
    let mut shown = Vec::new();
    for (id, content) in contents {
        let names = |carrier: &&Carrier<Stamp>| carrier.ids.contains(&id);
        let listing = all.iter().zip(carriers).filter(|(one, _)| names(one));
        let listing = listing.map(|(carrier, told)| (carrier.stamp, told.at));
        let (last, at) = listing.max().unwrap();
        let is_listed = spare(at) && (max_hidden.is_none() || Some(last) == newest);
        if is_listed && spare(content.at) {
            shown.push((id, content.text));
        }
    }
    shown
}
