//! What the elements of a list hold, from the set of all records that carry the list.

use std::collections::{BTreeMap, BTreeSet};

/// A record that carries the list.
pub struct Carrier<S> {
    pub stamp: S,
    /// Whether it still says which elements the list has. If an erasure covers it, it does not.
    pub stands: bool,
    /// Those that no erasure covers.
    pub elements: Vec<Content<S>>,
    /// All that it names.
    pub ids: BTreeSet<String>,
}

/// What a record says of an element.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content<S> {
    pub stamp: S,
    pub text: String,
    pub at: i64,
    pub id: String,
}

/// What counts of each element, whether it is shown or not. Without `max_hidden`, nothing is let go.
pub fn contents<S: Ord + Copy>(
    carriers: &[Carrier<S>],
    max_hidden: Option<usize>,
) -> BTreeMap<String, Content<S>> {
    let standing: Vec<&Carrier<S>> = carriers.iter().filter(|one| one.stands).collect();
    let floor = max_hidden.and_then(|max| floor(&standing, max));
    let is_above = |stamp: S, id: &String| {
        let key = (stamp, id.clone());
        floor.as_ref().is_none_or(|floor| key >= *floor)
    };

    // Of each element what is newest, whoever said it; and the elements of which that is newest.
    let mut newest: BTreeMap<&String, &Content<S>> = BTreeMap::new();
    for content in carriers.iter().flat_map(|carrier| &carrier.elements) {
        let known = newest.entry(&content.id).or_insert(content);
        *known = content.max(known);
    }
    let mut by_content: Vec<(S, &String)> = newest.iter().map(|(id, c)| (c.stamp, *id)).collect();
    by_content.sort();
    by_content.reverse();
    by_content.truncate(max_hidden.unwrap_or(usize::MAX));

    let mut counts: BTreeMap<String, Content<S>> = BTreeMap::new();
    for (id, newest) in newest {
        let listed = standing.iter().filter(|one| is_above(one.stamp, id));
        let said = listed.flat_map(|carrier| &carrier.elements);
        let mut said: Vec<&Content<S>> = said.filter(|content| content.id == *id).collect();
        // Where no list stands any more that came with the newest, that counts as long as it is one of the newest of all.
        let came_with_a_list = |one: &&Carrier<S>| one.elements.contains(newest);
        if !standing.iter().any(came_with_a_list) && by_content.iter().any(|(_, of)| *of == id) {
            said.push(newest);
        }
        let counted = said.into_iter().max();
        counts.extend(counted.map(|content| (id.clone(), content.clone())));
    }
    counts
}

/// What was listed below it is let go: for each list, what more than `max_hidden` ids besides as many as it has itself
/// were listed after, and what is older than the list. The highest of those.
fn floor<S: Ord + Copy>(carriers: &[&Carrier<S>], max_hidden: usize) -> Option<(S, String)> {
    let mut last: BTreeMap<&String, S> = BTreeMap::new();
    for carrier in carriers {
        for id in &carrier.ids {
            let held = last.entry(id).or_insert(carrier.stamp);
            *held = (*held).max(carrier.stamp);
        }
    }
    let mut keys: Vec<(S, &String)> = last.into_iter().map(|(id, at)| (at, id)).collect();
    keys.sort();
    keys.reverse();
    let floors = carriers.iter().filter_map(|carrier| {
        let below = (carrier.stamp, String::new());
        let (at, id) = keys.get(max_hidden + carrier.ids.len())?;
        Some(below.min((*at, (*id).clone())))
    });
    floors.max()
}
