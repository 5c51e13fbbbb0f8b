//! What one source says of a customer: for each place the greatest that was ever told, if no erasure covers it.

use std::collections::{BTreeMap, BTreeSet};

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

pub fn view(name: &str, all: &[&Told], erasures: &Erasures<'_>, union: bool) -> View {
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
        lists.insert(list, elements(list, &carriers, &spare, union));
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
    union: bool,
) -> Vec<(String, String)> {
    let of = |told: &Told| told.lists.get(list).cloned().unwrap_or_default();
    let newest = carriers.iter().map(|told| stamp(told, told.at)).max();
    let ids: BTreeSet<String> = carriers
        .iter()
        .flat_map(|told| of(told).into_iter().map(|element| element.id))
        .collect();
    let mut shown = Vec::new();
    for id in ids {
        let names = |told: &&&Told| of(told).iter().any(|element| element.id == id);
        let listing = carriers.iter().filter(names);
        let (last, at) = listing
            .map(|told| (stamp(told, told.at), told.at))
            .max()
            .unwrap();
        if !spare(at) || !union && Some(last) != newest {
            continue;
        }
        let contents = carriers.iter().flat_map(|told| {
            let own = of(told).into_iter().filter(|element| element.id == id);
            own.map(|element| (stamp(told, element.at), element.text, element.at))
        });
        let (_, text, at) = contents.max().unwrap();
        if spare(at) {
            shown.push((id, text));
        }
    }
    shown
}
