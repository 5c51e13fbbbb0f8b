//! An action of a customer.

use super::found::Found;
use super::reader::{Reader, Times};
use crate::customer::declared::DeclaredAction;
use crate::customer::fields::{FieldName, put, put_trimmed, put_utm};
use crate::customer::texts::Texts;
use crate::definition::{ActionPlan, ValuePlan};

/// The most characters of an action's type.
const MAX_TYPE: usize = 64;

const UTM: [FieldName; 5] = [
    FieldName::UtmSource,
    FieldName::UtmMedium,
    FieldName::UtmCampaign,
    FieldName::UtmContent,
    FieldName::UtmTerms,
];

/// None: something is wrong with it, which is noted.
pub(super) fn read<'r, 'a: 'r>(
    reader: &mut Reader<'r, 'a>,
    plan: &'r ActionPlan,
    times: Times,
    pool: &mut Texts,
) -> Option<DeclaredAction> {
    let id = reader.required_id(&plan.id).map(|(id, _)| id);
    let kind = match reader.text(&plan.kind, None) {
        Found::Is(kind, _) if (1..=MAX_TYPE).contains(&kind.chars().take(MAX_TYPE + 1).count()) => {
            Some(kind)
        }
        Found::Is(_, spot) => {
            let message = format!("must have 1 to {MAX_TYPE} characters");
            reader.violation::<()>((spot, None), "format", message);
            None
        }
        Found::Absent | Found::Null => {
            reader.missing_unless_wrong(&plan.kind);
            None
        }
    };
    let body = pool.write(|out| put_body(reader, plan, out));
    Some(DeclaredAction {
        id: pool.add(id?.as_bytes()),
        kind: pool.add(kind?.as_bytes()),
        created_at: times.created_at,
        body,
    })
}

fn put_body<'r, 'a: 'r>(reader: &mut Reader<'r, 'a>, plan: &'r ActionPlan, out: &mut Vec<u8>) {
    let mut text = |value: &'r Option<ValuePlan>| match value {
        Some(value) => match reader.text(value, None) {
            Found::Is(text, _) => Some(text),
            Found::Absent | Found::Null => None,
        },
        None => None,
    };
    if let Some(contract) = text(&plan.contract) {
        put(out, FieldName::Contract, &*contract);
    }
    let mut has_utm = false;
    for (name, value) in UTM.into_iter().zip(&plan.utm) {
        if let Some(text) = text(value) {
            if !has_utm {
                put_utm(out);
                has_utm = true;
            }
            put_trimmed(out, name, Some(&text));
        }
    }
}
