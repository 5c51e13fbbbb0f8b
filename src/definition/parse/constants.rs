//! Whether a value that a definition itself gives can become what its field needs.

use super::super::shape::Kind;
use super::super::{Case, Mapped, NumberUnit};
use crate::model::nearest::alternatives;
use crate::model::time::{Date, Instant};

/// The most characters of an action's type.
const LONGEST_TYPE: usize = 64;

/// Why a value of the definition cannot become what `kind` says; none if it can.
pub(super) fn misfit(
    kind: Kind,
    value: &Mapped,
    case: Option<Case>,
    unit: Option<NumberUnit>,
) -> Option<String> {
    let text = match value {
        Mapped::Text(text) => Some(text.clone()),
        Mapped::Whole(number) => Some(number.to_string()),
        Mapped::Flag(_) => None,
    };
    let text = text.map(|text| match case {
        Some(Case::Lower) => text.to_lowercase(),
        Some(Case::Upper) => text.to_uppercase(),
        None => text,
    });
    let with_text = |holds: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(holds);
    let fits = match kind {
        Kind::Json => true,
        Kind::Object => return None, // refused already
        Kind::Flag => matches!(value, Mapped::Flag(_)),
        Kind::Text | Kind::Country => text.is_some(),
        Kind::Id => with_text(&|text| !text.trim().is_empty()),
        Kind::OneOf(texts) => with_text(&|text| texts.contains(&text)),
        Kind::ActionType => with_text(&|text| (1..=LONGEST_TYPE).contains(&text.chars().count())),
        Kind::Rank => with_text(&is_rank),
        Kind::Date | Kind::Time => match value {
            Mapped::Whole(_) => unit.is_some(),
            Mapped::Text(text) => {
                Instant::parse(text).is_some()
                    || (kind == Kind::Date && Date::parse(text).is_some())
            }
            Mapped::Flag(_) => false,
        },
    };
    let found = match value {
        Mapped::Text(text) => super::super::reader::quoted(text),
        Mapped::Whole(number) => number.to_string(),
        Mapped::Flag(flag) => flag.to_string(),
    };
    let expected = match kind {
        Kind::Date | Kind::Time if matches!(value, Mapped::Whole(_)) => {
            format!("{}, or a `unit` for the number", kind.becomes())
        }
        Kind::OneOf(texts) => alternatives(texts.iter().copied()),
        kind => kind.becomes(),
    };
    (!fits).then(|| format!("expected {expected}, found {found}"))
}

/// A whole number from 0 to 2^63−1, in ASCII digits.
fn is_rank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok()
}
