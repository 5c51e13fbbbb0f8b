//! Finds the value that a definition maps, before its field decides what it becomes.

use std::borrow::Cow;

use crate::definition::pass::{Captured, ListRows, ListState, Raw};
use crate::definition::{ListPlan, Mapped, Place, PlacePlan, ValuePlan};
use crate::model::time::Instant;

/// A value that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Got<'v> {
    Text(&'v str),
    /// Text of the key or of a header, where digits stand for a number too.
    Outer(&'v str),
    Positive(u64),
    Negative(i64),
    Double(f64),
    /// A number digit by digit.
    Digits(&'v str),
    Flag(bool),
    Moment(Instant),
    Object,
    Array,
    /// An object or an array in canonical form.
    Canonical(&'v [u8]),
}

/// What is found of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'v, T> {
    Absent,
    Null,
    Is(T, Spot<'v>),
}

/// Where a value was found, to name it in a violation; none for a constant. It is moved with each value, so it is no more
/// than a reference: where the value is in a list's element, the [`Row`] says which one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Spot<'v>(pub Option<&'v PlacePlan>);

/// An element of a list.
#[derive(Clone, Copy)]
pub(super) struct Row<'v, 'a> {
    pub table: &'v ListPlan,
    pub captured: &'v Captured<'a>,
    pub rows: &'v ListRows<'a>,
    pub at: usize,
}

impl<'v> Got<'v> {
    /// None: it is not there, or null.
    #[inline]
    pub fn of(raw: Raw<'v>, captured: &'v Captured<'_>) -> Option<Got<'v>> {
        Some(match raw {
            Raw::Absent | Raw::Null => return None,
            Raw::Flag(flag) => Got::Flag(flag),
            Raw::Text(text) | Raw::Time(text, _) | Raw::Date(text, _) => Got::Text(text),
            Raw::Escaped(number) => Got::Text(captured.escaped(number)),
            Raw::Positive(number) => Got::Positive(number),
            Raw::Negative(number) => Got::Negative(number),
            Raw::Double(number) => Got::Double(number),
            Raw::Digits(digits) => Got::Digits(digits),
            Raw::Object => Got::Object,
            Raw::Array => Got::Array,
            Raw::CanonicalObject(number) | Raw::CanonicalArray(number) => {
                Got::Canonical(captured.canonical(number))
            }
        })
    }

    pub fn of_mapped(mapped: &'v Mapped) -> Got<'v> {
        match mapped {
            Mapped::Text(text) => Got::Text(text),
            Mapped::Flag(flag) => Got::Flag(*flag),
            Mapped::Whole(number) => match u64::try_from(*number) {
                Ok(number) => Got::Positive(number),
                Err(_) => Got::Negative(*number),
            },
        }
    }

    /// The text by which `map` looks a value up; none for objects and arrays.
    pub fn map_key(self) -> Option<Cow<'v, str>> {
        match self {
            Got::Flag(flag) => Some(if flag { "true" } else { "false" }.into()),
            Got::Double(_) | Got::Digits(_) => {
                let number = String::from_utf8(self.json()).unwrap_or_default();
                Some(number.into())
            }
            Got::Object | Got::Array | Got::Canonical(_) => None,
            other => other.text(),
        }
    }

    /// The text that the value is: a string, or the digits of an integer.
    pub fn text(self) -> Option<Cow<'v, str>> {
        match self {
            Got::Text(text) | Got::Outer(text) => Some(text.into()),
            Got::Positive(number) => Some(number.to_string().into()),
            Got::Negative(number) => Some(number.to_string().into()),
            Got::Digits(digits) if is_whole(digits) => Some(match digits {
                "-0" => "0".into(),
                digits => digits.into(),
            }),
            Got::Moment(at) => Some(at.to_string().into()),
            _ => None,
        }
    }

    /// Canonical JSON.
    pub fn json(self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Got::Text(text) | Got::Outer(text) => {
                crate::json::canonical::write_string(&mut out, text)
            }
            Got::Positive(number) => crate::json::canonical::write_number(&mut out, number),
            Got::Negative(number) => crate::json::canonical::write_number(&mut out, number),
            Got::Double(number) => out = shortest(number),
            Got::Digits("-0") => out.push(b'0'),
            Got::Digits(digits) if is_whole(digits) => out.extend_from_slice(digits.as_bytes()),
            Got::Digits(digits) => out = shortest(digits.parse().unwrap_or_default()),
            Got::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            Got::Moment(at) => crate::json::canonical::write_instant_text(&mut out, at),
            // Captured in canonical form where their text matters.
            Got::Object => out.extend_from_slice(b"{}"),
            Got::Array => out.extend_from_slice(b"[]"),
            Got::Canonical(text) => out.extend_from_slice(text),
        }
        out
    }

    /// What it is, for messages.
    pub fn kind(self) -> &'static str {
        match self {
            Got::Text(_) | Got::Outer(_) => "a string",
            Got::Positive(_) | Got::Negative(_) => "a whole number",
            Got::Double(_) => "a number",
            Got::Digits(digits) if is_whole(digits) => "a whole number",
            Got::Digits(_) => "a number that is not whole",
            Got::Flag(_) => "a boolean",
            Got::Moment(_) => "a time",
            Got::Object => "an object",
            Got::Array => "an array",
            Got::Canonical(text) if text.starts_with(b"{") => "an object",
            Got::Canonical(_) => "an array",
        }
    }
}

fn is_whole(digits: &str) -> bool {
    !digits.contains(['.', 'e', 'E'])
}

fn shortest(number: f64) -> Vec<u8> {
    serde_json::to_vec(&number).unwrap_or_default()
}

/// The pointers of what is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pointers<'v> {
    /// That of the event, if the record is a list of events; else empty.
    pub event: &'v str,
    /// That of the customer: of the event, or of the element of a batch; else empty.
    pub customer: &'v str,
}

impl<'v> Spot<'v> {
    pub fn at(place: &'v PlacePlan) -> Spot<'v> {
        Spot(Some(place))
    }

    /// The first place of a value.
    #[inline]
    pub fn first(value: &'v ValuePlan) -> Spot<'v> {
        Spot(value.from.first())
    }

    /// Where violations say that a value is missing.
    pub fn named(value: &'v ValuePlan) -> Spot<'v> {
        Spot(value.named.and_then(|named| value.from.get(named)))
    }

    /// The pointer of a value outside of lists.
    pub fn pointer(self, of: Pointers<'_>) -> String {
        self.pointer_in(None, of)
    }

    /// The pointer of a value that is in an element of a list, if there is one.
    pub fn pointer_in(self, row: Option<&Row<'_, '_>>, of: Pointers<'_>) -> String {
        let Some(PlacePlan { place, pointer }) = self.0 else {
            return String::new();
        };
        match (place, row) {
            (Place::Here(_), _) => format!("{}{pointer}", of.customer),
            (Place::Record(_), _) => format!("{}{pointer}", of.event),
            (Place::Row(_), Some(row)) => format!("{}{pointer}", row.pointer(of)),
            _ => String::new(),
        }
    }
}

/// The pointer of a list.
pub(super) fn list_pointer(table: &ListPlan, of: Pointers<'_>) -> String {
    let outer = match table.is_of_record {
        true => of.event,
        false => of.customer,
    };
    format!("{outer}{}", table.pointer)
}

impl Row<'_, '_> {
    fn pointer(&self, of: Pointers<'_>) -> String {
        let list = list_pointer(self.table, of);
        match self.rows.state {
            ListState::Array => format!("{list}/{}", self.rows.index(self.at)),
            // The only element, which is not in an array.
            _ => list,
        }
    }
}
