//! The snapshot: what other teams see of a customer, put together by copying the canonical texts of the state
//! (docs/contract.md, section 4).

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Customer;
use super::contribution::{Action, ActionKind, Status};
use super::fields::{FieldName, Touch};
use super::texts::Span;
use crate::json::canonical::{write_instant, write_name, write_string, write_utf8};
use crate::model::record::Source;
use crate::model::time::Instant;

/// How the state is looked at. These settings change snapshots, not the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// `merge.lists = "union"`: elements are never removed by absence.
    pub union: bool,
    /// `snapshot.recent_actions`.
    pub recent_actions: usize,
    /// `snapshot.deleted = "tombstone"`: a deleted customer's snapshot is a null value.
    pub deleted_is_null: bool,
}

/// An action with its texts at hand.
type Shown<'a> = Action<&'a [u8]>;

/// The newest action of a contract: its type and time, and the contract's id as it stands in JSON.
type Newest<'a> = (ActionKind, Instant, &'a [u8]);

/// When, by which action, and with which parameters a customer was touched.
type TouchedBy<'a> = (Instant, &'a [u8], Touch<'a>);

/// Appends the snapshot of a customer as JSON. False, and nothing is appended, where it is a null value.
pub fn write(customer: &Customer, id: &str, view: &View, out: &mut Vec<u8>) -> bool {
    let status = customer.scalars.status.as_ref().map(|held| held.value);
    let Some(updated_at) = customer.newest() else {
        return false;
    };
    if view.deleted_is_null && status == Some(Status::Deleted) {
        return false;
    }
    let console = customer
        .console
        .as_ref()
        .and_then(|held| held.parts)
        .map(|parts| parts.map(|text| customer.texts.get(*text)));
    let scalars = &customer.scalars;

    out.extend_from_slice(b"{\"schemaVersion\":1,\"customerId\":");
    write_string(out, id);
    if let Some(status) = status {
        write_name(out, "status");
        write_plain(out, status.text());
    }
    if let Some((_, names)) = console.and_then(|parts| parts.names.split_last()) {
        out.push(b',');
        out.extend_from_slice(names);
    }
    if let Some(held) = &scalars.date_of_birth {
        write_name(out, "dateOfBirth");
        out.push(b'"');
        out.extend_from_slice(held.value.bytes());
        out.push(b'"');
    }
    for (name, held) in [
        ("marketingOptIn", &scalars.marketing_opt_in),
        ("smsOptIn", &scalars.sms_opt_in),
    ] {
        if let Some(held) = held {
            write_name(out, name);
            out.extend_from_slice(if held.value { b"true" } else { b"false" });
        }
    }
    write_name(out, "phones");
    out.extend_from_slice(console.map_or(b"[]", |parts| parts.phones));
    write_addresses(
        customer,
        console.map_or(b"", |parts| parts.addresses),
        view,
        out,
    );
    write_dependents(customer, view, out);
    write_name(out, "attributes");
    out.extend_from_slice(console.map_or(b"{}", |parts| parts.attributes));
    if !customer.actions.kept.is_empty() {
        write_actions(customer, view, out);
    }
    let publisher = customer
        .publisher
        .as_ref()
        .map(|held| held.map(|text| customer.texts.get(*text)));
    if let Some(publisher) = publisher {
        write_name(out, "enrollment");
        out.extend_from_slice(publisher.enrollment);
    }
    write_name(out, "accounts");
    out.extend_from_slice(publisher.map_or(b"[]", |publisher| publisher.accounts));
    write_sources(customer, out);
    write_instant(out, "updatedAt", updated_at);
    out.push(b'}');
    true
}

