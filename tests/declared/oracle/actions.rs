//! The actions of a snapshot, those of all sources together.

use std::collections::{BTreeMap, BTreeSet};

use super::builtin::text::{array, format_instant, object, quote};
use super::source::Erasures;
use super::{Action, Fact, Settings};

/// The types of which more is told than their number.
const TYPES: [&str; 4] = [
    "SIGN_UP",
    "SUBSCRIPTION_RESTARTED",
    "SUBSCRIPTION_CANCELLED",
    "PROMOTION_APPLIED",
];

pub struct Actions {
    /// The snapshot's `actions`; none if there are none.
    pub text: Option<String>,
    /// Of each source with an action: its name, its newest action's rank if it is shown, and its time.
    pub newest: Vec<(String, Option<u64>, i64)>,
}

/// An element gets its source as the first field.
pub fn with_source(source: &str, text: &str) -> String {
    format!("{{\"source\":{},{}", quote(source), &text[1..])
}

pub fn of(facts: &[&Fact], erasures: &Erasures<'_>, settings: &Settings) -> Actions {
    let mut by_source: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
    for fact in facts {
        if let Fact::Action(action) = fact
            && erasures.spare(&action.source, action.at)
        {
            by_source.entry(&action.source).or_default().push(action);
        }
    }
    let mut truncated = false;
    let mut kept: Vec<&Action> = Vec::new();
    let mut newest = Vec::new();
    for (name, mut actions) in by_source {
        actions.sort_by_key(|action| (action.at, action.rank, &action.text));
        // the last one of an id is its greatest
        let by_id: BTreeMap<&String, &Action> = actions.iter().map(|a| (&a.id, *a)).collect();
        let mut own: Vec<&Action> = by_id.into_values().collect();
        own.sort_by_key(|action| (action.at, action.rank, &action.id));
        own.reverse();
        truncated |= own.len() > settings.max_actions();
        own.truncate(settings.max_actions());
        let first = own[0];
        newest.push((
            name.to_owned(),
            first.has_rank.then_some(first.rank),
            first.at,
        ));
        kept.extend(own);
    }
    kept.sort_by_key(|action| (action.at, action.rank, &action.id, &action.source));
    kept.reverse();
    let text = (!kept.is_empty()).then(|| text(&kept, truncated, settings.recent_actions()));
    Actions { text, newest }
}

fn text(kept: &[&Action], truncated: bool, recent: usize) -> String {
    let recent: Vec<String> = kept
        .iter()
        .take(recent)
        .map(|action| match action.source.as_str() {
            "loyalty-actions" => action.text.clone(),
            source => with_source(source, &action.text),
        })
        .collect();
    let known: Vec<&Action> = kept
        .iter()
        .filter(|action| TYPES.contains(&action.kind.as_str()))
        .copied()
        .collect();
    let created = |action: &Action| action.created.unwrap_or(action.at);
    let signed_up = known
        .iter()
        .filter(|action| action.kind == "SIGN_UP")
        .map(|action| created(action))
        .min();
    // of those that are equal, which can only be of several sources, the newest
    let touches: Vec<&Action> = known
        .iter()
        .filter(|action| action.utm.as_ref().is_some_and(|utm| utm != "{}"))
        .copied()
        .collect();
    let key = |action: &&&Action| (created(action), action.id.clone());
    let first = touches.iter().min_by_key(key);
    let last = touches.iter().rev().max_by_key(key);
    let touch = |action: Option<&&Action>| {
        let action = action?;
        Some(object(&[
            ("interactionId", Some(quote(&action.id))),
            ("at", Some(quote(&format_instant(created(action))))),
            ("utmParameters", action.utm.clone()),
        ]))
    };
    object(&[
        ("recent", Some(array(&recent))),
        ("total", Some(kept.len().to_string())),
        ("truncated", Some(truncated.to_string())),
        ("byType", Some(by_type(kept))),
        ("signedUpAt", signed_up.map(|at| quote(&format_instant(at)))),
        ("subscriptions", Some(subscriptions(&known))),
        ("firstTouch", touch(first)),
        ("lastTouch", touch(last)),
    ])
}

fn by_type(kept: &[&Action]) -> String {
    let kinds: BTreeSet<&str> = kept.iter().map(|action| action.kind.as_str()).collect();
    let count = |kind: &str| kept.iter().filter(|action| action.kind == kind).count();
    let counts: Vec<(&str, Option<String>)> = kinds
        .into_iter()
        .map(|kind| (kind, Some(count(kind).to_string())))
        .collect();
    object(&counts)
}

/// The newest action of each contract says what it is, but for promotions.
fn subscriptions(known: &[&Action]) -> String {
    let contracts: BTreeSet<&String> = known
        .iter()
        .filter_map(|action| action.contract.as_ref())
        .collect();
    let shown: Vec<String> = contracts
        .into_iter()
        .filter_map(|contract| {
            let mut of = known.iter().filter(|action| {
                action.contract.as_ref() == Some(contract) && action.kind != "PROMOTION_APPLIED"
            });
            let newest = of.next()?;
            let status = match newest.kind.as_str() {
                "SUBSCRIPTION_CANCELLED" => "\"CANCELLED\"",
                _ => "\"ACTIVE\"",
            };
            Some(object(&[
                ("subscriptionContractId", Some(quote(contract))),
                ("status", Some(status.to_owned())),
                ("since", Some(quote(&format_instant(newest.at)))),
            ]))
        })
        .collect();
    array(&shown)
}
