//! The snapshot of a customer (docs/contract.md, sections 4 and 9).

use std::collections::{BTreeMap, BTreeSet};

use super::actions::{self, Actions};
use super::builtin::read::{Console, Publisher};
use super::builtin::text::{array, format_instant, object, quote};
use super::json::Json;
use super::source::{Erasures, Shown, View, view};
use super::{Fact, Settings, Told};

/// The fields with a single value, in the order of the snapshot.
const FIELDS: [&str; 8] = [
    "status",
    "firstName",
    "lastName",
    "displayName",
    "emailAddress",
    "dateOfBirth",
    "marketingOptIn",
    "smsOptIn",
];

fn time(at: i64) -> String {
    quote(&format_instant(at))
}

pub fn of(customer: &str, facts: &[&Fact], settings: &Settings) -> Option<String> {
    let erasures = Erasures::of(facts);
    let console = console(facts, &erasures);
    let publisher = publisher(facts, &erasures);
    let views = views(facts, &erasures, settings);
    let actions = actions::of(facts, &erasures, settings);

    let sources = sources(&views, &actions, console, publisher);
    let newest = sources.iter().map(|(.., at)| *at).max()?;
    let sources: Vec<(&str, Option<String>)> = sources
        .iter()
        .map(|(name, text, _)| (name.as_str(), Some(text.clone())))
        .collect();

    let fields = fields(&views, console, settings);
    if settings.deleted_tombstone && fields.get("status").is_some_and(|s| s == "\"DELETED\"") {
        return None;
    }
    let field = |name: &'static str| (name, fields.get(name).cloned());
    let attributes: Vec<(&str, Option<String>)> = fields
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix("attributes.")?, Some(text.clone()))))
        .collect();
    let mut all = vec![
        ("schemaVersion", Some("1".to_owned())),
        ("customerId", Some(quote(customer))),
    ];
    all.extend(FIELDS.map(field));
    all.extend([
        ("phones", Some(list("phones", &views, console))),
        ("addresses", Some(list("addresses", &views, console))),
        ("dependents", Some(list("dependents", &views, console))),
        ("attributes", Some(object(&attributes))),
        ("actions", actions.text),
        ("enrollment", publisher.map(|one| one.enrollment.clone())),
        (
            "accounts",
            Some(publisher.map_or("[]".to_owned(), |one| one.accounts.clone())),
        ),
        ("sources", Some(object(&sources))),
        ("updatedAt", Some(time(newest))),
    ]);
    Some(object(&all))
}

/// What the snapshot says of each source, and its newest time, in the snapshot's order.
fn sources(
    views: &[View],
    actions: &Actions,
    console: Option<&Console>,
    publisher: Option<&Publisher>,
) -> Vec<(String, String, i64)> {
    let mut sources: Vec<(String, String, i64)> = Vec::new();
    let built_in = |name: &str| match name {
        "loyalty-customers" => "loyalty".to_owned(),
        "loyalty-actions" => "actions".to_owned(),
        other => other.to_owned(),
    };
    for view in views {
        let Some((at, rank)) = view.newest else {
            continue;
        };
        let created = view.places.get("createdAt").map(|shown| shown.text.clone());
        let text = object(&[
            ("createdAt", created),
            ("rank", rank.map(|rank| rank.to_string())),
            ("updatedAt", Some(time(at))),
        ]);
        sources.push((built_in(&view.name), text, at));
    }
    for (name, rank, at) in &actions.newest {
        let rank = rank.map(|rank| rank.to_string());
        let text = object(&[("rank", rank), ("updatedAt", Some(time(*at)))]);
        sources.push((built_in(name), text, *at));
    }
    if let Some(console) = console {
        let version = Some(console.version.to_string());
        let text = object(&[("version", version), ("updatedAt", Some(time(console.at)))]);
        sources.push(("console".to_owned(), text, console.at));
    }
    if let Some(publisher) = publisher {
        let text = object(&[("updatedAt", Some(time(publisher.at)))]);
        sources.push(("publisher".to_owned(), text, publisher.at));
    }
    let four = ["loyalty", "actions", "console", "publisher"];
    sources.sort_by_key(|(name, ..)| {
        let place = four.iter().position(|one| one == name);
        (place.unwrap_or(four.len()), name.clone())
    });
    sources
}