/// A text that needs no escapes.
fn write_plain(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Starts an element of an array that began at `start`.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

/// The addresses of the console, and behind them those of the loyalty programme.
fn write_addresses(customer: &Customer, console: &[u8], view: &View, out: &mut Vec<u8>) {
    write_name(out, "addresses");
    out.push(b'[');
    let start = out.len();
    out.extend_from_slice(console);
    for address in customer.addresses.shown(&customer.texts, view.union) {
        separate(out, start);
        out.extend_from_slice(b"{\"source\":\"loyalty\",\"addressId\":");
        write_utf8(out, address.id);
        address.content.write(out);
    }
    out.push(b']');
}

fn write_dependents(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    write_name(out, "dependents");
    out.push(b'[');
    let start = out.len();
    for dependent in customer.dependents.shown(&customer.texts, view.union) {
        separate(out, start);
        out.extend_from_slice(b"{\"dependentId\":");
        write_utf8(out, dependent.id);
        dependent.content.write(out);
    }
    out.push(b']');
}

fn write_actions(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    let kept = &customer.actions.kept;
    let shown = customer.actions.shown(&customer.texts);
    write_name(out, "actions");
    out.extend_from_slice(b"{\"recent\":[");
    let start = out.len();
    for action in shown.clone().take(view.recent_actions) {
        separate(out, start);
        out.extend_from_slice(b"{\"interactionId\":");
        write_utf8(out, action.id);
        action.write(out);
    }
    out.push(b']');
    write_name(out, "total");
    write_number(out, kept.len());
    write_name(out, "truncated");
    let truncated = customer.actions.evicted.is_some();
    out.extend_from_slice(if truncated { b"true" } else { b"false" });
    write_counts(kept, out);
    let signed_up = kept
        .iter()
        .filter(|action| action.kind == ActionKind::SignUp)
        .map(|action| action.created_at)
        .min();
    if let Some(at) = signed_up {
        write_instant(out, "signedUpAt", at);
    }
    write_subscriptions(shown.clone(), out);
    let touches = shown.filter_map(|action| {
        let utm = action.fields().touch()?;
        Some((action.created_at, action.id, utm))
    });
    let (mut first, mut last): (Option<TouchedBy<'_>>, Option<TouchedBy<'_>>) = (None, None);
    for touch in touches {
        let (at, id, _) = touch;
        if first.is_none_or(|first| (at, id) < (first.0, first.1)) {
            first = Some(touch);
        }
        if last.is_none_or(|last| (at, id) > (last.0, last.1)) {
            last = Some(touch);
        }
    }
    write_touch(out, "firstTouch", first);
    write_touch(out, "lastTouch", last);
    out.push(b'}');
}

/// The types of actions in the order of their texts.
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

fn write_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// For each contract the newest action that is no promotion. The actions come newest first.
fn write_subscriptions<'a>(actions: impl Iterator<Item = Shown<'a>>, out: &mut Vec<u8>) {
    let of_contracts = actions.filter_map(|action| {
        let contract = action.fields().get(FieldName::Contract)?;
        (action.kind != ActionKind::PromotionApplied).then_some((
            action.kind,
            action.stamp.at(),
            contract,
        ))
    });
    let mut newest: Vec<Newest<'_>> = of_contracts.collect();
    // stable: the newest of a contract stays the first
    newest.sort_by(|one, other| cmp_unescaped(one.2, other.2));
    newest.dedup_by(|older, newest| older.2 == newest.2);
    write_name(out, "subscriptions");
    out.push(b'[');
    let start = out.len();
    for (kind, since, contract) in newest {
        separate(out, start);
        out.extend_from_slice(b"{\"subscriptionContractId\":\"");
        out.extend_from_slice(contract);
        out.push(b'"');
        write_name(out, "status");
        write_plain(
            out,
            match kind {
                ActionKind::SubscriptionCancelled => "CANCELLED",
                _ => "ACTIVE",
            },
        );
        write_instant(out, "since", since);
        out.push(b'}');
    }
    out.push(b']');
}

/// The order of what the insides of two JSON strings stand for.
fn cmp_unescaped(one: &[u8], other: &[u8]) -> Ordering {
    if one == other {
        return Ordering::Equal;
    }
    unescaped(one).cmp(&unescaped(other))
}

/// The bytes that the inside of a JSON string stands for.
fn unescaped(inside: &[u8]) -> Cow<'_, [u8]> {
    if inside.contains(&b'\\')
        && let Ok(text) = serde_json::from_slice::<String>(&[b"\"", inside, b"\""].concat())
    {
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(inside)
}

fn write_touch(out: &mut Vec<u8>, name: &str, touch: Option<TouchedBy<'_>>) {
    let Some((at, id, utm)) = touch else {
        return;
    };
    write_name(out, name);
    out.extend_from_slice(b"{\"interactionId\":");
    write_utf8(out, id);
    write_instant(out, "at", at);
    write_name(out, "utmParameters");
    utm.write(out);
    out.push(b'}');
}

fn write_sources(customer: &Customer, out: &mut Vec<u8>) {
    let source = |out: &mut Vec<u8>, start: usize, source: Source| {
        separate(out, start);
        out.extend_from_slice(match source {
            Source::LoyaltyCustomers => b"\"loyalty\":{" as &[u8],
            Source::LoyaltyActions => b"\"actions\":{",
            Source::ConsoleCustomers => b"\"console\":{",
            Source::PublisherCustomers => b"\"publisher\":{",
        });
    };
    let last = |out: &mut Vec<u8>, at: Instant| {
        out.extend_from_slice(b"\"updatedAt\":\"");
        at.write(out);
        out.extend_from_slice(b"\"}");
    };
    write_name(out, "sources");
    out.push(b'{');
    let start = out.len();
    if let Some(created) = &customer.scalars.created_at {
        source(out, start, Source::LoyaltyCustomers);
        out.extend_from_slice(b"\"createdAt\":\"");
        created.value.write(out);
        out.extend_from_slice(b"\",");
        last(out, created.stamp.at());
    }
    if let Some(newest) = customer.actions.kept.first() {
        source(out, start, Source::LoyaltyActions);
        last(out, newest.stamp.at());
    }
    if let Some(console) = customer
        .console
        .as_ref()
        .filter(|held| held.parts.is_some())
    {
        source(out, start, Source::ConsoleCustomers);
        out.extend_from_slice(b"\"version\":");
        write_number(out, console.version);
        out.push(b',');
        last(out, console.at);
    }
    if let Some(publisher) = &customer.publisher {
        source(out, start, Source::PublisherCustomers);
        last(out, publisher.at);
    }
    out.push(b'}');
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
