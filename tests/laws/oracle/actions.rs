//! The actions of a snapshot.

use std::collections::BTreeSet;

use super::read::Action;
use super::text::{array, format_instant, object, quote};

/// The snapshot's `actions`, from the kept ones, newest first.
pub fn text(kept: &[&Action], truncated: bool, recent_actions: usize) -> String {
    let recent: Vec<String> = kept
        .iter()
        .take(recent_actions)
        .map(|action| action.text.clone())
        .collect();

    let signed_up = kept
        .iter()
        .filter(|action| action.kind == "SIGN_UP")
        .map(|action| action.created)
        .min();

    let mut touches: Vec<(i64, &String, &String)> = kept
        .iter()
        .filter_map(|action| Some((action.created, &action.id, action.utm.as_ref()?)))
        .filter(|(_, _, utm)| *utm != "{}")
        .collect();
    touches.sort();
    let touch = |touch: Option<&(i64, &String, &String)>| {
        touch.map(|(at, id, utm)| {
            object(&[
                ("interactionId", Some(quote(id))),
                ("at", Some(quote(&format_instant(*at)))),
                ("utmParameters", Some((*utm).clone())),
            ])
        })
    };

    object(&[
        ("recent", Some(array(&recent))),
        ("total", Some(kept.len().to_string())),
        ("truncated", Some(truncated.to_string())),
        ("byType", Some(by_type(kept))),
        ("signedUpAt", signed_up.map(|at| quote(&format_instant(at)))),
        ("subscriptions", Some(subscriptions(kept))),
        ("firstTouch", touch(touches.first())),
        ("lastTouch", touch(touches.last())),
    ])
}

/// How many actions there are of each type.
fn by_type(kept: &[&Action]) -> String {
    let kinds: BTreeSet<&String> = kept.iter().map(|action| &action.kind).collect();
    let counts: Vec<(&str, Option<String>)> = kinds
        .into_iter()
        .map(|kind| {
            let count = kept.iter().filter(|action| action.kind == *kind).count();
            (kind.as_str(), Some(count.to_string()))
        })
        .collect();
    object(&counts)
}

/// The newest action of each contract says what it is, but for promotions.
fn subscriptions(kept: &[&Action]) -> String {
    let contracts: BTreeSet<&String> = kept
        .iter()
        .filter_map(|action| action.contract.as_ref())
        .collect();
    let shown: Vec<String> = contracts
        .into_iter()
        .filter_map(|contract| {
            let newest = kept.iter().find(|action| {
                action.contract.as_ref() == Some(contract) && action.kind != "PROMOTION_APPLIED"
            })?;
            let status = if newest.kind == "SUBSCRIPTION_CANCELLED" {
                "\"CANCELLED\""
            } else {
                "\"ACTIVE\""
            };
            Some(object(&[
                ("subscriptionContractId", Some(quote(contract))),
                ("status", Some(status.to_owned())),
                ("since", Some(quote(&format_instant(newest.stamp.at)))),
            ]))
        })
        .collect();
    array(&shown)
}