/// First the winner, then whether it is still to be seen.
fn console<'f>(facts: &[&'f Fact], erasures: &Erasures<'_>) -> Option<&'f Console> {
    let consoles = facts.iter().filter_map(|fact| match fact {
        Fact::Console(console) => Some(&**console),
        _ => None,
    });
    let newest = consoles.max_by_key(|console| (console.version, console.at, console.text()))?;
    erasures
        .spare("console-customers", newest.at)
        .then_some(newest)
}

fn publisher<'f>(facts: &[&'f Fact], erasures: &Erasures<'_>) -> Option<&'f Publisher> {
    let publishers = facts.iter().filter_map(|fact| match fact {
        Fact::Publisher(publisher) => Some(&**publisher),
        _ => None,
    });
    let alive = publishers.filter(|one| erasures.spare("publisher-customers", one.at));
    alive.max_by_key(|one| (one.at, one.text()))
}

fn views(facts: &[&Fact], erasures: &Erasures<'_>, settings: &Settings) -> Vec<View> {
    let told: Vec<&Told> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Told(told) => Some(told),
            _ => None,
        })
        .collect();
    let names: BTreeSet<&String> = told.iter().map(|told| &told.source).collect();
    let max_hidden = (!settings.union).then_some(settings.max_hidden());
    names
        .into_iter()
        .map(|name| {
            let own = told.iter().filter(|told| told.source == *name);
            let own: Vec<&Told> = own.copied().collect();
            view(name, &own, erasures, max_hidden)
        })
        .collect()
}

/// The values of all fields and attributes.
fn fields(
    views: &[View],
    console: Option<&Console>,
    settings: &Settings,
) -> BTreeMap<String, String> {
    let mut candidates: BTreeMap<String, Vec<(String, Shown)>> = BTreeMap::new();
    for view in views {
        for (place, shown) in &view.places {
            let of = candidates.entry(place.clone()).or_default();
            of.push((view.name.clone(), shown.clone()));
        }
    }
    for console in console.iter() {
        let mut add = |place: String, text: String| {
            let shown = Shown {
                at: console.at,
                text,
            };
            let of = candidates.entry(place).or_default();
            of.push(("console-customers".to_owned(), shown));
        };
        for (name, text) in &console.parts {
            match *name {
                "phones" => {}
                "attributes" => {
                    let object = Json::read(text).unwrap();
                    for (name, value) in object.members() {
                        add(format!("attributes.{name}"), value.canonical());
                    }
                }
                name => add(name.to_owned(), text.clone()),
            }
        }
    }
    candidates.remove("createdAt");
    candidates
        .into_iter()
        .map(|(place, of)| {
            let text = chosen(&place, of, settings);
            (place, text)
        })
        .collect()
}

/// The value of the first source in `merge.priority`, or else the greatest.
fn chosen(place: &str, mut of: Vec<(String, Shown)>, settings: &Settings) -> String {
    let priority = settings.priority.get(place);
    let priority = priority.or_else(|| settings.priority.get("*"));
    for name in priority.into_iter().flatten() {
        if let Some((_, shown)) = of.iter().find(|(source, _)| source == name) {
            return shown.text.clone();
        }
    }
    of.sort_by_key(|(source, shown)| (shown.at, shown.text.clone(), source.clone()));
    of.pop().unwrap().1.text
}

/// A list of all sources: what has no source first, then by source, then by id.
fn list(name: &'static str, views: &[View], console: Option<&Console>) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut with_source: Vec<(&str, String)> = Vec::new();
    if let (Some(console), "phones") = (console, name) {
        let phones = &console.parts["phones"];
        let inner = &phones[1..phones.len() - 1];
        texts.extend((!inner.is_empty()).then(|| inner.to_owned()));
    }
    if let (Some(console), "addresses") = (console, name) {
        let addresses = console.addresses.iter();
        with_source.extend(addresses.map(|(_, text)| ("console", text.clone())));
    }
    for view in views {
        let elements = view.lists[name].iter().map(|(_, text)| text.clone());
        match (view.name.as_str(), name) {
            ("loyalty-customers", "dependents") => texts.extend(elements),
            ("loyalty-customers", _) => {
                with_source.extend(elements.map(|text| ("loyalty", text)));
            }
            (source, _) => with_source.extend(elements.map(|text| (source, text))),
        }
    }
    // the elements of a source are in the order of their ids
    with_source.sort_by_key(|(source, _)| *source);
    let with_source = with_source.into_iter();
    texts.extend(with_source.map(|(source, text)| actions::with_source(source, &text)));
    array(&texts)
}
