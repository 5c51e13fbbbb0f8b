//! The part `actions` of a snapshot if there are declared sources: the actions of all sources together
//! (docs/contract.md, section 9).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::actions::{unescaped, write_subscriptions, write_touches};
use super::elements::put_source;
use super::{View, separate};
use crate::customer::Customer;
use crate::customer::contribution::{Action, ActionKind};
use crate::customer::declared::{DeclaredKind, DeclaredStamp};
use crate::customer::fields::{FieldName, Fields};
use crate::customer::stamp::AnyStamp;
use crate::json::canonical::{
    write_instant, write_name, write_number, write_object, write_plain, write_raw, write_utf8,
};
use crate::model::record::Source;
use crate::model::time::Instant;

/// An action of any source. The first fields order it, and no two actions are equal in them.
struct AnyAction<'c> {
    at: Instant,
    rank: u64,
    id: &'c [u8],
    source: &'c [u8],
    created_at: Instant,
    /// The inside of a JSON string.
    kind: &'c [u8],
    of: ActionOf<'c>,
}

enum ActionOf<'c> {
    BuiltIn(Action<&'c [u8]>),
    Declared(Action<&'c [u8], DeclaredStamp, DeclaredKind>),
}

impl<'c> AnyAction<'c> {
    fn built_in(action: Action<&'c [u8]>) -> AnyAction<'c> {
        AnyAction {
            at: action.stamp.at(),
            rank: action.stamp.rank() as u64,
            id: action.id,
            source: Source::LoyaltyActions.name().as_bytes(),
            created_at: action.created_at,
            kind: action.kind.text().as_bytes(),
            of: ActionOf::BuiltIn(action),
        }
    }

    fn declared(
        source: &'c [u8],
        action: Action<&'c [u8], DeclaredStamp, DeclaredKind>,
    ) -> AnyAction<'c> {
        let at = action.stamp.at();
        AnyAction {
            at,
            rank: action.stamp.rank(),
            id: action.id,
            source,
            created_at: match action.created_at.is_never() {
                true => at,
                false => action.created_at,
            },
            kind: action.fields().get(FieldName::Kind).unwrap_or_default(),
            of: ActionOf::Declared(action),
        }
    }

    fn fields(&self) -> Fields<'c> {
        match &self.of {
            ActionOf::BuiltIn(action) => action.fields(),
            ActionOf::Declared(action) => action.fields(),
        }
    }

    /// None for a type that only a declared source has: such actions are counted and listed, and nothing else.
    fn known_kind(&self) -> Option<ActionKind> {
        let mut kinds = ActionKind::ALL.iter().copied();
        kinds.find(|kind| kind.text().as_bytes() == self.kind)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let write_id = |out: &mut Vec<u8>| write_utf8(out, self.id);
        match &self.of {
            ActionOf::BuiltIn(action) => {
                out.extend_from_slice(b"{\"interactionId\":");
                write_id(out);
                action.write(out);
            }
            ActionOf::Declared(action) => {
                put_source(out, self.source);
                write_name(out, "interactionId");
                write_id(out);
                action.write(out);
            }
        }
    }
}

/// Writes the actions of all sources, if there are any.
pub(super) fn write(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    let texts = &customer.texts;
    let built_in = customer.actions.shown(texts).map(AnyAction::built_in);
    let mut all: Vec<AnyAction<'_>> = built_in.collect();
    let mut truncated = customer.actions.evicted.is_some();
    for source in customer.declared_sources() {
        let name = texts.get(source.name);
        let actions = source.actions.shown(texts);
        all.extend(actions.map(|action| AnyAction::declared(name, action)));
        truncated |= source.actions.evicted.is_some();
    }
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|action| Reverse((action.at, action.rank, action.id, action.source)));
    write_name(out, "actions");
    out.extend_from_slice(b"{\"recent\":[");
    let start = out.len();
    for action in all.iter().take(view.recent_actions) {
        separate(out, start);
        action.write(out);
    }
    out.push(b']');
    write_name(out, "total");
    write_number(out, all.len());
    write_raw(out, "truncated", if truncated { b"true" } else { b"false" });
    write_counts(&all, out);
    let known = || {
        all.iter()
            .filter_map(|action| Some((action, action.known_kind()?)))
    };
    let sign_ups = known().filter(|(_, kind)| *kind == ActionKind::SignUp);
    if let Some(at) = sign_ups.map(|(action, _)| action.created_at).min() {
        write_instant(out, "signedUpAt", at);
    }
    let of_contracts = known().filter_map(|(action, kind)| {
        let contract = action.fields().get(FieldName::Contract)?;
        Some((contract, kind, action.at))
    });
    write_subscriptions(of_contracts, out);
    let touches = known().filter_map(|(action, _)| {
        let utm = action.fields().touch()?;
        Some(((action.created_at, action.id), utm))
    });
    write_touches(touches, out);
    out.push(b'}');
}

fn write_counts(all: &[AnyAction<'_>], out: &mut Vec<u8>) {
    let mut counts: BTreeMap<Cow<'_, [u8]>, (&[u8], usize)> = BTreeMap::new();
    for action in all {
        let count = counts.entry(unescaped(action.kind));
        count.or_insert((action.kind, 0)).1 += 1;
    }
    write_name(out, "byType");
    write_object(out, |out| {
        for (kind, count) in counts.into_values() {
            out.push(b',');
            write_plain(out, kind);
            out.push(b':');
            write_number(out, count);
        }
    });
}
