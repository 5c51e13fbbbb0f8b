//! The id of a deleted row in the key of its record.

use std::borrow::Cow;

use super::found::Found;
use super::found::Pointers;
use super::reader::Reader;
use super::violations::Violations;
use crate::config::Rules;
use crate::definition::KeyPlan;
use crate::definition::pass::Raw;
use crate::json::strict;
use crate::model::record::Source;
use crate::source::rules::RuleCheck;

/// The id: in a struct, with or without `{"schema","payload"}`, as in the row; else the key's JSON string or number, or
/// its text as it is. None: it is not there.
pub(super) fn id(plan: &KeyPlan, key: &str, outer: &Reader<'_, '_>) -> Option<String> {
    if strict::check(key).is_err() {
        return Some(key.to_owned());
    }
    let captured = plan.pass.read(key, 0).ok()?;
    let [schema, payload] = plan.wrapping.map(|column| captured.cell(column));
    let is_wrapped = schema != Raw::Absent && payload != Raw::Absent;
    let (value, whole) = match is_wrapped {
        true => (&plan.wrapped, payload),
        false => (&plan.plain, captured.cell(plan.whole)),
    };
    let rules = Rules::default();
    let source = Source::LoyaltyCustomers;
    let mut reader = Reader {
        plan: outer.plan,
        is_of_row: outer.is_of_row,
        here: &captured,
        around: None,
        outside: outer.outside,
        pointers: Pointers::default(),
        violations: Violations::default(),
        check: RuleCheck::new(&rules, source, None),
    };
    if whole == Raw::Object {
        return match reader.text(value, None) {
            Found::Is(id, _) => Some(id.into_owned()),
            Found::Absent | Found::Null => None,
        };
    }
    let got = super::found::Got::of(whole, &captured)?;
    got.text().map(Cow::into_owned)
}
