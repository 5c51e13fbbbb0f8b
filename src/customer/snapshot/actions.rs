//! The part `actions` of a snapshot: the newest actions, and totals over all that are kept.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{View, separate};
use crate::customer::Customer;
use crate::customer::contribution::{Action, ActionKind};
use crate::customer::fields::{FieldName, Touch};
use crate::customer::texts::Span;
use crate::json::canonical::{
    write_instant, write_name, write_number, write_plain, write_raw, write_utf8,
};
use crate::model::time::Instant;

pub(super) fn write(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    let kept = &customer.actions.kept;
    let actions = customer.actions.shown(&customer.texts);
    write_name(out, "actions");
    out.extend_from_slice(b"{\"recent\":[");
    let start = out.len();
    for action in actions.clone().take(view.recent_actions) {
        separate(out, start);
        out.extend_from_slice(b"{\"interactionId\":");
        write_utf8(out, action.id);
        action.write(out);
    }
    out.push(b']');
    write_name(out, "total");
    write_number(out, kept.len());
    let truncated = customer.actions.evicted.is_some();
    write_raw(out, "truncated", if truncated { b"true" } else { b"false" });
    write_counts(kept, out);
    let sign_ups = kept
        .iter()
        .filter(|action| action.kind == ActionKind::SignUp);
    if let Some(at) = sign_ups.map(|action| action.created_at).min() {
        write_instant(out, "signedUpAt", at);
    }
    let of_contracts = actions.clone().filter_map(|action| {
        let contract = action.fields().get(FieldName::Contract)?;
        Some((contract, action.kind, action.stamp.at()))
    });
    write_subscriptions(of_contracts, out);
    let touches = actions.filter_map(|action| {
        let utm = action.fields().touch()?;
        Some(((action.created_at, action.id), utm))
    });
    write_touches(touches, out);
    out.push(b'}');
}

/// The types of actions, sorted by their texts.
const KINDS: [ActionKind; 4] = [
    ActionKind::PromotionApplied,
    ActionKind::SignUp,
    ActionKind::SubscriptionCancelled,
    ActionKind::SubscriptionRestarted,
];

fn write_counts(kept: &[Action<Span>], out: &mut Vec<u8>) {
    let mut counts = [0_usize; KINDS.len()];
    for action in kept {
        counts[action.kind as usize] += 1;
    }
    write_name(out, "byType");
    out.push(b'{');
    let start = out.len();
    for kind in KINDS {
        let count = counts[kind as usize];
        if count > 0 {
            separate(out, start);
            write_plain(out, kind.text());
            out.push(b':');
            write_number(out, count);
        }
    }
    out.push(b'}');
}

/// The id of a contract as in JSON, and the type and the time of an action on it.
pub(super) type OnContract<'a> = (&'a [u8], ActionKind, Instant);

/// Writes for each contract the newest action that is not a promotion. `actions` come newest first.
pub(super) fn write_subscriptions<'a>(
    actions: impl Iterator<Item = OnContract<'a>>,
    out: &mut Vec<u8>,
) {
    let is_promotion = |kind: ActionKind| kind == ActionKind::PromotionApplied;
    let mut newest: Vec<OnContract<'_>> = actions
        .filter(|(_, kind, _)| !is_promotion(*kind))
        .collect();
    // The sort is stable: the newest action of a contract stays the first.
    newest.sort_by(|one, other| cmp_unescaped(one.0, other.0));
    newest.dedup_by(|older, newest| older.0 == newest.0);
    write_name(out, "subscriptions");
    out.push(b'[');
    let start = out.len();
    for (contract, kind, since) in newest {
        separate(out, start);
        out.extend_from_slice(b"{\"subscriptionContractId\":");
        write_plain(out, contract);
        let status = match kind {
            ActionKind::SubscriptionCancelled => "CANCELLED",
            _ => "ACTIVE",
        };
        write_name(out, "status");
        write_plain(out, status);
        write_instant(out, "since", since);
        out.push(b'}');
    }
    out.push(b']');
}

/// Orders two insides of JSON strings by the texts that they stand for.
fn cmp_unescaped(one: &[u8], other: &[u8]) -> Ordering {
    if one == other {
        return Ordering::Equal;
    }
    unescaped(one).cmp(&unescaped(other))
}

/// The text that the inside of a JSON string stands for.
pub(super) fn unescaped(inside: &[u8]) -> Cow<'_, [u8]> {
    if inside.contains(&b'\\')
        && let Ok(text) = serde_json::from_slice::<String>(&[b"\"", inside, b"\""].concat())
    {
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(inside)
}

/// The UTM parameters of an action, with what orders them.
pub(super) type Touched<'a> = ((Instant, &'a [u8]), Touch<'a>);

/// Writes the first and the last action with UTM parameters.
pub(super) fn write_touches<'a>(touches: impl Iterator<Item = Touched<'a>>, out: &mut Vec<u8>) {
    let (mut first, mut last): (Option<Touched<'a>>, Option<Touched<'a>>) = (None, None);
    for touch in touches {
        if first.is_none_or(|first| touch.0 < first.0) {
            first = Some(touch);
        }
        if last.is_none_or(|last| touch.0 > last.0) {
            last = Some(touch);
        }
    }
    for (name, touch) in [("firstTouch", first), ("lastTouch", last)] {
        if let Some(((at, id), utm)) = touch {
            write_name(out, name);
            out.extend_from_slice(b"{\"interactionId\":");
            write_utf8(out, id);
            write_instant(out, "at", at);
            write_name(out, "utmParameters");
            utm.write(out);
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_in_the_order_of_their_texts() {
        let mut all = ActionKind::ALL.to_vec();
        all.sort_by_key(|kind| kind.text());
        assert_eq!(all, KINDS);
    }
}
